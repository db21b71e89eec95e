#pragma once
// What the tests of the membrane share: a supervisor whose worker is played by the test, and methods that such a worker or its tools
// have.

#include <gtest/gtest.h>
#include <kj/debug.h>

#include <memory>
#include <string>

#include "supervisor/loaded-worker.h"
#include "tests/scripted-worker.h"

namespace glovebox::test {

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A method that never answers, and tells whether it is still being asked.
class Hanging {
 public:
  int underWay() const { return *underWay_; }
  OnCall onCall() {
    return [underWay = underWay_](const std::string&, CallContext) {
      ++*underWay;
      return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([underWay]() { --*underWay; }));
    };
  }

 private:
  std::shared_ptr<int> underWay_ = std::make_shared<int>(0);   // the line outlives the test's variables
};

inline OnCall answering(const std::string& text) {
  return [text](const std::string& method, CallContext context) -> kj::Promise<void> {
    answer(context, text + method);
    return kj::READY_NOW;
  };
}

// A worker whose `run` does what the test says with its env.
inline OnCall relay(std::shared_ptr<ScriptedWorker>& inside, const std::string& tool) {
  return [&inside, tool](const std::string& method, CallContext context) {
    return call(inside->env.at(tool), method).then([context](capnp::Response<rpc::Return>&& response) mutable {
      context.setResults(response);
    });
  };
}

// An object whose `get` never returns but says at once what its result will be.
inline OnCall promising(rpc::Target::Client target) {
  return [result = TargetRef(target)](const std::string&, CallContext context) -> kj::Promise<void> {
    capnp::PipelineBuilder<rpc::Return> pipeline;
    pipeline.setPipeline(result);
    context.setPipeline(pipeline.build());
    return kj::NEVER_DONE;
  };
}

class MembraneTest: public testing::Test {
 protected:
  ScriptedWorld world;
  ~MembraneTest() noexcept override {}

  std::string wait(capnp::RemotePromise<rpc::Return>&& promise) { return world.wait(outcome(kj::mv(promise))); }
  LoadedWorker& only() {
    auto& workers = world.core().kinship.workers();
    KJ_REQUIRE(workers.size() == 1);
    return *workers.begin()->second;
  }
};

}  // namespace glovebox::test
