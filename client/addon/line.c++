#include "client/addon/line.h"

#include <capnp/message.h>
#include <kj/debug.h>

#include <cstring>
#include <list>

#include "ipc/ending.h"
#include "ipc/large-value.h"
#include "ipc/named-workers-value.h"
#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/wire-limits.h"

namespace glovebox::client {
namespace {

constexpr kj::StringPtr LINE_LOST = "The line to the supervisor was lost."_kj;
constexpr kj::StringPtr LINE_CLOSED = "The line to the supervisor was closed."_kj;
constexpr kj::StringPtr NOTHING_TO_CALL = "There is nothing to call: the result has no properties."_kj;

// Envelopes, in words; too little costs a second segment, too much a little memory.
constexpr uint64_t CALL_WORDS = 32;
constexpr uint64_t EXTERNAL_WORDS = 16;

// Looking for an answer pays where another processor is there for the supervisor and the worker: on two of them a load with its first
// call takes 2 to 8 % less. With one, all wait for each other anyway.
constexpr unsigned LOOK_PROCESSORS_MIN = 2;

// A load leaves while the program goes on to the first call, so that the supervisor begins meanwhile: 0.50 instead of 0.54 ms for both.
// Its way to the socket: behind the message before it, into the stream's buffer, out of that. JavaScript is called no sooner than after.
constexpr uint LOAD_TURNS = 3;

// Cap'n Proto 1.x takes it from the schema instead.
template <typename Context>
void allowCancellation(Context& context) {
#if CAPNP_VERSION < 1000000
  context.allowCancellation();
#endif
}

// What went wrong, for the user: without the marks of the hops on which it came.
kj::String describe(const kj::Exception& exception) {
  auto text = textWithoutHops(exception);
  bool fromAfar = text.size() < exception.getDescription().size();
  if (!fromAfar && exception.getType() == kj::Exception::Type::DISCONNECTED) return kj::str(LINE_LOST);
  return kj::str(text);
}

// At most LABEL_BYTES_MAX bytes, and no half characters.
kj::ArrayPtr<const char> shorten(kj::StringPtr label) {
  size_t size = label.size();
  if (size > wire::LABEL_BYTES_MAX) {
    size = wire::LABEL_BYTES_MAX;
    while (size > 0 && (label[size] & 0xc0) == 0x80) size--;
  }
  return label.slice(0, size);
}

template <typename Texts, typename Strings>
void writeTexts(Texts to, const Strings& from) {
  for (auto i: kj::indices(from)) to.set(uint(i), from[i]);
}

// What an error says, of which this side made the value.
kj::String errorMessage(rpc::Value::Reader value) {
  auto nodes = value.getNodes();
  if (nodes.size() > 0 && nodes[0].isError() && nodes[0].getError().getHasMessage()) {
    auto message = nodes[0].getError().getMessage();
    if (message < nodes.size() && nodes[message].isText()) return kj::str(nodes[message].getText());
  }
  return kj::str("The code of this worker could not be had.");
}

uint64_t externalsWords(kj::ArrayPtr<const OutgoingExternal> externals) { return externals.size() * EXTERNAL_WORDS; }

}  // namespace

// -- What the other side calls ----------------------------------------------------------------------------------------

// A call to us, until it is settled or its caller is gone.
struct Line::IncomingCall {
  // Of an object, or of what gives a named worker's code.
  using ObjectContext = capnp::CallContext<rpc::Call, rpc::Return>;
  using FactoryContext = capnp::CallContext<rpc::WorkerFactory::CodeParams, rpc::WorkerFactory::CodeResults>;
  using Context = kj::OneOf<ObjectContext, FactoryContext>;

  IncomingCall(Line& line, Context context, kj::Own<kj::PromiseFulfiller<void>> fulfiller)
      : number(line.next_++), context(kj::mv(context)), fulfiller(kj::mv(fulfiller)), line_(kj::addRef(line)) {
    line_->incomingCalls_[number] = this;
  }
  ~IncomingCall() { line_->incomingCalls_.erase(number); }
  KJ_DISALLOW_COPY(IncomingCall);

