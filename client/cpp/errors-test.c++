#include "client/cpp/errors.h"

#include <gtest/gtest.h>
#include <kj/async.h>
#include <kj/debug.h>

#include <stdexcept>

#include "client/cpp/value.h"

namespace glovebox::client {
namespace {

template <typename T>
kj::Exception throughAPromise(T error) {
  kj::EventLoop loop;
  kj::WaitScope waitScope(loop);
  auto promise = kj::evalLater([&]() { throw error; }).then([]() {});
  return KJ_ASSERT_NONNULL(kj::runCatchingExceptions([&]() { promise.wait(waitScope); }));
}

std::string errorAsText(const kj::Exception& exception) {
  auto error = errorFor(exception);
  return error["name"].asString() + ": " + error["message"].asString();
}

TEST(Thrown, IsFoundInWhatAPromiseMakesOfIt) {
  auto exception = throughAPromise(Thrown("RangeError", "too \"far\"", "E_FAR"));
  EXPECT_EQ(exception.getDescription(), "RangeError: too \"far\"");
  auto thrown = KJ_ASSERT_NONNULL(Thrown::from(exception));
  EXPECT_EQ(thrown.name, "RangeError");
  EXPECT_EQ(thrown.message, "too \"far\"");
  EXPECT_EQ(thrown.code, "E_FAR");
  EXPECT_TRUE(Ended::from(exception) == nullptr);
}

TEST(Thrown, IsFoundBelowOtherContexts) {
  auto exception = throughAPromise(Thrown("Error", "inner"));
  exception.wrapContext("somewhere.c++", 1, kj::str("while doing something"));
  EXPECT_EQ(KJ_ASSERT_NONNULL(Thrown::from(exception)).message, "inner");
}

TEST(Thrown, OfAValueThatIsNoErrorHasItsJson) {
  EXPECT_EQ(Thrown(Value("just text")).message, "just text");
  EXPECT_EQ(Thrown(Value::object({{"name", "x"}})).message, R"({"name":"x"})");
  EXPECT_EQ(Thrown(Value::object({{"name", "x"}})).name, "");
  EXPECT_EQ(Thrown(Value()).message, "undefined");
}

TEST(Ended, IsFoundInWhatAPromiseMakesOfIt) {
  auto ended =
      KJ_ASSERT_NONNULL(Ended::from(throughAPromise(Ended(rpc::Ending::Code::EXCEEDED_CPU, "It used too much."))));
  EXPECT_EQ(ended.code, rpc::Ending::Code::EXCEEDED_CPU);
  EXPECT_EQ(ended.name, "exceededCpu");
  EXPECT_EQ(ended.message, "It used too much.");
}

TEST(ErrorFor, AnyExceptionIsAnErrorWithItsWords) {
  EXPECT_EQ(errorAsText(throughAPromise(Thrown("TypeError", "a"))), "TypeError: a");
  EXPECT_EQ(errorAsText(throughAPromise(std::runtime_error("b"))), "Error: b");
  EXPECT_EQ(errorAsText(KJ_EXCEPTION(FAILED, "c")), "Error: c");
}

}  // namespace
}  // namespace glovebox::client
