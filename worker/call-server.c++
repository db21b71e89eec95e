#include "worker/call-server.h"

#include <kj/debug.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "ipc/ending.h"
#include "ipc/guard-limits.h"
#include "ipc/large-value.h"
#include "ipc/named-workers-value.h"
#include "ipc/limits-message.h"
#include "ipc/wire-limits.h"

namespace glovebox {

namespace {

ValueGraph errorGraph(kj::StringPtr message) {
  ValueGraph graph;
  graph.nodes.resize(2);
  graph.nodes[0].kind = ValueNode::Kind::ERROR;
  graph.nodes[0].ref = 1;
  graph.nodes[1].kind = ValueNode::Kind::TEXT;
  graph.nodes[1].bytes = std::string(message.begin(), message.size());
  return graph;
}

// Nobody answered.
RemoteAnswer failedAnswer(const kj::Exception& exception) {
  RemoteAnswer answer;
  answer.code = failureName(exception).cStr();
  answer.message = textWithoutHops(exception).cStr();
  return answer;
}

// Values that are pulled at once. Each pull keeps four reads open, which count as questions (ipc/guard-limits.h).
constexpr unsigned PULLS_MAX = 16;

rpc::Ending::Code endingCode(HostEnding ending) {
  switch (ending) {
    case HostEnding::TERMINATED: return rpc::Ending::Code::TERMINATED;
    case HostEnding::EXCEEDED_MEMORY: return rpc::Ending::Code::EXCEEDED_MEMORY;
    case HostEnding::HUNG: return rpc::Ending::Code::HUNG;
  }
  KJ_UNREACHABLE;
}

// The supervisor knows the limits and chooses the words; these are for whoever talks to a worker directly.
kj::StringPtr endingText(HostEnding ending) {
  switch (ending) {
    case HostEnding::TERMINATED: return "The code was told to stop."_kj;
    case HostEnding::EXCEEDED_MEMORY: return "The code used more memory than it may."_kj;
    case HostEnding::HUNG: return "The code waits for something that can never happen."_kj;
  }
  KJ_UNREACHABLE;
}

// Why a factory gives none.
kj::Exception noCode(const CallAnswer& answer) {
  std::string words = "The code of this worker could not be had.";
  if (answer.kind == CallAnswer::Kind::ENDED) words = endingText(answer.ending).cStr();
  auto& nodes = answer.graph.nodes;
  if (answer.kind == CallAnswer::Kind::THROWN && !nodes.empty() && nodes[0].kind == ValueNode::Kind::ERROR && nodes[0].ref < nodes.size()) {
    words = nodes[nodes[0].ref].bytes;
  }
  return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(words.c_str()));
}

}  // namespace

class CallServer::Abandon {
 public:
  Abandon(CallServer& server, CallId id): server_(&server), id_(id) {}
  Abandon(Abandon&& other): server_(other.server_), id_(other.id_) { other.server_ = nullptr; }
  ~Abandon() {
    if (server_ != nullptr && server_->forget(id_)) server_->host_.abandon(id_);
  }
  KJ_DISALLOW_COPY(Abandon);

 private:
  CallServer* server_;
  CallId id_;
};

CallServer::~CallServer() noexcept(false) {}

// ---------------------------------------------------------------------------------------------------------------------
// Calls to us