  const Number number;
  Context context;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;

 private:
  kj::Own<Line> line_;
};

// An object of JavaScript's that was handed over once. It may outlive the line if the supervisor is in this process.
class Line::ExportedTarget final: public rpc::Target::Server {
 public:
  ExportedTarget(Line& line, Number number): line_(kj::addRef(line)), number_(number) {}
  ~ExportedTarget() { line_->noteReleased(number_); }

 protected:
  kj::Promise<void> call(CallContext context) override {
    if (!line_->isOpen()) return KJ_EXCEPTION(DISCONNECTED, LINE_CLOSED);
    allowCancellation(context);
    auto operation = context.getParams().getOperation();
    bool large = operation.isInvoke() && operation.getInvoke().isLarge();
    if (!large && queue_.empty()) {
      kj::Maybe<rpc::Value::Reader> args;
      if (operation.isInvoke()) args = operation.getInvoke().getValue();
      return deliver(context, args);
    }
    // Arguments are pulled at once, but calls are delivered in the order in which they came.
    auto turn = kj::heap<Turn>(*this);
    auto pulled = large ? pullLarge(operation.getInvoke().getLarge(), wire::PAYLOAD_BYTES_MAX)
                        : kj::Promise<kj::Array<capnp::word>>(kj::Array<capnp::word>(nullptr));
    auto ready = pulled.then([&turn = *turn](kj::Array<capnp::word> words) {
      return turn.come.then([words = kj::mv(words)]() mutable { return kj::mv(words); });
    });
    return ready.then([this, context, large, turn = kj::mv(turn)](kj::Array<capnp::word> words) mutable -> kj::Promise<void> {
      KJ_DEFER(turn = nullptr);
      kj::Promise<void> answered = nullptr;
      if (large) {
        withLargeMessage(words, [&](capnp::MessageReader& message) { answered = deliver(context, message.getRoot<rpc::Value>()); });
      } else {
        kj::Maybe<rpc::Value::Reader> args;
        auto operation = context.getParams().getOperation();
        if (operation.isInvoke()) args = operation.getInvoke().getValue();
        answered = deliver(context, args);
      }
      return answered;
    });
  }

 private:
  using Queue = std::list<kj::Own<kj::PromiseFulfiller<void>>>;

  // A place in the queue, given up when it is destroyed: the call was delivered, failed, or its caller is gone.
  class Turn {
   public:
    explicit Turn(ExportedTarget& target): queue_(target.queue_) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      come = kj::mv(paf.promise);
      if (queue_.empty()) paf.fulfiller->fulfill();
      place_ = queue_.insert(queue_.end(), kj::mv(paf.fulfiller));
    }
    ~Turn() {
      bool first = place_ == queue_.begin();
      queue_.erase(place_);
      if (first && !queue_.empty()) queue_.front()->fulfill();
    }
    KJ_DISALLOW_COPY(Turn);

    kj::Promise<void> come = nullptr;

   private:
    Queue& queue_;
    Queue::iterator place_;
  };

  kj::Own<Line> line_;
  const Number number_;
  Queue queue_;   // calls that wait for their arguments or for a call before them

