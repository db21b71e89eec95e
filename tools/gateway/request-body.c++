#include "tools/gateway/request-body.h"

#include <kj/debug.h>

#include "supervisor/cancellation.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/thrown.h"

namespace glovebox::gateway {

namespace {

void answerUndefined(rpc::Return::Builder result) { result.initValue().initValue().initNodes(1)[0].setUndefined(); }

void answerChunk(rpc::Return::Builder result, kj::ArrayPtr<const kj::byte> chunk) {
  auto nodes = result.initValue().initValue().initNodes(2);
  auto view = nodes[0].initView();
  view.setKind(rpc::View::Kind::UINT8);
  view.setBuffer(1);
  view.setLength(chunk.size());
  nodes[1].initArrayBuffer().setBytes(chunk);
}

class BodyTarget final: public rpc::Target::Server {
 public:
  explicit BodyTarget(kj::Own<RequestBody> body): body_(kj::mv(body)) {}
  ~BodyTarget() noexcept(false) { body_->cancel(); }

 protected:
  kj::Promise<void> call(CallContext context) override {
    auto call = context.getParams();
    auto path = call.getPath();
    kj::StringPtr method = path.size() == 1 ? kj::StringPtr(path[0]) : kj::StringPtr("");
    bool invoked = call.getOperation().isInvoke();
    if (invoked && method == "read") {
      context.releaseParams();
      if (body_->isReadersOwn()) allowCancellation(context);
      return body_->read().then(
          [context](kj::Maybe<kj::Array<kj::byte>> chunk) mutable {
            KJ_IF_MAYBE(bytes, chunk) answerChunk(context.getResults(), *bytes);
            else answerUndefined(context.getResults());
          },
          // Why is for the gateway to tell the client; that it ended early is all that concerns the worker.
          [this, context](kj::Exception&&) mutable { answerThrown(context.getResults(), body_->endedEarly()); });
    }
    if (invoked && method == "cancel") {
      body_->cancel();
      answerUndefined(context.getResults());
    } else {
      answerThrown(context.getResults(), "A stream answers read and cancel.");
    }
    return kj::READY_NOW;
  }

 private:
  kj::Own<RequestBody> body_;
};

}  // namespace

rpc::Target::Client RequestBody::capability() { return kj::heap<BodyTarget>(kj::addRef(*this)); }

void RequestBody::end() {
  stream_ = nullptr;
  if (!reads_.isEmpty()) reads_.cancel("the request is over");
}

kj::Promise<kj::Maybe<kj::Array<kj::byte>>> RequestBody::read() {
  auto done = kj::newPromiseAndFulfiller<void>();
  auto turn = kj::mv(last_);
  last_ = kj::mv(done.promise);
  // A read that fails lets the next one fail in its turn.
  return turn.then([this]() { return readNow(); })
      .attach(kj::defer([fulfiller = kj::mv(done.fulfiller)]() mutable { fulfiller->fulfill(); }), kj::addRef(*this));
}

kj::Promise<kj::Maybe<kj::Array<kj::byte>>> RequestBody::readNow() {
  if (cancelled_) return kj::Maybe<kj::Array<kj::byte>>(nullptr);
  KJ_IF_MAYBE(stream, stream_) {
    auto buffer = kj::heapArray<kj::byte>(BODY_CHUNK_BYTES);
    auto read = reads_.wrap(stream->tryRead(buffer.begin(), 1, buffer.size()));
    return read.then([buffer = kj::mv(buffer)](size_t got) mutable -> kj::Maybe<kj::Array<kj::byte>> {
      if (got == 0) return nullptr;
      return kj::heapArray<kj::byte>(buffer.slice(0, got));
    });
  }
  return KJ_EXCEPTION(DISCONNECTED, "the request is over");
}

}  // namespace glovebox::gateway
