#include "worker/script-host.h"

#include <signal.h>

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "worker/compatibility.h"
#include "worker/engine/engine.h"
#include "worker/engine/interruption.h"
#include "worker/engine/value-v8.h"
#include "worker/modules.h"
#include "worker/rehearsal.h"
#include "worker/uncaught.h"
#include "worker/web/hooks.h"

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
    for (auto [name, to] : {std::pair{"invoke", &invoke_}, {"deliver", &deliver_}, {"answered", &answered_}, {"begin", &begin_},
                            {"setMain", &setMain_}, {"ownerOfExport", &ownerOfExport_}, {"ownerOfCall", &ownerOfCall_},
                            {"released", &released_}, {"dropReceived", &dropReceived_}, {"isAwaiting", &isAwaiting_},
                            {"abandoned", &abandoned_}, {"forgetAll", &forgetAll_}, {"runTicks", &runTicks_},
                            {"forgetNode", &forgetNode_}}) {
      to->Reset(isolate_, engine_.hooks()->Get(context, string(name)).ToLocalChecked().As<v8::Function>());
    }
    engine_.calls = this;
    isolateToTerminate = isolate_;
    learnWhereCodeIs(isolate_);
    isolate_->SetPromiseRejectCallback(onRejection);
    isolate_->SetAllowWasmCodeGenerationCallback([](v8::Local<v8::Context>, v8::Local<v8::String>) {
      return Engine::of(v8::Isolate::GetCurrent()).startingUp;
    });
    if (profile_ != policy::Profile::DEFAULT) {
      context->Global()->Delete(context, string("WebAssembly")).Check();
      engine_.webAssembly = false;
    }
    modules_ = std::make_unique<Modules>(engine_, profile_);
  }

  void warm(WarmUp how) override {
    // What it puts where everybody sees it is taken back.
    v8::HandleScope scope(isolate_);
    auto context = engine_.context();
    v8::Local<v8::Value> console, log;
    bool hasConsole = context->Global()->Get(context, string("console")).ToLocal(&console) &&
                      console.As<v8::Object>()->Get(context, string("log")).ToLocal(&log);
    start(rehearsedSource(how, ++warmRounds_, newId()));
    for (auto& request : rehearsedCalls(how, newId())) call(std::move(request));
    for (size_t i = 0; i < actions_.size(); ++i) {
      if (actions_[i].kind == HostAction::Kind::CALL) answered(uint64_t(actions_[i].id), rehearsedAnswer());
    }
    if (hasConsole) console.As<v8::Object>()->Set(context, string("log"), log).Check();
    // Forget all of it.
    std::vector<uint64_t> pipelines;
    for (auto& action : actions_) pipelines.push_back(action.answer.pipeline);
    released(pipelines);
    calls_.clear();
    engine_.timers.clearAll();
    engine_.logs.clear();
    forgetAll();
    if (how == WarmUp::ZYGOTE) (void)callFunction(forgetNode_, {});
    actions_.clear();
    startFailure_ = {};
    modules_ = nullptr;
    modules_ = std::make_unique<Modules>(engine_, profile_);
  }

  bool start(WorkerSource source) override {
    if (source.limits.memoryMb != 0) engine_.limitMemory(size_t(source.limits.memoryMb) << 20, size_t(source.limits.heapMb) << 20);
    if (source.limits.timers != 0) engine_.timers.limit(source.limits.timers);
    startFailure_.id = 0;
    failed_ = false;
    turn([&]() { evaluate(source); });
    modules_->keepCaches();
    return !failed_;
  }

  std::vector<std::string> compile(std::vector<ModuleSource> sources, uint32_t memoryMb) override {
    engine_.limitMemory(size_t(memoryMb) << 20);
    v8::HandleScope scope(isolate_);
    std::vector<std::string> caches;
    for (auto& source : sources) {
      v8::HandleScope each(isolate_);
      v8::TryCatch ignore(isolate_);
      caches.push_back(modules_->makeCodeCache(source));
    }
    return caches;
  }

  CallId call(CallRequest request) override {
    auto id = nextId_++;
    if (calls_.empty()) terminationRequested = 0;   // it was meant for a call that was over when it came
    calls_.insert(id);
    if (failed_) {
      auto answer = startFailure_;
      answer.id = id;
      if (answer.kind == CallAnswer::Kind::THROWN) {
        engine_.logs.addThrown({Engine::wallClockMs(), "Error", answer.graph.nodes[1].bytes, answer.graph.nodes[1].bytes});
      }
      this->answer(std::move(answer));
      return id;
    }
    MemoryBudget::ofProcess().refused = false;
    turn([&]() { invoke(id, request); });
    return id;
  }

  void answered(uint64_t call, RemoteAnswer answer) override {
    MemoryBudget::ofProcess().refused = false;
    turn([&]() { hearAnswer(call, answer); });
  }

  void released(const std::vector<uint64_t>& exports) override {
    turn([&]() {
      for (auto id : exports) {
        if (id == 0) continue;
        v8::TryCatch tryCatch(isolate_);
        engine_.setCurrentInvocation(askNumber(ownerOfExport_, id));
        v8::Local<v8::Value> parameter = number(id);
        bool called = !released_.Get(isolate_)->Call(engine_.context(), v8::Undefined(isolate_), 1, &parameter).IsEmpty();
        if (!called && tryCatch.HasTerminated()) break;
      }
      engine_.setCurrentInvocation(0);
    });
  }

  uint64_t newId() override { return nextId_++; }

  void abandon(CallId id) override {
    if (calls_.erase(id) == 0) return;
    turn([&]() { (void)callFunction(abandoned_, {number(id)}); });
  }

  double msUntilTimer() override {
    if (tasksLeft_) return 0;
    double deadline = engine_.timers.nextDeadlineMs();
    return deadline == Timers::NEVER ? -1 : std::max(0.0, deadline - Timers::nowMs());
  }

  void runTimers() override {
    if (tasksLeft_) turn([] {});
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

  bool aborted() const override { return aborted_; }

  void checkTermination() override {
    if (aborted_) return;
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
    if (aborted_) return false;
    turn([] {});
    if (!actions_.empty()) return true;
    if (tasksLeft_ || !engine_.timers.empty() || calls_.empty() || isAwaiting()) return false;
    endCalls(HostEnding::HUNG);
    return !actions_.empty();
  }

  std::vector<HostAction> takeActions() override { return std::exchange(actions_, {}); }
  LogBuffer& logs() override { return engine_.logs; }

 private:
  // Runs `body` and then all that JavaScript has left to do.
  template <typename Body>
  void turn(Body&& body) {
    if (aborted_) return;
    v8::HandleScope scope(isolate_);
    javaScriptRuns = 1;
    if (!terminationRequested) body();
    if (!aborted_) drain();
    if (!aborted_) tasksLeft_ = !engine_.pumpTasks();
    if (!aborted_) drain();
    if (!rejections_.empty() || !handledRejections_.empty()) tellOfRejections();
    javaScriptRuns = 0;
    if (aborted_) {
      actions_.resize(actionsBeforeAbort_);
      return;
    }
    reportRejections();
    checkTermination();
  }

  // What process.nextTick() has queued goes before what promises have, each time.
  void drain() {
    do {
      if (std::exchange(engine_.ticksWanted, false) && callFunction(runTicks_, {}).IsEmpty()) break;
      isolate_->PerformMicrotaskCheckpoint();
    } while (engine_.ticksWanted && !aborted_ && !terminationRequested);
  }

  void invoke(CallId id, CallRequest& request) {
    auto context = engine_.context();
    v8::TryCatch tryCatch(isolate_);
    v8::Local<v8::Value> props, arguments = v8::Undefined(isolate_);
    bool isEntrypoint = request.target == 0;
    // What is read belongs to whose invocation it is; props to none, because they outlive this call.
    engine_.setCurrentInvocation(0);
    if (isEntrypoint) {
      if (request.props == nullptr || request.props->nodes.empty()) props = v8::Object::New(isolate_);
      else if (!fromGraph(context, *request.props).ToLocal(&props)) return callFailed(id, tryCatch);
    }
    auto invocation = isEntrypoint ? id : ownerOfDelivery(id, request.target);
    engine_.setCurrentInvocation(invocation);
    auto& trace = request.trace;
    // What belongs to an invocation stays under the call that began it.
    if ((trace.high | trace.low) != 0) engine_.traces.try_emplace(invocation, TracePlace{trace.high, trace.low, trace.span, trace.flags});
    if (!request.get && !fromGraph(context, request.arguments, {.mayTake = &request.arguments}).ToLocal(&arguments)) {
      return callFailed(id, tryCatch);
    }
    std::vector<v8::Local<v8::Value>> path;
    for (auto& name : request.path) path.push_back(string(name));
    auto names = v8::Array::New(isolate_, path.data(), path.size());
    bool called;
    if (isEntrypoint) {
      v8::Local<v8::Value> parameters[] = {number(id), string(request.entrypoint), props, names, arguments};
      called = !invoke_.Get(isolate_)->Call(context, v8::Undefined(isolate_), 5, parameters).IsEmpty();
    } else {
      v8::Local<v8::Value> parameters[] = {number(id), number(request.target), names, arguments};
      called = !deliver_.Get(isolate_)->Call(context, v8::Undefined(isolate_), 4, parameters).IsEmpty();
    }
    if (!called) callFailed(id, tryCatch);
    engine_.setCurrentInvocation(0);
  }

  // A call on an entrypoint that was exported begins an invocation of its own.
  uint64_t ownerOfDelivery(CallId id, uint64_t target) {
    auto owner = askNumber(ownerOfExport_, target);
    return owner == 0 ? id : owner;
  }

  void hearAnswer(uint64_t call, RemoteAnswer& answer) {
    auto context = engine_.context();
    v8::TryCatch tryCatch(isolate_);
    engine_.setCurrentInvocation(askNumber(ownerOfCall_, call));
    v8::Local<v8::Value> value;
    auto kind = answer.kind;
    switch (kind) {
      case RemoteAnswer::Kind::VALUE:
      case RemoteAnswer::Kind::THROWN:
        if (!fromGraph(context, answer.graph, {.mayTake = &answer.graph}).ToLocal(&value)) {
          if (tryCatch.HasTerminated()) return;
          // Too large for this worker, or malformed: the call fails with that.
          value = tryCatch.Exception();
          tryCatch.Reset();
          kind = RemoteAnswer::Kind::THROWN;
          callFunction(dropReceived_, {});
        }
        break;
      case RemoteAnswer::Kind::ENDED:
      case RemoteAnswer::Kind::FAILED: {
        auto ending = v8::Object::New(isolate_);
        ending->Set(context, string("code"), string(answer.code)).Check();
        ending->Set(context, string("message"), string(answer.message)).Check();
        value = ending;
        break;
      }
    }
    callFunction(answered_, {number(call), v8::Integer::New(isolate_, int(kind)), value,
                             v8::Integer::New(isolate_, int(answer.graph.externals.size())),
                             v8::Boolean::New(isolate_, answer.disposable), v8::Boolean::New(isolate_, answer.pipeline)});
    engine_.setCurrentInvocation(0);
  }

  void callFailed(CallId id, v8::TryCatch& tryCatch) {
    engine_.setCurrentInvocation(0);
    if (tryCatch.HasTerminated() || !tryCatch.HasCaught()) return;
    auto exception = tryCatch.Exception();
    tryCatch.Reset();
    callFunction(dropReceived_, {});
    (void)settle(id, false, exception, 0, false);
  }

  // One of the runtime's functions, in which nothing of the user's fails; if it is terminated, checkTermination() sees to it.
  v8::MaybeLocal<v8::Value> callFunction(v8::Global<v8::Function>& function, std::initializer_list<v8::Local<v8::Value>> parameters) {
    std::vector<v8::Local<v8::Value>> list(parameters);
    return function.Get(isolate_)->Call(engine_.context(), v8::Undefined(isolate_), int(list.size()), list.data());
  }

  uint64_t askNumber(v8::Global<v8::Function>& function, uint64_t id) {
    v8::Local<v8::Value> result;
    if (!callFunction(function, {number(id)}).ToLocal(&result) || !result->IsNumber()) return 0;
    return uint64_t(result.As<v8::Number>()->Value());
  }

  bool isAwaiting() {
    v8::HandleScope scope(isolate_);
    v8::Local<v8::Value> result;
    return callFunction(isAwaiting_, {}).ToLocal(&result) && result->IsTrue();
  }

  void forgetAll() {
    v8::HandleScope scope(isolate_);
    (void)callFunction(forgetAll_, {});
  }

  // -- CallObserver; called by the runtime ---------------------------------------------------------------------------

  bool settle(uint64_t id, bool ok, v8::Local<v8::Value> value, uint64_t pipeline, bool disposable) override {
    if (!calls_.contains(id)) return false;
    CallAnswer result;
    result.id = id;
    result.kind = ok ? CallAnswer::Kind::VALUE : CallAnswer::Kind::THROWN;
    result.pipeline = pipeline;
    result.disposable = disposable;
    if (!ok && isRefusedMemory(value)) {
      result.kind = CallAnswer::Kind::ENDED;
      result.ending = HostEnding::EXCEEDED_MEMORY;
      result.pipeline = 0;
    } else {
      // Once: if it cannot be sent, something else is answered instead.
      if (!ok && notedCall_ != id) noteThrown(value);
      notedCall_ = ok ? 0 : id;
      if (!toGraph(engine_.context(), value, result.graph)) return false;   // the exception is the runtime's
    }
    answer(std::move(result));
    return true;
  }

  void invocationEnded(uint64_t invocation) override { engine_.traces.erase(invocation); }

  uint64_t call(uint64_t target, v8::Local<v8::Array> path, v8::Local<v8::Value> arguments) override {
    HostAction action{HostAction::Kind::CALL};
    action.target = target;
    action.get = arguments->IsUndefined();
    action.span = engine_.currentTrace().span;
    for (uint32_t i = 0; i < path->Length(); ++i) {
      v8::Local<v8::Value> name;
      if (!path->Get(engine_.context(), i).ToLocal(&name)) return 0;
      action.path.push_back(utf8(name));
    }
    if (!action.get && !toGraph(engine_.context(), arguments, action.graph)) return 0;
    return act(std::move(action));
  }

  void release(uint64_t import) override {
    HostAction action{HostAction::Kind::RELEASE};
    action.id = import;
    actions_.push_back(std::move(action));
  }

  uint64_t loopback(uint64_t target) override {
    HostAction action{HostAction::Kind::LOOPBACK};
    action.target = target;
    return act(std::move(action));
  }

  uint64_t entrypoint(uint64_t worker, const Entrypoint& entrypoint) override {
    HostAction action{HostAction::Kind::ENTRYPOINT};
    action.target = worker;
    action.name = utf8(entrypoint.name);
    if (!readLimits(entrypoint.limits, action.limits)) return 0;
    if (!entrypoint.props->IsUndefined() && !toGraph(engine_.context(), entrypoint.props, action.graph)) return 0;
    return act(std::move(action));
  }

  uint64_t get(uint64_t loader, v8::Local<v8::String> name, uint64_t factory) override {
    HostAction action{HostAction::Kind::GET};
    action.target = loader;
    action.factory = factory;
    action.name = utf8(name);
    return act(std::move(action));
  }

  uint64_t byName(uint64_t loader, uint32_t what, v8::Local<v8::String> name) override {
    HostAction action{HostAction::Kind::BY_NAME};
    action.target = loader;
    action.act = what;
    action.name = utf8(name);
    return act(std::move(action));
  }

  void giveCode(uint64_t call, v8::Local<v8::Object> code) override {
    if (!calls_.contains(call)) return;
    CallAnswer result;
    result.id = call;
    result.kind = CallAnswer::Kind::CODE;
    result.code = std::make_shared<WorkerSource>();
    if (toSource(code, *result.code)) answer(std::move(result));
  }

  void abortIsolate() override {
    if (aborted_) return;
    aborted_ = true;
    actionsBeforeAbort_ = actions_.size();
    isolate_->TerminateExecution();
  }

  uint64_t promise() override { return act(HostAction{HostAction::Kind::PROMISE}); }

  void resolve(uint64_t promise, uint64_t worker) override {
    HostAction action{HostAction::Kind::RESOLVE};
    action.id = promise;
    action.target = worker;
    actions_.push_back(std::move(action));
  }

  void reject(uint64_t promise, v8::Local<v8::String> message) override {
    HostAction action{HostAction::Kind::REJECT};
    action.id = promise;
    action.name = utf8(message);
    actions_.push_back(std::move(action));
  }

  void revoke(uint64_t worker) override {
    HostAction action{HostAction::Kind::REVOKE};
    action.target = worker;
    actions_.push_back(std::move(action));
  }

  uint64_t load(uint64_t loader, v8::Local<v8::Object> code) override {
    HostAction action{HostAction::Kind::LOAD};
    action.target = loader;
    action.code = std::make_shared<WorkerSource>();
    return toSource(code, *action.code) ? act(std::move(action)) : 0;
  }

  // `code` is the runtime's own object (WorkerCode in ipc/js/wire.ts), checked. False: an exception is pending.
  bool toSource(v8::Local<v8::Object> code, WorkerSource& source) {
    v8::Local<v8::Value> date, flags, main, modules, env, limits, tails, outbound;
    if (!get(code, "compatibilityDate", date) || !get(code, "compatibilityFlags", flags) || !get(code, "mainModule", main) ||
        !get(code, "modules", modules) || !get(code, "env", env) || !get(code, "limits", limits) ||
        !get(code, "tails", tails) || !get(code, "outbound", outbound)) {
      return false;
    }
    source.compatibilityDate = utf8(date);
    source.mainModule = utf8(main);
    auto flagList = flags.As<v8::Array>();
    for (uint32_t i = 0; i < flagList->Length(); ++i) {
      v8::Local<v8::Value> flag;
      if (!flagList->Get(engine_.context(), i).ToLocal(&flag)) return false;
      source.compatibilityFlags.push_back(utf8(flag));
    }
    auto moduleList = modules.As<v8::Array>();
    for (uint32_t i = 0; i < moduleList->Length(); ++i) {
      v8::Local<v8::Value> module;
      if (!moduleList->Get(engine_.context(), i).ToLocal(&module) || !addModule(module.As<v8::Object>(), source)) return false;
    }
    if (!readLimits(limits, source.limits)) return false;
    if (env->IsUndefined() && !outbound->IsUndefined()) env = v8::Object::New(isolate_);
    if (!env->IsUndefined() && !toGraph(engine_.context(), env, source.env)) return false;
    if (!outbound->IsUndefined()) {
      ValueGraph stub;
      if (!toGraph(engine_.context(), outbound, stub)) return false;
      for (auto& external : stub.externals) {
        external.label = "globalOutbound";
        source.env.externals.push_back(external);
      }
      source.outbound = uint32_t(source.env.externals.size());
    }
    // Each is a stub, so what matters of the array are its externals.
    return tails.As<v8::Array>()->Length() == 0 || toGraph(engine_.context(), tails, source.tails);
  }

  // Of the runtime's own object, in which every limit is a number; or of undefined.
  bool readLimits(v8::Local<v8::Value> from, WorkerLimits& to) {
    if (from->IsUndefined()) return true;
    for (auto& limit : WORKER_LIMITS) {
      v8::Local<v8::Value> value;
      if (!get(from.As<v8::Object>(), limit.name, value)) return false;
      to.*limit.field = uint32_t(value.As<v8::Number>()->Value());
    }
    return true;
  }

  bool addModule(v8::Local<v8::Object> module, WorkerSource& source) {
    static constexpr std::pair<const char*, ModuleSource::Kind> KINDS[] = {
        {"js", ModuleSource::Kind::JS},     {"cjs", ModuleSource::Kind::CJS},   {"text", ModuleSource::Kind::TEXT},
        {"data", ModuleSource::Kind::DATA}, {"json", ModuleSource::Kind::JSON}, {"wasm", ModuleSource::Kind::WASM}};
    v8::Local<v8::Value> name, kind, body;
    if (!get(module, "name", name) || !get(module, "kind", kind) || !get(module, "body", body)) return false;
    ModuleSource made;
    made.name = utf8(name);
    auto kindName = utf8(kind);
    for (auto& [text, value] : KINDS) {
      if (kindName == text) made.kind = value;
    }
    if (body->IsString()) {
      made.body = utf8(body);
    } else {
      auto bytes = body.As<v8::Uint8Array>();
      made.body.resize(bytes->ByteLength());
      bytes->CopyContents(made.body.data(), made.body.size());
    }
    source.modules.push_back(std::move(made));
    return true;
  }

  bool get(v8::Local<v8::Object> object, const char* name, v8::Local<v8::Value>& value) {
    return object->Get(engine_.context(), string(name)).ToLocal(&value);
  }

  uint64_t act(HostAction action) {
    auto id = action.id = newId();
    actions_.push_back(std::move(action));
    return id;
  }

  void answer(CallAnswer answer) {
    if (calls_.erase(answer.id) == 0) return;
    HostAction action{HostAction::Kind::ANSWER};
    action.answer = std::move(answer);
    actions_.push_back(std::move(action));
  }

  bool isRefusedMemory(v8::Local<v8::Value> value) {
    if (!MemoryBudget::ofProcess().refused || !value->IsNativeError()) return false;
    v8::TryCatch ignore(isolate_);
    v8::Local<v8::Value> name;
    return value.As<v8::Object>()->Get(engine_.context(), string("name")).ToLocal(&name) && name->IsString() &&
           name.As<v8::String>()->StringEquals(string("RangeError"));
  }

  void endCalls(HostEnding ending) {
    auto ids = std::exchange(calls_, {});
    for (auto id : ids) {
      CallAnswer ended;
      ended.id = id;
      ended.kind = CallAnswer::Kind::ENDED;
      ended.ending = ending;
      HostAction action{HostAction::Kind::ANSWER};
      action.answer = std::move(ended);
      actions_.push_back(std::move(action));
    }
    forgetAll();
    if (engine_.startingUp) {
      engine_.startingUp = false;
      failed_ = true;
      startFailure_.kind = CallAnswer::Kind::ENDED;
      startFailure_.ending = ending;
    }
  }

  // -- Starting ------------------------------------------------------------------------------------------------------

  // The import where fetch() goes; 0: nowhere.
  static uint64_t outboundOf(const WorkerSource& source) {
    if (source.outbound == 0 || source.outbound > source.env.externals.size()) return 0;
    auto& external = source.env.externals[source.outbound - 1];
    bool isEntrypoint = external.kind == ValueExternal::Kind::SERVICE || external.kind == ValueExternal::Kind::STUB;
    return isEntrypoint ? external.id : 0;
  }

  void evaluate(WorkerSource& source) {
    auto context = engine_.context();
    v8::TryCatch tryCatch(isolate_);
    if (!source.problem.empty()) return startFailed(source.problem);
    engine_.startingUp = true;
    context->AllowCodeGenerationFromStrings(true);   // Worker Loader allows it at top level
    v8::Local<v8::Value> env = v8::Object::New(isolate_);
    v8::Local<v8::Promise> done;
    engine_.setCurrentInvocation(0);
    if ((!source.env.nodes.empty() && !fromGraph(context, source.env).ToLocal(&env)) ||
        callFunction(begin_, {env, v8::Boolean::New(isolate_, stubsAreGivenAway(source)), v8::Number::New(isolate_, double(outboundOf(source))),
                             v8::Integer::New(isolate_, int(nodeFeatures(source)))}).IsEmpty()) {
      return startFailed(tryCatch);
    }
    modules_->add(std::move(source.modules));
    if (!modules_->evaluate(source.mainModule).ToLocal(&done)) return startFailed(tryCatch);
    done->MarkAsHandled();
    drain();
    if (isolate_->IsExecutionTerminating()) return;
    // Top-level await may need a task of V8's own (a WebAssembly module that is compiled), but nothing from outside.
    for (int i = 0; i < 100 && done->State() == v8::Promise::kPending && !terminationRequested; ++i) {
      engine_.pumpTasks();
      drain();
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

  struct Rejection {
    v8::Global<v8::Promise> promise;
    uint64_t invocation;   // whose code it was
  };

  static void onRejection(v8::PromiseRejectMessage message) {
    auto* isolate = v8::Isolate::GetCurrent();
    auto& self = *static_cast<V8ScriptHost*>(Engine::of(isolate).calls);
    auto promise = message.GetPromise();
    auto isThis = [&](Rejection& rejection) { return rejection.promise == promise; };
    if (message.GetEvent() == v8::kPromiseRejectWithNoHandler && self.rejections_.size() < REJECTIONS_MAX) {
      self.rejections_.push_back({v8::Global<v8::Promise>(isolate, promise), self.engine_.currentInvocation()});
    } else if (message.GetEvent() == v8::kPromiseHandlerAddedAfterReject && self.handledRejections_.size() < REJECTIONS_MAX &&
               std::none_of(self.rejections_.begin(), self.rejections_.end(), isThis)) {
      self.handledRejections_.push_back({v8::Global<v8::Promise>(isolate, promise), self.engine_.currentInvocation()});
    }
  }

  // Listeners at the global object hear of them first, and may keep them from the log. They may reject promises in turn; who does so
  // without end is stopped as any code is.
  void tellOfRejections() {
    std::vector<Rejection> unhandled;
    while (!aborted_ && !terminationRequested && (!rejections_.empty() || !handledRejections_.empty())) {
      for (auto& rejection : std::exchange(handledRejections_, {})) tellOfRejection(rejection, true);
      for (auto& rejection : std::exchange(rejections_, {})) {
        if (rejection.promise.Get(isolate_)->HasHandler()) continue;
        if (tellOfRejection(rejection, false)) unhandled.push_back(std::move(rejection));
      }
      engine_.setCurrentInvocation(0);
      drain();
    }
    handledRejections_.clear();
    std::move(unhandled.begin(), unhandled.end(), std::back_inserter(rejections_));
  }

  // Whether it is to be logged.
  bool tellOfRejection(Rejection& rejection, bool handled) {
    v8::HandleScope scope(isolate_);
    v8::TryCatch ignore(isolate_);
    auto promise = rejection.promise.Get(isolate_);
    engine_.setCurrentInvocation(rejection.invocation);
    v8::Local<v8::Value> args[] = {promise, promise->Result(), v8::Boolean::New(isolate_, handled)}, logged;
    return !callHook(engine_.context(), "promiseRejected", args).ToLocal(&logged) || logged->IsTrue();
  }

  void reportRejections() {
    for (auto& rejection : std::exchange(rejections_, {})) {
      auto promise = rejection.promise.Get(isolate_);
      if (!promise->HasHandler()) logUncaught(promise->Result(), {});
    }
  }

  void noteThrown(v8::Local<v8::Value> exception) {
    engine_.logs.addThrown(describeThrown(isolate_, exception, Engine::wallClockMs()));
  }

  void logUncaught(v8::Local<v8::Value> exception, v8::Local<v8::Message> message) {
    engine_.logs.add(LogLevel::ERROR, Engine::wallClockMs(), describeUncaught(isolate_, exception, message));
    noteThrown(exception);
  }

  v8::Local<v8::Number> number(uint64_t id) { return v8::Number::New(isolate_, double(id)); }

  std::string utf8(v8::Local<v8::Value> value) {
    v8::String::Utf8Value text(isolate_, value);
    return *text ? std::string(*text, size_t(text.length())) : std::string();
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
  v8::Global<v8::Function> invoke_, deliver_, answered_, begin_, setMain_, ownerOfExport_, ownerOfCall_, released_, dropReceived_,
      isAwaiting_, abandoned_, forgetAll_, runTicks_, forgetNode_;
  std::unordered_set<CallId> calls_;   // to us, unanswered
  std::vector<HostAction> actions_;
  std::vector<Rejection> rejections_;          // nobody has handled them so far
  std::vector<Rejection> handledRejections_;   // after it was said that nobody does
  CallId notedCall_ = 0;   // what it throws has been noted
  CallAnswer startFailure_;
  bool failed_ = false;
  bool tasksLeft_ = false;   // of V8's, for the next turn
  bool aborted_ = false;
  size_t actionsBeforeAbort_ = 0;
  CallId nextId_ = 1;
};

}  // namespace

std::unique_ptr<ScriptHost> ScriptHost::make(Engine& engine, policy::Profile profile) {
  return std::make_unique<V8ScriptHost>(engine, profile);
}

void requestTermination(int, siginfo_t*, void* context) {
  terminationRequested = 1;
  if (javaScriptRuns && isolateToTerminate != nullptr && mayStopHere(context)) isolateToTerminate->TerminateExecution();
}

}  // namespace glovebox