kj::Promise<void> CallServer::whenAnswersHaveLeft() {
  if (!unsent_) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting_.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

kj::Promise<void> CallServer::call(CallRequest request, rpc::Return::Builder results) {
  if (!unsent_) return run(kj::mv(request), results);
  return whenAnswersHaveLeft().then(
      [this, request = kj::mv(request), results]() mutable { return run(kj::mv(request), results); });
}

bool CallServer::letNextRun() {
  unsent_ = false;
  if (waiting_.empty()) return false;
  waiting_.front()->fulfill();
  waiting_.pop_front();
  unsent_ = true;   // also if this one was abandoned: then the one behind it runs a turn later
  return true;
}

kj::Promise<void> CallServer::askForCode(uint64_t factory, CodeResults::Builder results) {
  CallRequest request;
  request.target = factory;
  request.get = true;
  if (!unsent_) return run(kj::mv(request), results);
  return whenAnswersHaveLeft().then([this, request = kj::mv(request), results]() mutable { return run(kj::mv(request), results); });
}

kj::Promise<void> ExportedFactory::code(CodeContext context) {
#if CAPNP_VERSION < 1000000
  context.allowCancellation();
#endif
  return calls_.askForCode(id_, context.getResults());
}

kj::Promise<void> CallServer::run(CallRequest request, kj::OneOf<rpc::Return::Builder, CodeResults::Builder> results) {
  unsent_ = true;
  auto paf = kj::newPromiseAndFulfiller<void>();
  bool account = request.account;
  if (account) accountCalls_++;
  auto id = host_.call(kj::mv(request));
  pending_.insert(id, Pending{kj::mv(results), kj::mv(paf.fulfiller), account});
  auto promise = paf.promise.attach(Abandon(*this, id));
  collect();
  return promise;
}

// False: it was not pending any more.
bool CallServer::forget(CallId id) {
  KJ_IF_MAYBE(pending, pending_.find(id)) {
    if (pending->account) accountCalls_--;
    pending_.erase(id);
    return true;
  }
  return false;
}

void CallServer::collect() {
  for (auto& action: host_.takeActions()) {
    bool asks = action.kind == HostAction::Kind::CALL || action.kind == HostAction::Kind::BY_NAME;
    bool waits = asks ? !queued_.empty() || openCalls_ >= guard::WORKER_CALLS_MAX
                      : action.kind == HostAction::Kind::RELEASE && !queued_.empty();
    if (waits) {
      queued_.push_back(kj::mv(action));
    } else {
      perform(action);
    }
  }
  sendLogs();
  if (!host_.logs().empty()) return;
  auto answers = kj::mv(held_);
  held_ = {};
  for (auto& answer: answers) respond(answer);
}

void CallServer::sendLogs() {
  if (host_.logs().empty()) return;
  if (!wanted_ && accountCalls_ == 0) return host_.logs().clear();
  if (logging_) return;
  KJ_IF_MAYBE(console, console_) {
    size_t room = wire::LOG_BATCH_BYTES - 1024;
    auto lines = host_.logs().take(room);
    for (auto& line: lines) room -= std::min(room, line.text.size() + LogBuffer::OVERHEAD_BYTES);
    auto thrown = host_.logs().takeThrown(room);
    auto request = console->writeRequest();
    auto messages = request.initMessages(uint(lines.size()));
    for (auto i: kj::indices(messages)) {
      auto& line = lines[i];
      messages[uint(i)].setLevel(rpc::LogMessage::Level(uint16_t(line.level)));
      messages[uint(i)].setTime(line.time);
      messages[uint(i)].setText(capnp::Text::Reader(line.text.c_str(), line.text.size()));
      if (line.span != 0) messages[uint(i)].initTrace().setSpan(line.span);
    }
    auto exceptions = request.initExceptions(uint(thrown.size()));
    for (auto i: kj::indices(exceptions)) {
      auto& from = thrown[i];
      auto to = exceptions[uint(i)];
      to.setTime(from.time);
      to.setName(capnp::Text::Reader(from.name.c_str(), from.name.size()));
      to.setMessage(capnp::Text::Reader(from.message.c_str(), from.message.size()));
      to.setStack(capnp::Text::Reader(from.stack.c_str(), from.stack.size()));
    }
    logging_ = true;
    auto written = request.send().then([this](auto&& response) { wanted_ = response.getWanted(); });
    tasks_.add(written.catch_([this](kj::Exception&&) { console_ = nullptr; }).then([this]() {
      logging_ = false;
      collect();
    }));
  } else {
    host_.logs().clear();
  }
}

void CallServer::respond(Held& held) {
  auto& answer = held.answer;
  kj::Maybe<Pending> found;
  KJ_IF_MAYBE(pending, pending_.find(answer.id)) {
    found = kj::mv(*pending);
    forget(answer.id);
  }
  if (found == nullptr) {   // abandoned
    if (answer.pipeline != 0) release(answer.pipeline);
    return;
  }
  auto& pending = KJ_ASSERT_NONNULL(found);
  size_t next = 0;
  auto capability = [&](const ValueExternal&) { return kj::mv(held.capabilities[next++]); };
  KJ_IF_MAYBE(codeResults, pending.results.tryGet<CodeResults::Builder>()) {
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
      if (answer.kind != CallAnswer::Kind::CODE) kj::throwFatalException(noCode(answer));
      writeCode(*answer.code, *codeResults, capability);
    })) {
      pending.fulfiller->reject(kj::mv(*exception));
      return;
    }
    pending.fulfiller->fulfill();
    return;
  }
  auto results = pending.results.get<rpc::Return::Builder>();
  if (answer.kind == CallAnswer::Kind::ENDED) {
    auto ended = results.initEnded();
    ended.setCode(endingCode(answer.ending));
    ended.setMessage(endingText(answer.ending));
  } else {
    bool isValue = answer.kind == CallAnswer::Kind::VALUE;
    auto bytes = payloadBytes(answer.graph);
    if (bytes > wire::PAYLOAD_BYTES_MAX) {
      if (answer.pipeline != 0) release(std::exchange(answer.pipeline, 0));
      setThrownError(results, kj::str("Serialized RPC arguments or return values are limited to 32MiB, but the size of this "
                                      "value was: ", bytes, " bytes."));
    } else {
      writePayload(kj::mv(answer.graph), isValue ? results.initValue() : results.initThrown(), wire::INLINE_BYTES, capability);
    }
    if (answer.pipeline != 0) results.setPipeline(kj::heap<ExportedTarget>(*this, answer.pipeline));
    results.setDisposable(answer.disposable);
  }
  pending.fulfiller->fulfill();
}

