#include "ipc/message-stream.h"

#include <capnp/serialize.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/refcount.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace glovebox {

namespace {

using capnp::word;

// Holds many calls; a message that does not fit gets memory of its own. There is one for every live worker.
constexpr size_t READ_BUFFER_BYTES = 16 * 1024;

// Cap'n Proto itself refuses 512 and more.
constexpr uint32_t SEGMENTS_MAX = 511;

// A Finish or a Release is smaller, and nobody waits for it; a Call is larger.
constexpr size_t SOON_BYTES_MIN = 64;

// From here on, copying a message costs more than the system call it saves.
constexpr size_t DIRECT_WRITE_BYTES = 64 * 1024;

// An outgoing buffer that has grown beyond this is given back when it is empty.
constexpr size_t KEPT_BUFFER_BYTES = 64 * 1024;

template <typename... Params>
kj::Exception frameError(Params&&... params) {
  return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                       kj::str("message frame: ", kj::fwd<Params>(params)...));
}

kj::Exception disconnected(kj::StringPtr what, int error) {
  return kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
                       error == 0 ? kj::str(what) : kj::str(what, ": ", strerror(error)));
}

struct HeldWords {
  explicit HeldWords(kj::Array<word>&& words): words(kj::mv(words)) {}
  kj::Array<word> words;
};

// A message that owns its bytes.
class ReceivedMessage final: private HeldWords, public capnp::FlatArrayMessageReader {
 public:
  ReceivedMessage(kj::Array<word>&& words, const capnp::ReaderOptions& options)
      : HeldWords(kj::mv(words)), FlatArrayMessageReader(HeldWords::words.asPtr(), options) {}
};

// Memory that is about to be filled, with its pages in place: one by one, by fault, they cost a worker's fresh memory as much
// again as the bytes cost on their way. A size that cannot be had is left to the heap to complain about.
class MappedWords final: public kj::ArrayDisposer {
 public:
  static kj::Array<word> allocate(size_t count) {
    static const MappedWords disposer;
    void* memory = mmap(nullptr, count * sizeof(word), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return kj::heapArray<word>(count);
    return kj::Array<word>(static_cast<word*>(memory), count, disposer);
  }

 protected:
  void disposeImpl(void* first, size_t, size_t count, size_t, void (*)(void*)) const override { munmap(first, count * sizeof(word)); }
};

// From here on; below, the heap has memory that was used before.
constexpr size_t MAPPED_BYTES_MIN = 256 * 1024;

size_t headerWords(size_t segments) { return segments / 2 + 1; }

}  // namespace

// What was taken from messages that are gone.
class BufferedMessageStream::Kept final: public kj::Refcounted {
 public:
  ~Kept() noexcept(false) override = default;

  void want(const void* part) { wanted_ = part; }
  void offer(kj::Array<word>&& words) {
    if (wanted_ < static_cast<const void*>(words.begin()) || wanted_ >= static_cast<const void*>(words.end())) return;
    words_.add(kj::mv(words));
    wanted_ = nullptr;
  }

 private:
  const void* wanted_ = nullptr;
  kj::Vector<kj::Array<word>> words_;
};

// May outlive the stream.
class BufferedMessageStream::LargeMessage final: private HeldWords, public capnp::FlatArrayMessageReader {
 public:
  LargeMessage(kj::Array<word>&& words, const capnp::ReaderOptions& options, kj::Own<Kept> kept)
      : HeldWords(kj::mv(words)), FlatArrayMessageReader(HeldWords::words.asPtr(), options), kept_(kj::mv(kept)) {}
  ~LargeMessage() noexcept(false) override { kept_->offer(kj::mv(HeldWords::words)); }

 private:
  kj::Own<Kept> kept_;
};

// The promise of one large write. Dropping it before the end leaves half a message on the wire, so that ends the stream.
class BufferedMessageStream::DirectWrite {
 public:
  DirectWrite(kj::PromiseFulfiller<void>& fulfiller, BufferedMessageStream& stream,
              kj::ArrayPtr<const kj::ArrayPtr<const word>> segments)
      : fulfiller_(fulfiller), stream_(stream), segments_(segments) {
    stream.direct_ = *this;
    stream.startFlush(false);
  }
  ~DirectWrite() noexcept(false) {
    if (done_) return;
    stream_.direct_ = nullptr;
    stream_.cut(disconnected("a message was abandoned while it was being written", 0));
  }
  KJ_DISALLOW_COPY(DirectWrite);

