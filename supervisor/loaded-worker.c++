#include "supervisor/loaded-worker.h"

#include <algorithm>

#include <kj/debug.h>

#include "ipc/uv-event-port.h"
#include "ipc/payload.h"
#include "ipc/wire-limits.h"
#include "supervisor/membrane.h"

namespace glovebox {
namespace {

// Worker Loader gives start-up one second of CPU; less if a call has less.
constexpr uint32_t STARTUP_CPU_MS_MAX = 1'000;

// More calls in flight than this on one worker help nobody: it has one thread. Bounds what its questions cost here.
constexpr uint32_t CALLS_IN_FLIGHT_MAX = 1'000;

ValueGraph errorGraph(ErrorPrototype prototype, kj::StringPtr message) {
  ValueGraph graph;
  graph.nodes.resize(2);
  graph.nodes[0].kind = ValueNode::Kind::ERROR;
  graph.nodes[0].subkind = static_cast<uint8_t>(prototype);
  graph.nodes[0].ref = 1;
  graph.nodes[1].kind = ValueNode::Kind::TEXT;
  graph.nodes[1].bytes = std::string(message.begin(), message.size());
  return graph;
}

}  // namespace

LoadedWorker::LoadedWorker(kj::Own<Core> core, Policy policy, rpc::WorkerCode::Reader code, kj::Maybe<rpc::Console::Client> console)
    : core_(kj::mv(core)),
      policy_(policy),
      codeError_(tryFindCodeError(code)),
      acquired_(nullptr),
      process_(nullptr),
      started_(nullptr),
      startWatch_(kj::READY_NOW) {
  core_->census.loads++;
  core_->census.liveWorkers++;
  if (codeError_ != nullptr) return;

  KJ_IF_MAYBE(worker, core_->pool.tryTake()) {
    process_ = (*worker)->process();
    adopt(kj::mv(*worker));
    acquired_ = kj::Promise<void>(kj::READY_NOW).fork();
  } else {
    acquired_ = core_->pool.take()
                    .then([this](kj::Own<WorkerHandle> worker) { adopt(kj::mv(worker)); },
                          [this](kj::Exception&& exception) { startFailure_ = startFailed(exception.getDescription()); })
                    .fork();
    process_ = acquired_.addBranch().then([this]() -> rpc::WorkerProcess::Client {
      KJ_IF_MAYBE(worker, worker_) return (*worker)->process();
      return KJ_EXCEPTION(FAILED, "no worker");
    });
  }

  auto request = process_.startRequest(code.totalSize());
  request.setCode(code);
  auto limits = request.getCode().initLimits();
  limits.setCpuMs(policy_.call.cpuMs);
  limits.setWallMs(policy_.call.wallMs);
  limits.setMemoryMb(policy_.memoryMb);
  KJ_IF_MAYBE(c, console) request.setConsole(kj::heap<ConsoleMembrane>(kj::mv(*c)));
  // Whether the code failed is told by the worker in each answer; if the process died, whenEnded() tells.
  started_ = request.send()
                 .then([this](auto&&) -> kj::Promise<void> {
                   startWatch_ = kj::READY_NOW;
                   return kj::READY_NOW;
                 }, [](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; })
                 .fork();
}

LoadedWorker::~LoadedWorker() noexcept(false) {
  core_->census.liveWorkers--;
  // The watch refers to the worker; and letting go of that kills the process.
  startWatch_ = nullptr;
  worker_ = nullptr;
  core_->pool.noteAnswered();
}

void LoadedWorker::adopt(kj::Own<WorkerHandle> worker) {
  worker->setMemoryLimit(policy_.memoryMb);
  CallLimits limits{std::min(policy_.call.cpuMs, STARTUP_CPU_MS_MAX), policy_.call.wallMs};
  startWatch_ = watchCall(core_->port.getTimer(), *worker, limits, AtLimit::KILL, "while its modules were evaluated"_kj)
                    .eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
  worker_ = kj::mv(worker);
}

kj::Promise<Outcome> LoadedWorker::whenEnded() {
  return acquired_.addBranch().then([this]() -> kj::Promise<Outcome> {
    KJ_IF_MAYBE(worker, worker_) return (*worker)->whenEnded();
    return KJ_ASSERT_NONNULL(startFailure_).clone();
  });
}

kj::Promise<void> LoadedWorker::watch() {
  return started_.addBranch().then([this]() {
    return watchCall(core_->port.getTimer(), *KJ_ASSERT_NONNULL(worker_), policy_.call, AtLimit::ASK_THEN_KILL, "in this call"_kj);
  });
}

rpc::Target::Client LoadedWorker::getEntrypoint(rpc::Worker::GetEntrypointParams::Reader params) {
  if (codeError_ != nullptr) return nullptr;
  auto request = process_.getEntrypointRequest(params.totalSize());
  request.setName(params.getName());
  if (params.hasProps()) request.setProps(params.getProps());
  return request.send().getEntrypoint();
}

kj::Promise<void> LoadedWorker::call(rpc::Target::Client& target, rpc::Call::Reader call, rpc::Return::Builder results) {
  core_->census.calls++;
  KJ_IF_MAYBE(error, codeError_) {
    writePayload(errorGraph(error->prototype, error->message), results.initThrown());
    return kj::READY_NOW;
  }
  if (callsInFlight_ >= CALLS_IN_FLIGHT_MAX) {
    end(results, overloaded("calls in flight on one worker"_kj, CALLS_IN_FLIGHT_MAX));
    return kj::READY_NOW;
  }
  callsInFlight_++;
  core_->census.callsInFlight++;
  bool answeredBefore = hasAnswered_;
  core_->noteCallSent(answeredBefore);

  auto request = target.callRequest(call.totalSize());
  request.setPath(call.getPath());
  auto operation = call.getOperation();
  switch (operation.which()) {
    case rpc::Call::Operation::INVOKE: request.getOperation().setInvoke(operation.getInvoke()); break;
    case rpc::Call::Operation::GET: request.getOperation().setGet(); break;
  }
  auto answered = request.send()
                      .then([this, results](capnp::Response<rpc::Return>&& response) mutable {
                        hasAnswered_ = true;
                        answer(response, results);
                      })
                      .catch_([this](kj::Exception&& exception) { return mistrust(kj::mv(exception)); });
  auto died = whenEnded().then([this, results](Outcome outcome) mutable { end(results, outcome); });
  return answered.exclusiveJoin(kj::mv(died)).exclusiveJoin(watch()).attach(kj::defer([this, answeredBefore]() {
    callsInFlight_--;
    core_->census.callsInFlight--;
    core_->noteCallEnded(answeredBefore);
    core_->pool.noteAnswered();
  }));
}

kj::Promise<void> LoadedWorker::read(rpc::ByteSource::Client& source, uint64_t offset, uint32_t length,
                                     rpc::ByteSource::ReadResults::Builder results) {
  KJ_REQUIRE(length >= 1 && length <= wire::CHUNK_BYTES, "a read must ask for 1 to 65536 bytes", length);
  auto request = source.readRequest();
  request.setOffset(offset);
  request.setLength(length);
  auto answered = request.send()
                      .then([length, results](auto&& response) mutable {
                        KJ_REQUIRE(response.getBytes().size() <= length, "more bytes than asked for");
                        results.setBytes(response.getBytes());
                      })
                      .catch_([this](kj::Exception&& exception) { return mistrust(kj::mv(exception)); });
  auto died = whenEnded().then([this](Outcome outcome) -> kj::Promise<void> {
    core_->census.noteEnding(outcome.code);
    return KJ_EXCEPTION(FAILED, outcome.message);
  });
  return answered.exclusiveJoin(kj::mv(died)).exclusiveJoin(watch());
}

kj::Promise<void> LoadedWorker::mistrust(kj::Exception&& exception) {
  // A lost line means that the process is dying: whenEnded() knows why. Anything else cannot come from our own worker.
  if (exception.getType() != kj::Exception::Type::DISCONNECTED) {
    KJ_IF_MAYBE(worker, worker_) (*worker)->end(protocolViolation("it gave a malformed answer"_kj));
  }
  return kj::NEVER_DONE;
}

void LoadedWorker::answer(rpc::Return::Reader from, rpc::Return::Builder to) {
  switch (from.which()) {
    case rpc::Return::VALUE:
      to.setValue(from.getValue());
      return;
    case rpc::Return::THROWN:
      to.setThrown(from.getThrown());
      return;
    case rpc::Return::ENDED:
      break;
  }
  // A worker only gets to choose the kind; what is said to the user comes from here.
  switch (from.getEnded().getCode()) {
    case rpc::Ending::Code::TERMINATED:
      KJ_IF_MAYBE(worker, worker_) {
        KJ_IF_MAYBE(reason, (*worker)->lastSoftStop()) return end(to, *reason);
      }
      break;
    case rpc::Ending::Code::EXCEEDED_MEMORY: return end(to, exceededMemory(policy_.memoryMb));
    case rpc::Ending::Code::HUNG: return end(to, hung());
    default: break;
  }
  KJ_FAIL_REQUIRE("an ending that a worker cannot know of");
}

void LoadedWorker::end(rpc::Return::Builder to, const Outcome& outcome) {
  core_->census.noteEnding(outcome.code);
  setEnding(to, outcome);
}

}  // namespace glovebox