void setThrownError(rpc::Return::Builder results, kj::StringPtr message) { writePayload(errorGraph(message), results.initThrown()); }

kj::Promise<void> CallTarget::call(CallContext context) {
#if CAPNP_VERSION < 1000000
  context.allowCancellation();
#endif
  auto params = context.getParams();
  auto results = context.getResults();
  CallRequest request;
  KJ_IF_MAYBE(problem, address(request)) {
    setThrownError(results, *problem);
    return kj::READY_NOW;
  }
  auto path = params.getPath();
  if (path.size() > wire::PATH_DEPTH_MAX) {
    setThrownError(results, "RPC pipelined property path is too deep (max 64)."_kj);
    return kj::READY_NOW;
  }
  for (auto name: path) request.path.emplace_back(name.begin(), name.size());
  auto operation = params.getOperation();
  request.get = operation.isGet();
  request.account = params.getAccount();
  if (params.hasTrace()) {
    auto trace = params.getTrace();
    request.trace = {trace.getHigh(), trace.getLow(), trace.getSpan(), trace.getFlags()};
  }

  auto invalid = [results](kj::Exception&& exception) mutable {
    setThrownError(results, kj::str("The arguments of this call are not valid: ", exception.getDescription()));
    return kj::Promise<void>(kj::READY_NOW);
  };
  if (request.get || (pulling_ == 0 && isInline(operation.getInvoke()))) {
    kj::Maybe<ReceivedValue> arguments;
    if (!request.get) {
      KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { arguments = readInlinePayload(operation.getInvoke()); })) {
        return invalid(kj::mv(*exception));
      }
    } else {
      arguments = ReceivedValue();
    }
    if (pulling_ == 0) {
      context.releaseParams();
      return deliver(kj::mv(request), kj::mv(KJ_ASSERT_NONNULL(arguments)), results);
    }
  }

  // Arguments that are pulled must not be overtaken by later calls on the same target.
  auto received = request.get ? kj::Promise<ReceivedValue>(ReceivedValue()) : calls_.pull(operation.getInvoke());
  context.releaseParams();
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto before = lastPulled_.addBranch();
  lastPulled_ = paf.promise.fork();
  pulling_++;
  auto next = kj::defer([this, fulfiller = kj::mv(paf.fulfiller)]() mutable {
    pulling_--;
    fulfiller->fulfill();
  });
  return received.then([before = kj::mv(before)](ReceivedValue value) mutable {
        return before.then([value = kj::mv(value)]() mutable { return kj::mv(value); });
      })
      .then([this, request = kj::mv(request), results, next = kj::mv(next)](ReceivedValue value) mutable {
        auto delivered = deliver(kj::mv(request), kj::mv(value), results);
        { auto over = kj::mv(next); }
        return delivered;
      }, kj::mv(invalid))
      .attach(thisCap());
}