  kj::Promise<void> deliver(CallContext& context, kj::Maybe<rpc::Value::Reader> args) {
    if (!line_->isOpen()) return KJ_EXCEPTION(DISCONNECTED, LINE_CLOSED);
    auto params = context.getParams();
    auto names = params.getPath();
    KJ_REQUIRE(names.size() <= wire::PATH_DEPTH_MAX, "a path is longer than paths may be", names.size(), wire::PATH_DEPTH_MAX);
    auto path = KJ_MAP(name, names) { return kj::str(name); };
    kj::Array<IncomingExternal> externals;
    if (args != nullptr) externals = line_->readExternals(params.getOperation().getInvoke());

    auto paf = kj::newPromiseAndFulfiller<void>();
    auto incoming = kj::heap<IncomingCall>(*line_, context, kj::mv(paf.fulfiller));
    auto number = incoming->number;
    auto answered = paf.promise.attach(kj::mv(incoming));
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
      line_->events_->deliver(number, number_, path, args, externals);
    })) {
      for (auto& external: externals) line_->imports_.erase(external.id);
      return kj::mv(*exception);
    }
    context.releaseParams();
    return answered;
  }
};

// What gives a named worker's code.
class Line::Factory final: public rpc::WorkerFactory::Server {
 public:
  Factory(Line& line, Number number): line_(kj::addRef(line)), number_(number) {}
  ~Factory() { line_->noteReleased(number_); }

 protected:
  kj::Promise<void> code(CodeContext context) override {
    if (!line_->isOpen()) return KJ_EXCEPTION(DISCONNECTED, LINE_CLOSED);
    allowCancellation(context);
    auto paf = kj::newPromiseAndFulfiller<void>();
    auto incoming = kj::heap<IncomingCall>(*line_, context, kj::mv(paf.fulfiller));
    auto number = incoming->number;
    auto answered = paf.promise.attach(kj::mv(incoming));
    line_->events_->deliver(number, number_, nullptr, nullptr, nullptr);
    return answered;
  }

 private:
  kj::Own<Line> line_;
  const Number number_;
};

class Line::ConsoleServer final: public rpc::Console::Server {
 public:
  ConsoleServer(Line& line, Number worker): line_(kj::addRef(line)), worker_(worker) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      if (!line_->isOpen()) break;
      line_->events_->log(worker_, message.getLevel(), message.getTime(), message.getText());
    }
    return kj::READY_NOW;
  }

 private:
  kj::Own<Line> line_;
  const Number worker_;
};

// -- Calls of ours ------------------------------------------------------------------------------------------------------

Line::Line(UvEventPort& port, kj::Own<LineEvents> events, kj::Own<RpcConnection> connection)
    : port_(port),
      events_(kj::mv(events)),
      looksForAnswers_(uv_available_parallelism() >= LOOK_PROCESSORS_MIN),
      supervisor_(connection->bootstrap<rpc::Supervisor>()),
      connection_(kj::mv(connection)),
      tasks_(kj::heap<kj::TaskSet>(static_cast<ErrorHandler&>(*this))) {
  disconnected_ = connection_->onDisconnect()
                      .then([this]() { end(LINE_LOST); }, [this](kj::Exception&&) { end(LINE_LOST); })
                      .eagerlyEvaluate(nullptr);
}

Line::Line(UvEventPort& port, kj::Own<LineEvents> events, kj::Own<EmbeddedSupervisor> embedded)
    : port_(port),
      events_(kj::mv(events)),
      looksForAnswers_(false),   // the supervisor itself says what it expects
      supervisor_(embedded->join()),
      embedded_(kj::mv(embedded)),
      tasks_(kj::heap<kj::TaskSet>(static_cast<ErrorHandler&>(*this))) {}

Line::~Line() noexcept(false) {}

Number Line::loader(const WorkerLimits& limits) {
  auto request = KJ_ASSERT_NONNULL(supervisor_).loaderRequest();
  writeLimits(limits, request.initLimits());
  return add(request.send().getLoader());
}

Number Line::outbound() { return add(KJ_ASSERT_NONNULL(supervisor_).outboundRequest().send().getOutbound()); }

Number Line::loopback(Number target) { return add(rpc::Target::Client(kj::heap<ExportedTarget>(*this, target))); }

