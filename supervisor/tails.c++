#include "supervisor/tails.h"

#include <kj/debug.h>

#include "ipc/payload.h"
#include "ipc/uv-event-port.h"
#include "supervisor/kinship.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/trace-item.h"
#include "supervisor/wall-clock.h"

namespace glovebox {
namespace {

constexpr kj::Duration REST_DELAY = 100 * kj::MILLISECONDS;

// A tail of a worker's ends at that worker's limits; a client may never answer.
constexpr kj::Duration TAIL_TIMEOUT = 60 * kj::SECONDS;

}  // namespace

Tails::Tails(kj::Own<Membrane> membrane, capnp::List<rpc::Target>::Reader targets)
    : membrane_(kj::mv(membrane)) {
  for (auto target: targets) {
    auto tail = kj::refcounted<Tail>(target, [this](capnp::Capability::Client client) { return membrane_->adopt(kj::mv(client)); });
    // Known as the worker's as soon as it can be: a tail that looks as if the outside held it might never end.
    if (!tail->route.isOpen()) tail->settling = tail->route.whenOpen().eagerlyEvaluate([](kj::Exception&&) {});
    tails_.push_back(kj::mv(tail));
  }
}

Tails::~Tails() noexcept(false) {}

void Tails::report(kj::Own<Run> run) {
  kj::evalLast([self = kj::addRef(*this), run = kj::mv(run)]() mutable {
    KJ_DEFER({
      self->expected_--;
      self->letGo();
    });
    if (run->tailDepth() >= membrane::TAIL_DEPTH_MAX) return;
    self->tell(static_cast<uint8_t>(run->tailDepth() + 1), [&](bool truncated) { return traceCall(*run, self->scriptName_, truncated); });
  }).detach([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

Said& Tails::between() {
  KJ_IF_MAYBE(rest, rest_) return (*rest)->said;
  auto rest = kj::heap<Rest>(Rest{{}, cpuTime(), kj::systemPreciseMonotonicClock().now(), wallClockMs()});
  auto& said = rest->said;
  rest_ = kj::mv(rest);
  flushing_ = membrane_->core().port.getTimer().afterDelay(REST_DELAY).then([this]() { flush(); }).eagerlyEvaluate([](kj::Exception&& exception) {
    KJ_LOG(ERROR, exception);
  });
  return said;
}

kj::Duration Tails::cpuTime() {
  if (membrane_->isCut()) return 0 * kj::SECONDS;
  KJ_IF_MAYBE(peer, membrane_->worker().peer()) return peer->cpuTime();
  return 0 * kj::SECONDS;
}

void Tails::retire() {
  isRetired_ = true;
  flush();
  letGo();
}

void Tails::letGo() {
  if (!isRetired_ || expected_ > 0) return;
  auto gone = std::move(tails_);   // a destructor may come back to us
  tails_.clear();
}

void Tails::flush() {
  KJ_IF_MAYBE(rest, rest_) {
    auto told = kj::mv(*rest);
    rest_ = nullptr;
    auto wall = kj::systemPreciseMonotonicClock().now() - told->start;
    TraceRest trace{told->said, told->time, kj::max(cpuTime() - told->startCpu, 0 * kj::SECONDS), wall};
    if (depth_ >= membrane::TAIL_DEPTH_MAX) return;
    tell(static_cast<uint8_t>(depth_ + 1), [&](bool truncated) { return traceRest(trace, scriptName_, truncated); });
  }
}

void Tails::tell(uint8_t depth, MakeEvent makeEvent) {
  auto& census = membrane_->core().census;
  for (auto& tail: tails_) {
    if (tail->underWay >= membrane::TAIL_CALLS_MAX || underWayBytes_ >= membrane::TAIL_BYTES_MAX) {
      tail->hasMissed = true;
      census.tailEventsDropped++;
      continue;
    }
    tail->underWay++;
    auto arguments = makeEvent(tail->hasMissed);
    tail->hasMissed = false;
    auto bytes = payloadBytes(arguments);
    underWayBytes_ += bytes;
    auto told = kj::evalNow([&]() { return call(*tail, depth, kj::mv(arguments)); });
    membrane_->core().port.getTimer().timeoutAfter(TAIL_TIMEOUT, kj::mv(told))
        .attach(kj::defer([self = kj::addRef(*this), tail = kj::addRef(*tail), bytes]() mutable {
          tail->underWay--;
          self->underWayBytes_ -= bytes;
        }))
        .detach([core = kj::addRef(membrane_->core())](kj::Exception&&) mutable { core->census.tailCallsFailed++; });
  }
}

kj::Promise<void> Tails::call(Tail& tail, uint8_t depth, ValueGraph&& arguments) {
  return tail.route.send([this, &tail, depth, arguments = kj::mv(arguments)]() mutable {
    auto target = tail.route.target<rpc::Target>();
    KJ_IF_MAYBE(held, tail.held) target = *held;
    KJ_IF_MAYBE(handle, membrane_->core().kinship.tryFind(target)) {
      // What a client only promised may turn out to be a worker's later than the route can know.
      if (tail.held == nullptr) {
        tail.held = handle->cloneFor(*membrane_).castAs<rpc::Target>();
        tail.route.close(membraneCut());
      }
      // While it is told it is held from outside, as by any caller: what told it may be gone by then.
      target = handle->cloneFor(nullptr).castAs<rpc::Target>();
    }
    auto request = target.callRequest();
    request.initPath(1).set(0, "tail");
    request.setTailDepth(depth);
    writePayload(arguments, request.getOperation().initInvoke());
    return request.send().then([this](capnp::Response<rpc::Return>&& response) {
      if (!response.isValue()) membrane_->core().census.tailCallsFailed++;
    });
  });
}

}  // namespace glovebox
