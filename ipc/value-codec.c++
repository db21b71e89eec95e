#include "ipc/value-codec.h"

#include <capnp/any.h>
#include <capnp/generated-header-support.h>
#include <kj/exception.h>
#include <kj/string.h>

#include <cstring>

#include "ipc/value-check.h"

namespace glovebox {

namespace {

using Kind = ValueNode::Kind;
using rpc::Node;

// Cap'n Proto's limit on the length of a list.
constexpr size_t LIST_SIZE_MAX = (1u << 29) - 1;

static_assert(int(Kind::UNDEFINED) == Node::UNDEFINED && int(Kind::NIL) == Node::NULL_ &&
              int(Kind::BIGINT) == Node::BIGINT && int(Kind::ERROR) == Node::ERROR &&
              int(Kind::NUMBERS) == Node::NUMBERS && int(Kind::DOM_EXCEPTION) == Node::DOM_EXCEPTION &&
              int(Kind::EXTERNAL) == Node::EXTERNAL && int(Kind::PLATFORM) == Node::PLATFORM);
static_assert(int(ErrorPrototype::SUPPRESSED) == int(rpc::Error::Prototype::SUPPRESSED_ERROR));
static_assert(int(ViewKind::DATA_VIEW) == int(rpc::View::Kind::DATA_VIEW));
static_assert(NO_NODE == uint32_t(rpc::Array::HOLE));

template <typename... Params>
[[noreturn]] void fail(Params&&... params) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("value: ", kj::fwd<Params>(params)...)));
}

uint64_t words(uint64_t bytes) { return (bytes + 7) / 8; }

kj::ArrayPtr<const kj::byte> asBytes(const std::string& text) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(text.data()), text.size());
}

capnp::Text::Reader asText(const std::string& text) { return capnp::Text::Reader(text.c_str(), text.size()); }

