#include "ipc/message-stream.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "ipc/uv-event-port.h"
#include "ipc/value.capnp.h"

namespace glovebox {
namespace {

class MessageStream: public testing::Test {
 protected:
  UvLoop loop;
  UvEventPort port{loop.get()};
  kj::AutoCloseFd ours, theirs;
  kj::Own<UvFdObserver> ourObserver, theirObserver;
  kj::Own<BufferedMessageStream> stream, other;

  ~MessageStream() noexcept override {}
  MessageStream() {
    int fds[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
    ours = kj::AutoCloseFd(fds[0]);
    theirs = kj::AutoCloseFd(fds[1]);
    ourObserver = kj::heap<UvFdObserver>(port, ours.get());
    MessageStreamOptions options;
    options.messageBytesMax = 40 << 20;
    options.reader.traversalLimitInWords = 8 << 20;
    stream = kj::heap<BufferedMessageStream>(ours, *ourObserver, options);
  }
  void makeOther() {
    theirObserver = kj::heap<UvFdObserver>(port, theirs.get());
    MessageStreamOptions options;
    options.systemCalls = MessageStreamOptions::SystemCalls::READ_WRITE;
    options.messageBytesMax = 40 << 20;
    options.reader.traversalLimitInWords = 8 << 20;
    other = kj::heap<BufferedMessageStream>(theirs, *theirObserver, options);
  }
  // The message with a text of `size` bytes.
  static kj::Own<capnp::MallocMessageBuilder> message(size_t size, char fill = 'x') {
    auto builder = kj::heap<capnp::MallocMessageBuilder>();
    auto text = builder->initRoot<rpc::Value>().initNodes(1)[0].initText(size);
    memset(text.begin(), fill, size);
    return builder;
  }
  static size_t textSize(capnp::MessageReader& reader) {
    return reader.getRoot<rpc::Value>().getNodes()[0].getText().size();
  }
  void writeRaw(kj::ArrayPtr<const kj::byte> bytes) {
    while (bytes.size() > 0) {
      ssize_t count = ::write(theirs, bytes.begin(), bytes.size());
      ASSERT_GT(count, 0);
      bytes = bytes.slice(count, bytes.size());
    }
  }
  void writeWords(std::initializer_list<uint32_t> words) {
    writeRaw(kj::arrayPtr(words.begin(), words.size()).asBytes());
  }
  std::string readError() {
    std::string text = "no error";
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
      auto message = stream->tryReadMessage().wait(port.waitScope());
      if (message == nullptr) text = "end of file";
    })) {
      text = exception->getDescription().cStr();
    }
    return text;
  }
};

TEST_F(MessageStream, CarriesMessagesOfAllSizes) {
  makeOther();
  for (size_t size: {0, 1, 100, 15'000, 16'384, 17'000, 64'000, 70'000, 200'000, 5'000'000, 33'000'000}) {
    auto outgoing = message(size);
    auto writing = stream->writeMessage(*outgoing).eagerlyEvaluate(nullptr);
    auto incoming = other->readMessage().wait(port.waitScope());
    EXPECT_EQ(textSize(*incoming), size);
    writing.wait(port.waitScope());
  }
}

TEST_F(MessageStream, ManySmallMessagesLeaveInOneWrite) {
  auto outgoing = message(10);
  for (int i = 0; i < 100; ++i) stream->writeMessage(*outgoing).wait(port.waitScope());
  char none;
  EXPECT_EQ(::read(theirs, &none, 1), -1);  // the turn is not over
  kj::Promise<void>(kj::NEVER_DONE).poll(port.waitScope());
  size_t expected = 100 * capnp::computeSerializedSizeInWords(*outgoing) * sizeof(capnp::word);
  auto buffer = kj::heapArray<kj::byte>(expected + 1);
  EXPECT_EQ(::read(theirs, buffer.begin(), buffer.size()), ssize_t(expected));
}

TEST_F(MessageStream, ManyMessagesInOneReadComeOutOneByOne) {
  auto outgoing = message(10);
  auto words = capnp::messageToFlatArray(*outgoing);
  kj::Vector<kj::byte> bytes;
  for (int i = 0; i < 100; ++i) bytes.addAll(words.asBytes());
  writeRaw(bytes);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(textSize(*stream->readMessage().wait(port.waitScope())), 10u);
  EXPECT_FALSE(stream->readMessage().poll(port.waitScope()));
}

TEST_F(MessageStream, MessageMayArriveByteByByte) {
  auto outgoing = message(50);
  auto words = capnp::messageToFlatArray(*outgoing);
  auto reading = stream->readMessage();
  auto bytes = words.asBytes();
  for (auto& byte: bytes.slice(0, bytes.size() - 1)) {
    writeRaw(kj::arrayPtr(&byte, 1));
    ASSERT_FALSE(reading.poll(port.waitScope()));
  }
  writeRaw(bytes.slice(bytes.size() - 1, bytes.size()));
  EXPECT_EQ(textSize(*reading.wait(port.waitScope())), 50u);
}