Number Line::call(Number target, kj::ArrayPtr<const kj::String> path, kj::Maybe<ValueBytes&> args,
                  kj::ArrayPtr<const OutgoingExternal> externals, bool account) {
  requireImports(externals);
  uint64_t words = CALL_WORDS + externalsWords(externals);
  for (auto& name: path) words += 2 + name.size() / sizeof(capnp::word);
  KJ_IF_MAYBE(a, args) words += a->words().size();

  auto request = import(target).castAs<rpc::Target>().callRequest(capnp::MessageSize{words, uint(externals.size())});
  writeTexts(request.initPath(uint(path.size())), path);
  auto operation = request.getOperation();
  KJ_IF_MAYBE(a, args) {
    auto payload = operation.initInvoke();
    payload.setValue(a->root());
    writeExternals(payload, externals);
  } else {
    operation.setGet();
  }
  request.setAccount(account);
  auto sent = request.send();
  auto id = next_++;
  imports_[id].pipeline = kj::mv(static_cast<rpc::Return::Pipeline&>(sent));
  return await(id, sent.then([this, id](capnp::Response<rpc::Return>&& response) { return receive(id, kj::mv(response)); }));
}

void Line::release(Number id) {
  auto found = imports_.find(id);
  if (found == imports_.end()) return;
  auto dropped = kj::mv(found->second);   // a destructor may come back to us
  imports_.erase(found);
}

Number Line::load(Number loader, kj::FunctionParam<void(rpc::WorkerCode::Builder)> fill, kj::Maybe<ValueBytes&> env,
                  kj::ArrayPtr<const OutgoingExternal> externals, kj::ArrayPtr<const OutgoingExternal> tails, bool wantsLogs) {
  // In process there is nobody else to begin with it.
  bool leavesAtOnce = embedded_.get() == nullptr && port_.isQuiet();
  requireImports(externals);
  requireImports(tails);
  auto request = import(loader).castAs<rpc::Loader>().loadRequest();
  auto code = request.initCode();
  fill(code);
  KJ_IF_MAYBE(e, env) {
    auto payload = code.initEnv();
    payload.setValue(e->root());
    writeExternals(payload, externals);
  }
  auto tailList = code.initTails(uint(tails.size()));
  for (auto i: kj::indices(tails)) tailList.set(uint(i), capabilityOf(tails[i]).castAs<rpc::Target>());
  auto worker = next_++;
  if (wantsLogs) request.setConsole(kj::heap<ConsoleServer>(*this, worker));
  imports_[worker].capability = capnp::Capability::Client(request.send().getWorker());
  if (leavesAtOnce) port_.runAtOnce(LOAD_TURNS);
  return worker;
}

Number Line::get(Number loader, kj::StringPtr name, Number factory, bool wantsLogs) {
  auto request = import(loader).castAs<rpc::Loader>().getRequest();
  request.setName(name);
  request.setFactory(kj::heap<Factory>(*this, factory));
  auto worker = next_++;
  if (wantsLogs) request.setConsole(kj::heap<ConsoleServer>(*this, worker));
  imports_[worker].capability = capnp::Capability::Client(request.send().getWorker());
  return worker;
}

Number Line::byName(Number loader, NameAct act, kj::StringPtr name) {
  auto client = import(loader).castAs<rpc::Loader>();
  auto id = next_++;
  auto answerFound = [this, id](auto&& response) { answerWithGraph(id, booleanGraph(response.getFound())); };
  switch (act) {
    case NameAct::DELETE: {
      auto request = client.deleteRequest();
      request.setName(name);
      return await(id, request.send().then(kj::mv(answerFound)));
    }
    case NameAct::ABORT: {
      auto request = client.abortRequest();
      request.setName(name);
      return await(id, request.send().then(kj::mv(answerFound)));
    }
    case NameAct::LIST:
      return await(id, client.listRequest().send().then([this, id](auto&& response) {
        answerWithGraph(id, namedWorkersGraph(response.getWorkers()));
      }));
  }
  KJ_UNREACHABLE;
}