std::string toString(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }
std::string toString(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

uint size(size_t elements) {
  if (elements > LIST_SIZE_MAX) fail("got a list of ", elements, " elements, expected at most ", LIST_SIZE_MAX);
  return elements;
}

// ---------------------------------------------------------------------------------------------------------------------
// Encoding

void writeProperties(const std::vector<ValueProperty>& from, capnp::List<rpc::Property>::Builder to) {
  uint i = 0;
  for (auto& property: from) {
    auto builder = to[i++];
    builder.setKey(property.key);
    builder.setValue(property.value);
  }
}

template <typename T, typename Builder>
void writeList(const std::vector<T>& from, Builder to) {
  uint i = 0;
  for (auto& item: from) to.set(i++, item);
}

void writeError(const ValueNode& node, rpc::Error::Builder error) {
  error.setPrototype(static_cast<rpc::Error::Prototype>(node.subkind));
  if (node.error.name != NO_NODE) {
    error.setName(node.error.name);
    error.setHasName(true);
  }
  if (node.ref != NO_NODE) {
    error.setMessage(node.ref);
    error.setHasMessage(true);
  }
  if (node.error.stack != NO_NODE) {
    error.setStack(node.error.stack);
    error.setHasStack(true);
  }
  if (node.error.cause != NO_NODE) {
    error.setCause(node.error.cause);
    error.setHasCause(true);
  }
  if (node.error.errors != NO_NODE) {
    error.setErrors(node.error.errors);
    error.setHasErrors(true);
  }
  if (!node.properties.empty()) writeProperties(node.properties, error.initProperties(size(node.properties.size())));
}

void writeNode(const ValueNode& node, Node::Builder builder) {
  switch (node.kind) {
    case Kind::UNDEFINED: builder.setUndefined(); return;
    case Kind::NIL: builder.setNull(); return;
    case Kind::BOOLEAN: builder.setBoolean(node.flag); return;
    case Kind::NUMBER: builder.setNumber(node.number); return;
    case Kind::TEXT: builder.setText(asText(node.bytes)); return;
    case Kind::UTF16: builder.setUtf16(asBytes(node.bytes)); return;
    case Kind::BIGINT: {
      auto bigint = builder.initBigint();
      bigint.setNegative(node.flag);
      writeList(node.words, bigint.initMagnitude(size(node.words.size())));
      return;
    }
    case Kind::DATE: builder.setDate(node.number); return;
    case Kind::BOXED: builder.setBoxed(node.ref); return;
    case Kind::REGEXP: {
      auto regexp = builder.initRegexp();
      regexp.setSource(node.ref);
      regexp.setFlags(asText(node.bytes));
      return;
    }
    case Kind::ERROR: writeError(node, builder.initError()); return;
    case Kind::ARRAY: {
      auto array = builder.initArray();
      array.setLength(node.length);
      writeList(node.items, array.initItems(size(node.items.size())));
      if (!node.properties.empty()) writeProperties(node.properties, array.initProperties(size(node.properties.size())));
      return;
    }
    case Kind::NUMBERS: writeList(node.numbers, builder.initNumbers(size(node.numbers.size()))); return;
    case Kind::OBJECT: writeProperties(node.properties, builder.initObject(size(node.properties.size()))); return;
    case Kind::MAP: writeList(node.items, builder.initMap(size(node.items.size()))); return;
    case Kind::SET: writeList(node.items, builder.initSet(size(node.items.size()))); return;
    case Kind::ARRAY_BUFFER: {
      auto buffer = builder.initArrayBuffer();
      buffer.setBytes(asBytes(node.bytes));
      buffer.setResizable(node.flag);
      if (node.flag) buffer.setMaxByteLength(node.length);
      return;
    }
    case Kind::VIEW: {
      auto view = builder.initView();
      view.setKind(static_cast<rpc::View::Kind>(node.subkind));
      view.setBuffer(node.ref);
      view.setByteOffset(node.offset);
      view.setTracksLength(node.flag);
      if (!node.flag) view.setLength(node.length);
      return;
    }
    case Kind::DOM_EXCEPTION: {
      auto exception = builder.initDomException();
      exception.setName(asText(node.bytes));
      exception.setMessage(node.ref);
      return;
    }
    case Kind::EXTERNAL: builder.setExternal(node.ref); return;
    case Kind::PLATFORM: {
      auto platform = builder.initPlatform();
      platform.setInterface(asText(node.bytes));
      platform.setState(node.ref);
      return;
    }
  }
}

// Words that a node takes beyond its place in the list.
uint64_t bodyWords(const ValueNode& node) {
  uint64_t propertyWords = 1 + node.properties.size() * capnp::sizeInWords<rpc::Property>();
  uint64_t refWords = words(node.items.size() * sizeof(NodeRef));
  switch (node.kind) {
    case Kind::UNDEFINED:
    case Kind::NIL:
    case Kind::BOOLEAN:
    case Kind::NUMBER:
    case Kind::DATE:
    case Kind::BOXED:
    case Kind::EXTERNAL: return 0;
    case Kind::TEXT: return words(node.bytes.size() + 1);
    case Kind::UTF16: return words(node.bytes.size());
    case Kind::BIGINT: return capnp::sizeInWords<rpc::BigInt>() + node.words.size();
    case Kind::REGEXP: return capnp::sizeInWords<rpc::RegExp>() + words(node.bytes.size() + 1);
    case Kind::ERROR: return capnp::sizeInWords<rpc::Error>() + (node.properties.empty() ? 0 : propertyWords);
    case Kind::ARRAY:
      return capnp::sizeInWords<rpc::Array>() + refWords + (node.properties.empty() ? 0 : propertyWords);
    case Kind::NUMBERS: return node.numbers.size();
    case Kind::OBJECT: return propertyWords;
    case Kind::MAP:
    case Kind::SET: return refWords;
    case Kind::ARRAY_BUFFER: return capnp::sizeInWords<rpc::ArrayBuffer>() + words(node.bytes.size());
    case Kind::VIEW: return capnp::sizeInWords<rpc::View>();
    case Kind::DOM_EXCEPTION: return capnp::sizeInWords<rpc::DomException>() + words(node.bytes.size() + 1);
    case Kind::PLATFORM: return capnp::sizeInWords<rpc::PlatformObject>() + words(node.bytes.size() + 1);
  }
  return 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Decoding: first what stands in the message, then (checkValueGraph) whether it makes sense.

void readProperties(capnp::List<rpc::Property>::Reader from, std::vector<ValueProperty>& to) {
  to.reserve(from.size());
  for (auto property: from) to.push_back({property.getKey(), property.getValue()});
}

template <typename T, typename Reader>
void readList(Reader from, std::vector<T>& to) {
  to.reserve(from.size());
  for (auto item: from) to.push_back(item);
}

void readError(rpc::Error::Reader error, ValueNode& node) {
  node.subkind = uint16_t(error.getPrototype()) > 0xff ? 0xff : uint8_t(error.getPrototype());
  if (error.getHasName()) node.error.name = error.getName();
  if (error.getHasMessage()) node.ref = error.getMessage();
  if (error.getHasStack()) node.error.stack = error.getStack();
  if (error.getHasCause()) node.error.cause = error.getCause();
  if (error.getHasErrors()) node.error.errors = error.getErrors();
  // "Present" and "no node" at once must not pass for absent.
  if ((error.getHasName() && node.error.name == NO_NODE) || (error.getHasMessage() && node.ref == NO_NODE) ||
      (error.getHasStack() && node.error.stack == NO_NODE) || (error.getHasCause() && node.error.cause == NO_NODE) ||
      (error.getHasErrors() && node.error.errors == NO_NODE)) {
    fail("an error refers to node ", NO_NODE);
  }
  if (error.hasProperties()) readProperties(error.getProperties(), node.properties);
}

void readNode(Node::Reader reader, ValueNode& node, size_t index) {
  node.kind = static_cast<Kind>(reader.which());
  switch (reader.which()) {
    case Node::UNDEFINED:
    case Node::NULL_: return;
    case Node::BOOLEAN: node.flag = reader.getBoolean(); return;
    case Node::NUMBER: node.number = reader.getNumber(); return;
    case Node::TEXT: node.bytes = toString(reader.getText()); return;
    case Node::UTF16: node.bytes = toString(reader.getUtf16()); return;
    case Node::BIGINT: {
      auto bigint = reader.getBigint();
      node.flag = bigint.getNegative();
      readList(bigint.getMagnitude(), node.words);
      return;
    }
    case Node::DATE: node.number = reader.getDate(); return;
    case Node::BOXED: node.ref = reader.getBoxed(); return;
    case Node::REGEXP: {
      auto regexp = reader.getRegexp();
      node.ref = regexp.getSource();
      node.bytes = toString(regexp.getFlags());
      return;
    }
    case Node::ERROR: readError(reader.getError(), node); return;
    case Node::ARRAY: {
      auto array = reader.getArray();
      node.length = array.getLength();
      readList(array.getItems(), node.items);
      if (array.hasProperties()) readProperties(array.getProperties(), node.properties);
      return;
    }
    case Node::NUMBERS: readList(reader.getNumbers(), node.numbers); return;
    case Node::OBJECT: readProperties(reader.getObject(), node.properties); return;
    case Node::MAP: readList(reader.getMap(), node.items); return;
    case Node::SET: readList(reader.getSet(), node.items); return;
    case Node::ARRAY_BUFFER: {
      auto buffer = reader.getArrayBuffer();
      node.bytes = toString(buffer.getBytes());
      node.flag = buffer.getResizable();
      if (node.flag) node.length = buffer.getMaxByteLength();
      return;
    }
    case Node::VIEW: {
      auto view = reader.getView();
      node.subkind = uint16_t(view.getKind()) > 0xff ? 0xff : uint8_t(view.getKind());
      node.ref = view.getBuffer();
      node.offset = view.getByteOffset();
      node.flag = view.getTracksLength();
      if (!node.flag) node.length = view.getLength();
      return;
    }
    case Node::DOM_EXCEPTION: {
      auto exception = reader.getDomException();
      node.bytes = toString(exception.getName());
      node.ref = exception.getMessage();
      return;
    }
    case Node::EXTERNAL: node.ref = reader.getExternal(); return;
    case Node::PLATFORM: {
      auto platform = reader.getPlatform();
      node.bytes = toString(platform.getInterface());
      node.ref = platform.getState();
      return;
    }
  }
  fail("node ", index, " is of unknown kind ", uint(reader.which()), "; expected one that ipc/value.capnp lists");
}

}  // namespace

uint64_t encodedWords(const ValueGraph& graph) {
  // The root pointer, the Value, and the tag of its list.
  uint64_t total = 1 + capnp::sizeInWords<rpc::Value>() + 1 + graph.nodes.size() * capnp::sizeInWords<Node>();
  for (auto& node: graph.nodes) total += bodyWords(node);
  return total;
}

void encodeValue(const ValueGraph& graph, rpc::Value::Builder builder) {
  checkValueGraph(graph);
  auto nodes = builder.initNodes(size(graph.nodes.size()));
  uint i = 0;
  for (auto& node: graph.nodes) writeNode(node, nodes[i++]);
}

ValueGraph decodeValue(rpc::Value::Reader reader, size_t externals) {
  auto nodes = reader.getNodes();
  if (nodes.size() == 0) fail("got no nodes, expected at least one");

  // A list may claim elements that take no space on the wire. All elements are of one size; what is decoded takes about
  // five times as much as a node of full size.
  capnp::AnyStruct::Reader first = nodes[0];
  size_t nodeWords = first.getDataSection().size() / 8 + first.getPointerSection().size();
  if (nodeWords < capnp::sizeInWords<Node>()) {
    fail("got nodes of ", nodeWords, " words, expected ", capnp::sizeInWords<Node>());
  }

  ValueGraph graph;
  graph.nodes.resize(nodes.size());
  graph.externals.resize(externals);
  uint i = 0;
  for (auto node: nodes) {
    readNode(node, graph.nodes[i], i);
    ++i;
  }
  checkValueGraph(graph);
  return graph;
}

}  // namespace glovebox