kj::Promise<void> CallTarget::deliver(CallRequest request, ReceivedValue&& arguments, rpc::Return::Builder results) {
  if (!request.get) {
    auto root = arguments.graph.nodes[0].kind;
    if (root != ValueNode::Kind::ARRAY && root != ValueNode::Kind::NUMBERS) {
      setThrownError(results, "The arguments of this call are not an array."_kj);
      return kj::READY_NOW;
    }
    request.arguments = calls_.import(kj::mv(arguments));
  }
  return calls_.call(kj::mv(request), results);
}

// ---------------------------------------------------------------------------------------------------------------------
// What the code holds of others, and others of it

ValueGraph CallServer::import(ReceivedValue&& received) {
  for (size_t i = 0; i < received.graph.externals.size(); ++i) {
    auto id = received.graph.externals[i].id = host_.newId();
    imports_.insert(id, kj::mv(received.capabilities[i]));
  }
  return kj::mv(received.graph);
}

kj::Promise<ReceivedValue> CallServer::pull(rpc::Payload::Reader payload) {
  if (isInline(payload)) return kj::evalNow([&]() { return readInlinePayload(payload); });
  if (pulls_ < PULLS_MAX) {
    pulls_++;
    return readPayload(payload).attach(kj::defer([this]() { pullEnded(); }));
  }
  auto paf = kj::newPromiseAndFulfiller<void>();
  waitingPulls_.push_back(kj::mv(paf.fulfiller));
  auto copy = kj::heap<capnp::MallocMessageBuilder>();
  copy->setRoot(payload);
  auto reader = copy->getRoot<rpc::Payload>().asReader();
  return paf.promise
      .then([this, reader]() {
        pulls_++;
        return readPayload(reader).attach(kj::defer([this]() { pullEnded(); }));
      })
      .attach(kj::mv(copy));
}

void CallServer::pullEnded() {
  pulls_--;
  while (!waitingPulls_.empty()) {
    auto next = kj::mv(waitingPulls_.front());
    waitingPulls_.pop_front();
    if (!next->isWaiting()) continue;   // given up meanwhile
    next->fulfill();
    return;
  }
}

kj::Maybe<capnp::Capability::Client&> CallServer::find(uint64_t id) { return imports_.find(id); }

capnp::Capability::Client CallServer::capabilityOf(const ValueExternal& external) {
  if (!external.imported) return rpc::Target::Client(kj::heap<ExportedTarget>(*this, external.id));
  KJ_IF_MAYBE(capability, find(external.id)) return *capability;
  return KJ_EXCEPTION(FAILED, "This stub was released before it could be sent.");
}

void CallServer::takeBack(const ValueGraph& graph) {
  for (auto& external: graph.externals) {
    if (!external.imported) release(external.id);
  }
}

// Often in the middle of something of Cap'n Proto's, where no code may run.
void CallServer::release(uint64_t exported) {
  released_.push_back(exported);
  if (tellingReleased_) return;
  tellingReleased_ = true;
  tasks_.add(kj::evalLater([this]() { return whenAnswersHaveLeft(); }).then([this]() {
    tellingReleased_ = false;
    host_.released(std::exchange(released_, {}));
    collect();
  }));
}

// ---------------------------------------------------------------------------------------------------------------------
// Calls of ours

