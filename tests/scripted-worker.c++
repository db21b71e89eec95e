#include "tests/scripted-worker.h"

#include <kj/debug.h>
#include <sys/socket.h>

#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "supervisor/loader.h"

namespace glovebox::test {
namespace {

class Object final: public rpc::Target::Server {
 public:
  explicit Object(OnCall onCall): onCall_(std::move(onCall)) {}
  kj::Promise<void> call(CallContext context) override {
    context.allowCancellation();
    std::string method;
    for (auto name: context.getParams().getPath()) method += (method.empty() ? "" : ".") + std::string(name.cStr());
    return onCall_(method, context);
  }

 private:
  OnCall onCall_;
};

class Process final: public rpc::WorkerProcess::Server {
 public:
  explicit Process(std::shared_ptr<ScriptedWorker> worker): worker_(std::move(worker)) {}
  kj::Promise<void> warm(WarmContext) override { return kj::READY_NOW; }

  kj::Promise<void> start(StartContext context) override {
    auto code = context.getParams().getCode();
    worker_->mainModule = code.getMainModule().cStr();
    worker_->modules = code.getModules().size();
    worker_->tails = code.getTails().size();
    worker_->cpuMs = code.getLimits().getCpuMs();
    worker_->wallMs = code.getLimits().getWallMs();
    worker_->memoryMb = code.getLimits().getMemoryMb();
    for (auto external: code.getEnv().getExternals()) {
      kj::Maybe<capnp::Capability::Client> capability;
      auto kind = readExternal(external, capability);
      KJ_IF_MAYBE(c, capability) {
        if (kind == ValueExternal::Kind::LOADER) {
          worker_->loader = c->castAs<rpc::Loader>();
        } else {
          worker_->env.emplace(external.getLabel().cStr(), c->castAs<rpc::Target>());
        }
      }
    }
    for (auto cache: context.getParams().getCaches()) {
      worker_->caches.emplace_back(reinterpret_cast<const char*>(cache.begin()), cache.size());
    }
    if (context.getParams().hasConsole()) worker_->console = context.getParams().getConsole();
    worker_->started = true;
    if (worker_->failsToStart) context.getResults().setStatus(rpc::WorkerProcess::StartStatus::FAILED);
    return kj::READY_NOW;
  }

  kj::Promise<void> compile(CompileContext context) override {
    worker_->compiles++;
    for (auto module: context.getParams().getModules()) {
      auto text = module.isJs() ? module.getJs() : module.isCjs() ? module.getCjs() : module.isText() ? module.getText() : "of another kind"_kj;
      worker_->compiled.emplace_back(module.getName().cStr(), text.cStr());
    }
    KJ_REQUIRE(worker_->onCompile != nullptr, "nobody asks this worker to compile");
    return worker_->onCompile(context);
  }

  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    std::string name = context.getParams().getName().cStr();
    for (auto external: context.getParams().getProps().getExternals()) worker_->props.push_back(external.getStub());
    context.getResults().setEntrypoint(object([worker = worker_, name](const std::string& method, CallContext context) {
      KJ_REQUIRE(worker->onCall != nullptr, "nobody calls this worker");
      return worker->onCall(name.empty() ? method : name + "." + method, context);
    }));
    return kj::READY_NOW;
  }

