#include "worker/script-host.h"

#include <signal.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "worker/engine/engine.h"
#include "worker/engine/value-v8.h"
#include "worker/modules.h"
#include "worker/uncaught.h"

namespace glovebox {

namespace {

// Read and written by the handler of TERMINATE_SIGNAL, which runs on the one thread there is.
volatile sig_atomic_t terminationRequested = 0;
volatile sig_atomic_t javaScriptRuns = 0;
v8::Isolate* isolateToTerminate = nullptr;

ValueGraph errorGraph(std::string message) {
  ValueGraph graph;
  graph.nodes.resize(2);
  graph.nodes[0].kind = ValueNode::Kind::ERROR;
  graph.nodes[0].ref = 1;
  graph.nodes[1].kind = ValueNode::Kind::TEXT;
  graph.nodes[1].bytes = std::move(message);
  return graph;
}

class V8ScriptHost final: public ScriptHost, private CallObserver {
 public:
  V8ScriptHost(Engine& engine, policy::Profile profile)
      : engine_(engine), isolate_(engine.isolate()), profile_(profile) {
    v8::HandleScope scope(isolate_);
    auto context = engine_.context();
    for (auto [name, to] : {std::pair{"invoke", &invoke_}, {"setEnv", &setEnv_}, {"setMain", &setMain_}, {"forget", &forget_}}) {
      to->Reset(isolate_, engine_.hooks()->Get(context, string(name)).ToLocalChecked().As<v8::Function>());
    }
    engine_.calls = this;
    isolateToTerminate = isolate_;
    isolate_->SetPromiseRejectCallback(onRejection);
    isolate_->SetAllowWasmCodeGenerationCallback([](v8::Local<v8::Context>, v8::Local<v8::String>) {
      return Engine::of(v8::Isolate::GetCurrent()).startingUp;
    });
    if (profile_ != policy::Profile::DEFAULT) {
      context->Global()->Delete(context, string("WebAssembly")).Check();
    }
    modules_ = std::make_unique<Modules>(engine_, profile_);
  }

  void warm(WarmUp how) override {
    WorkerSource source;
    source.mainModule = "warm.js";
    // A text that V8 has not seen yet, so that it is parsed and compiled, not found in a cache.
    source.modules.push_back({ModuleSource::Kind::JS, "warm.js",
                              "// " + std::to_string(++warmRounds_) + "\n"
                              "import { WorkerEntrypoint } from 'cloudflare:workers';\n"
                              "export class Named extends WorkerEntrypoint { m(a, b) { return [a, b, this.env]; } }\n"
                              "export default { async handler(input, env, ctx) {\n"
                              "  const copy = { ...input, list: [1, 2, 'three'].map((x) => `${x}`), at: Date.now() };\n"
                              "  await null;\n"
                              "  return JSON.parse(JSON.stringify(copy));\n"
                              "} }\n"});
    start(std::move(source));
    ValueGraph arguments;   // [{ value: "text" }]
    arguments.nodes.resize(4);
    arguments.nodes[0].kind = ValueNode::Kind::ARRAY;
    arguments.nodes[0].length = 1;
    arguments.nodes[0].items = {1};
    arguments.nodes[1].kind = ValueNode::Kind::OBJECT;
    arguments.nodes[1].properties = {{2, 3}};
    arguments.nodes[2].kind = arguments.nodes[3].kind = ValueNode::Kind::TEXT;
    arguments.nodes[2].bytes = "value";
    arguments.nodes[3].bytes = "text";
    call({"", nullptr, {"handler"}, false, arguments});
    if (how == WarmUp::ZYGOTE) {
      arguments.nodes[0].length = 2;
      arguments.nodes[0].items = {1, 1};
      call({"Named", nullptr, {"m"}, false, std::move(arguments)});
    }
    // Forget all of it.
    answers_.clear();
    calls_.clear();
    startFailure_ = {};
    modules_ = nullptr;
    modules_ = std::make_unique<Modules>(engine_, profile_);
  }

  bool start(WorkerSource source) override {
    if (source.memoryMb != 0) engine_.limitMemory(size_t(source.memoryMb) << 20);
    startFailure_.id = 0;
    failed_ = false;
    turn([&]() { evaluate(source); });
    return !failed_;
  }

