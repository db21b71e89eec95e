#include "supervisor/console-membrane.h"

#include <kj/debug.h>

#include "supervisor/payload-membrane.h"

namespace glovebox {
namespace {

// Of one worker in its whole life. Enough for a debugging session, too little to fill a disk.
constexpr size_t LOG_BYTES_MAX = 1 << 20;

}  // namespace

kj::Promise<void> ConsoleMembrane::write(WriteContext context) {
  auto messages = context.getParams().getMessages();
  if (full_ || membrane_->isRevoked()) return kj::READY_NOW;
  inspectPlain(messages);
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