  // False if the kernel takes no more for now.
  bool write() {
    while (segment_ < segments_.size()) {
      auto bytes = segments_[segment_].asBytes();
      if (!stream_.writeSome(bytes.begin() + offset_, bytes.size() - offset_, offset_)) return false;
      offset_ = 0;
      ++segment_;
    }
    done_ = true;
    stream_.direct_ = nullptr;
    fulfiller_.fulfill();
    return true;
  }
  void fail(const kj::Exception& exception) {
    done_ = true;
    stream_.direct_ = nullptr;
    fulfiller_.reject(kj::cp(exception));
  }
  size_t unsentBytes() const {
    size_t bytes = 0;
    for (size_t i = segment_; i < segments_.size(); ++i) bytes += segments_[i].asBytes().size();
    return bytes - offset_;
  }

 private:
  kj::PromiseFulfiller<void>& fulfiller_;
  BufferedMessageStream& stream_;
  kj::ArrayPtr<const kj::ArrayPtr<const word>> segments_;
  size_t segment_ = 0;
  size_t offset_ = 0;
  bool done_ = false;
};

BufferedMessageStream::BufferedMessageStream(int fd, FdWaiter& waiter, MessageStreamOptions options)
    : fd_(fd), waiter_(waiter), options_(options), kept_(kj::refcounted<Kept>()) {}

BufferedMessageStream::~BufferedMessageStream() noexcept(false) {
  KJ_IF_MAYBE(direct, direct_) direct->fail(disconnected("the stream was closed", 0));
}

size_t BufferedMessageStream::unsentBytes() const {
  size_t bytes = unsent_.size() - sent_;
  KJ_IF_MAYBE(direct, direct_) bytes += direct->unsentBytes();
  return bytes;
}

void BufferedMessageStream::keepMessageWith(const void* part) { kept_->want(part); }

void BufferedMessageStream::cut(kj::Exception&& reason) {
  if (failure_ != nullptr) return;
  KJ_IF_MAYBE(direct, direct_) direct->fail(reason);
  KJ_IF_MAYBE(fulfiller, drained_) (*fulfiller)->reject(kj::cp(reason));
  drained_ = nullptr;
  failure_ = kj::mv(reason);
  // Wakes a read that is waiting; it then finds `failure_`. A worker has no shutdown(), and no use for it: its writes
  // fail only when the supervisor is gone.
  if (options_.systemCalls == MessageStreamOptions::SystemCalls::SOCKET) shutdown(fd_, SHUT_RDWR);
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> BufferedMessageStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd> fdSpace, capnp::ReaderOptions options, kj::ArrayPtr<word> scratchSpace) {
  KJ_IF_MAYBE(message, takeMessage(options)) {
    return kj::Maybe<capnp::MessageReaderAndFds>(capnp::MessageReaderAndFds{kj::mv(*message), nullptr});
  }
  KJ_IF_MAYBE(failure, failure_) return kj::cp(*failure);
  return waiter_.whenReadable().then(
      [this, fdSpace, options, scratchSpace]() -> kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> {
        if (failure_ == nullptr && !readSome()) {
          if (begin_ == end_ && large_ == nullptr) return kj::Maybe<capnp::MessageReaderAndFds>(nullptr);
          cut(disconnected("the peer hung up inside a message", 0));
        }
        return tryReadMessage(fdSpace, options, scratchSpace);
      });
}