  CallId call(CallRequest request) override {
    auto id = nextId_++;
    calls_.emplace(id, Call{});
    if (failed_) {
      auto answer = startFailure_;
      answer.id = id;
      this->answer(std::move(answer));
      calls_.erase(id);
      return id;
    }
    MemoryBudget::ofProcess().refused = false;
    turn([&]() { invoke(id, request); });
    return id;
  }

  void abandon(CallId id) override {
    if (calls_.erase(id) == 0) return;
    engine_.timers.clearOf(id);
    forget({id});
  }

  double msUntilTimer() override {
    double deadline = engine_.timers.nextDeadlineMs();
    return deadline == Timers::NEVER ? -1 : std::max(0.0, deadline - Timers::nowMs());
  }

  void runTimers() override {
    double now = Timers::nowMs();
    while (engine_.timers.nextDeadlineMs() <= now && !terminationRequested) {
      turn([&]() {
        Timers::Due due;
        if (!engine_.timers.takeDue(isolate_, now, due)) return;
        v8::TryCatch tryCatch(isolate_);
        isolate_->SetContinuationPreservedEmbedderDataV2(due.continuation);
        if (due.callback->Call(engine_.context(), v8::Undefined(isolate_), 0, nullptr).IsEmpty() && !tryCatch.HasTerminated()) {
          logUncaught(tryCatch.Exception(), tryCatch.Message());
        }
        engine_.setCurrentInvocation(0);
      });
    }
  }

  void checkTermination() override {
    bool heap = engine_.takeHeapExhausted();
    if (!heap && !terminationRequested) return;
    terminationRequested = 0;
    // What was queued belongs to calls that are over. A checkpoint during termination discards it.
    isolate_->TerminateExecution();
    isolate_->PerformMicrotaskCheckpoint();
    isolate_->CancelTerminateExecution();
    engine_.timers.clearAll();
    endCalls(heap ? HostEnding::EXCEEDED_MEMORY : HostEnding::TERMINATED);
  }

  bool idle() override {
    turn([] {});
    if (!answers_.empty()) return true;
    if (!engine_.timers.empty() || calls_.empty()) return false;
    endCalls(HostEnding::HUNG);
    return !answers_.empty();
  }

  std::vector<CallAnswer> takeAnswers() override { return std::exchange(answers_, {}); }
  LogBuffer& logs() override { return engine_.logs; }

 private:
  struct Call {
    bool answered = false;
  };

  // Runs `body` and then all that JavaScript has left to do.
  template <typename Body>
  void turn(Body&& body) {
    v8::HandleScope scope(isolate_);
    javaScriptRuns = 1;
    if (!terminationRequested) body();
    isolate_->PerformMicrotaskCheckpoint();
    engine_.pumpTasks();
    isolate_->PerformMicrotaskCheckpoint();
    javaScriptRuns = 0;
    reportRejections();
    checkTermination();
  }

  void invoke(CallId id, CallRequest& request) {
    auto context = engine_.context();
    v8::TryCatch tryCatch(isolate_);
    v8::Local<v8::Value> props, arguments = v8::Undefined(isolate_);
    if (request.props == nullptr || request.props->nodes.empty()) props = v8::Object::New(isolate_);
    else if (!fromGraph(context, *request.props).ToLocal(&props)) return callFailed(id, tryCatch);
    if (!request.get && !fromGraph(context, request.arguments).ToLocal(&arguments)) return callFailed(id, tryCatch);
    std::vector<v8::Local<v8::Value>> path;
    for (auto& name : request.path) path.push_back(string(name));
    v8::Local<v8::Value> parameters[] = {v8::Number::New(isolate_, double(id)), string(request.entrypoint), props,
                                         v8::Array::New(isolate_, path.data(), path.size()), arguments};
    engine_.setCurrentInvocation(id);
    if (invoke_.Get(isolate_)->Call(context, v8::Undefined(isolate_), 5, parameters).IsEmpty()) callFailed(id, tryCatch);
    engine_.setCurrentInvocation(0);
  }

