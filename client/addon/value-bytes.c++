#include "client/addon/value-bytes.h"

#include <kj/debug.h>

#include <cstring>

#include "ipc/wire-limits.h"

namespace glovebox::client {
namespace {

using capnp::word;

constexpr size_t WORDS_MAX = wire::PAYLOAD_BYTES_MAX / sizeof(word) + 2;   // a root pointer, and one to spare

// Our own process wrote it, so work is bounded by its size only; but a mistake must not read for ever.
capnp::ReaderOptions options() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 16 * WORDS_MAX;
  return options;
}

}  // namespace

ValueBytes::ValueBytes(kj::ArrayPtr<const kj::byte> bytes)
    : segment_(align(bytes)), reader_(kj::arrayPtr(&segment_, 1), options()) {}

kj::ArrayPtr<const word> ValueBytes::align(kj::ArrayPtr<const kj::byte> bytes) {
  KJ_REQUIRE(bytes.size() > 0 && bytes.size() % sizeof(word) == 0, "a value is not a whole number of words", bytes.size());
  KJ_REQUIRE(bytes.size() <= WORDS_MAX * sizeof(word), "a value is larger than values may be", bytes.size(),
             wire::PAYLOAD_BYTES_MAX);
  size_t words = bytes.size() / sizeof(word);
  if (reinterpret_cast<uintptr_t>(bytes.begin()) % alignof(word) == 0) {
    return kj::arrayPtr(reinterpret_cast<const word*>(bytes.begin()), words);
  }
  aligned_ = kj::heapArray<word>(words);
  memcpy(aligned_.begin(), bytes.begin(), bytes.size());
  return aligned_;
}

size_t copyValue(rpc::Value::Reader value, kj::FunctionParam<kj::ArrayPtr<word>(size_t words)> allocate) {
  size_t words = value.totalSize().wordCount + 1;
  KJ_REQUIRE(words <= WORDS_MAX, "a value is larger than values may be", words * sizeof(word), wire::PAYLOAD_BYTES_MAX);
  // It refuses to grow: the whole value ends up in this one segment or nowhere.
  capnp::FlatMessageBuilder to(allocate(words));
  to.setRoot(value);
  return to.getSegmentsForOutput()[0].size();
}

}  // namespace glovebox::client
