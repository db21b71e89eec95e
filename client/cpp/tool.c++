#include "client/cpp/tool.h"

#include <kj/debug.h>

#include "client/cpp/errors.h"
#include "client/cpp/result-target.h"

namespace glovebox::client {

class Tool::Server final: public rpc::Target::Server {
 public:
  explicit Server(Tool&& tool): tool_(kj::mv(tool)) {}
  ~Server() noexcept(false) {
    KJ_IF_MAYBE (callback, tool_.onRelease_) (*callback)();
  }

 protected:
  kj::Promise<void> call(CallContext context) override {
#if CAPNP_VERSION < 1000000
    context.allowCancellation();
#endif
    auto operation = context.getParams().getOperation();
    auto name = nameOf(context.getParams().getPath());
    auto method = tool_.methods_.find(name);
    if (method == tool_.methods_.end() || operation.isGet()) {
      auto problem = method == tool_.methods_.end()
                         ? "The RPC receiver does not implement the method \"" + name + "\"."
                         : "\"" + name + "\" is a method of a tool; it can be called, but not read.";
      answerThrown(Value::error("TypeError", problem), context.getResults());
      return kj::READY_NOW;
    }

    // Arguments that are pulled must not be overtaken by later calls.
    auto paf = kj::newPromiseAndFulfiller<void>();
    auto before = kj::mv(turn_);
    turn_ = kj::mv(paf.promise);
    auto next = kj::defer([fulfiller = kj::mv(paf.fulfiller)]() mutable { fulfiller->fulfill(); });
    auto received = kj::evalNow([&]() { return readPayload(operation.getInvoke()); });
    context.releaseParams();
    return received
        .then([before = kj::mv(before)](ReceivedValue value) mutable {
          return before.then([value = kj::mv(value)]() mutable { return kj::mv(value); });
        })
        .then([&function = method->second, next = kj::mv(next)](ReceivedValue value) mutable {
          auto result = kj::evalNow([&]() { return function(Value::received(kj::mv(value))); });
          { auto begun = kj::mv(next); }
          return result;
        })
        .then([context](Value value) mutable { answerValue(std::move(value), context.getResults()); })
        .catch_(
            [context](kj::Exception&& exception) mutable { answerThrown(errorFor(exception), context.getResults()); })
        .attach(thisCap());
  }

 private:
  Tool tool_;
  kj::Promise<void> turn_ = kj::READY_NOW;  // of whose call comes next

  static std::string nameOf(capnp::List<capnp::Text>::Reader path) {
    std::string name;
    for (auto part: path) name.append(name.empty() ? "" : ".").append(part.begin(), part.size());
    return name;
  }
};

Tool& Tool::method(std::string name, Method method) & {
  methods_.insert_or_assign(std::move(name), kj::mv(method));
  return *this;
}

Tool& Tool::onRelease(kj::Function<void()> callback) & {
  onRelease_ = kj::mv(callback);
  return *this;
}

Stub Tool::serve() && { return Stub(rpc::Target::Client(kj::heap<Server>(kj::mv(*this)))); }

}  // namespace glovebox::client