Number Line::entrypoint(Number worker, kj::StringPtr name, kj::Maybe<ValueBytes&> props,
                        kj::ArrayPtr<const OutgoingExternal> externals, const WorkerLimits& limits) {
  requireImports(externals);
  auto request = import(worker).castAs<rpc::Worker>().getEntrypointRequest();
  request.setName(name);
  KJ_IF_MAYBE(p, props) {
    auto payload = request.initProps();
    payload.setValue(p->root());
    writeExternals(payload, externals);
  }
  writeLimits(limits, request.initLimits());
  return add(request.send().getEntrypoint());
}

Number Line::revoke(Number worker) {
  auto sent = import(worker).castAs<rpc::Worker>().revokeRequest().send();
  auto id = next_++;
  return await(id, sent.then([this, id](auto&&) {
    capnp::MallocMessageBuilder message(8);
    message.initRoot<rpc::Value>().initNodes(1)[0].setUndefined();
    Answer result{Answer::Kind::VALUE, message.getRoot<rpc::Value>().asReader(), nullptr, nullptr, nullptr};
    answer(id, result);
  }));
}

Number Line::promise() {
  auto paf = kj::newPromiseAndFulfiller<capnp::Capability::Client>();
  auto id = add(capnp::Capability::Client(kj::mv(paf.promise)));
  promises_[id] = kj::mv(paf.fulfiller);
  return id;
}

void Line::resolve(Number promise, Number worker) {
  auto found = promises_.find(promise);
  if (found == promises_.end()) return;
  auto fulfiller = kj::mv(found->second);
  promises_.erase(found);
  auto resolution = import(worker);
  release(worker);
  // Whoever asks from now on need not go by way of the promise.
  auto imported = imports_.find(promise);
  if (imported != imports_.end()) imported->second.capability = resolution;
  fulfiller->fulfill(kj::mv(resolution));
}

void Line::reject(Number promise, kj::StringPtr message) {
  auto found = promises_.find(promise);
  if (found == promises_.end()) return;
  auto fulfiller = kj::mv(found->second);
  promises_.erase(found);
  fulfiller->reject(KJ_EXCEPTION(FAILED, message));
}

Number Line::status() {
  auto sent = KJ_ASSERT_NONNULL(supervisor_).statusRequest().send();
  auto id = next_++;
  return await(id, sent.then([this, id](auto&& response) {
    capnp::MallocMessageBuilder message;
    message.initRoot<rpc::Value>().initNodes(1)[0].setText(response.getJson());
    Answer result{Answer::Kind::VALUE, message.getRoot<rpc::Value>().asReader(), nullptr, nullptr, nullptr};
    answer(id, result);
  }));
}

Number Line::await(Number id, kj::Promise<void> answer) {
  if (calls_.empty()) port_.hold();
  calls_.insert(id);
  expect();
  tasks_->add(answer.catch_([this, id](kj::Exception&& exception) { fail(id, exception); }));
  return id;
}

kj::Promise<void> Line::receive(Number id, capnp::Response<rpc::Return> response) {
  rpc::Return::Reader result = response;
  keepResult(id, result);
  rpc::Payload::Reader payload;
  switch (result.which()) {
    case rpc::Return::VALUE: payload = result.getValue(); break;
    case rpc::Return::THROWN: payload = result.getThrown(); break;
    case rpc::Return::ENDED: {
      auto ended = result.getEnded();
      Answer out{Answer::Kind::ENDED, nullptr, ended.getMessage(), endingName(ended.getCode()), nullptr};
      if (result.hasAccount()) out.account = result.getAccount();
      answer(id, out);
      return kj::READY_NOW;
    }
    default: KJ_FAIL_REQUIRE("an answer of a kind this program does not know");
  }
  switch (payload.which()) {
    case rpc::Payload::VALUE:
      answerWith(id, result, payload.getValue());
      return kj::READY_NOW;
    case rpc::Payload::LARGE:
      return pullLarge(payload.getLarge(), wire::PAYLOAD_BYTES_MAX)
          .then([this, id, response = kj::mv(response)](kj::Array<capnp::word> words) {
            withLargeMessage(words, [&](capnp::MessageReader& message) { answerWith(id, response, message.getRoot<rpc::Value>()); });
          });
  }
  KJ_FAIL_REQUIRE("a value of a kind this program does not know");
}

