#include "client/cpp/stub.h"

#include <kj/debug.h>

#include "client/cpp/errors.h"
#include "ipc/ending.h"
#include "ipc/return-reader.h"
#include "ipc/wire-limits.h"

namespace glovebox::client {
namespace {

kj::Promise<Value> readAnswer(capnp::Response<rpc::Return>&& response) {
  // Only a result with a disposer keeps something alive over there.
  kj::Maybe<rpc::Target::Client> disposer;
  if (response.getDisposable() && response.hasPipeline()) disposer = response.getPipeline();
  return readReturn(kj::mv(response)).then([disposer = kj::mv(disposer)](CallOutcome outcome) mutable -> Value {
    KJ_SWITCH_ONEOF(outcome) {
      KJ_CASE_ONEOF(value, CallValue) return Value::received(kj::mv(value), kj::mv(disposer));
      KJ_CASE_ONEOF(thrown, CallThrown) throw Thrown(Value::received(kj::mv(thrown)));
      KJ_CASE_ONEOF(ended, CallEnded) throw Ended(ended.code, ended.message.cStr());
    }
    KJ_UNREACHABLE;
  });
}

}  // namespace

Stub::Stub(rpc::Target::Client target): Stub(ValueExternal::Kind::STUB, kj::mv(target)) {}
Stub::Stub(const Stub& other): Stub(other.kind_, other.capability()) {}

Stub& Stub::operator=(const Stub& other) {
  kind_ = other.kind_;
  capability_ = other.capability();
  return *this;
}

namespace {

void writePath(const Path& path, rpc::Call::Builder call) {
  auto names = call.initPath(static_cast<unsigned>(path.names.size()));
  for (unsigned i = 0; i < path.names.size(); i++) {
    names.set(i, capnp::Text::Reader(path.names[i].c_str(), path.names[i].size()));
  }
}

// `operation` fills in what is done there.
template <typename Operation>
capnp::RemotePromise<rpc::Return> send(rpc::Target::Client target, const Path& path, Operation&& operation) {
  auto request = target.callRequest();
  writePath(path, request);
  operation(request.getOperation());
  return request.send();
}

}  // namespace

Call Stub::call(Path path, std::vector<Value> arguments) const {
  kj::Maybe<capnp::RemotePromise<rpc::Return>> sent;
  // Arguments that cannot be sent fail this call, as everything else does.
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
                 sent = send(target(), path, [&](rpc::Call::Operation::Builder operation) {
                   Value::array(std::move(arguments)).write(operation.initInvoke(), wire::PAYLOAD_BYTES_MAX);
                 });
               })) {
    return Call(kj::cp(*exception), kj::cp(*exception));
  }
  auto& promise = KJ_ASSERT_NONNULL(sent);
  auto result = promise.getPipeline();
  return Call(promise.then([](auto&& response) { return readAnswer(kj::mv(response)); }), kj::mv(result));
}

Call Stub::read(Path path) const {
  auto sent = send(target(), path, [](rpc::Call::Operation::Builder operation) { operation.setGet(); });
  auto result = sent.getPipeline();
  return Call(sent.then([](auto&& response) { return readAnswer(kj::mv(response)); }), kj::mv(result));
}

kj::Promise<Run> Stub::run(Path path, std::vector<Value> arguments) const {
  auto request = target().callRequest();
  writePath(path, request);
  request.setAccount(true);
  Value::array(std::move(arguments)).write(request.getOperation().initInvoke(), wire::PAYLOAD_BYTES_MAX);
  auto run = kj::heap<Run>();
  auto& r = *run;
  return request.send()
      .then([&r](auto&& response) {
        if (response.hasAccount()) {
          r.account = Account(response.getAccount());
          r.outcome = KJ_ASSERT_NONNULL(r.account).outcome;
        }
        return readAnswer(kj::mv(response));
      })
      .then([&r](Value value) {
        if (r.outcome.empty()) r.outcome = "ok";
        r.value = kj::mv(value);
      }, [&r](kj::Exception&& exception) {
        if (r.outcome.empty()) {
          r.outcome = failureName(exception).cStr();
          if (Thrown::from(exception) != nullptr) r.outcome = "exception";
          KJ_IF_MAYBE (ended, Ended::from(exception)) r.outcome = ended->name;
        }
        r.failure = kj::mv(exception);
      })
      .then([run = kj::mv(run)]() mutable { return kj::mv(*run); });
}

Value Call::wait(kj::WaitScope& waitScope) {
  try {
    return kj::Promise<Value>::wait(waitScope);
  } catch (const kj::Exception& exception) {
    KJ_IF_MAYBE (thrown, Thrown::from(exception)) throw *thrown;
    KJ_IF_MAYBE (ended, Ended::from(exception)) throw *ended;
    throw;
  }
}

kj::Promise<Value> Call::reducePromise(kj::Promise<Call>&& promise) {
  return promise.then([](Call&& call) { return kj::Promise<Value>(kj::mv(call)); });
}

}  // namespace glovebox::client
