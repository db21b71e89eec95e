#include "client/cpp/result-target.h"

#include <algorithm>

#include "client/cpp/errors.h"
#include "client/cpp/stub.h"
#include "ipc/wire-limits.h"

namespace glovebox::client {
namespace {

class ResultTarget final: public rpc::Target::Server {
 public:
  explicit ResultTarget(Value result): result_(std::move(result)) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
#if CAPNP_VERSION < 1000000
    context.allowCancellation();
#endif
    auto params = context.getParams();
    auto path = params.getPath();
    auto value = result_;  // no results yet: a call that is passed on must not have begun any
    for (unsigned i = 0; i < path.size(); i++) {
      if (value.kind() == Value::Kind::STUB) return forward(value.asStub(), i, context);
      std::string name(path[i].begin(), path[i].size());
      auto names = value.kind() == Value::Kind::OBJECT ? value.names() : std::vector<std::string>();
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        answerThrown(Value::error("TypeError", "The RPC receiver does not implement the method \"" + name + "\"."),
                     context.getResults());
        return kj::READY_NOW;
      }
      value = value[name];
    }
    if (params.getOperation().isGet()) {
      answerValue(std::move(value), context.getResults());
    } else if (value.kind() == Value::Kind::STUB) {
      return forward(value.asStub(), path.size(), context);
    } else {
      std::string name = path.size() > 0 ? path[path.size() - 1].cStr() : "";
      answerThrown(Value::error("TypeError", "\"" + name + "\" is not a function."), context.getResults());
    }
    return kj::READY_NOW;
  }

 private:
  Value result_;

  // The rest of the path from `begin` on, at the stub.
  static kj::Promise<void> forward(Stub stub, unsigned begin, CallContext context) {
    auto params = context.getParams();
    auto path = params.getPath();
    auto request = stub.target().callRequest(params.totalSize());
    auto rest = request.initPath(path.size() - begin);
    for (unsigned i = begin; i < path.size(); i++) rest.set(i - begin, path[i]);
    if (params.getOperation().isGet()) {
      request.getOperation().setGet();
    } else {
      request.getOperation().setInvoke(params.getOperation().getInvoke());
    }
    return context.tailCall(kj::mv(request));
  }
};

}  // namespace

kj::Maybe<rpc::Target::Client> resultTarget(const Value& result) {
  switch (result.kind()) {
    case Value::Kind::STUB: return result.asStub().target();
    case Value::Kind::OBJECT: return rpc::Target::Client(kj::heap<ResultTarget>(result));
    default: return nullptr;
  }
}

void answerThrown(const Value& error, rpc::Return::Builder results) {
  Value(error).write(results.initThrown(), wire::INLINE_BYTES);
}

void answerValue(Value&& value, rpc::Return::Builder results) {
  auto target = resultTarget(value);
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 std::move(value).write(results.initValue(), wire::INLINE_BYTES);
                 KJ_IF_MAYBE (pipeline, target) results.setPipeline(kj::mv(*pipeline));
               })) {
    answerThrown(errorFor(*exception), results);
  }
}

}  // namespace glovebox::client
