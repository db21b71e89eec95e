#include "worker/call-server.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <kj/debug.h>

#include <cstring>
#include <iterator>
#include <utility>

#include "ipc/value-codec.h"
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

// A result that waits to be pulled. Holds the message as it was built: a copy of 32 MiB less.
class LargeResult final: public rpc::ByteSource::Server {
 public:
  LargeResult(const ValueGraph& graph, uint64_t words): message_(uint(words + 8)) {
    encodeValue(graph, message_.initRoot<rpc::Value>());
    auto segments = message_.getSegmentsForOutput();
    // Standard framing: number of segments less one, their sizes, padding to a word.
    kj::Vector<uint32_t> header;
    header.add(uint32_t(segments.size() - 1));
    for (auto& segment: segments) header.add(uint32_t(segment.size()));
    if (header.size() % 2 != 0) header.add(0);
    header_ = header.releaseAsArray();
    parts_.add(header_.asBytes());
    for (auto& segment: segments) parts_.add(segment.asBytes());
    for (auto& part: parts_) size_ += part.size();
  }

  uint64_t size() const { return size_; }

 protected:
  kj::Promise<void> read(ReadContext context) override {
    auto params = context.getParams();
    uint64_t from = kj::min(params.getOffset(), size_);
    uint64_t length = kj::min(kj::min(uint64_t(params.getLength()), wire::CHUNK_BYTES), size_ - from);
    auto out = context.getResults(capnp::MessageSize{length / 8 + 8, 0}).initBytes(uint(length));
    for (auto& part: parts_) {
      if (out.size() == 0) break;
      if (from >= part.size()) {
        from -= part.size();
        continue;
      }
      uint64_t some = kj::min(part.size() - from, out.size());
      memcpy(out.begin(), part.begin() + from, some);
      out = capnp::Data::Builder(out.slice(some, out.size()));
      from = 0;
    }
    return kj::READY_NOW;
  }

 private:
  capnp::MallocMessageBuilder message_;
  kj::Array<uint32_t> header_;
  kj::Vector<kj::ArrayPtr<const kj::byte>> parts_;
  uint64_t size_ = 0;
};

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
      auto words = encodedWords(answer.graph);
      if (words * sizeof(capnp::word) <= wire::INLINE_RESULT_BYTES) {
        encodeValue(answer.graph, results.initValue());
      } else if (words * sizeof(capnp::word) > wire::RESULT_BYTES_MAX) {
        setThrownError(results, kj::str("Serialized RPC arguments or return values are limited to 32MiB, but the size of this "
                                        "value was: ", words * sizeof(capnp::word), " bytes."));
      } else {
        auto source = kj::heap<LargeResult>(answer.graph, words);
        auto large = results.initLarge();
        large.setSize(source->size());
        large.setSource(kj::mv(source));
      }
      break;
    }
    case CallAnswer::Kind::THROWN: {
      auto words = encodedWords(answer.graph);
      if (words * sizeof(capnp::word) <= wire::INLINE_RESULT_BYTES) {
        encodeValue(answer.graph, results.initThrown());
      } else {
        setThrownError(results, kj::str("What was thrown is too large to be sent: ", words * sizeof(capnp::word), " bytes, ",
                                        wire::INLINE_RESULT_BYTES, " are allowed."));
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

void setThrownError(rpc::Return::Builder results, kj::StringPtr message) { encodeValue(errorGraph(message), results.initThrown()); }

}  // namespace glovebox