 private:
  std::shared_ptr<ScriptedWorker> worker_;
};

kj::Own<RpcConnection> connect(UvEventPort& port, RpcConnection::End end, int fd, kj::Maybe<capnp::Capability::Client> bootstrap,
                               kj::Maybe<kj::Function<void(const kj::Exception&)>> onViolation = nullptr) {
  return kj::heap<RpcConnection>(end, kj::AutoCloseFd(fd), kj::heap<UvFdObserver>(port, fd), kj::mv(bootstrap), kj::mv(onViolation));
}

class Peer final: public WorkerPeer {
 public:
  Peer(UvEventPort& port, std::shared_ptr<ScriptedWorker> worker): worker_(std::move(worker)) {
    auto ended = kj::newPromiseAndFulfiller<void>();
    endedFulfiller_ = kj::mv(ended.fulfiller);
    ended_ = ended.promise.fork();
    int fds[2] = {-1, worker_->socket};
    if (worker_->socket < 0) {
      KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
      inside_ = connect(port, RpcConnection::End::WORKER, fds[0], capnp::Capability::Client(kj::heap<Process>(worker_)));
    }
    connection_ = connect(port, RpcConnection::End::SUPERVISOR_OF_WORKER, fds[1], nullptr,
                          kj::Function<void(const kj::Exception&)>([this](const kj::Exception& violation) {
                            end(protocolViolation(violation.getDescription()));
                          }));
    process_ = connection_->bootstrap<rpc::WorkerProcess>();
    // As WorkerHandle does.
    watch_ = connection_->onDisconnect().then([this]() { end(protocolViolation("it closed or corrupted its line")); }).eagerlyEvaluate(nullptr);
    worker_->supervisorsEnd = *connection_;
    worker_->die = [this]() { end({rpc::Ending::Code::CRASHED, kj::str("it died")}); };
  }
  ~Peer() noexcept(false) {
    letGo();
    inside_ = nullptr;
  }

  rpc::WorkerProcess::Client process() override { return process_; }
  pid_t pid() const override { return 4711; }
  kj::Duration cpuTime() override { return lastCpuTime_ = worker_->cpuTime; }
  kj::Duration lastCpuTime() const override { return lastCpuTime_; }
  uint64_t peakMemoryBytes() override { return worker_->peakMemoryBytes; }
  uint64_t memoryBytes() override { return 0; }
  bool isGone() override { return reason_ != nullptr; }
  uint64_t privateBytes() override { return worker_->memoryBytes; }
  bool exceedsMemory() override { return false; }
  uint32_t memoryMb() const override { return memoryMb_; }
  void setMemoryLimit(uint32_t memoryMb) override { memoryMb_ = memoryMb; }
  void softStop(Outcome reason) override { softReason_ = kj::mv(reason); }
  kj::Maybe<const Outcome&> lastSoftStop() const override {
    KJ_IF_MAYBE(reason, softReason_) return *reason;
    return nullptr;
  }
  size_t openReads() override { return KJ_ASSERT_NONNULL(connection_->guard()).openReads(); }
  size_t openCalls() override { return KJ_ASSERT_NONNULL(connection_->guard()).openCalls(); }
  kj::Promise<void> whenReadFinished() override { return KJ_ASSERT_NONNULL(connection_->guard()).whenReadFinished(); }

  void end(Outcome reason) override {
    if (reason_ != nullptr) return;
    worker_->ending = reason.message.cStr();
    reason_ = kj::mv(reason);
    if (worker_->lingers) return;
    // Its end of the line closes, as a dying process' does; later, because it may be the one who asked.
    dying_ = kj::evalLater([this]() {
      letGo();
      inside_ = nullptr;
      connection_->cut(KJ_EXCEPTION(DISCONNECTED, "the worker is dead"));
      endedFulfiller_->fulfill();
    }).eagerlyEvaluate(nullptr);
  }
  kj::Promise<Outcome> whenEnded() override {
    return ended_.addBranch().then([this]() { return KJ_ASSERT_NONNULL(reason_).clone(); });
  }

 private:
  std::shared_ptr<ScriptedWorker> worker_;
  kj::Own<RpcConnection> inside_, connection_;
  rpc::WorkerProcess::Client process_ = nullptr;
  uint32_t memoryMb_ = 0;
  kj::Duration lastCpuTime_ = 0 * kj::SECONDS;
  kj::Maybe<Outcome> reason_, softReason_;
  kj::Own<kj::PromiseFulfiller<void>> endedFulfiller_;
  kj::ForkedPromise<void> ended_ = nullptr;
  kj::Promise<void> dying_ = nullptr, watch_ = nullptr;

  void letGo() {
    worker_->gone = true;
    worker_->env.clear();
    worker_->loader = nullptr;
    worker_->console = nullptr;
    worker_->props.clear();
    worker_->supervisorsEnd = nullptr;
    worker_->die = []() {};
    worker_->onCall = nullptr;
    worker_->onCompile = nullptr;
  }
};

}  // namespace