// Whoever calls on the result from now on need not go by way of the question.
void Line::keepResult(Number id, rpc::Return::Reader result) {
  auto found = imports_.find(id);
  if (found == imports_.end()) return;
  auto& import = found->second;
  import.pipeline = nullptr;
  if (import.capability == nullptr && result.hasPipeline()) import.capability = capnp::Capability::Client(result.getPipeline());
}

void Line::answerWithGraph(Number id, const ValueGraph& graph) {
  capnp::MallocMessageBuilder message;
  auto payload = message.initRoot<rpc::Payload>();
  writePayload(graph, payload);
  answer(id, Answer{Answer::Kind::VALUE, payload.asReader().getValue(), nullptr, nullptr, nullptr});
}

void Line::answerWith(Number id, rpc::Return::Reader result, rpc::Value::Reader value) {
  bool thrown = result.isThrown();
  auto externals = readExternals(thrown ? result.getThrown() : result.getValue());
  Answer out{thrown ? Answer::Kind::THROWN : Answer::Kind::VALUE, value, nullptr, nullptr, externals, result.getDisposable(),
             result.hasPipeline()};
  if (result.hasAccount()) out.account = result.getAccount();
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { answer(id, out); })) {
    for (auto& external: externals) imports_.erase(external.id);
    fail(id, *exception);
  }
}

void Line::answer(Number id, const Answer& answer) {
  // Not there any more if it is being answered a second time, because the first answer was malformed.
  if (calls_.erase(id) > 0 && calls_.empty()) port_.letGo();
  expect();
  events_->answered(id, answer);
}

void Line::fail(Number id, const kj::Exception& exception) {
  auto found = imports_.find(id);
  if (found != imports_.end()) found->second.pipeline = nullptr;
  auto message = describe(exception);
  answer(id, Answer{Answer::Kind::FAILED, nullptr, message, failureName(exception), nullptr});
}

// One call under way is one that somebody waits for, and it may be near. With several there is enough else to do.
void Line::expect() {
  if (!looksForAnswers_) return;
  port_.expect(calls_.size() == 1 ? UvEventPort::Expected::ANSWER : UvEventPort::Expected::NOTHING);
}

// -- Calls to us --------------------------------------------------------------------------------------------------------

void Line::settle(Number call, bool ok, ValueBytes& value, kj::ArrayPtr<const OutgoingExternal> externals, Number pipeline,
                  bool disposable) {
  auto found = incomingCalls_.find(call);
  if (state_ != State::OPEN || found == incomingCalls_.end()) {
    // The caller is gone, and so is everybody who could have held these.
    for (auto& external: externals) {
      if (!external.imported) noteReleased(external.id);
    }
    if (pipeline != 0) noteReleased(pipeline);
    return;
  }
  requireImports(externals);
  auto& incoming = *found->second;
  KJ_IF_MAYBE(factory, incoming.context.tryGet<IncomingCall::FactoryContext>()) {
    (void)factory;
    auto why = errorMessage(value.root());
    auto fulfiller = kj::mv(incoming.fulfiller);
    incomingCalls_.erase(found);
    fulfiller->reject(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(why)));
    return;
  }
  auto& context = incoming.context.get<IncomingCall::ObjectContext>();
  bool large = value.words().asBytes().size() > wire::INLINE_BYTES;
  uint64_t words = CALL_WORDS + externalsWords(externals) + (large ? 0 : value.words().size());
  auto results = context.getResults(capnp::MessageSize{words, uint(externals.size()) + 2});
  auto payload = ok ? results.initValue() : results.initThrown();
  if (large) {
    auto copy = kj::heapArray<capnp::word>(value.words().size());
    memcpy(copy.begin(), value.words().begin(), copy.asBytes().size());
    offerLarge(kj::mv(copy), payload.initLarge());
  } else {
    payload.setValue(value.root());
  }
  writeExternals(payload, externals);
  if (pipeline != 0) results.setPipeline(kj::heap<ExportedTarget>(*this, pipeline));
  results.setDisposable(disposable);
  incomingCalls_.erase(found);
  incoming.fulfiller->fulfill();
  expect();
}

