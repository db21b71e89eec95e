#include "ipc/payload.h"

#include <kj/debug.h>

#include "ipc/large-value.h"
#include "ipc/value-codec.h"

namespace glovebox {
namespace {

using Kind = ValueExternal::Kind;

// The externals of a payload on their own: what is left to read of a large value's once the pull has begun.
ReceivedValue readExternals(rpc::Payload::Reader payload) {
  auto externals = payload.getExternals();
  KJ_REQUIRE(externals.size() <= wire::EXTERNALS_MAX, "too many capabilities in one value", externals.size(), wire::EXTERNALS_MAX);
  ReceivedValue received;
  received.graph.externals.reserve(externals.size());
  received.capabilities.reserve(externals.size());
  for (auto external: externals) {
    auto& to = received.graph.externals.emplace_back();
    kj::Maybe<capnp::Capability::Client> capability;
    to.kind = readExternal(external, capability);
    to.imported = true;
    auto label = external.getLabel();
    to.label.assign(label.begin(), kj::min(label.size(), wire::LABEL_BYTES_MAX));
    KJ_IF_MAYBE(c, capability) {
      received.capabilities.add(kj::mv(*c));
    } else {
      received.capabilities.add(nullptr);
    }
  }
  return received;
}

void decodeInto(ReceivedValue& received, rpc::Value::Reader value) {
  auto externals = kj::mv(received.graph.externals);
  received.graph = decodeValue(value, externals.size());
  received.graph.externals = kj::mv(externals);
}

}  // namespace

uint64_t payloadBytes(const ValueGraph& graph) { return encodedWords(graph) * sizeof(capnp::word); }

void writePayload(ValueGraph&& graph, rpc::Payload::Builder payload, size_t inlineBytesMax, CapabilityOf capabilityOf) {
  KJ_REQUIRE(graph.externals.size() <= wire::EXTERNALS_MAX, "too many capabilities in one value", graph.externals.size(),
             wire::EXTERNALS_MAX);
  auto bytes = payloadBytes(graph);
  KJ_REQUIRE(bytes <= wire::PAYLOAD_BYTES_MAX, "a value is larger than values may be", bytes, wire::PAYLOAD_BYTES_MAX);
  if (bytes <= inlineBytesMax) {
    encodeValue(graph, payload.initValue());
  } else {
    auto message = kj::heap<capnp::MallocMessageBuilder>(unsigned(bytes / sizeof(capnp::word) + 8));
    encodeValue(graph, message->initRoot<rpc::Value>());
    offerLarge(kj::mv(message), payload.initLarge());
  }
  if (graph.externals.empty()) return;
  auto externals = payload.initExternals(unsigned(graph.externals.size()));
  for (auto i: kj::indices(externals)) {
    auto& from = graph.externals[i];
    if (from.label.size() > 0) {
      externals[i].setLabel(capnp::Text::Reader(from.label.c_str(), kj::min(from.label.size(), wire::LABEL_BYTES_MAX)));
    }
    if (from.kind != Kind::NONE) writeExternal(from.kind, capabilityOf(from), externals[i]);
  }
}

void writePayload(const ValueGraph& graph, rpc::Payload::Builder payload) {
  KJ_REQUIRE(graph.externals.empty(), "this value's capabilities would be lost");
  encodeValue(graph, payload.initValue());
}

ReceivedValue readInlinePayload(rpc::Payload::Reader payload) {
  auto received = readExternals(payload);
  decodeInto(received, payload.getValue());
  return received;
}

kj::Promise<ReceivedValue> readPayload(rpc::Payload::Reader payload) {
  switch (payload.which()) {
    case rpc::Payload::VALUE: return readInlinePayload(payload);
    case rpc::Payload::LARGE:
      return pullLarge(payload.getLarge(), wire::PAYLOAD_BYTES_MAX)
          .then([received = readExternals(payload)](kj::Array<capnp::word> words) mutable {
            withLargeMessage(words, [&](capnp::MessageReader& message) { decodeInto(received, message.getRoot<rpc::Value>()); });
            return kj::mv(received);
          });
  }
  return KJ_EXCEPTION(FAILED, "a value of a kind this program does not know");
}

Kind readExternal(rpc::External::Reader external, kj::Maybe<capnp::Capability::Client>& capability) {
  switch (external.which()) {
    case rpc::External::NONE: break;
    case rpc::External::STUB: capability = external.getStub(); return Kind::STUB;
    case rpc::External::SERVICE: capability = external.getService(); return Kind::SERVICE;
    case rpc::External::READABLE: capability = external.getReadable(); return Kind::READABLE;
    case rpc::External::WRITABLE: capability = external.getWritable(); return Kind::WRITABLE;
    case rpc::External::LOADER: capability = external.getLoader(); return Kind::LOADER;
    case rpc::External::SOCKET: capability = external.getSocket(); return Kind::SOCKET;
  }
  return Kind::NONE;
}

void writeExternal(Kind kind, capnp::Capability::Client capability, rpc::External::Builder external) {
  switch (kind) {
    case Kind::NONE: external.setNone(); return;
    case Kind::STUB: external.setStub(capability.castAs<rpc::Target>()); return;
    case Kind::SERVICE: external.setService(capability.castAs<rpc::Target>()); return;
    case Kind::READABLE: external.setReadable(capability.castAs<rpc::Target>()); return;
    case Kind::WRITABLE: external.setWritable(capability.castAs<rpc::Target>()); return;
    case Kind::LOADER: external.setLoader(kj::mv(capability)); return;
    case Kind::SOCKET: external.setSocket(capability.castAs<rpc::Target>()); return;
  }
}

}  // namespace glovebox
