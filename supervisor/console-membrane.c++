#include "supervisor/console-membrane.h"

#include <kj/debug.h>

#include "supervisor/payload-membrane.h"

namespace glovebox {
kj::Promise<void> ConsoleMembrane::write(WriteContext context) {
  auto messages = context.getParams().getMessages();
  if (full_ || membrane_->isRevoked()) return kj::READY_NOW;
  inspectPlain(messages);
  auto size = messages.size() * sizeof(double);
  for (auto message: messages) size += message.getText().size();
  if (bytes_ + size > bytesMax_) {
    full_ = true;
    auto request = console_.writeRequest();
    auto notice = request.initMessages(1)[0];
    notice.setLevel(rpc::LogMessage::Level::WARN);
    notice.setTime(messages.size() > 0 ? messages[0].getTime() : 0);
    notice.setText(kj::str("This worker has logged more than ", bytesMax_, " bytes, its limit (limits.logBytes); the rest is dropped."));
    return request.send().ignoreResult();
  }
  bytes_ += size;
  auto request = console_.writeRequest(messages.totalSize());
  request.setMessages(messages);
  return request.send().ignoreResult();
}

}  // namespace glovebox