  void callFailed(CallId id, v8::TryCatch& tryCatch) {
    if (!tryCatch.HasTerminated() && tryCatch.HasCaught()) settled(id, false, tryCatch.Exception());
  }

  // CallObserver; called by the runtime.
  void settled(CallId id, bool ok, v8::Local<v8::Value> value) override {
    auto it = calls_.find(id);
    if (it == calls_.end() || it->second.answered) return;
    auto context = engine_.context();
    CallAnswer result{id, ok ? CallAnswer::Kind::VALUE : CallAnswer::Kind::THROWN, {}, {}};
    if (!ok && isRefusedMemory(value)) {
      result.kind = CallAnswer::Kind::ENDED;
      result.ending = HostEnding::EXCEEDED_MEMORY;
      return answer(std::move(result));
    }
    v8::TryCatch tryCatch(isolate_);
    if (!toGraph(context, value, result.graph)) {
      if (tryCatch.HasTerminated()) return;   // checkTermination() will answer
      auto problem = tryCatch.Exception();
      tryCatch.Reset();
      result.kind = CallAnswer::Kind::THROWN;
      result.graph = {};
      // What cannot be cloned and was thrown is told as text; what was to be returned, by why it cannot.
      if (!ok || !toGraph(context, problem, result.graph)) {
        if (tryCatch.HasTerminated()) return;
        tryCatch.Reset();
        v8::String::Utf8Value text(isolate_, ok ? problem : value);
        result.graph = errorGraph(*text ? std::string(*text, size_t(text.length())) : "a value that cannot be shown");
      }
    }
    answer(std::move(result));
  }

  void invocationEnded(CallId id) override { calls_.erase(id); }

  void answer(CallAnswer answer) {
    auto it = calls_.find(answer.id);
    if (it == calls_.end() || it->second.answered) return;
    it->second.answered = true;
    answers_.push_back(std::move(answer));
  }

  bool isRefusedMemory(v8::Local<v8::Value> value) {
    if (!MemoryBudget::ofProcess().refused || !value->IsNativeError()) return false;
    v8::TryCatch ignore(isolate_);
    v8::Local<v8::Value> name;
    return value.As<v8::Object>()->Get(engine_.context(), string("name")).ToLocal(&name) && name->IsString() &&
           name.As<v8::String>()->StringEquals(string("RangeError"));
  }

  void endCalls(HostEnding ending) {
    std::vector<CallId> ids;
    for (auto& [id, call] : calls_) ids.push_back(id);
    for (auto id : ids) answer({id, CallAnswer::Kind::ENDED, {}, ending});
    calls_.clear();
    forget(ids);
    if (engine_.startingUp) {
      engine_.startingUp = false;
      failed_ = true;
      startFailure_ = {0, CallAnswer::Kind::ENDED, {}, ending};
    }
  }

  void forget(const std::vector<CallId>& ids) {
    v8::HandleScope scope(isolate_);
    for (auto id : ids) {
      v8::Local<v8::Value> parameter = v8::Number::New(isolate_, double(id));
      // Nothing of the user's runs in it; if it fails all the same, a small object stays in the heap.
      if (forget_.Get(isolate_)->Call(engine_.context(), v8::Undefined(isolate_), 1, &parameter).IsEmpty()) return;
    }
  }

  // -- Starting ------------------------------------------------------------------------------------------------------