void Line::giveCode(Number call, kj::FunctionParam<void(rpc::WorkerCode::Builder)> fill, kj::Maybe<ValueBytes&> env,
                    kj::ArrayPtr<const OutgoingExternal> externals, kj::ArrayPtr<const OutgoingExternal> tails) {
  auto found = incomingCalls_.find(call);
  if (state_ != State::OPEN || found == incomingCalls_.end() || !found->second->context.is<IncomingCall::FactoryContext>()) {
    for (auto list: {externals, tails}) {
      for (auto& external: list) {
        if (!external.imported) noteReleased(external.id);
      }
    }
    return;
  }
  requireImports(externals);
  requireImports(tails);
  auto& incoming = *found->second;
  auto code = incoming.context.get<IncomingCall::FactoryContext>().getResults().initCode();
  fill(code);
  KJ_IF_MAYBE(e, env) {
    auto payload = code.initEnv();
    payload.setValue(e->root());
    writeExternals(payload, externals);
  }
  auto tailList = code.initTails(uint(tails.size()));
  for (auto i: kj::indices(tails)) tailList.set(uint(i), capabilityOf(tails[i]).castAs<rpc::Target>());
  // Erased before the answer wakes anybody.
  auto fulfiller = kj::mv(incoming.fulfiller);
  incomingCalls_.erase(found);
  fulfiller->fulfill();
  expect();
}

void Line::noteReleased(Number target) {
  if (state_ == State::ENDED) return;
  released_.push_back(target);
  if (releasesAreComing_) return;
  releasesAreComing_ = true;
  releasing_ = kj::evalLater([this]() {
    sendReleased();
    releasesAreComing_ = false;
  }).eagerlyEvaluate(nullptr);
}

void Line::sendReleased() {
  while (!released_.empty()) {
    auto target = released_.front();
    released_.pop_front();
    events_->released(target);
  }
}

// -- Capabilities -------------------------------------------------------------------------------------------------------

capnp::Capability::Client& Line::import(Number id) {
  auto found = imports_.find(id);
  KJ_REQUIRE(found != imports_.end(), "there is no such import; it was released, or never there", id);
  auto& import = found->second;
  KJ_IF_MAYBE(pipeline, import.pipeline) {
    import.capability = capnp::Capability::Client(pipeline->getPipeline());
    import.pipeline = nullptr;
  }
  if (import.capability == nullptr) {
    import.capability = capnp::Capability::Client(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(NOTHING_TO_CALL)));
  }
  return KJ_ASSERT_NONNULL(import.capability);
}

Number Line::add(capnp::Capability::Client capability) {
  auto id = next_++;
  imports_[id].capability = kj::mv(capability);
  return id;
}

// Before anything is made of them: an export that was handed over counts as released when its capability is dropped.
void Line::requireImports(kj::ArrayPtr<const OutgoingExternal> externals) {
  KJ_REQUIRE(externals.size() <= wire::EXTERNALS_MAX, "too many capabilities in one value", externals.size(), wire::EXTERNALS_MAX);
  for (auto& external: externals) {
    KJ_REQUIRE(external.kind != ExternalKind::NONE, "a capability of no kind");
    if (external.imported) {
      import(external.id);
    } else {
      KJ_REQUIRE(external.kind != ExternalKind::LOADER, "a loader of one's own cannot be handed over");
    }
  }
}

