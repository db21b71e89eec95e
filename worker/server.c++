#include "worker/server.h"

#include <capnp/rpc-twoparty.h>
#include <kj/debug.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/large-value.h"
#include "ipc/limits-message.h"

#include <chrono>
#include <optional>

#include "ipc/message-stream.h"
#include "ipc/payload.h"
#include "ipc/wire-limits.h"
#include "ipc/worker.capnp.h"
#include "ipc/zygote-protocol.h"
#include "worker/call-server.h"
#include "worker/poll-port.h"
#include "worker/script-host.h"

namespace glovebox {

namespace {

std::string toString(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }
std::string toString(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

// Values come from a client through a supervisor that does not look into them: a malformed one fails what it was for, and
// never the line.
kj::Maybe<kj::String> tryImport(CallServer& calls, rpc::Payload::Reader payload, ValueGraph& graph) {
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { graph = calls.import(readInlinePayload(payload)); })) {
    return kj::str(exception->getDescription());
  }
  return nullptr;
}

class EntrypointTarget final: public CallTarget {
 public:
  EntrypointTarget(CallServer& calls, kj::StringPtr name, std::shared_ptr<const ValueGraph> props, kj::Maybe<kj::String> problem)
      : CallTarget(calls), name_(name.begin(), name.size()), props_(kj::mv(props)), problem_(kj::mv(problem)) {}

 protected:
  kj::Maybe<kj::StringPtr> address(CallRequest& request) override {
    request.entrypoint = name_;
    request.props = props_;
    return problem_.map([](kj::String& text) -> kj::StringPtr { return text; });
  }

 private:
  std::string name_;
  std::shared_ptr<const ValueGraph> props_;
  kj::Maybe<kj::String> problem_;
};

class WorkerProcessImpl final: public rpc::WorkerProcess::Server {
 public:
  WorkerProcessImpl(ScriptHost& host, CallServer& calls, BufferedMessageStream& stream, const std::function<void()>& seal)
      : host_(host), calls_(calls), stream_(stream), seal_(seal) {}

 protected:
  kj::Promise<void> warm(WarmContext context) override {
    KJ_REQUIRE(phase_ == Phase::NEW, "warm() comes first, and once");
    phase_ = Phase::WARM;
    host_.warm(WarmUp::WORKER);
    warmCodec();
    seal_();
    return kj::READY_NOW;
  }

  kj::Promise<void> start(StartContext context) override {
    KJ_REQUIRE(phase_ == Phase::WARM, "start() comes after warm(), and once");
    phase_ = Phase::STARTED;
    auto params = context.getParams();
    if (params.hasConsole()) calls_.setConsole(params.getConsole());
    auto code = params.getCode();
    WorkerSource source;
    source.compatibilityDate = toString(code.getCompatibilityDate());
    for (auto flag: code.getCompatibilityFlags()) source.compatibilityFlags.push_back(toString(flag));
    source.mainModule = toString(code.getMainModule());
    source.limits = readLimits(code.getLimits());
    auto modules = code.getModules();
    auto caches = params.getCaches();
    for (auto i: kj::indices(modules)) {
      auto cache = i < caches.size() ? caches[i] : capnp::Data::Reader();
      source.modules.push_back(toModule(modules[i], cache));
      if (!source.modules.back().textInPlace.empty()) stream_.keepMessageWith(source.modules.back().textInPlace.data());
    }
    if (code.hasEnv()) {
      auto problem = tryImport(calls_, code.getEnv(), source.env);
      KJ_IF_MAYBE(text, problem) source.problem = kj::str("Uncaught Error: the env is not valid: ", *text).cStr();
    }
    source.outbound = code.getOutbound();
    // Caches stay in the message until they are used; without any it only takes room.
    if (caches.size() == 0) context.releaseParams();
    bool ok = host_.start(kj::mv(source));
    for (auto cache: caches) giveBackPages(cache);
    calls_.collect();
    calls_.noteAnswered();
    context.getResults().setStatus(ok ? rpc::WorkerProcess::StartStatus::OK : rpc::WorkerProcess::StartStatus::FAILED);
    return kj::READY_NOW;
  }

  kj::Promise<void> compile(CompileContext context) override {
    KJ_REQUIRE(phase_ == Phase::WARM, "compile() comes after warm(), once, and instead of start()");
    phase_ = Phase::COMPILED;
    std::vector<ModuleSource> sources;
    for (auto module: context.getParams().getModules()) sources.push_back(toModule(module, {}));
    auto memoryMb = context.getParams().getMemoryMb();
    context.releaseParams();
    auto caches = host_.compile(kj::mv(sources), memoryMb);
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    auto list = message->initRoot<rpc::CodeCaches>().initModules(static_cast<unsigned>(caches.size()));
    for (auto i: kj::indices(list)) {
      list.set(i, capnp::Data::Reader(reinterpret_cast<const kj::byte*>(caches[i].data()), caches[i].size()));
    }
    offerLarge(kj::mv(message), context.getResults().initCaches());
    return kj::READY_NOW;
  }

  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    KJ_REQUIRE(phase_ == Phase::STARTED, "getEntrypoint() comes after start()");
    auto params = context.getParams();
    std::shared_ptr<const ValueGraph> props;
    kj::Maybe<kj::String> problem;
    if (params.hasProps()) {
      auto graph = std::make_shared<ValueGraph>();
      problem = tryImport(calls_, params.getProps(), *graph);
      KJ_IF_MAYBE(text, problem) problem = kj::str("The props of this entrypoint are not valid: ", *text);
      props = kj::mv(graph);
    }
    context.getResults().setEntrypoint(kj::heap<EntrypointTarget>(calls_, params.getName(), kj::mv(props), kj::mv(problem)));
    return kj::READY_NOW;
  }

