#include "ipc/limits-message.h"

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <gtest/gtest.h>

#include <cstring>

namespace glovebox {
namespace {

TEST(WorkerLimits, EveryFieldOfTheSchemaHasARow) {
  EXPECT_EQ(std::size(WORKER_LIMITS) * sizeof(uint32_t), sizeof(WorkerLimits));
  auto fields = capnp::Schema::from<rpc::Limits>().getFields();
  EXPECT_EQ(fields.size(), std::size(WORKER_LIMITS));
  for (auto& limit: WORKER_LIMITS) EXPECT_NO_THROW(capnp::Schema::from<rpc::Limits>().asStruct().getFieldByName(limit.name)) << limit.name;
}

TEST(WorkerLimits, CrossAMessageEachUnderItsName) {
  WorkerLimits limits;
  uint32_t next = 1;
  for (auto& limit: WORKER_LIMITS) limits.*limit.field = next++;
  capnp::MallocMessageBuilder message;
  auto written = message.initRoot<rpc::Limits>();
  writeLimits(limits, written);
  capnp::DynamicStruct::Reader dynamic = written.asReader();
  next = 1;
  for (auto& limit: WORKER_LIMITS) EXPECT_EQ(dynamic.get(limit.name).as<uint32_t>(), next++) << limit.name;
  EXPECT_EQ(readLimits(written), limits);
}

TEST(WorkerLimits, TheLowerOneCountsAndZeroAsksForTheOther) {
  WorkerLimits asked{.cpuMs = 10, .wallMs = 0, .memoryMb = 500, .idleMs = 5};
  WorkerLimits policy{.cpuMs = 20, .wallMs = 30, .memoryMb = 128, .lifetimeMs = 7};
  auto lower = lowerOf(asked, policy);
  EXPECT_EQ(lower, (WorkerLimits{.cpuMs = 10, .wallMs = 30, .memoryMb = 128, .idleMs = 5, .lifetimeMs = 7}));
}

}  // namespace
}  // namespace glovebox
