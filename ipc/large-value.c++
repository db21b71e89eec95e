#include "ipc/large-value.h"

#include <capnp/serialize.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include <cstring>

#include "ipc/wire-limits.h"

namespace glovebox {
namespace {

// Enough to hide the round trip, little enough that the supervisor holds next to nothing.
constexpr unsigned CHUNKS_IN_FLIGHT = 4;

// Holds the message as it was built: a copy of up to 32 MiB less.
class LargeSource final: public rpc::ByteSource::Server {
 public:
  template <typename Message>
  LargeSource(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments, Message&& message)
      : message_(kj::attachVal(0, kj::fwd<Message>(message))) {
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
    auto out = context.getResults(capnp::MessageSize{length / 8 + 8, 0}).initBytes(unsigned(length));
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
  kj::Own<int> message_;
  kj::Array<uint32_t> header_;
  kj::Vector<kj::ArrayPtr<const kj::byte>> parts_;
  uint64_t size_ = 0;
};

void offer(kj::Own<LargeSource> source, rpc::LargeValue::Builder to) {
  to.setSize(source->size());
  to.setSource(kj::mv(source));
}

class Puller final: public kj::Refcounted {
 public:
  Puller(rpc::ByteSource::Client source, size_t size)
      : source_(kj::mv(source)), size_(size), words_(kj::heapArray<capnp::word>(size / sizeof(capnp::word))) {}

  kj::Promise<void> pull() {
    auto lanes = kj::heapArrayBuilder<kj::Promise<void>>(CHUNKS_IN_FLIGHT);
    for (unsigned i = 0; i < CHUNKS_IN_FLIGHT; i++) lanes.add(lane());
    return kj::joinPromises(lanes.finish());
  }

  kj::Array<capnp::word> take() { return kj::mv(words_); }

 private:
  rpc::ByteSource::Client source_;
  const size_t size_;
  size_t next_ = 0;
  kj::Array<capnp::word> words_;

  kj::Promise<void> lane() {
    if (next_ >= size_) return kj::READY_NOW;
    size_t offset = next_;
    size_t length = kj::min(wire::CHUNK_BYTES, size_ - offset);
    next_ += length;
    auto request = source_.readRequest();
    request.setOffset(offset);
    request.setLength(static_cast<uint32_t>(length));
    return request.send().then([this, offset, length](auto&& response) {
      auto bytes = response.getBytes();
      KJ_REQUIRE(bytes.size() == length, "a large value ended before its announced size", offset, length, bytes.size());
      memcpy(words_.asBytes().begin() + offset, bytes.begin(), length);
      return lane();
    });
  }
};

}  // namespace

void offerLarge(kj::Own<capnp::MallocMessageBuilder> message, rpc::LargeValue::Builder to) {
  auto segments = message->getSegmentsForOutput();
  offer(kj::heap<LargeSource>(segments, kj::mv(message)), to);
}

void offerLarge(kj::Array<capnp::word> segment, rpc::LargeValue::Builder to) {
  kj::ArrayPtr<const capnp::word> only = segment;
  offer(kj::heap<LargeSource>(kj::arrayPtr(&only, 1), kj::mv(segment)), to);
}

kj::Promise<kj::Array<capnp::word>> pullLarge(rpc::LargeValue::Reader from, size_t bytesMax) {
  uint64_t size = from.getSize();
  KJ_REQUIRE(size <= bytesMax, "a value is larger than values may be", size, bytesMax);
  KJ_REQUIRE(size % sizeof(capnp::word) == 0, "a large value is not a whole number of words", size);
  KJ_REQUIRE(from.hasSource(), "a large value has no source");
  auto puller = kj::refcounted<Puller>(from.getSource(), size);
  auto& p = *puller;
  return p.pull().then([&p]() { return p.take(); }).attach(kj::mv(puller));
}

void withLargeMessage(kj::ArrayPtr<const capnp::word> words, kj::FunctionParam<void(capnp::MessageReader&)> use) {
  capnp::ReaderOptions options;
  // Every list is read once, but lists of structs are visited by pointer; the size of the message bounds the work. Modules are
  // read five times: measured twice, hashed, copied for the worker and for who compiles them.
  options.traversalLimitInWords = words.size() * 6 + 1024;
  capnp::FlatArrayMessageReader reader(words, options);
  use(reader);
}

}  // namespace glovebox