 private:
  enum class Phase { NEW, WARM, STARTED, COMPILED };

  // From this size on, text that has a cache stays in the message, which is then not freed: to copy 1 MB takes 0.3 ms, most of
  // it for the new pages.
  static constexpr size_t IN_PLACE_BYTES_MIN = 128 * 1024;

  static ModuleSource toScript(ModuleSource::Kind kind, std::string name, capnp::Text::Reader text, capnp::Data::Reader cache) {
    ModuleSource source{kind, kj::mv(name), {}};
    source.cache = {reinterpret_cast<const char*>(cache.begin()), cache.size()};
    if (cache.size() > 0 && text.size() >= IN_PLACE_BYTES_MIN) source.textInPlace = {text.begin(), text.size()};
    else source.body = toString(text);
    return source;
  }

  static ModuleSource toModule(rpc::Module::Reader module, capnp::Data::Reader cache) {
    using Kind = ModuleSource::Kind;
    auto name = toString(module.getName());
    switch (module.which()) {
      case rpc::Module::JS: return toScript(Kind::JS, kj::mv(name), module.getJs(), cache);
      case rpc::Module::CJS: return toScript(Kind::CJS, kj::mv(name), module.getCjs(), cache);
      case rpc::Module::TEXT: return {Kind::TEXT, name, toString(module.getText())};
      case rpc::Module::DATA: return {Kind::DATA, name, toString(module.getData())};
      case rpc::Module::JSON: return {Kind::JSON, name, toString(module.getJson())};
      case rpc::Module::WASM: return {Kind::WASM, name, toString(module.getWasm())};
    }
    KJ_FAIL_REQUIRE("a module of an unknown kind", name.c_str());
  }

  // Of something in a message that may be kept, and that nobody reads again.
  static void giveBackPages(capnp::Data::Reader bytes) {
    constexpr uintptr_t PAGE = 4096;
    auto from = (reinterpret_cast<uintptr_t>(bytes.begin()) + PAGE - 1) & ~(PAGE - 1);
    auto to = reinterpret_cast<uintptr_t>(bytes.end()) & ~(PAGE - 1);
    if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
  }

  // The pages of a call's way in and out.
  static void warmCodec() {
    ValueGraph graph;
    graph.nodes.resize(2);
    graph.nodes[0].kind = ValueNode::Kind::ARRAY;
    graph.nodes[0].length = 1;
    graph.nodes[0].items = {1};
    graph.nodes[1].kind = ValueNode::Kind::TEXT;
    graph.nodes[1].bytes = "warm";
    capnp::MallocMessageBuilder message;
    auto call = message.initRoot<rpc::Call>();
    call.initPath(1).set(0, "warm");
    writePayload(graph, call.getOperation().initInvoke());
    readInlinePayload(call.asReader().getOperation().getInvoke());
  }

  ScriptHost& host_;
  CallServer& calls_;
  BufferedMessageStream& stream_;
  const std::function<void()>& seal_;
  Phase phase_ = Phase::NEW;
};

class Loop final: public LoopClient {
 public:
  explicit Loop(ScriptHost& host): host_(host) {}
  void attach(CallServer& calls) { calls_ = &calls; }   // a TaskSet can only be made on a loop that exists

  bool drained() override {
    // What it had done and said before it ended itself has been written.
    if (host_.aborted() && calls_->logsHaveLeft()) _exit(zygote::EXIT_ABORTED);
    return calls_ != nullptr && calls_->letNextRun();
  }
  bool pending() override { return calls_ != nullptr && !calls_->idle(); }
  bool expectsAnswer() override { return calls_->expectsAnswer(); }
  bool quiet() override {
    if (!host_.idle()) return false;
    calls_->collect();
    return true;
  }
  double msUntilWake() override { return host_.aborted() ? LAST_LOGS_MS : host_.msUntilTimer(); }
  void wake() override {
    if (host_.aborted() && Clock::now() - abortedAt() > std::chrono::milliseconds(LAST_LOGS_MS)) _exit(zygote::EXIT_ABORTED);
    host_.checkTermination();
    if (host_.msUntilTimer() == 0) host_.runTimers();
    if (calls_ != nullptr) calls_->collect();
  }

 private:
  using Clock = std::chrono::steady_clock;
  // A console that does not take what is left keeps nobody for longer.
  static constexpr int LAST_LOGS_MS = 1'000;

  ScriptHost& host_;
  CallServer* calls_ = nullptr;
  std::optional<Clock::time_point> abortedAt_;

  Clock::time_point abortedAt() {
    if (!abortedAt_) abortedAt_ = Clock::now();
    return *abortedAt_;
  }
};

MessageStreamOptions streamOptions() {
  MessageStreamOptions options;
  options.systemCalls = MessageStreamOptions::SystemCalls::READ_WRITE;
  options.messageBytesMax = wire::CLIENT_MESSAGE_BYTES_MAX;
  options.reader.traversalLimitInWords = 2 * wire::CLIENT_MESSAGE_BYTES_MAX / sizeof(capnp::word);
  return options;
}

}  // namespace

void serveWorker(int socket, ScriptHost& host, const std::function<void()>& seal) {
  Loop loop(host);
  PollPort port(socket, loop);
  kj::EventLoop eventLoop(port);
  kj::WaitScope waitScope(eventLoop);
  CallServer calls(host);
  loop.attach(calls);
  BufferedMessageStream stream(socket, port, streamOptions());
  capnp::TwoPartyVatNetwork network(stream, capnp::rpc::twoparty::Side::SERVER, streamOptions().reader);
  auto rpcSystem = capnp::makeRpcServer(network, kj::heap<WorkerProcessImpl>(host, calls, stream, seal));
  network.onDisconnect().wait(waitScope);
}

}  // namespace glovebox