TEST_F(MessageStream, EndOfFileBetweenMessagesIsClean) {
  writeRaw(capnp::messageToFlatArray(*message(10)).asBytes());
  theirs = nullptr;
  EXPECT_EQ(readError(), "no error");
  EXPECT_EQ(readError(), "end of file");
}

TEST_F(MessageStream, EndOfFileInsideAMessageIsADisconnect) {
  writeRaw(capnp::messageToFlatArray(*message(10)).asBytes().slice(0, 30));
  theirs = nullptr;
  EXPECT_EQ(readError(), "the peer hung up inside a message");
}

TEST_F(MessageStream, EndOfFileInsideALargeMessageIsADisconnect) {
  writeRaw(capnp::messageToFlatArray(*message(100'000)).asBytes().slice(0, 1000));
  theirs = nullptr;
  EXPECT_EQ(readError(), "the peer hung up inside a message");
}

TEST_F(MessageStream, HeaderOfAllOnesIsRefused) {
  writeWords({0xffffffff, 0xffffffff});
  EXPECT_EQ(readError(), "message frame: got 4294967296 segments, expected 1 to 511");
  // And it stays so.
  EXPECT_EQ(readError(), "message frame: got 4294967296 segments, expected 1 to 511");
}

TEST_F(MessageStream, TooManySegmentsAreRefusedAtTheFirstWord) {
  writeWords({511});
  EXPECT_EQ(readError(), "message frame: got 512 segments, expected 1 to 511");
}

TEST_F(MessageStream, TooLargeMessageIsRefusedBeforeItsBytesArrive) {
  writeWords({0, (40 << 20) / 8});
  EXPECT_EQ(readError(), "message frame: got a message of 41943048 bytes, expected at most 41943040");
}

TEST_F(MessageStream, SizesThatWouldOverflowAreRefused) {
  writeWords({2, 0xffffffff, 0xffffffff, 0xffffffff});
  EXPECT_NE(readError().find("expected at most"), std::string::npos);
}

TEST_F(MessageStream, WritesAreHeldBackWhileThePeerDoesNotRead) {
  auto outgoing = message(30'000);
  size_t accepted = 0;
  kj::Promise<void> writing = nullptr;
  for (;; ++accepted) {
    writing = stream->writeMessage(*outgoing);
    if (!writing.poll(port.waitScope())) break;
    ASSERT_LT(accepted, 1000u);
  }
  EXPECT_LE(stream->unsentBytes(), 300'000u);
  // The peer begins to read.
  makeOther();
  for (size_t i = 0; i <= accepted; ++i) EXPECT_EQ(textSize(*other->readMessage().wait(port.waitScope())), 30'000u);
  writing.wait(port.waitScope());
  EXPECT_EQ(stream->unsentBytes(), 0u);
}

TEST_F(MessageStream, WritingToAPeerThatIsGoneFailsWithoutASignal) {
  theirs = nullptr;
  auto outgoing = message(10);
  stream->writeMessage(*outgoing).wait(port.waitScope());
  EXPECT_NE(readError(), "no error");
  kj::Promise<void>(kj::NEVER_DONE).poll(port.waitScope());
  EXPECT_TRUE(kj::runCatchingExceptions([&]() { stream->writeMessage(*outgoing).wait(port.waitScope()); }) != nullptr);
}

TEST_F(MessageStream, LargeMessageAbandonedHalfWayEndsTheStream) {
  auto outgoing = message(8'000'000);
  auto writing = stream->writeMessage(*outgoing);
  EXPECT_FALSE(writing.poll(port.waitScope()));
  writing = nullptr;
  EXPECT_EQ(readError(), "a message was abandoned while it was being written");
}

TEST_F(MessageStream, EndSendsEverythingFirst) {
  makeOther();
  auto outgoing = message(60'000);
  for (int i = 0; i < 4; ++i) stream->writeMessage(*outgoing).wait(port.waitScope());
  auto ending = stream->end().eagerlyEvaluate(nullptr);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(textSize(*other->readMessage().wait(port.waitScope())), 60'000u);
  EXPECT_TRUE(other->tryReadMessage().wait(port.waitScope()) == nullptr);
  ending.wait(port.waitScope());
}

TEST_F(MessageStream, CutWakesAReaderWithTheReason) {
  auto reading = stream->tryReadMessage();
  EXPECT_FALSE(reading.poll(port.waitScope()));
  stream->cut(KJ_EXCEPTION(FAILED, "enough"));
  std::string text;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { reading.wait(port.waitScope()); })) {
    text = exception->getDescription().cStr();
  }
  EXPECT_EQ(text, "enough");
}

}  // namespace
}  // namespace glovebox
