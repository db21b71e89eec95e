#include "tools/gateway/answer-body.h"

#include <kj/debug.h>

#include <string>

#include "ipc/payload.h"
#include "tools/gateway/http-message.h"
#include "tools/gateway/limits.h"

namespace glovebox::gateway {

kj::Promise<kj::Own<ChunkBudget::Room>> ChunkBudget::take(uint64_t bytes) {
  KJ_REQUIRE(bytes <= all_, "a chunk is larger than all that may be held", bytes, all_);
  if (waiting_.empty() && bytes <= left_) {
    return kj::heap<Room>(*this, bytes);
  }
  auto paf = kj::newPromiseAndFulfiller<kj::Own<Room>>();
  waiting_.push_back({bytes, kj::mv(paf.fulfiller)});
  return kj::mv(paf.promise);
}

ChunkBudget::Room::Room(ChunkBudget& budget, uint64_t bytes): budget_(budget), bytes_(bytes) { budget_.left_ -= bytes_; }

ChunkBudget::Room::~Room() noexcept(false) {
  budget_.left_ += bytes_;
  budget_.serve();
}

void ChunkBudget::serve() {
  while (!waiting_.empty() && waiting_.front().bytes <= left_) {
    auto next = kj::mv(waiting_.front());
    waiting_.pop_front();
    // A client that left meanwhile waits no more.
    if (next.fulfiller->isWaiting()) next.fulfiller->fulfill(kj::heap<Room>(*this, next.bytes));
  }
}

namespace {

struct Chunk {
  std::string bytes;
  kj::Own<ChunkBudget::Room> room;   // for a large one, while it is held
};

kj::Maybe<Chunk> checked(ValueGraph graph, kj::Own<ChunkBudget::Room> room) {
  auto chunk = readChunk(std::move(graph));
  if (std::holds_alternative<NoBody>(chunk)) return nullptr;
  KJ_REQUIRE(std::holds_alternative<std::string>(chunk), "the stream did not return bytes");
  return Chunk{std::move(std::get<std::string>(chunk)), kj::mv(room)};
}

kj::Promise<kj::Maybe<Chunk>> requestChunk(rpc::Target::Client& stream, ChunkBudget& budget) {
  auto request = stream.callRequest(capnp::MessageSize{16, 0});
  request.initPath(1).set(0, "read");
  auto arguments = request.getOperation().initInvoke().initValue().initNodes(1)[0].initArray();
  arguments.initItems(0);
  return request.send().then([&budget](capnp::Response<rpc::Return> response) -> kj::Promise<kj::Maybe<Chunk>> {
    KJ_REQUIRE(response.isValue(), "the stream failed");
    auto payload = response.getValue();
    if (isInline(payload)) return checked(readInlinePayload(payload).graph, {});
    return budget.take(payload.getLarge().getSize()).then([response = kj::mv(response)](kj::Own<ChunkBudget::Room> room) mutable {
      auto pulled = readPayload(response.getValue());
      return pulled.then([room = kj::mv(room), response = kj::mv(response)](ReceivedValue value) mutable {
        return checked(std::move(value.graph), kj::mv(room));
      });
    });
  });
}

class Sender {
 public:
  Sender(rpc::Target::Client stream, kj::AsyncOutputStream& to, std::optional<uint64_t> length, ChunkBudget& budget)
      : stream_(kj::mv(stream)), to_(to), left_(length), budget_(budget), next_(ask()) {}

  kj::Promise<void> run() {
    return next_.then([this](kj::Maybe<Chunk> chunk) -> kj::Promise<void> {
      KJ_IF_MAYBE(c, chunk) {
        if (left_) {
          KJ_REQUIRE(c->bytes.size() <= *left_, "the body is longer than it said");
          *left_ -= c->bytes.size();
        }
        next_ = ask();
        if (c->bytes.empty()) return run();
        auto held = kj::heap(kj::mv(*c));
        auto sent = to_.write(held->bytes.data(), held->bytes.size());
        return sent.attach(kj::mv(held)).then([this]() { return run(); });
      }
      KJ_REQUIRE(!left_ || *left_ == 0, "the body is shorter than it said");
      return kj::READY_NOW;
    });
  }

 private:
  rpc::Target::Client stream_;
  kj::AsyncOutputStream& to_;
  std::optional<uint64_t> left_;
  ChunkBudget& budget_;
  kj::Promise<kj::Maybe<Chunk>> next_;

  kj::Promise<kj::Maybe<Chunk>> ask() { return requestChunk(stream_, budget_).eagerlyEvaluate(nullptr); }
};

}  // namespace

kj::Promise<void> sendStream(rpc::Target::Client stream, kj::AsyncOutputStream& to, std::optional<uint64_t> length,
                             ChunkBudget& budget) {
  auto sender = kj::heap<Sender>(kj::mv(stream), to, length, budget);
  auto sent = sender->run();
  return sent.attach(kj::mv(sender));
}

}  // namespace glovebox::gateway