// The size of the message at `begin_`, framing included; 0 if that is not known yet.
size_t BufferedMessageStream::frameBytes() {
  size_t available = end_ - begin_;
  if (available < sizeof(uint32_t)) return 0;
  auto number = [this](size_t index) {
    uint32_t value;
    memcpy(&value, buffer_.begin() + begin_ + index * sizeof(uint32_t), sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
  };

  uint32_t segments = number(0) + 1;  // 0xffffffff wraps to 0
  if (segments == 0 || segments > SEGMENTS_MAX) {
    cut(frameError("got ", uint64_t(number(0)) + 1, " segments, expected 1 to ", SEGMENTS_MAX));
    return 0;
  }
  if (available < headerWords(segments) * sizeof(word)) return 0;

  uint64_t words = headerWords(segments);
  for (uint32_t i = 0; i < segments; ++i) words += number(1 + i);  // cannot overflow: 511 times 32 bits
  if (words > options_.messageBytesMax / sizeof(word)) {
    cut(frameError("got a message of ", words * sizeof(word), " bytes, expected at most ", options_.messageBytesMax));
    return 0;
  }
  return words * sizeof(word);
}

kj::Maybe<kj::Own<capnp::MessageReader>> BufferedMessageStream::takeMessage(const capnp::ReaderOptions& given) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kj::min(given.traversalLimitInWords, options_.reader.traversalLimitInWords);
  options.nestingLimit = kj::min(given.nestingLimit, options_.reader.nestingLimit);

  if (large_ == nullptr) {
    if (failure_ != nullptr) return nullptr;
    size_t size = frameBytes();
    if (size == 0) return nullptr;
    size_t available = end_ - begin_;
    if (available < size && size <= READ_BUFFER_BYTES) return nullptr;

    bool mapped = size >= MAPPED_BYTES_MIN && options_.systemCalls == MessageStreamOptions::SystemCalls::READ_WRITE;
    auto words = mapped ? MappedWords::allocate(size / sizeof(word)) : kj::heapArray<word>(size / sizeof(word));
    size_t taken = kj::min(available, size);
    memcpy(words.begin(), buffer_.begin() + begin_, taken);
    begin_ += taken;
    if (taken < size) {
      large_ = kj::mv(words);
      largeFilled_ = taken;
      return nullptr;
    }
    return kj::Own<capnp::MessageReader>(kj::heap<ReceivedMessage>(kj::mv(words), options));
  }

  if (largeFilled_ < large_.asBytes().size()) return nullptr;
  largeFilled_ = 0;
  return kj::Own<capnp::MessageReader>(kj::heap<LargeMessage>(kj::mv(large_), options, kj::addRef(*kept_)));
}

// False at end-of-file.
bool BufferedMessageStream::readSome() {
  kj::byte* target;
  size_t space;
  if (large_ != nullptr) {
    target = large_.asBytes().begin() + largeFilled_;
    space = large_.asBytes().size() - largeFilled_;
  } else {
    if (buffer_ == nullptr) buffer_ = kj::heapArray<kj::byte>(READ_BUFFER_BYTES);
    if (begin_ > 0) {
      memmove(buffer_.begin(), buffer_.begin() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    target = buffer_.begin() + end_;
    space = buffer_.size() - end_;
  }

  ssize_t got;
  do {
    got = ::read(fd_, target, space);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
    cut(disconnected("the line broke while reading", errno));
    return true;
  }
  if (large_ != nullptr) {
    largeFilled_ += got;
  } else {
    end_ += got;
  }
  return got > 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Writing

kj::Promise<void> BufferedMessageStream::writeMessage(kj::ArrayPtr<const int> fds,
                                                      kj::ArrayPtr<const kj::ArrayPtr<const word>> segments) {
  if (failure_ != nullptr) return writeFailure();
  KJ_REQUIRE(fds.size() == 0, "descriptors cannot travel on this stream");
  KJ_REQUIRE(direct_ == nullptr && drained_ == nullptr, "one write at a time");
  if (!tryAppend(segments)) return kj::newAdaptedPromise<void, DirectWrite>(*this, segments);
  return whenBelow(options_.outgoingBytesHigh, options_.outgoingBytesHigh / 2);
}

kj::Promise<void> BufferedMessageStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const word>>> messages) {
  if (failure_ != nullptr) return writeFailure();
  KJ_REQUIRE(direct_ == nullptr && drained_ == nullptr, "one write at a time");
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!tryAppend(messages[i])) {
      return kj::newAdaptedPromise<void, DirectWrite>(*this, messages[i])
          .then([this, rest = messages.slice(i + 1, messages.size())]() { return writeMessages(rest); });
    }
  }
  return whenBelow(options_.outgoingBytesHigh, options_.outgoingBytesHigh / 2);
}