void Line::writeExternals(rpc::Payload::Builder payload, kj::ArrayPtr<const OutgoingExternal> externals) {
  if (externals.size() == 0) return;
  auto list = payload.initExternals(uint(externals.size()));
  for (auto i: kj::indices(externals)) {
    auto& from = externals[i];
    auto to = list[uint(i)];
    auto label = shorten(from.label);
    if (label.size() > 0) memcpy(to.initLabel(uint(label.size())).begin(), label.begin(), label.size());
    writeExternal(from.kind, capabilityOf(from), to);
  }
}

capnp::Capability::Client Line::capabilityOf(const OutgoingExternal& external) {
  if (external.imported) return import(external.id);
  return rpc::Target::Client(kj::heap<ExportedTarget>(*this, external.id));
}

kj::Array<IncomingExternal> Line::readExternals(rpc::Payload::Reader payload) {
  auto externals = payload.getExternals();
  KJ_REQUIRE(externals.size() <= wire::EXTERNALS_MAX, "too many capabilities in one value", externals.size(), wire::EXTERNALS_MAX);
  auto received = kj::heapArrayBuilder<IncomingExternal>(externals.size());
  for (auto external: externals) {
    kj::Maybe<capnp::Capability::Client> capability;
    auto kind = readExternal(external, capability);
    KJ_IF_MAYBE(c, capability) {
      received.add(IncomingExternal{kind, add(kj::mv(*c))});
    } else {
      for (auto& before: received) imports_.erase(before.id);
      KJ_FAIL_REQUIRE("a capability of a kind this program does not know");
    }
  }
  return received.finish();
}

// -- The end ------------------------------------------------------------------------------------------------------------

void Line::close() { end(LINE_CLOSED); }

void Line::end(kj::StringPtr message) {
  if (state_ != State::OPEN) return;
  state_ = State::ENDING;
  endMessage_ = kj::str(message);
  // The host stays until it has heard of the end.
  port_.hold();
  holdsForEnd_ = true;
  // Not at once: this may be inside one of the tasks that are dropped here.
  ending_ = kj::evalLater([this]() {
              tasks_ = nullptr;
              answerAllAsFailed();
              dropEverything();
              // What the connection held on to is gone only when its last tasks have run.
              return kj::evalLast([]() {});
            })
                .then([this]() -> kj::Promise<void> {
                  if (embedded_.get() == nullptr) return kj::READY_NOW;
                  auto embedded = kj::mv(embedded_);
                  auto left = embedded->leave();
                  return left.attach(kj::mv(embedded));
                })
                .then([this]() {
                  sendReleased();
                  letGoForEnd();
                  state_ = State::ENDED;
                  events_->closed(endMessage_);
                })
                .eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, "a line did not end well", exception); });
}

void Line::answerAllAsFailed() {
  while (!calls_.empty()) {
    answer(*calls_.begin(), Answer{Answer::Kind::FAILED, nullptr, endMessage_, DISCONNECTED_NAME, nullptr});
  }
}

void Line::abandon() {
  state_ = State::ENDED;
  tasks_ = nullptr;
  disconnected_ = nullptr;
  releasing_ = nullptr;
  ending_ = nullptr;
  if (!calls_.empty()) port_.letGo();
  calls_.clear();
  letGoForEnd();
  dropEverything();
  embedded_ = nullptr;
  events_ = nullptr;
}

void Line::letGoForEnd() {
  if (holdsForEnd_) port_.letGo();
  holdsForEnd_ = false;
}

void Line::dropEverything() {
  promises_.clear();
  auto imports = kj::mv(imports_);
  imports_.clear();
  imports.clear();
  supervisor_ = nullptr;
  connection_ = nullptr;
}

// Every task answers its call, whatever happens; what is left is a mistake of ours.
void Line::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "an answer was lost", exception); }

}  // namespace glovebox::client
