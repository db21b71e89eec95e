#include "policy/layers.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "policy/confine.h"
#include "policy/limits.h"

namespace glovebox::policy {
namespace {

TEST(Layers, EachIsFoundByItsNameAndNoOther) {
  std::set<std::string_view> names;
  for (auto& layer : LAYERS) {
    EXPECT_EQ(tryParseLayer(layer.name), layer.layer);
    EXPECT_TRUE(names.insert(layer.name).second) << layer.name;
  }
  EXPECT_EQ(tryParseLayer("seccom"), std::nullopt);
  EXPECT_EQ(tryParseLayer(""), std::nullopt);
}

TEST(Layers, ASetHoldsWhatWasAdded) {
  LayerSet set;
  set.add(Layer::SECCOMP);
  set.add(Layer::CGROUP_CPU);
  EXPECT_TRUE(set.has(Layer::SECCOMP));
  EXPECT_FALSE(set.has(Layer::LANDLOCK));
  set.remove(Layer::SECCOMP);
  EXPECT_FALSE(set.has(Layer::SECCOMP));
  EXPECT_TRUE(LayerSet(set.bits()).has(Layer::CGROUP_CPU));
}

TEST(Steps, EachHasWordsAndTheLayerItBelongsTo) {
  EXPECT_STREQ(describeStep(Step::UNSHARE_NET), "enter a new network namespace");
  EXPECT_EQ(layerOf(Step::UNSHARE_NET), Layer::NET_NAMESPACE);
  EXPECT_EQ(layerOf(Step::LANDLOCK_RESTRICT), Layer::LANDLOCK);
  EXPECT_STREQ(describeStep(static_cast<Step>(9999)), "do something this version has no word for");
}

TEST(Limits, TheDataLimitGrowsWithTheMemoryAWorkerMayUse) {
  EXPECT_EQ(workerDataBytesMax(128) - workerDataBytesMax(64), 64 * MIB);
  EXPECT_GT(workerDataBytesMax(1), ENGINE_CODE_RANGE_BYTES);
}

}  // namespace
}  // namespace glovebox::policy
