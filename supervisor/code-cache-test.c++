#include "supervisor/code-cache.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace glovebox {
namespace {

using policy::Profile;

struct Source {
  std::string name, body;
  rpc::Module::Which kind = rpc::Module::JS;
};
struct Load {
  std::string mainModule = "m.js";
  std::vector<Source> modules;
};

std::string filler(size_t bytes, char with = 'x') { return "//" + std::string(bytes - 2, with); }

// Two modules, enough to be worth it.
Load load() { return {"m.js", {{"m.js", filler(CodeCache::CODE_BYTES_MIN)}, {"b.js", "export const b = 1;"}}}; }

kj::Maybe<CodeCache::Key> keyOf(const CodeCache& cache, const Load& load) {
  capnp::MallocMessageBuilder message;
  auto modules = message.initRoot<rpc::WorkerCode>().initModules(static_cast<unsigned>(load.modules.size()));
  for (unsigned i = 0; i < load.modules.size(); i++) {
    auto& source = load.modules[i];
    modules[i].setName(source.name.c_str());
    auto text = source.body.c_str();
    auto data = kj::arrayPtr(reinterpret_cast<const kj::byte*>(text), source.body.size());
    switch (source.kind) {
      case rpc::Module::JS: modules[i].setJs(text); break;
      case rpc::Module::CJS: modules[i].setCjs(text); break;
      case rpc::Module::TEXT: modules[i].setText(text); break;
      case rpc::Module::DATA: modules[i].setData(data); break;
      case rpc::Module::JSON: modules[i].setJson(text); break;
      case rpc::Module::WASM: modules[i].setWasm(data); break;
    }
  }
  return cache.tryMakeKey(load.mainModule.c_str(), modules.asReader());
}

bool hasKey(const CodeCache& cache, const Load& load) { return keyOf(cache, load) != nullptr; }

// As many caches as given, each of its size.
ModuleCaches caches(std::initializer_list<size_t> sizes) {
  auto builder = kj::heapArrayBuilder<kj::Array<const kj::byte>>(sizes.size());
  for (size_t size: sizes) builder.add(kj::heapArray<kj::byte>(size));
  return builder.finish();
}

CodeCache::Key key(kj::byte first) {
  CodeCache::Key key{};
  key[0] = first;
  return key;
}

enum class Known { NOTHING, WORTHLESS, CACHES };
Known look(CodeCache& cache, const CodeCache::Key& key) {
  KJ_IF_MAYBE(found, cache.find(key)) return found->size() > 0 ? Known::CACHES : Known::WORTHLESS;
  return Known::NOTHING;
}

TEST(CodeCacheKey, EqualLoadsHaveOneKeyAndAnyDifferenceMakesAnother) {
  CodeCache cache(1 << 20, Profile::DEFAULT);
  auto base = KJ_ASSERT_NONNULL(keyOf(cache, load()));
  EXPECT_EQ(base, KJ_ASSERT_NONNULL(keyOf(cache, load())));

  std::set<CodeCache::Key> keys{base};
  size_t changes = 0;
  auto change = [&](std::function<void(Load&)> how) {
    auto changed = load();
    how(changed);
    keys.insert(KJ_ASSERT_NONNULL(keyOf(cache, changed)));
    changes++;
  };
  for (size_t at: {size_t{2}, CodeCache::CODE_BYTES_MIN / 2, CodeCache::CODE_BYTES_MIN - 1}) {
    change([&](Load& l) { l.modules[0].body[at] ^= 1; });
  }
  change([](Load& l) { l.modules[1].body += " "; });
  change([](Load& l) { l.modules[0].name = "n.js"; });
  change([](Load& l) { l.modules[1].name = "c.js"; });
  change([](Load& l) { l.mainModule = "b.js"; });
  change([](Load& l) { std::swap(l.modules[0], l.modules[1]); });
  change([](Load& l) { std::swap(l.modules[0].name, l.modules[1].name); });
  change([](Load& l) { l.modules.push_back({"c.js", ""}); });
  change([](Load& l) { l.modules.push_back({"d.bin", "", rpc::Module::DATA}); });
  change([](Load& l) { l.modules.pop_back(); });
  change([](Load& l) { l.modules[1].kind = rpc::Module::CJS; });
  change([](Load& l) { l.modules[1].kind = rpc::Module::TEXT; });
  change([](Load& l) { l.modules[1].kind = rpc::Module::JSON; });
  // Bytes move from a name to a body, and from one body to the next.
  change([](Load& l) { l.modules[1] = {"b.j", "s" + l.modules[1].body}; });
  change([](Load& l) { l.modules[0].body += 'e'; l.modules[1].body.erase(0, 1); });
  EXPECT_EQ(keys.size(), changes + 1);
}

TEST(CodeCacheKey, ProfilesShareNothing) {
  std::set<CodeCache::Key> keys;
  for (auto profile: {Profile::DEFAULT, Profile::NO_WASM, Profile::JITLESS}) {
    keys.insert(KJ_ASSERT_NONNULL(keyOf(CodeCache(1 << 20, profile), load())));
  }
  EXPECT_EQ(keys.size(), 3u);
}

TEST(CodeCacheKey, NobodyCanComputeIt) {
  EXPECT_NE(KJ_ASSERT_NONNULL(keyOf(CodeCache(1 << 20, Profile::DEFAULT), load())),
            KJ_ASSERT_NONNULL(keyOf(CodeCache(1 << 20, Profile::DEFAULT), load())));
}

TEST(CodeCacheKey, IsForEnoughJavaScriptAndNotForTooMuch) {
  CodeCache cache(1 << 20, Profile::DEFAULT);
  auto only = [](size_t bytes, rpc::Module::Which kind = rpc::Module::JS) { return Load{"m.js", {{"m.js", filler(bytes), kind}}}; };
  EXPECT_FALSE(hasKey(cache, only(CodeCache::CODE_BYTES_MIN - 1)));
  EXPECT_TRUE(hasKey(cache, only(CodeCache::CODE_BYTES_MIN)));
  EXPECT_TRUE(hasKey(cache, only(CodeCache::CODE_BYTES_MIN, rpc::Module::CJS)));
  EXPECT_FALSE(hasKey(cache, only(CodeCache::CODE_BYTES_MIN, rpc::Module::TEXT)));
  EXPECT_FALSE(hasKey(cache, only(CodeCache::CODE_BYTES_MIN, rpc::Module::JSON)));
  EXPECT_TRUE(hasKey(cache, only(CodeCache::CODE_BYTES_MAX - 100)));
  EXPECT_FALSE(hasKey(cache, only(CodeCache::CODE_BYTES_MAX)));
  auto withNames = load();
  withNames.modules[1].name = filler(CodeCache::CODE_BYTES_MAX);
  EXPECT_FALSE(hasKey(cache, withNames));
  auto withData = load();
  withData.modules.push_back({"d.bin", filler(CodeCache::CODE_BYTES_MAX), rpc::Module::DATA});
  EXPECT_FALSE(hasKey(cache, withData));
}

TEST(CodeCacheKey, ThereIsNoneWhenTheCacheIsOff) { EXPECT_FALSE(hasKey(CodeCache(0, Profile::DEFAULT), load())); }

TEST(CodeCache, GivesWhatWasPutAndCountsHitsAndMisses) {
  CodeCache cache(1 << 20, Profile::DEFAULT);
  EXPECT_EQ(look(cache, key(1)), Known::NOTHING);
  auto put = caches({3, 0, 5});
  auto bytes = put[0].begin();
  cache.put(key(1), kj::mv(put));
  KJ_IF_MAYBE(found, cache.find(key(1))) {
    ASSERT_EQ(found->size(), 3u);
    EXPECT_EQ((*found)[0].begin(), bytes);
    EXPECT_EQ((*found)[0].size(), 3u);
    EXPECT_EQ((*found)[1].size(), 0u);
    EXPECT_EQ((*found)[2].size(), 5u);
  } else {
    FAIL();
  }
  EXPECT_EQ(look(cache, key(2)), Known::NOTHING);
  EXPECT_EQ(cache.counts().entries, 1u);
  EXPECT_EQ(cache.counts().hits, 1u);
  EXPECT_EQ(cache.counts().misses, 2u);
}

TEST(CodeCache, WhatIsWorthlessIsRememberedAndGivesNothing) {
  CodeCache cache(1 << 20, Profile::DEFAULT);
  cache.putWorthless(key(1));
  EXPECT_EQ(look(cache, key(1)), Known::WORTHLESS);
  EXPECT_EQ(cache.counts().hits, 0u);
  EXPECT_EQ(cache.counts().misses, 1u);
}

TEST(CodeCache, TheLeastRecentlyUsedGoesFirstAndTheBoundHolds) {
  CodeCache cache(10'000, Profile::DEFAULT);
  for (kj::byte i: {1, 2, 3}) cache.put(key(i), caches({2'500}));
  EXPECT_EQ(look(cache, key(1)), Known::CACHES);   // now the latest used
  cache.put(key(4), caches({2'500}));
  EXPECT_EQ(look(cache, key(2)), Known::NOTHING);
  EXPECT_EQ(look(cache, key(1)), Known::CACHES);
  EXPECT_EQ(look(cache, key(3)), Known::CACHES);
  EXPECT_EQ(look(cache, key(4)), Known::CACHES);
  cache.put(key(5), caches({7'000}));   // takes more than one place
  EXPECT_LE(cache.counts().bytes, 10'000u);
  EXPECT_EQ(look(cache, key(5)), Known::CACHES);
  EXPECT_EQ(look(cache, key(1)), Known::NOTHING);
  EXPECT_EQ(look(cache, key(3)), Known::NOTHING);
}

TEST(CodeCache, EntriesWithoutCachesCountToo) {
  CodeCache cache(10'000, Profile::DEFAULT);
  for (kj::byte i = 0; i < 200; i++) {
    cache.putWorthless(key(i));
    EXPECT_LE(cache.counts().bytes, 10'000u);
  }
  EXPECT_EQ(look(cache, key(0)), Known::NOTHING);
  EXPECT_EQ(look(cache, key(199)), Known::WORTHLESS);
  EXPECT_LT(cache.counts().entries, 200u);
}

TEST(CodeCache, WhatIsTooLargeIsNotKeptAndDrivesNobodyOut) {
  CodeCache small(10'000, Profile::DEFAULT);
  small.put(key(1), caches({1'000}));
  small.put(key(2), caches({10'000}));
  EXPECT_EQ(look(small, key(1)), Known::CACHES);
  EXPECT_EQ(look(small, key(2)), Known::WORTHLESS);
  CodeCache large(uint64_t{1} << 30, Profile::DEFAULT);
  large.put(key(1), caches({CodeCache::ENTRY_BYTES_MAX}));
  EXPECT_EQ(look(large, key(1)), Known::WORTHLESS);
  large.put(key(2), caches({CodeCache::ENTRY_BYTES_MAX / 2, CodeCache::ENTRY_BYTES_MAX / 2 - 1'000}));
  EXPECT_EQ(look(large, key(2)), Known::CACHES);
}

TEST(CodeCache, WhatIsPutAgainReplacesWhatWasKnown) {
  CodeCache cache(10'000, Profile::DEFAULT);
  cache.putWorthless(key(1));
  auto bytes = cache.counts().bytes;
  cache.put(key(1), caches({100}));
  EXPECT_EQ(look(cache, key(1)), Known::CACHES);
  EXPECT_EQ(cache.counts().entries, 1u);
  cache.putWorthless(key(1));
  EXPECT_EQ(look(cache, key(1)), Known::WORTHLESS);
  EXPECT_EQ(cache.counts().bytes, bytes);
}

}  // namespace
}  // namespace glovebox
