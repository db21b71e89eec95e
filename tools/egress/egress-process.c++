#include "tools/egress/egress-process.h"

#include <kj/debug.h>
#include <signal.h>

namespace glovebox::egress {

namespace {

kj::Array<kj::String> commandOf(kj::StringPtr program, kj::ArrayPtr<const kj::String> flags) {
  auto command = kj::heapArrayBuilder<kj::String>(1 + flags.size());
  command.add(kj::str(program));
  for (auto& flag: flags) command.add(kj::str(flag));
  return command.finish();
}

}  // namespace

class EgressProcess::Host final: public rpc::EgressHost::Server {
 public:
  explicit Host(EgressProcess& process): process_(process) {}

 protected:
  kj::Promise<void> policy(PolicyContext context) override {
    context.getResults().setPolicy(process_.policy_.getRoot<rpc::EgressPolicy>().asReader());
    return kj::READY_NOW;
  }
  kj::Promise<void> started(StartedContext context) override {
    process_.outboundPair_.fulfiller->fulfill(context.getParams().getOutbound());
    return kj::READY_NOW;
  }

 private:
  EgressProcess& process_;   // owns the connection, and so whatever calls this
};

EgressProcess::EgressProcess(UvEventPort& port, kj::StringPtr program, kj::ArrayPtr<const kj::String> flags, rpc::EgressPolicy::Reader policy)
    : started_(nullptr), outbound_(nullptr), process_(port, commandOf(program, flags)), tasks_(*this) {
  policy_.setRoot(policy);
  auto outbound = outboundPair_.promise.fork();
  started_ = outbound.addBranch().ignoreResult().fork();
  outbound_ = outbound.addBranch();
  tasks_.add(process_.whenEnded().then([this](int code) {
    outboundPair_.fulfiller->reject(KJ_EXCEPTION(FAILED, "the egress process ended before it was ready", code));
  }));
  auto line = process_.takeLine();
  auto waiter = kj::heap<UvFdObserver>(port, line);
  line_ = kj::heap<RpcConnection>(RpcConnection::End::HOST_OF_GATEWAY, kj::mv(line), kj::mv(waiter), rpc::EgressHost::Client(kj::heap<Host>(*this)),
                                  kj::Function<void(const kj::Exception&)>([this](const kj::Exception& violation) {
                                    KJ_LOG(ERROR, "the egress process broke the wire's rules and is ended", violation.getDescription());
                                    process_.signal(SIGKILL);
                                  }));
}

EgressProcess::~EgressProcess() noexcept(false) { line_ = nullptr; }

void EgressProcess::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "watching the egress process failed", exception.getDescription()); }

}  // namespace glovebox::egress
