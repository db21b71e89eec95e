#pragma once
// Cap'n Proto messages over one stream socket, buffered both ways: one read() takes as many messages as have arrived,
// and all that is written in one turn of the loop leaves in one write(). That halves the latency of a call and triples
// pipelined throughput against capnp 0.9's own stream.
//
// The peer may be hostile. A frame is checked before anything is allocated for it; a frame that is wrong breaks the
// stream for good. One read per readiness, so that a peer which never stops writing does not starve the others.
//
// Descriptors are never received and never sent.

#include <capnp/serialize-async.h>
#include <kj/async.h>
#include <kj/vector.h>

#include "ipc/fd-waiter.h"

namespace glovebox {

struct MessageStreamOptions {
  enum class SystemCalls {
    SOCKET,      // send() without SIGPIPE, shutdown()
    READ_WRITE,  // read() and write() only: a worker's filter lets nothing else through
  };
  SystemCalls systemCalls = SystemCalls::SOCKET;

  enum class Flush {
    LAST,   // when the loop has nothing else to do: most messages a write
    SOON,   // after what is queued now: the peer begins while the rest is still being made. Not for a Finish or a Release
  };
  Flush flush = Flush::LAST;

  // One incoming message, framing included.
  size_t messageBytesMax = 1 << 20;

  // Above this much unsent data a write is held back until half of it has left.
  size_t outgoingBytesHigh = 256 * 1024;

  // For incoming messages. Kept here rather than in the VatNetwork because that one applies its limit to outgoing
  // messages too, which on a worker's line may be a thousand times larger.
  capnp::ReaderOptions reader;
};

class BufferedMessageStream final: public capnp::MessageStream {
 public:
  // `fd` is a non-blocking stream socket; both are borrowed.
  BufferedMessageStream(int fd, FdWaiter& waiter, MessageStreamOptions options);
  ~BufferedMessageStream() noexcept(false);
  KJ_DISALLOW_COPY(BufferedMessageStream);

  // Bytes that were accepted but not yet taken by the kernel.
  size_t unsentBytes() const;

  // The memory of the incoming message in which `part` lies is freed with this stream and not with the message. While the
  // message is there, and only for one that is larger than what is read at once.
  void keepMessageWith(const void* part);

  // Ends both directions at once; reads and writes fail with `reason` from now on.
  void cut(kj::Exception&& reason);

  using capnp::MessageStream::tryReadMessage;
  using capnp::MessageStream::writeMessage;
  using capnp::MessageStream::writeMessages;

  // Null at a clean end-of-file; a DISCONNECTED exception if it comes inside a message.
  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(kj::ArrayPtr<kj::AutoCloseFd> fdSpace,
                                                                    capnp::ReaderOptions options,
                                                                    kj::ArrayPtr<capnp::word> scratchSpace) override;

  // One at a time, as VatNetwork does it. Small messages are copied and the promise is ready at once unless too much is
  // unsent; a large one is written from where it lies, and its promise resolves when it has left.
  kj::Promise<void> writeMessage(kj::ArrayPtr<const int> fds,
                                 kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;

  kj::Maybe<int> getSendBufferSize() override { return nullptr; }
  kj::Promise<void> end() override;

 private:
  class DirectWrite;
  class Kept;
  class LargeMessage;

  const int fd_;
  FdWaiter& waiter_;
  const MessageStreamOptions options_;
  kj::Maybe<kj::Exception> failure_;

  // Incoming: bytes [begin_, end_) of the buffer, or a message too large for it that is being filled in place.
  kj::Array<kj::byte> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  kj::Array<capnp::word> large_;
  size_t largeFilled_ = 0;
  kj::Own<Kept> kept_;

  // Outgoing.
  kj::Vector<kj::byte> unsent_;
  size_t sent_ = 0;  // of `unsent_`
  kj::Maybe<DirectWrite&> direct_;
  bool flushing_ = false;
  bool flushIsLast_ = false;   // and has not begun
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> drained_;  // a write that is held back, or end()
  size_t drainedBelow_ = 0;
  kj::Promise<void> flushTask_ = nullptr;

  size_t frameBytes();
  kj::Maybe<kj::Own<capnp::MessageReader>> takeMessage(const capnp::ReaderOptions& options);
  bool readSome();

  bool tryAppend(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments);
  void startFlush(bool soon);
  kj::Promise<void> flush();
  bool writeSome(const void* data, size_t size, size_t& written);
  kj::Exception writeFailure() const;
  kj::Promise<void> whenBelow(size_t high, size_t low);
};

}  // namespace glovebox
