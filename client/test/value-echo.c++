// Says back each Value it is told, so that the codec of the Node client (client/src/codec.ts) can be held against the one in
// C++: what decodeValue() accepts and encodeValue() makes of it. Frames on stdin and stdout are a length in bytes (32 bits,
// little-endian) and a message of one segment without Cap'n Proto's own framing. A Value that is refused is answered with
// length 0 and its reason on stderr.

#include <capnp/message.h>
#include <kj/exception.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "ipc/value-codec.h"

namespace {

// More than any test sends; a longer frame is a mistake of the test.
constexpr uint32_t FRAME_BYTES_MAX = 64u << 20;

// As many as the test's messages refer to at most; what they are does not matter here.
constexpr size_t EXTERNALS = 8;

bool readAll(void* to, size_t size) { return fread(to, 1, size, stdin) == size; }

void answer(kj::ArrayPtr<const capnp::word> segment) {
  auto bytes = segment.asBytes();
  auto size = static_cast<uint32_t>(bytes.size());
  fwrite(&size, sizeof size, 1, stdout);
  fwrite(bytes.begin(), 1, bytes.size(), stdout);
  fflush(stdout);
}

void echo(kj::ArrayPtr<const capnp::word> segment) {
  kj::ArrayPtr<const capnp::word> segments[] = {segment};
  capnp::ReaderOptions options;
  options.traversalLimitInWords = segment.size() + 64;
  capnp::SegmentArrayMessageReader reader(segments, options);
  auto graph = glovebox::decodeValue(reader.getRoot<glovebox::rpc::Value>(), EXTERNALS);
  capnp::MallocMessageBuilder message(glovebox::encodedWords(graph));
  glovebox::encodeValue(graph, message.initRoot<glovebox::rpc::Value>());
  KJ_ASSERT(message.getSegmentsForOutput().size() == 1);
  answer(message.getSegmentsForOutput()[0]);
}

}  // namespace

int main() {
  uint32_t size;
  while (readAll(&size, sizeof size)) {
    if (size > FRAME_BYTES_MAX || size % sizeof(capnp::word) != 0) {
      fprintf(stderr, "got a frame of %u bytes, expected whole words and at most %u\n", size, FRAME_BYTES_MAX);
      return 1;
    }
    std::vector<capnp::word> words(size / sizeof(capnp::word));
    if (!readAll(words.data(), size)) return 1;
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { echo(kj::arrayPtr(words.data(), words.size())); })) {
      fprintf(stderr, "%s\n", exception->getDescription().cStr());
      answer(nullptr);
    }
  }
  return 0;
}