rpc::Target::Client object(OnCall onCall) { return kj::heap<Object>(std::move(onCall)); }

kj::Maybe<GuardStream::Counts> ScriptedWorker::counts() const {
  KJ_IF_MAYBE(connection, supervisorsEnd) {
    KJ_IF_MAYBE(guard, connection->guard()) return guard->counts();
  }
  return nullptr;
}

class ScriptedWorld::Supply final: public WorkerSupply {
 public:
  explicit Supply(UvEventPort& port): port_(port) {}
  std::deque<std::shared_ptr<ScriptedWorker>> expected, spare;
  kj::Maybe<kj::ForkedPromise<void>> held;

  kj::Maybe<kj::Own<WorkerPeer>> tryTake() override {
    if (held != nullptr) return nullptr;
    return make(expected);
  }
  kj::Promise<kj::Own<WorkerPeer>> take() override {
    return KJ_ASSERT_NONNULL(held).addBranch().then([this]() { return make(expected); });
  }
  kj::Promise<kj::Own<WorkerPeer>> takeSpare() override { return make(spare); }
  void noteAnswered() override {}

 private:
  UvEventPort& port_;

  kj::Own<WorkerPeer> make(std::deque<std::shared_ptr<ScriptedWorker>>& from) {
    KJ_REQUIRE(!from.empty(), "a worker is taken that the test does not expect");
    auto worker = from.front();
    from.pop_front();
    return kj::heap<Peer>(port_, worker);
  }
};

ScriptedWorld::ScriptedWorld(SupervisorOptions options)
    : port_(loop_.get()),
      supply_(kj::heap<Supply>(port_)),
      core_(kj::refcounted<Core>(port_, Installation(), options, *supply_)),
      localLoader_(LoaderImpl::make(kj::addRef(*core_), core_->options.limits)),
      clientLoader_(nullptr) {
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  server_ = connect(port_, RpcConnection::End::SUPERVISOR_OF_CLIENT, fds[0], capnp::Capability::Client(localLoader_));
  client_ = connect(port_, RpcConnection::End::CLIENT, fds[1], nullptr);
  clientLoader_ = client_->bootstrap<rpc::Loader>();
}

ScriptedWorld::~ScriptedWorld() noexcept(false) {
  dropLoaders();
}

void ScriptedWorld::dropLoaders() {
  dropClient();
  localLoader_ = nullptr;
  server_ = nullptr;
  settle();
}

void ScriptedWorld::dropClient() {
  clientLoader_ = nullptr;
  client_ = nullptr;
  settle();
}

std::shared_ptr<ScriptedWorker> ScriptedWorld::expectLoad(OnCall onCall) {
  auto worker = std::make_shared<ScriptedWorker>();
  worker->onCall = std::move(onCall);
  supply_->expected.push_back(worker);
  return worker;
}

std::shared_ptr<ScriptedWorker> ScriptedWorld::expectCompile(std::function<kj::Promise<void>(CompileContext context)> onCompile) {
  auto worker = std::make_shared<ScriptedWorker>();
  worker->onCompile = std::move(onCompile);
  supply_->spare.push_back(worker);
  return worker;
}

std::shared_ptr<ScriptedWorker> ScriptedWorld::expectStranger(int socket) {
  auto worker = expectLoad();
  worker->socket = socket;
  return worker;
}

kj::Own<kj::PromiseFulfiller<void>> ScriptedWorld::holdLoads() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  supply_->held = paf.promise.fork();
  return kj::mv(paf.fulfiller);
}

ScriptedWorld::Loaded ScriptedWorld::load(OnCall onCall, std::vector<std::pair<std::string, TargetRef>> env, bool withLoader,
                                          rpc::Limits::Reader limits) {
  auto loaded = loadInto(expectLoad(std::move(onCall)), std::move(env), withLoader, limits);
  turnUntil([&]() { return loaded.inside->started || supply_->held != nullptr; });
  return loaded;
}