void CallServer::perform(HostAction& action) {
  switch (action.kind) {
    case HostAction::Kind::ANSWER: {
      // What it hands over is taken now: the code may let go of it next. If it cannot be delivered, it is dropped with this.
      Held held{kj::mv(action.answer), {}};
      auto& graph = held.answer.code == nullptr ? held.answer.graph : held.answer.code->env;
      for (auto& external: graph.externals) held.capabilities.add(capabilityOf(external));
      if (held.answer.code != nullptr) {
        for (auto& external: held.answer.code->tails.externals) held.capabilities.add(capabilityOf(external));
      }
      held_.add(kj::mv(held));
      return;
    }
    case HostAction::Kind::CALL: return performCall(action);
    case HostAction::Kind::RELEASE: imports_.erase(action.id); return;
    case HostAction::Kind::LOOPBACK:
      imports_.insert(action.id, rpc::Target::Client(kj::heap<ExportedTarget>(*this, action.target)));
      return;
    case HostAction::Kind::LOAD: return performLoad(action);
    case HostAction::Kind::GET: return performGet(action);
    case HostAction::Kind::BY_NAME: return performByName(action);
    case HostAction::Kind::ENTRYPOINT: return performEntrypoint(action);
    case HostAction::Kind::REVOKE:
      KJ_IF_MAYBE(worker, find(action.target)) {
        tasks_.add(worker->castAs<rpc::Worker>().revokeRequest().send().ignoreResult());
      }
      return;
    case HostAction::Kind::PROMISE: {
      auto paf = kj::newPromiseAndFulfiller<capnp::Capability::Client>();
      imports_.insert(action.id, capnp::Capability::Client(kj::mv(paf.promise)));
      promises_.insert(action.id, kj::mv(paf.fulfiller));
      return;
    }
    case HostAction::Kind::RESOLVE: return performResolve(action);
    case HostAction::Kind::REJECT:
      KJ_IF_MAYBE(promise, promises_.find(action.id)) {
        (*promise)->reject(KJ_EXCEPTION(FAILED, action.name.c_str()));
        promises_.erase(action.id);
      }
      return;
  }
}

void CallServer::performResolve(HostAction& action) {
  auto worker = kj::mv(KJ_ASSERT_NONNULL(find(action.target)));
  imports_.erase(action.target);
  // Whoever asks from now on need not go by way of the promise.
  KJ_IF_MAYBE(import, find(action.id)) *import = worker;
  KJ_IF_MAYBE(promise, promises_.find(action.id)) {
    (*promise)->fulfill(kj::mv(worker));
    promises_.erase(action.id);
  }
}

void CallServer::performCall(HostAction& action) {
  auto id = action.id;
  kj::Maybe<capnp::RemotePromise<rpc::Return>> sent;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
    capnp::Capability::Client& target = KJ_REQUIRE_NONNULL(find(action.target), "This stub was released before the call.");
    auto request = target.castAs<rpc::Target>().callRequest();
    auto path = request.initPath(uint(action.path.size()));
    for (auto i: kj::indices(path)) path.set(uint(i), capnp::Text::Reader(action.path[i].c_str(), action.path[i].size()));
    if (action.span != 0) request.initTrace().setSpan(action.span);
    if (action.get) {
      request.getOperation().setGet();
    } else {
      writePayload(kj::mv(action.graph), request.getOperation().initInvoke(), wire::INLINE_BYTES,
                   [this](const ValueExternal& external) { return capabilityOf(external); });
    }
    sent = request.send();
  })) {
    takeBack(action.graph);
    imports_.insert(id, kj::cp(*exception));
    tasks_.add(kj::evalLater([this, id, answer = failedAnswer(*exception)]() mutable { answered(id, kj::mv(answer)); }));
    return;
  }
  auto& promise = KJ_ASSERT_NONNULL(sent);
  imports_.insert(id, promise.getPipeline());
  openCalls_++;
  tasks_.add(promise
                 .then([this, id](capnp::Response<rpc::Return>&& response) { return read(id, kj::mv(response)); })
                 .catch_([](kj::Exception&& exception) { return failedAnswer(exception); })
                 .then([this](RemoteAnswer answer) {
                   return whenAnswersHaveLeft().then([answer = kj::mv(answer)]() mutable { return kj::mv(answer); });
                 })
                 .then([this, id](RemoteAnswer answer) {
                   openCalls_--;
                   answered(id, kj::mv(answer));
                 }));
}

