#include "supervisor/console-membrane.h"

#include <kj/debug.h>

#include "supervisor/payload-membrane.h"

namespace glovebox {
kj::Promise<void> ConsoleMembrane::write(WriteContext context) {
  if (membrane_->isRevoked()) return kj::READY_NOW;
  auto params = context.getParams();
  inspectPlain(params.getMessages());
  inspectPlain(params.getExceptions());
  if (books_->listens()) books_->hear(params.getMessages(), params.getExceptions());
  KJ_IF_MAYBE(console, console_) {
    if (!full_) return params.getMessages().size() == 0 ? kj::READY_NOW : pass(*console, params.getMessages());
  }
  if (!books_->listens()) context.getResults().setWanted(false);
  return kj::READY_NOW;
}

kj::Promise<void> ConsoleMembrane::pass(rpc::Console::Client& console, capnp::List<rpc::LogMessage>::Reader messages) {
  auto size = messages.size() * sizeof(double);
  for (auto message: messages) size += message.getText().size();
  if (bytes_ + size > bytesMax_) {
    full_ = true;
    auto request = console.writeRequest();
    auto notice = request.initMessages(1)[0];
    notice.setLevel(rpc::LogMessage::Level::WARN);
    notice.setTime(messages[0].getTime());
    notice.setText(kj::str("This worker has logged more than ", bytesMax_, " bytes, its limit (limits.logBytes); the rest is dropped."));
    return request.send().ignoreResult();
  }
  bytes_ += size;
  auto request = console.writeRequest(messages.totalSize());
  request.setMessages(messages);
  return request.send().ignoreResult();
}

}  // namespace glovebox
