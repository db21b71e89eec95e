#include "ipc/return-reader.h"

#include <capnp/dynamic.h>
#include <capnp/schema.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

#include "ipc/value-codec.h"
#include "ipc/wire-limits.h"

namespace glovebox {
namespace {

// Enough to hide the round trip, little enough that the supervisor holds next to nothing.
constexpr unsigned CHUNKS_IN_FLIGHT = 4;

ValueGraph decodeMessage(kj::ArrayPtr<const capnp::word> words) {
  capnp::ReaderOptions options;
  // Every list is read once, but lists of structs are visited by pointer; the size of the message bounds the work.
  options.traversalLimitInWords = words.size() * 4 + 1024;
  capnp::FlatArrayMessageReader reader(words, options);
  return decodeValue(reader.getRoot<rpc::Value>());
}

class Puller final: public kj::Refcounted {
 public:
  Puller(rpc::ByteSource::Client source, size_t size)
      : source_(kj::mv(source)), size_(size), words_(kj::heapArray<capnp::word>((size + sizeof(capnp::word) - 1) / sizeof(capnp::word))) {}

  kj::Promise<void> pull() {
    auto lanes = kj::heapArrayBuilder<kj::Promise<void>>(CHUNKS_IN_FLIGHT);
    for (unsigned i = 0; i < CHUNKS_IN_FLIGHT; i++) lanes.add(lane());
    return kj::joinPromises(lanes.finish());
  }

  kj::ArrayPtr<const capnp::word> words() const { return words_; }

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
      KJ_REQUIRE(bytes.size() == length, "a large result ended before its announced size", offset, length, bytes.size());
      memcpy(words_.asBytes().begin() + offset, bytes.begin(), length);
      return lane();
    });
  }
};

}  // namespace

kj::Promise<CallOutcome> readReturn(capnp::Response<rpc::Return>&& response) {
  switch (response.which()) {
    case rpc::Return::VALUE: return CallOutcome(CallValue{decodeValue(response.getValue())});
    case rpc::Return::THROWN: return CallOutcome(CallThrown{decodeValue(response.getThrown())});
    case rpc::Return::ENDED: {
      auto ending = response.getEnded();
      return CallOutcome(CallEnded{ending.getCode(), endingName(ending.getCode()), kj::str(ending.getMessage())});
    }
    case rpc::Return::LARGE: {
      auto large = response.getLarge();
      size_t size = large.getSize();
      KJ_REQUIRE(size <= wire::RESULT_BYTES_MAX, "a result is larger than results may be", size);
      KJ_REQUIRE(size % sizeof(capnp::word) == 0, "a large result is not a whole number of words", size);
      auto puller = kj::refcounted<Puller>(large.getSource(), size);
      auto& p = *puller;
      return p.pull().then([&p]() { return CallOutcome(CallValue{decodeMessage(p.words())}); }).attach(kj::mv(puller));
    }
  }
  return KJ_EXCEPTION(FAILED, "an answer of a kind this client does not know");
}

kj::String endingName(rpc::Ending::Code code) {
  auto schema = capnp::Schema::from<rpc::Ending::Code>();
  for (auto enumerant: schema.getEnumerants()) {
    if (enumerant.getOrdinal() == static_cast<uint16_t>(code)) return kj::str(enumerant.getProto().getName());
  }
  return kj::str("unknown");
}

}  // namespace glovebox