kj::Promise<RemoteAnswer> CallServer::read(uint64_t call, capnp::Response<rpc::Return>&& response) {
  RemoteAnswer answer;
  answer.pipeline = response.hasPipeline();
  answer.disposable = response.getDisposable();
  if (response.isEnded()) {
    answer.kind = RemoteAnswer::Kind::ENDED;
    answer.code = endingName(response.getEnded().getCode()).cStr();
    auto message = response.getEnded().getMessage();
    answer.message.assign(message.begin(), message.size());
    return kj::mv(answer);
  }
  bool isValue = response.isValue();
  answer.kind = isValue ? RemoteAnswer::Kind::VALUE : RemoteAnswer::Kind::THROWN;
  auto payload = isValue ? response.getValue() : response.getThrown();
  if (isInline(payload)) {
    answer.graph = import(readInlinePayload(payload));
    return kj::mv(answer);
  }
  return pull(payload)
      .then([this, answer = kj::mv(answer)](ReceivedValue value) mutable {
        answer.graph = import(kj::mv(value));
        return kj::mv(answer);
      })
      .attach(kj::mv(response));
}

void CallServer::answered(uint64_t call, RemoteAnswer&& answer) {
  unsent_ = true;
  host_.answered(call, kj::mv(answer));
  collect();
  while (!queued_.empty() && openCalls_ < guard::WORKER_CALLS_MAX) {
    auto action = kj::mv(queued_.front());
    queued_.pop_front();
    perform(action);
  }
}

void CallServer::performLoad(HostAction& action) {
  capnp::Capability::Client worker = nullptr;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
    capnp::Capability::Client& loader = KJ_REQUIRE_NONNULL(find(action.target), "This loader was released.");
    auto request = loader.castAs<rpc::Loader>().loadRequest();
    writeCode(*action.code, request, [this](const ValueExternal& external) { return capabilityOf(external); });
    KJ_IF_MAYBE(console, console_) request.setConsole(*console);
    worker = request.send().getWorker();
  })) {
    takeBack(action.code->env);
    takeBack(action.code->tails);
    worker = kj::mv(*exception);
  }
  imports_.insert(action.id, kj::mv(worker));
}

template <typename Message>
void CallServer::writeCode(WorkerSource& source, Message& message, CapabilityOf capabilityOf) {
  auto code = message.initCode();
  code.setCompatibilityDate(source.compatibilityDate.c_str());
  auto flags = code.initCompatibilityFlags(uint(source.compatibilityFlags.size()));
  for (auto i: kj::indices(flags)) flags.set(uint(i), source.compatibilityFlags[i].c_str());
  code.setMainModule(source.mainModule.c_str());
  code.setOutbound(source.outbound);
  writeLimits(source.limits, code.initLimits());
  size_t bytes = 0;
  for (auto& module: source.modules) bytes += module.name.size() + module.body.size() + 64;
  if (!source.env.nodes.empty()) bytes += payloadBytes(source.env);
  if (bytes <= wire::INLINE_BYTES) {
    writeModules(source, code);
  } else {
    auto bulk = kj::heap<capnp::MallocMessageBuilder>();
    writeModules(source, bulk->initRoot<rpc::WorkerCode>());
    offerLarge(kj::mv(bulk), message.initBulk());
  }
  if (!source.env.nodes.empty()) {
    KJ_REQUIRE(payloadBytes(source.env) <= wire::INLINE_BYTES, "The env of a worker that a worker loads is limited", wire::INLINE_BYTES);
    writePayload(kj::mv(source.env), code.initEnv(), wire::INLINE_BYTES, capabilityOf);
  }
  auto tails = code.initTails(uint(source.tails.externals.size()));
  for (auto i: kj::indices(tails)) tails.set(uint(i), capabilityOf(source.tails.externals[i]).template castAs<rpc::Target>());
}

