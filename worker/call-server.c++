#include "worker/call-server.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <kj/debug.h>

#include <cstring>
#include <iterator>
#include <utility>

#include "ipc/payload.h"
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

}  // namespace

class CallServer::Abandon {
 public:
  Abandon(CallServer& server, CallId id): server_(&server), id_(id) {}
  Abandon(Abandon&& other): server_(other.server_), id_(other.id_) { other.server_ = nullptr; }
  ~Abandon() {
    if (server_ != nullptr && server_->pending_.erase(id_)) server_->host_.abandon(id_);
  }
  KJ_DISALLOW_COPY(Abandon);

 private:
  CallServer* server_;
  CallId id_;
};

kj::Promise<void> CallServer::call(CallRequest request, rpc::Return::Builder results) {
  if (!unsent_) return run(kj::mv(request), results);
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting_.push_back(kj::mv(paf.fulfiller));
  return paf.promise.then(
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

kj::Promise<void> CallServer::run(CallRequest request, rpc::Return::Builder results) {
  unsent_ = true;
  auto paf = kj::newPromiseAndFulfiller<void>();
  auto id = host_.call(kj::mv(request));
  pending_.insert(id, Pending{results, kj::mv(paf.fulfiller)});
  auto promise = paf.promise.attach(Abandon(*this, id));
  deliver();
  return promise;
}

void CallServer::deliver() {
  auto answers = host_.takeAnswers();
  held_.insert(held_.end(), std::make_move_iterator(answers.begin()), std::make_move_iterator(answers.end()));
  sendLogs();
  if (!host_.logs().empty()) return;
  for (auto& answer: std::exchange(held_, {})) respond(answer);
}

void CallServer::sendLogs() {
  if (logging_ || host_.logs().empty()) return;
  KJ_IF_MAYBE(console, console_) {
    auto lines = host_.logs().take(wire::LOG_BATCH_BYTES - 1024);
    auto request = console->writeRequest();
    auto messages = request.initMessages(uint(lines.size()));
    for (auto i: kj::indices(messages)) {
      auto& line = lines[i];
      messages[uint(i)].setLevel(rpc::LogMessage::Level(uint16_t(line.level)));
      messages[uint(i)].setTime(line.time);
      messages[uint(i)].setText(capnp::Text::Reader(line.text.c_str(), line.text.size()));
    }
    logging_ = true;
    tasks_.add(request.send().ignoreResult().catch_([this](kj::Exception&&) { console_ = nullptr; }).then([this]() {
      logging_ = false;
      deliver();
    }));
  } else {
    while (!host_.logs().empty()) host_.logs().take(SIZE_MAX);
  }
}

void CallServer::respond(CallAnswer& answer) {
  kj::Maybe<rpc::Return::Builder> found;
  KJ_IF_MAYBE(pending, pending_.find(answer.id)) found = pending->results;
  if (found == nullptr) return;   // abandoned
  auto results = KJ_ASSERT_NONNULL(found);
  switch (answer.kind) {
    case CallAnswer::Kind::VALUE: {
      auto bytes = payloadBytes(answer.graph);
      if (bytes > wire::PAYLOAD_BYTES_MAX) {
        setThrownError(results, kj::str("Serialized RPC arguments or return values are limited to 32MiB, but the size of this "
                                        "value was: ", bytes, " bytes."));
      } else {
        writePayload(kj::mv(answer.graph), results.initValue(), wire::INLINE_BYTES, [](auto&) -> capnp::Capability::Client { return nullptr; });
      }
      break;
    }
    case CallAnswer::Kind::THROWN: {
      auto bytes = payloadBytes(answer.graph);
      if (bytes <= wire::INLINE_BYTES) {
        writePayload(answer.graph, results.initThrown());
      } else {
        setThrownError(results, kj::str("What was thrown is too large to be sent: ", bytes, " bytes, ", wire::INLINE_BYTES,
                                        " are allowed."));
      }
      break;
    }
    case CallAnswer::Kind::ENDED: {
      auto ended = results.initEnded();
      ended.setCode(endingCode(answer.ending));
      ended.setMessage(endingText(answer.ending));
      break;
    }
  }
  auto fulfiller = kj::mv(KJ_ASSERT_NONNULL(pending_.find(answer.id)).fulfiller);
  pending_.erase(answer.id);
  fulfiller->fulfill();
}

void setThrownError(rpc::Return::Builder results, kj::StringPtr message) { writePayload(errorGraph(message), results.initThrown()); }

}  // namespace glovebox
