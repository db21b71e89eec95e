#pragma once
// The stream between a connection's socket and kj-http. Lets through one request at a time, and only what request-check.h and
// body-framing.h have nothing against; says "100 Continue" when somebody wants the body; keeps the times.
//
// A head that is refused is replaced by a harmless one, so that kj-http answers in its turn: whoever serves the request asks for the
// refusal first (`refusal()`) and answers with it. After that nothing more is read.
//
// It also stands before a server's frames (tools/egress/checked-stream.h), of whose handshake it sees nothing.
//
// Owned by kj-http's connection. What it reads comes from strangers. Reads from the socket only when asked, into the buffer it is
// given, but for a head, of which it keeps at most HEAD_BYTES_MAX.

#include <kj/async-io.h>
#include <kj/compat/http.h>
#include <kj/timer.h>

#include <optional>
#include <string>

#include "tools/gateway/answer-body.h"
#include "tools/gateway/body-framing.h"
#include "tools/gateway/frame-check.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/request-check.h"

namespace glovebox::gateway {

class RequestGate final: public kj::AsyncIoStream {
 public:
  // `timer` and `limits` outlive it. `listener` says by which way it came.
  RequestGate(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, const GatewayLimits& limits, uint8_t listener = 0);
  // Of a connection to a server, where this side is the client of a WebSocket whose handshake is done: what is written here in its name is masked out of
  // `masks`, which outlives it. `ahead` is what was read behind the handshake.
  RequestGate(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, const GatewayLimits& limits, kj::EntropySource& masks, std::string ahead,
              ChunkBudget& room);
  KJ_DISALLOW_COPY(RequestGate);

  uint8_t listener() const { return listener_; }

  // Of the request that kj-http has now.
  const RequestFacts& facts() const { return facts_; }
  const std::optional<Refusal>& refusal() const { return refusal_; }
  // Why its body was cut short, if it was this side that did.
  const std::optional<Refusal>& bodyRefusal() const { return bodyRefusal_; }
  // The whole body came together with the head.
  bool bodyIsHere() const;
  // The client waits for a word before it sends the body, and has got none.
  bool waitsForContinue() const;

  // The client has closed its side, with all of the request sent. As with other servers that stand before others, who says no more is
  // taken to be gone: there is no telling a client that was killed from one that waits.
  kj::Promise<void> whenGone();

  // The answer that is being sent is the connection's last: kj-http says so to the client, and goes on reading.
  void endAfterThis() { last_ = true; }

  // What comes now are frames of a WebSocket, of which frame-check.h lets through what it has nothing against. `room`: for messages
  // that are not small.
  void upgrade(ChunkBudget& room);
  // Why nothing more is read.
  const std::optional<FrameRefusal>& frameRefusal() const { return frameRefusal_; }
  bool closeHasCode() const { return frames_.closeHasCode(); }
  // All is said; what the client still sends is thrown away for a moment, so that it sees what was sent to it.
  kj::Promise<void> endUpgraded() { return linger().ignoreResult(); }

  // From now on nothing is sent, whoever writes: what was sent so far must not look complete.
  void cut() { cut_ = true; }

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return socket_->whenWriteDisconnected(); }
  void shutdownWrite() override { socket_->shutdownWrite(); }

 private:
  kj::Own<kj::AsyncIoStream> socket_;
  kj::Timer& timer_;
  const GatewayLimits& limits_;
  const uint8_t listener_ = 0;
  kj::Maybe<kj::EntropySource&> masks_;   // this side is the client

  std::string pending_;      // read, and not yet known to be part of anything; of a head, all of it so far
  size_t scanned_ = 0;       // of a head in `pending_`
  std::string head_;         // checked, on its way to kj-http
  size_t headGiven_ = 0;
  bool last_ = false;        // there will be no other request
  bool over_ = false;        // nothing is read any more

  RequestFacts facts_;
  std::optional<Refusal> refusal_, bodyRefusal_;
  BodyFraming body_;
  bool continued_ = false;   // the client is sending its body, told or not
  bool answered_ = false;    // something was written since the head
  bool cut_ = false;
  kj::Duration bodyWaited_ = 0 * kj::SECONDS;   // for the client, all in all
  uint64_t bodyReceived_ = 0;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> bodyWhole_;

  // Of a WebSocket.
  kj::Maybe<ChunkBudget&> messageRooms_;
  kj::Own<ChunkBudget::Room> messageRoom_;   // for the message that is being received or was just given on
  FrameCheck frames_;
  std::optional<FrameRefusal> frameRefusal_;
  uint64_t frameLeft_ = 0;   // of a frame that was checked
  kj::Duration messageWaited_ = 0 * kj::SECONDS;
  uint64_t messageReceived_ = 0;
  bool pinged_ = false;      // and heard nothing since
  unsigned writes_ = 0;      // under way
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> written_;
  kj::Maybe<kj::ForkedPromise<void>> pinging_;

  // A read into `pending_` that goes on even if nobody waits for it any more: what it got would be lost otherwise.
  kj::Maybe<kj::ForkedPromise<bool>> reading_;
  bool isReading_ = false;

  kj::Promise<size_t> readSome(char* buffer, size_t maxBytes);
  kj::Promise<size_t> readHead(char* buffer, size_t maxBytes);
  kj::Promise<size_t> readBody(char* buffer, size_t maxBytes);
  kj::Promise<size_t> readFrames(char* buffer, size_t maxBytes);
  kj::Promise<size_t> readPayload(char* buffer, size_t maxBytes);
  kj::Promise<void> whenMoreOfFrames();
  template <typename T>
  kj::Promise<T> inMessageTime(kj::Promise<T> read);
  kj::Promise<void> answerPing(FrameCheck::Frame frame);
  kj::Promise<void> ping();
  std::string controlFrame(unsigned opcode, std::string payload);
  kj::Promise<void> sendBetweenFrames(std::string frame);
  kj::Promise<void> whenWritten();
  void wrote();
  struct Writing;
  template <typename Func>
  kj::Promise<void> writeFrames(Func write);
  kj::Promise<size_t> linger();
  kj::Promise<void> discard(size_t bytes);
  kj::Promise<size_t> receiveBody(char* buffer, size_t maxBytes);
  size_t giveHead(char* buffer, size_t maxBytes);
  size_t takeBody(std::span<char> bytes);

  // True: `head_` is there. False: the client went or said nothing.
  kj::Promise<bool> fillHead();
  kj::Promise<bool> finishHead();
  kj::Promise<bool> readUntilHead();
  kj::Promise<bool> readMore();
  bool tryFinishHead();
  void refuse(Refusal refusal);
  kj::Promise<void> sendContinue();
  kj::Promise<void> bounded(kj::Promise<void> write);
};

}  // namespace glovebox::gateway