void CallServer::performGet(HostAction& action) {
  capnp::Capability::Client worker = nullptr;
  KJ_IF_MAYBE(loader, find(action.target)) {
    auto request = loader->castAs<rpc::Loader>().getRequest();
    request.setName(action.name.c_str());
    request.setFactory(kj::heap<ExportedFactory>(*this, action.factory));
    KJ_IF_MAYBE(console, console_) request.setConsole(*console);
    worker = request.send().getWorker();
  } else {
    release(action.factory);
    worker = KJ_EXCEPTION(FAILED, "This loader was released.");
  }
  imports_.insert(action.id, kj::mv(worker));
}

void CallServer::performByName(HostAction& action) {
  auto id = action.id;
  auto answer = [](ValueGraph&& graph) {
    RemoteAnswer answer;
    answer.kind = RemoteAnswer::Kind::VALUE;
    answer.graph = kj::mv(graph);
    return answer;
  };
  kj::Promise<RemoteAnswer> asked = nullptr;
  KJ_IF_MAYBE(loader, find(action.target)) {
    auto client = loader->castAs<rpc::Loader>();
    if (action.act == 0) {
      auto request = client.deleteRequest();
      request.setName(action.name.c_str());
      asked = request.send().then([answer](auto&& response) { return answer(booleanGraph(response.getFound())); });
    } else if (action.act == 1) {
      auto request = client.abortRequest();
      request.setName(action.name.c_str());
      asked = request.send().then([answer](auto&& response) { return answer(booleanGraph(response.getFound())); });
    } else {
      asked = client.listRequest().send().then([answer](auto&& response) { return answer(namedWorkersGraph(response.getWorkers())); });
    }
  } else {
    asked = KJ_EXCEPTION(FAILED, "This loader was released.");
  }
  openCalls_++;
  tasks_.add(asked.catch_([](kj::Exception&& exception) { return failedAnswer(exception); })
                 .then([this](RemoteAnswer answer) {
                   return whenAnswersHaveLeft().then([answer = kj::mv(answer)]() mutable { return kj::mv(answer); });
                 })
                 .then([this, id](RemoteAnswer answer) {
                   openCalls_--;
                   answered(id, kj::mv(answer));
                 }));
}

void CallServer::writeModules(const WorkerSource& source, rpc::WorkerCode::Builder code) {
  auto modules = code.initModules(uint(source.modules.size()));
  for (auto i: kj::indices(modules)) {
    auto& from = source.modules[i];
    auto to = modules[uint(i)];
    to.setName(from.name.c_str());
    capnp::Text::Reader text(from.body.c_str(), from.body.size());
    auto data = kj::arrayPtr(reinterpret_cast<const kj::byte*>(from.body.data()), from.body.size());
    switch (from.kind) {
      case ModuleSource::Kind::JS: to.setJs(text); break;
      case ModuleSource::Kind::CJS: to.setCjs(text); break;
      case ModuleSource::Kind::TEXT: to.setText(text); break;
      case ModuleSource::Kind::JSON: to.setJson(text); break;
      case ModuleSource::Kind::DATA: to.setData(data); break;
      case ModuleSource::Kind::WASM: to.setWasm(data); break;
    }
  }
}

void CallServer::performEntrypoint(HostAction& action) {
  capnp::Capability::Client entrypoint = nullptr;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
    capnp::Capability::Client& worker = KJ_REQUIRE_NONNULL(find(action.target), "This worker was disposed of.");
    auto request = worker.castAs<rpc::Worker>().getEntrypointRequest();
    request.setName(action.name.c_str());
    if (!action.graph.nodes.empty()) {
      KJ_REQUIRE(payloadBytes(action.graph) <= wire::INLINE_BYTES, "The props of an entrypoint are limited", wire::INLINE_BYTES);
      writePayload(kj::mv(action.graph), request.initProps(), wire::INLINE_BYTES,
                   [this](const ValueExternal& external) { return capabilityOf(external); });
    }
    writeLimits(action.limits, request.initLimits());
    entrypoint = request.send().getEntrypoint();
  })) {
    takeBack(action.graph);
    entrypoint = kj::mv(*exception);
  }
  imports_.insert(action.id, kj::mv(entrypoint));
}

}  // namespace glovebox