  void evaluate(WorkerSource& source) {
    auto context = engine_.context();
    v8::TryCatch tryCatch(isolate_);
    if (!source.problem.empty()) return startFailed(source.problem);
    engine_.startingUp = true;
    context->AllowCodeGenerationFromStrings(true);   // Worker Loader allows it at top level
    v8::Local<v8::Value> env = v8::Object::New(isolate_);
    v8::Local<v8::Promise> done;
    if ((!source.env.nodes.empty() && !fromGraph(context, source.env).ToLocal(&env)) ||
        setEnv_.Get(isolate_)->Call(context, v8::Undefined(isolate_), 1, &env).IsEmpty()) {
      return startFailed(tryCatch);
    }
    modules_->add(std::move(source.modules));
    if (!modules_->evaluate(source.mainModule).ToLocal(&done)) return startFailed(tryCatch);
    done->MarkAsHandled();
    isolate_->PerformMicrotaskCheckpoint();
    if (isolate_->IsExecutionTerminating()) return;
    // Top-level await may need a task of V8's own (a WebAssembly module that is compiled), but nothing from outside.
    for (int i = 0; i < 100 && done->State() == v8::Promise::kPending && !terminationRequested; ++i) {
      engine_.pumpTasks();
      isolate_->PerformMicrotaskCheckpoint();
    }
    switch (done->State()) {
      case v8::Promise::kPending:
        if (terminationRequested || tryCatch.HasTerminated()) return;
        return startFailed("Uncaught Error: Top-level await in module is unsettled.");
      case v8::Promise::kRejected: return startFailed(describeUncaught(isolate_, done->Result(), {}));
      case v8::Promise::kFulfilled: break;
    }
    v8::Local<v8::Value> main = modules_->mainNamespace(source.mainModule);
    if (setMain_.Get(isolate_)->Call(context, v8::Undefined(isolate_), 1, &main).IsEmpty()) return startFailed(tryCatch);
    engine_.startingUp = false;
    context->AllowCodeGenerationFromStrings(false);
  }

  void startFailed(v8::TryCatch& tryCatch) {
    if (tryCatch.HasTerminated() || !tryCatch.HasCaught()) return;   // checkTermination() will say why
    if (isRefusedMemory(tryCatch.Exception())) {
      engine_.startingUp = false;
      failed_ = true;
      startFailure_ = {0, CallAnswer::Kind::ENDED, {}, HostEnding::EXCEEDED_MEMORY};
      return;
    }
    startFailed(describeUncaught(isolate_, tryCatch.Exception(), tryCatch.Message()));
  }

  void startFailed(const std::string& uncaught) {
    engine_.startingUp = false;
    failed_ = true;
    startFailure_ = {0, CallAnswer::Kind::THROWN, errorGraph("Failed to start Worker:\n" + uncaught), {}};
  }

  // -- Rejections nobody handles ---------------------------------------------------------------------------------------

  static void onRejection(v8::PromiseRejectMessage message) {
    auto* isolate = v8::Isolate::GetCurrent();
    auto& self = *static_cast<V8ScriptHost*>(Engine::of(isolate).calls);
    auto promise = message.GetPromise();
    if (message.GetEvent() == v8::kPromiseRejectWithNoHandler && self.rejections_.size() < REJECTIONS_MAX) {
      self.rejections_.emplace_back(isolate, promise);
    }
  }

  void reportRejections() {
    for (auto& rejection : std::exchange(rejections_, {})) {
      auto promise = rejection.Get(isolate_);
      if (promise->HasHandler()) continue;
      logUncaught(promise->Result(), {});
    }
  }

  void logUncaught(v8::Local<v8::Value> exception, v8::Local<v8::Message> message) {
    engine_.logs.add(LogLevel::ERROR, Engine::wallClockMs(), describeUncaught(isolate_, exception, message));
  }

  v8::Local<v8::String> string(const std::string& text) {
    return v8::String::NewFromUtf8(isolate_, text.data(), v8::NewStringType::kNormal, int(text.size())).ToLocalChecked();
  }

  static constexpr size_t REJECTIONS_MAX = 100;   // a turn; the rest goes unreported

  unsigned warmRounds_ = 0;
  Engine& engine_;
  v8::Isolate* isolate_;
  policy::Profile profile_;
  std::unique_ptr<Modules> modules_;
  v8::Global<v8::Function> invoke_, setEnv_, setMain_, forget_;
  std::unordered_map<CallId, Call> calls_;
  std::vector<CallAnswer> answers_;
  std::vector<v8::Global<v8::Promise>> rejections_;
  CallAnswer startFailure_;
  bool failed_ = false;
  CallId nextId_ = 1;
};

}  // namespace

std::unique_ptr<ScriptHost> ScriptHost::make(Engine& engine, policy::Profile profile) {
  return std::make_unique<V8ScriptHost>(engine, profile);
}

void requestTermination(int) {
  terminationRequested = 1;
  if (javaScriptRuns && isolateToTerminate != nullptr) isolateToTerminate->TerminateExecution();
}

}  // namespace glovebox
