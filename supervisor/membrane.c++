#include "supervisor/membrane.h"

#include <kj/debug.h>

#include "ipc/wire-limits.h"

namespace glovebox {
namespace {

// Of one worker in its whole life. Enough for a debugging session, too little to fill a disk.
constexpr size_t LOG_BYTES_MAX = 1 << 20;

// Cap'n Proto 1.x takes it from the schema instead.
template <typename Context>
void allowCancellation(Context& context) {
#if CAPNP_VERSION < 1000000
  context.allowCancellation();
#endif
}

}  // namespace

kj::Promise<void> WorkerMembrane::getEntrypoint(GetEntrypointContext context) {
  auto target = worker_->getEntrypoint(context.getParams());
  context.getResults().setEntrypoint(kj::heap<TargetMembrane>(kj::addRef(*worker_), kj::mv(target)));
  return kj::READY_NOW;
}

kj::Promise<void> TargetMembrane::call(CallContext context) {
  auto promise = worker_->call(target_, context.getParams(), context.getResults());
  context.releaseParams();
  allowCancellation(context);
  return promise;
}

kj::Promise<void> ByteSourceMembrane::read(ReadContext context) {
  auto params = context.getParams();
  auto promise = worker_->read(source_, params.getOffset(), params.getLength(), context.getResults());
  allowCancellation(context);
  return promise;
}

kj::Promise<void> ConsoleMembrane::write(WriteContext context) {
  auto messages = context.getParams().getMessages();
  if (full_) return kj::READY_NOW;
  auto size = messages.size() * sizeof(double);
  for (auto message: messages) size += message.getText().size();
  if (bytes_ + size > LOG_BYTES_MAX) {
    full_ = true;
    auto request = console_.writeRequest();
    auto notice = request.initMessages(1)[0];
    notice.setLevel(rpc::LogMessage::Level::WARN);
    notice.setTime(messages.size() > 0 ? messages[0].getTime() : 0);
    notice.setText(kj::str("This worker has logged more than ", LOG_BYTES_MAX, " bytes; the rest is dropped."));
    return request.send().ignoreResult();
  }
  bytes_ += size;
  auto request = console_.writeRequest(messages.totalSize());
  request.setMessages(messages);
  return request.send().ignoreResult();
}

}  // namespace glovebox
