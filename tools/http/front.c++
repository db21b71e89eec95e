#include "tools/http/front.h"

#include "ipc/payload.h"
#include "tools/cli/thrown.h"

namespace glovebox::http {
namespace {

// A request, until it is answered or given up.
struct UnderWay {
  explicit UnderWay(RequestCounts& counts): counts(counts) {}
  ~UnderWay() {
    counts.inFlight--;
    if (!isAnswered) counts.givenUp++;
  }
  KJ_DISALLOW_COPY(UnderWay);
  RequestCounts& counts;
  bool isAnswered = false;
};

class Front final: public rpc::Target::Server {
 public:
  Front(kj::Timer& timer, FrontHooks hooks): timer_(timer), hooks_(kj::mv(hooks)) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    context.allowCancellation();
    auto backend = hooks_.backend();
    auto call = context.getParams();
    Answered answered;
    answered.origins = backend.origins;
    auto request = backend.entrypoint.callRequest(call.totalSize());
    request.setPath(call.getPath());
    if (call.getOperation().isInvoke()) {
      answered.line = readRequestLine(call.getOperation().getInvoke());
      request.getOperation().setInvoke(call.getOperation().getInvoke());
    } else {
      request.getOperation().setGet();
    }
    if (call.hasTrace()) answered.trace = readTrace(call.getTrace());
    auto& trace = answered.trace;
    if (!trace.exists()) trace = {ids_.next(), ids_.next(), 0, 0, 0};
    trace.parent = trace.span;
    trace.span = ids_.next();
    writeTrace(trace, request.initTrace());
    context.releaseParams();
    auto start = timer_.now();
    auto& counts = hooks_.counts;
    counts.inFlight++;
    auto underWay = kj::heap<UnderWay>(counts);
    auto& answeredFlag = underWay->isAnswered;
    return request.send()
        .then([this, context, answered = kj::mv(answered), start, &counts, &answeredFlag](capnp::Response<rpc::Return>&& response) mutable {
          context.setResults(response);
          answered.took = timer_.now() - start;
          if (response.isValue()) answered.status = readStatus(response.getValue());
          if (response.isThrown()) {
            answered.outcome = rpc::Ending::Code::EXCEPTION;
            answered.words = describeThrown(response.getThrown());
          }
          if (response.isEnded()) {
            answered.outcome = response.getEnded().getCode();
            answered.words = response.getEnded().getMessage().cStr();
          }
          counts.byStatusClass[answered.status / 100 % counts.byStatusClass.size()]++;
          counts.time.note(answered.took);
          answeredFlag = true;
          hooks_.answered(kj::mv(answered));
        })
        .attach(kj::mv(underWay), kj::mv(backend.life));
  }

 private:
  kj::Timer& timer_;
  FrontHooks hooks_;
  TraceIds ids_;
};

}  // namespace

rpc::Target::Client newFront(kj::Timer& timer, FrontHooks hooks) { return kj::heap<Front>(timer, kj::mv(hooks)); }

// It comes from a worker, so it may be anything.
std::string describeThrown(rpc::Payload::Reader thrown) {
  if (!thrown.isValue()) return "Uncaught: an exception too large to be shown";
  std::string text;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { text = cli::describeThrown(readInlinePayload(thrown).graph); })) {
    return std::string("Uncaught: an exception that cannot be read: ") + exception->getDescription().cStr();
  }
  return text;
}

}  // namespace glovebox::http
