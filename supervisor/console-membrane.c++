#include "supervisor/console-membrane.h"

#include <kj/debug.h>

#include "supervisor/loaded-worker.h"
#include "supervisor/payload-membrane.h"
#include "supervisor/route.h"

namespace glovebox {

rpc::Console::Client ConsoleMembrane::make(kj::Own<Membrane> membrane, kj::Own<Books> books, kj::Maybe<kj::Own<Diary>> diary,
                                           kj::Maybe<rpc::Console::Client> console, size_t bytesMax) {
  auto& m = *membrane;
  auto made = kj::heap<ConsoleMembrane>(kj::mv(membrane), kj::mv(books), kj::mv(diary), kj::mv(console), bytesMax);
  m.console_ = *made;
  rpc::Console::Client client = kj::mv(made);
  capnp::Capability::Client any = client;
  m.consoleHook_ = &innermostHook(any);
  return client;
}

ConsoleMembrane::~ConsoleMembrane() noexcept(false) {
  membrane_->console_ = nullptr;
  membrane_->consoleHook_ = nullptr;
}

kj::Promise<void> ConsoleMembrane::write(WriteContext context) {
  if (membrane_->isRevoked()) return kj::READY_NOW;
  auto params = context.getParams();
  inspectPlain(params.getMessages());
  inspectPlain(params.getExceptions());
  if (books_->listens()) books_->hear(params.getMessages(), params.getExceptions());
  KJ_IF_MAYBE(diary, diary_) (*diary)->hear(params.getMessages(), params.getExceptions());
  KJ_IF_MAYBE(console, console_) {
    if (!full_) return params.getMessages().size() == 0 ? kj::READY_NOW : pass(*console, params.getMessages(), From::WORKER);
  }
  if (!books_->listens() && diary_ == nullptr) context.getResults().setWanted(false);
  return kj::READY_NOW;
}

kj::Promise<void> ConsoleMembrane::writeOfChild(capnp::List<rpc::LogMessage>::Reader messages) {
  if (membrane_->isRevoked() || messages.size() == 0) return kj::READY_NOW;
  if (books_->listens()) books_->hear(messages, {});
  KJ_IF_MAYBE(console, console_) {
    if (!full_) return pass(*console, messages, From::CHILD);
  }
  return kj::READY_NOW;
}

// Nothing of what the worker wrote of these is left.
void ConsoleMembrane::sign(capnp::List<rpc::LogMessage>::Builder messages, From from) {
  for (auto message: messages) {
    if (from == From::WORKER) {
      Trace trace;
      if (message.hasTrace() && !membrane_->isCut()) {
        KJ_IF_MAYBE(found, membrane_->worker().tryFindTrace(message.asReader().getTrace())) trace = *found;
      }
      message.disownTrace();
      if (trace.exists()) writeTrace(trace, message.initTrace());
    }
    kj::Vector<kj::String> workers;
    if (membrane_->isChild()) workers.add(kj::str(membrane_->label()));
    if (from == From::CHILD) {
      for (auto name: message.getWorkers()) workers.add(kj::str(name));
    }
    message.disownWorkers();
    if (workers.empty()) continue;
    auto list = message.initWorkers(static_cast<uint>(workers.size()));
    for (auto i: kj::indices(workers)) list.set(static_cast<uint>(i), workers[i]);
  }
}

kj::Promise<void> ConsoleMembrane::pass(rpc::Console::Client& console, capnp::List<rpc::LogMessage>::Reader messages, From from) {
  auto size = messages.size() * sizeof(double);
  for (auto message: messages) size += message.getText().size();
  if (bytes_ + size > bytesMax_) {
    full_ = true;
    auto request = console.writeRequest();
    auto notice = request.initMessages(1)[0];
    notice.setLevel(rpc::LogMessage::Level::WARN);
    notice.setTime(messages[0].getTime());
    notice.setText(kj::str("This worker has logged more than ", bytesMax_, " bytes, its limit (limits.logBytes); the rest is dropped."));
    sign(request.getMessages(), From::WORKER);
    return request.send().ignoreResult();
  }
  bytes_ += size;
  auto request = console.writeRequest(messages.totalSize());
  request.setMessages(messages);
  sign(request.getMessages(), from);
  return request.send().ignoreResult();
}

}  // namespace glovebox