ScriptedWorld::Loaded ScriptedWorld::loadInto(std::shared_ptr<ScriptedWorker> inside, std::vector<std::pair<std::string, TargetRef>> env,
                                              bool withLoader, rpc::Limits::Reader limits) {
  auto request = clientLoader_.loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("m.js");
  auto module = code.initModules(1)[0];
  module.setName("m.js");
  module.setJs("export default {}");
  code.setLimits(limits);
  auto payload = code.initEnv();
  payload.initValue().initNodes(1)[0].initObject(0);
  auto externals = payload.initExternals(unsigned(env.size() + withLoader));
  for (auto i: kj::indices(env)) {
    externals[i].setLabel(env[i].first.c_str());
    externals[i].setStub(env[i].second);
  }
  if (withLoader) {
    externals[env.size()].setLabel("LOADER");
    externals[env.size()].setLoader(clientLoader_);
  }
  auto worker = request.send().getWorker();
  auto entrypoint = worker.getEntrypointRequest().send().getEntrypoint();
  return {worker, entrypoint, inside};
}

void ScriptedWorld::settle() {
  for (int i = 0; i < 10; i++) port_.getTimer().afterDelay(1 * kj::MILLISECONDS).wait(port_.waitScope());
}

capnp::RemotePromise<rpc::Return> call(rpc::Target::Client target, const std::string& method, std::vector<Argument> arguments) {
  auto request = target.callRequest();
  request.initPath(1).set(0, method.c_str());
  auto payload = request.getOperation().initInvoke();
  auto nodes = payload.initValue().initNodes(unsigned(arguments.size() + 1));
  auto array = nodes[0].initArray();
  array.setLength(unsigned(arguments.size()));
  auto items = array.initItems(unsigned(arguments.size()));
  unsigned externalCount = 0;
  for (auto& argument: arguments) externalCount += argument.target.has_value();
  auto externals = payload.initExternals(externalCount);
  unsigned external = 0;
  for (auto i: kj::indices(arguments)) {
    items.set(i, i + 1);
    if (arguments[i].target) {
      nodes[i + 1].setExternal(external);
      externals[external++].setStub(*arguments[i].target);
    } else {
      nodes[i + 1].setText(arguments[i].text.c_str());
    }
  }
  return request.send();
}

namespace {
std::string textOf(const ValueGraph& graph) {
  for (auto& node: graph.nodes) {
    if (node.kind == ValueNode::Kind::TEXT) return node.bytes;
  }
  return "";
}
}  // namespace

kj::Promise<std::string> outcome(capnp::RemotePromise<rpc::Return>&& promise) {
  return promise
      .then([](capnp::Response<rpc::Return>&& response) {
        return readReturn(kj::mv(response)).then([](CallOutcome result) -> std::string {
          KJ_SWITCH_ONEOF(result) {
            KJ_CASE_ONEOF(value, CallValue) { return "value " + textOf(value.graph); }
            KJ_CASE_ONEOF(thrown, CallThrown) { return "thrown " + textOf(thrown.graph); }
            KJ_CASE_ONEOF(ended, CallEnded) { return std::string("ended ") + ended.name.cStr() + " " + ended.message.cStr(); }
          }
          KJ_UNREACHABLE;
        });
      })
      .catch_([](kj::Exception&& exception) { return std::string("exception ") + exception.getDescription().cStr(); });
}

std::vector<TargetRef> capabilitiesOf(CallContext& context) {
  std::vector<TargetRef> result;
  for (auto external: context.getParams().getOperation().getInvoke().getExternals()) {
    kj::Maybe<capnp::Capability::Client> capability;
    readExternal(external, capability);
    KJ_IF_MAYBE(c, capability) result.push_back(c->castAs<rpc::Target>());
  }
  return result;
}

std::string firstText(rpc::Payload::Reader payload) { return textOf(readInlinePayload(payload).graph); }

void answer(CallContext& context, const std::string& text) {
  auto node = context.getResults().initValue().initValue().initNodes(1)[0];
  node.setText(capnp::Text::Reader(text.c_str(), text.size()));
}

void answer(CallContext& context, rpc::Target::Client target, ValueExternal::Kind kind) {
  auto results = context.getResults();
  auto payload = results.initValue();
  payload.initValue().initNodes(1)[0].setExternal(0);
  writeExternal(kind, target, payload.initExternals(1)[0]);
  results.setPipeline(target);
}

}  // namespace glovebox::test
