#include "supervisor/promised-result.h"

#include <capnp/schema.h>
#include <kj/debug.h>

namespace glovebox {
namespace {

// Where Cap'n Proto keeps `Return.pipeline` among the pointers of a Return.
uint16_t pipelineField() {
  static const uint16_t field =
      static_cast<uint16_t>(capnp::Schema::from<rpc::Return>().getFieldByName("pipeline").getProto().getSlot().getOffset());
  return field;
}

}  // namespace

kj::Exception nothingToCall() {
  return KJ_EXCEPTION(FAILED, "there is nothing to call: the result of the call that this one builds on is no object with methods");
}

class PromisedResult::Hook final: public capnp::PipelineHook, public kj::Refcounted {
 public:
  explicit Hook(kj::Own<PromisedResult> result): result_(kj::mv(result)) {}
  kj::Own<capnp::PipelineHook> addRef() override { return kj::addRef(*this); }

  using capnp::PipelineHook::getPipelinedCap;
  kj::Own<capnp::ClientHook> getPipelinedCap(kj::ArrayPtr<const capnp::PipelineOp> ops) override {
    kj::Maybe<uint16_t> field;
    for (auto& op: ops) {
      if (op.type == capnp::PipelineOp::NOOP) continue;
      if (field != nullptr) return capnp::newBrokenCap(nothingToCall());
      field = op.pointerIndex;
    }
    KJ_IF_MAYBE(f, field) {
      if (*f == pipelineField()) return capnp::ClientHook::from(result_->get());
    }
    return capnp::newBrokenCap(nothingToCall());
  }

 private:
  kj::Own<PromisedResult> result_;
};

PromisedResult::~PromisedResult() noexcept(false) {}

rpc::Return::Pipeline PromisedResult::pipeline() {
  return rpc::Return::Pipeline(capnp::AnyPointer::Pipeline(kj::refcounted<Hook>(kj::addRef(*this))));
}

rpc::Target::Client PromisedResult::get() {
  KJ_IF_MAYBE(wrapped, wrapped_) return *wrapped;
  KJ_IF_MAYBE(inner, inner_) {
    auto wrapped = KJ_ASSERT_NONNULL(wrap_)(inner->getPipeline());
    wrapped_ = wrapped;
    return wrapped;
  }
  return nothingToCall();
}

void PromisedResult::close() {
  inner_ = nullptr;
  wrap_ = nullptr;
}

}  // namespace glovebox
