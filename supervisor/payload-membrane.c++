#include "supervisor/payload-membrane.h"

#include <kj/encoding.h>

namespace glovebox {
namespace {

using Kind = ValueExternal::Kind;

bool hasInvoke(rpc::Call::Reader call) {
  switch (call.getOperation().which()) {
    case rpc::Call::Operation::INVOKE: return true;
    case rpc::Call::Operation::GET: return false;
  }
  KJ_FAIL_REQUIRE("a call of a kind that this supervisor does not know");
}

}  // namespace

Manifest inspect(rpc::Payload::Reader payload) {
  Manifest manifest;
  auto externals = payload.getExternals();
  KJ_REQUIRE(externals.size() <= wire::EXTERNALS_MAX, "too many capabilities in one value", externals.size(), wire::EXTERNALS_MAX);
  manifest.capabilities = externals.size();
  switch (payload.which()) {
    case rpc::Payload::VALUE: {
      auto size = payload.getValue().totalSize();
      KJ_REQUIRE(size.capCount == 0, "a capability where none may be");
      manifest.inlineBytes = size.wordCount * sizeof(capnp::word);
      return manifest;
    }
    case rpc::Payload::LARGE:
      KJ_REQUIRE(payload.getLarge().hasSource(), "a large value has no source");
      manifest.largeBytes = payload.getLarge().getSize();
      manifest.capabilities++;
      return manifest;
  }
  KJ_FAIL_REQUIRE("a value of a kind that this supervisor does not know");
}

void copyPayload(rpc::Payload::Reader from, const Manifest& manifest, rpc::Payload::Builder to, Crossing& crossing,
                 size_t inlineBytesMax) {
  if (from.isLarge()) {
    auto large = from.getLarge();
    auto copy = to.initLarge();
    copy.setSize(large.getSize());
    copy.setSource(crossing.source(large.getSource()));
  } else if (manifest.inlineBytes > inlineBytesMax) {
    crossing.setLarge(from.getValue(), manifest.inlineBytes, to.initLarge());
  } else {
    to.setValue(from.getValue());
  }

  auto externals = from.getExternals();
  if (externals.size() == 0) return;
  auto copies = to.initExternals(externals.size());
  for (auto i: kj::indices(copies)) {
    auto label = cleanLabel(externals[i].getLabel());
    if (label.size() > 0) copies[i].setLabel(label);
    kj::Maybe<capnp::Capability::Client> capability;
    auto kind = readExternal(externals[i], capability);
    KJ_IF_MAYBE(c, capability) {
      auto crossed = kind == Kind::LOADER ? crossing.loader(kj::mv(*c), label)
                                          : capnp::Capability::Client(crossing.target(c->castAs<rpc::Target>(), kind, label));
      writeExternal(kind, kj::mv(crossed), copies[i]);
    } else {
      copies[i].setNone();
    }
  }
}

Manifest inspectCall(rpc::Call::Reader call) {
  if (!hasInvoke(call)) return {};
  return inspect(call.getOperation().getInvoke());
}

// But for what only the supervisor may ask: an account, and how deep in tails it is.
void copyCall(rpc::Call::Reader from, const Manifest& manifest, rpc::Call::Builder to, Crossing& crossing, size_t inlineBytesMax) {
  auto path = from.getPath();
  if (path.size() > 0) {
    auto copy = to.initPath(path.size());
    for (auto i: kj::indices(path)) copy.set(i, path[i]);   // one by one: a list as a whole may hide capabilities
  }
  if (hasInvoke(from)) {
    copyPayload(from.getOperation().getInvoke(), manifest, to.getOperation().initInvoke(), crossing, inlineBytesMax);
  } else {
    to.getOperation().setGet();
  }
}

void copyHeadOfCode(rpc::WorkerCode::Reader from, rpc::WorkerCode::Builder to) {
  to.setCompatibilityDate(from.getCompatibilityDate());
  auto flags = from.getCompatibilityFlags();
  auto copy = to.initCompatibilityFlags(flags.size());
  for (auto i: kj::indices(flags)) copy.set(i, flags[i]);
  to.setMainModule(from.getMainModule());
  to.setOutbound(from.getOutbound());   // a number among env's externals, which cross with env
}

kj::String cleanLabel(kj::ArrayPtr<const char> label) {
  auto wanted = kj::min(label.size(), wire::LABEL_BYTES_MAX);
  // Replaces what is no UTF-8, the half of a character at the end included, by U+FFFD.
  auto clean = kj::decodeUtf32(kj::encodeUtf32(label.slice(0, wanted)));
  if (clean.size() <= wire::LABEL_BYTES_MAX) return kj::mv(clean);
  return kj::str("?");   // nothing but rubbish grows by that
}

}  // namespace glovebox