// Whatever the reason, to the RpcSystem a write that goes nowhere is a disconnect: it logs anything else as an error.
kj::Exception BufferedMessageStream::writeFailure() const {
  return disconnected(KJ_ASSERT_NONNULL(failure_).getDescription(), 0);
}

kj::Promise<void> BufferedMessageStream::end() {
  if (failure_ != nullptr) return kj::READY_NOW;
  return whenBelow(0, 0).then([this]() {
    if (options_.systemCalls == MessageStreamOptions::SystemCalls::SOCKET) shutdown(fd_, SHUT_WR);
  });
}

// False if the message is too large to be copied: then only its header is in the buffer.
bool BufferedMessageStream::tryAppend(kj::ArrayPtr<const kj::ArrayPtr<const word>> segments) {
  KJ_REQUIRE(segments.size() > 0, "a message has at least one segment");
  size_t size = 0;
  for (auto& segment: segments) size += segment.asBytes().size();

  auto addNumber = [this](uint32_t value) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    unsent_.addAll(kj::arrayPtr(reinterpret_cast<const kj::byte*>(&value), sizeof(value)));
  };
  addNumber(segments.size() - 1);
  for (auto& segment: segments) addNumber(segment.size());
  if (segments.size() % 2 == 0) addNumber(0);

  if (size >= DIRECT_WRITE_BYTES) return false;
  for (auto& segment: segments) unsent_.addAll(segment.asBytes());
  startFlush(options_.flush == MessageStreamOptions::Flush::SOON && size > SOON_BYTES_MIN);
  return true;
}

void BufferedMessageStream::startFlush(bool soon) {
  if (flushing_ && !(soon && flushIsLast_)) return;
  flushing_ = true;
  flushIsLast_ = !soon;
  auto flushed = soon ? kj::evalLater([this]() { return flush(); }) : kj::evalLast([this]() { return flush(); });
  flushTask_ = flushed.eagerlyEvaluate([this](kj::Exception&& exception) {
    flushing_ = false;
    cut(kj::mv(exception));
  });
}

kj::Promise<void> BufferedMessageStream::flush() {
  flushIsLast_ = false;
  KJ_IF_MAYBE(failure, failure_) return kj::cp(*failure);
  bool all = writeSome(unsent_.begin() + sent_, unsent_.size() - sent_, sent_);
  if (all) {
    if (unsent_.capacity() > KEPT_BUFFER_BYTES) {
      unsent_ = kj::Vector<kj::byte>();
    } else {
      unsent_.clear();
    }
    sent_ = 0;
    KJ_IF_MAYBE(direct, direct_) all = direct->write();
  } else if (sent_ >= KEPT_BUFFER_BYTES) {
    // Else a peer that is always a little behind would make the buffer grow for ever.
    size_t left = unsent_.size() - sent_;
    memmove(unsent_.begin(), unsent_.begin() + sent_, left);
    unsent_.truncate(left);
    sent_ = 0;
  }
  if (all || (direct_ == nullptr && unsent_.size() - sent_ <= drainedBelow_)) {
    KJ_IF_MAYBE(fulfiller, drained_) (*fulfiller)->fulfill();
    drained_ = nullptr;
  }
  if (all) {
    flushing_ = false;
    return kj::READY_NOW;
  }
  return waiter_.whenWritable().then([this]() { return flush(); });
}

// Adds to `written` what the kernel took; false if that was not all.
bool BufferedMessageStream::writeSome(const void* data, size_t size, size_t& written) {
  auto next = static_cast<const kj::byte*>(data);
  while (size > 0) {
    ssize_t count = options_.systemCalls == MessageStreamOptions::SystemCalls::SOCKET
                        ? ::send(fd_, next, size, MSG_NOSIGNAL)
                        : ::write(fd_, next, size);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      kj::throwFatalException(disconnected("the line broke while writing", errno));
    }
    next += count;
    size -= count;
    written += count;
  }
  return true;
}

// Ready at once if no more than `high` bytes are unsent, else when no more than `low` are.
kj::Promise<void> BufferedMessageStream::whenBelow(size_t high, size_t low) {
  if (unsent_.size() - sent_ <= high && direct_ == nullptr) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  drained_ = kj::mv(paf.fulfiller);
  drainedBelow_ = low;
  return kj::mv(paf.promise);
}

}  // namespace glovebox
