#include "client/cpp/value.h"

#include <kj/encoding.h>
#include <kj/vector.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "client/cpp/errors.h"
#include "client/cpp/stub.h"
#include "ipc/value-check.h"
#include "ipc/value-json.h"

namespace glovebox::client {

// Shared by all parts of one value. `graph.externals[i]` is `capabilities[i]`.
struct Value::State {
  ValueGraph graph;
  kj::Vector<capnp::Capability::Client> capabilities;
  kj::Maybe<rpc::Target::Client> disposer;
};

namespace {

using NodeKind = ValueNode::Kind;

constexpr const char* ERROR_NAMES[] = {"Error",     "EvalError", "RangeError",     "ReferenceError", "SyntaxError",
                                       "TypeError", "URIError",  "AggregateError", "SuppressedError"};

// The references to other nodes; not an EXTERNAL's, which goes elsewhere.
template <typename Function>
void forEachReference(ValueNode& node, Function&& function) {
  auto visit = [&](NodeRef& ref) {
    if (ref != NO_NODE) function(ref);
  };
  if (node.kind != NodeKind::EXTERNAL) visit(node.ref);
  for (auto& item: node.items) visit(item);
  for (auto& property: node.properties) {
    visit(property.key);
    visit(property.value);
  }
  visit(node.error.name);
  visit(node.error.stack);
  visit(node.error.cause);
  visit(node.error.errors);
}

ValueNode nodeOf(NodeKind kind) {
  ValueNode node;
  node.kind = kind;
  return node;
}

ValueNode textNode(std::string_view text) {
  auto node = nodeOf(NodeKind::TEXT);
  node.bytes = text;
  return node;
}

NodeRef addNode(ValueGraph& graph, ValueNode&& node) {
  graph.nodes.push_back(std::move(node));
  return static_cast<NodeRef>(graph.nodes.size() - 1);
}

std::string fromUtf16(const std::string& bytes) {
  auto units = kj::heapArray<char16_t>(bytes.size() / 2);
  memcpy(units.begin(), bytes.data(), units.size() * 2);  // little-endian, as this machine is
  auto text = kj::decodeUtf16(units);
  return std::string(text.begin(), text.size());
}

}  // namespace

const char* kindName(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::UNDEFINED: return "undefined";
    case Value::Kind::NIL: return "null";
    case Value::Kind::BOOLEAN: return "a boolean";
    case Value::Kind::NUMBER: return "a number";
    case Value::Kind::STRING: return "a string";
    case Value::Kind::BYTES: return "bytes";
    case Value::Kind::ARRAY: return "an array";
    case Value::Kind::OBJECT: return "an object";
    case Value::Kind::DATE: return "a date";
    case Value::Kind::ERROR: return "an error";
    case Value::Kind::STUB: return "a stub";
    case Value::Kind::OTHER: return "a value of another kind";
  }
  return "";
}

// ---------------------------------------------------------------------------------------------------------------------
// Building

Value Value::single(ValueNode node) {
  auto state = std::make_shared<State>();
  state->graph.nodes.push_back(std::move(node));
  return Value(std::move(state), 0);
}

Value::Value(std::nullptr_t): Value(single(nodeOf(NodeKind::NIL))) {}
Value::Value(std::string text): Value(single(textNode(text))) {}
Value::Value(OfBoolean, bool value): Value(single(nodeOf(NodeKind::BOOLEAN))) { state_->graph.nodes[0].flag = value; }
Value::Value(OfNumber, double value): Value(single(nodeOf(NodeKind::NUMBER))) { state_->graph.nodes[0].number = value; }

Value::Value(Stub stub): Value(single(nodeOf(NodeKind::EXTERNAL))) {
  state_->graph.nodes[0].ref = 0;
  state_->graph.externals.emplace_back().kind = stub.kind();
  state_->capabilities.add(stub.capability());
}

Value Value::date(double millisecondsSinceEpoch) {
  auto node = nodeOf(NodeKind::DATE);
  node.number = millisecondsSinceEpoch;
  return single(std::move(node));
}

Value Value::bytes(kj::ArrayPtr<const kj::byte> bytes) {
  auto view = nodeOf(NodeKind::VIEW);
  view.subkind = static_cast<uint8_t>(ViewKind::UINT8);
  view.ref = 1;
  view.length = bytes.size();
  auto value = single(std::move(view));
  auto buffer = nodeOf(NodeKind::ARRAY_BUFFER);
  buffer.bytes.assign(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  addNode(value.state_->graph, std::move(buffer));
  return value;
}

Value Value::array(std::vector<Value> elements) {
  auto value = single(nodeOf(NodeKind::ARRAY));
  std::vector<NodeRef> items;
  for (auto& element: elements) items.push_back(add(*value.state_, std::move(element)));
  auto& root = value.state_->graph.nodes[0];
  root.length = items.size();
  root.items = std::move(items);
  return value;
}

Value Value::object(Properties properties) {
  auto value = single(nodeOf(NodeKind::OBJECT));
  auto& state = *value.state_;
  std::vector<ValueProperty> list;
  for (auto& [name, property]: properties) {
    auto key = addNode(state.graph, textNode(name));
    auto externals = state.graph.externals.size();
    list.push_back({key, add(state, std::move(property))});
    if (state.graph.externals.size() == externals + 1) state.graph.externals.back().label = name;
  }
  state.graph.nodes[0].properties = std::move(list);
  return value;
}

Value Value::error(std::string_view name, std::string_view message, std::string_view code) {
  auto value = single(nodeOf(NodeKind::ERROR));
  auto& graph = value.state_->graph;
  auto text = addNode(graph, textNode(message));
  graph.nodes[0].ref = text;
  auto known = std::find(std::begin(ERROR_NAMES), std::end(ERROR_NAMES), name);
  // The last two need more than a message.
  if (known < std::begin(ERROR_NAMES) + static_cast<int>(ErrorPrototype::AGGREGATE)) {
    graph.nodes[0].subkind = static_cast<uint8_t>(known - std::begin(ERROR_NAMES));
  } else if (!name.empty()) {
    auto ref = addNode(graph, textNode(name));
    graph.nodes[0].error.name = ref;
  }
  if (!code.empty()) {
    auto key = addNode(graph, textNode("code")), ref = addNode(graph, textNode(code));
    graph.nodes[0].properties = {{key, ref}};
  }
  return value;
}

Value Value::fromJson(std::string_view json) {
  auto state = std::make_shared<State>();
  state->graph = parseJson(json);
  return Value(std::move(state), 0);
}

// What can be reached from `value`, at the end of `to`; where it stands there.
NodeRef Value::add(State& to, Value&& value) {
  if (value.state_ == nullptr) return addNode(to.graph, ValueNode());
  auto from = std::move(value.state_);
  auto addExternal = [&](ValueNode& node) {
    to.graph.externals.push_back(from->graph.externals[node.ref]);
    to.capabilities.add(from->capabilities[node.ref]);
    node.ref = static_cast<uint32_t>(to.graph.externals.size() - 1);
  };
  auto root = static_cast<NodeRef>(to.graph.nodes.size());
  if (value.node_ == 0) {  // all of it, as it lies
    bool mine = from.use_count() == 1;
    for (auto& node: from->graph.nodes) {
      auto copy = addNode(to.graph, mine ? std::move(node) : ValueNode(node));
      forEachReference(to.graph.nodes[copy], [&](NodeRef& ref) { ref += root; });
      if (to.graph.nodes[copy].kind == NodeKind::EXTERNAL) addExternal(to.graph.nodes[copy]);
    }
    return root;
  }
  std::unordered_map<NodeRef, NodeRef> places;
  std::vector<NodeRef> open;
  auto placeOf = [&](NodeRef ref) {
    auto [entry, isNew] = places.try_emplace(ref, static_cast<NodeRef>(root + places.size()));
    if (isNew) open.push_back(ref);
    return entry->second;
  };
  placeOf(value.node_);
  while (!open.empty()) {
    auto node = from->graph.nodes[open.back()];
    auto place = places[open.back()];
    open.pop_back();
    forEachReference(node, [&](NodeRef& ref) { ref = placeOf(ref); });
    if (node.kind == NodeKind::EXTERNAL) addExternal(node);
    if (to.graph.nodes.size() < root + places.size()) to.graph.nodes.resize(root + places.size());
    to.graph.nodes[place] = std::move(node);
  }
  return root;
}

// ---------------------------------------------------------------------------------------------------------------------
// Looking into it

const ValueNode& Value::node() const {
  static const ValueNode UNDEFINED;
  return state_ == nullptr ? UNDEFINED : state_->graph.nodes[node_];
}

Value::Kind Value::kind() const {
  switch (node().kind) {
    case NodeKind::UNDEFINED: return Kind::UNDEFINED;
    case NodeKind::NIL: return Kind::NIL;
    case NodeKind::BOOLEAN: return Kind::BOOLEAN;
    case NodeKind::NUMBER: return Kind::NUMBER;
    case NodeKind::TEXT:
    case NodeKind::UTF16: return Kind::STRING;
    case NodeKind::DATE: return Kind::DATE;
    case NodeKind::ERROR:
    case NodeKind::DOM_EXCEPTION: return Kind::ERROR;
    case NodeKind::ARRAY:
    case NodeKind::NUMBERS: return Kind::ARRAY;
    case NodeKind::OBJECT: return Kind::OBJECT;
    case NodeKind::ARRAY_BUFFER:
    case NodeKind::VIEW: return Kind::BYTES;
    case NodeKind::EXTERNAL: {
      auto external = state_->graph.externals[node().ref].kind;
      return external == ValueExternal::Kind::STUB || external == ValueExternal::Kind::SERVICE ? Kind::STUB
                                                                                               : Kind::OTHER;
    }
    case NodeKind::BIGINT:
    case NodeKind::BOXED:
    case NodeKind::PLATFORM:
    case NodeKind::REGEXP:
    case NodeKind::MAP:
    case NodeKind::SET: return Kind::OTHER;
  }
  return Kind::OTHER;
}

const ValueNode& Value::expect(bool isRight, const char* what) const {
  if (!isRight) throw Thrown("TypeError", std::string("expected ") + what + ", got " + kindName(kind()));
  return node();
}

std::string Value::textAt(NodeRef ref) const {
  if (ref == NO_NODE) return "";
  auto& text = state_->graph.nodes[ref];
  return text.kind == NodeKind::UTF16 ? fromUtf16(text.bytes) : text.bytes;
}

bool Value::asBoolean() const { return expect(kind() == Kind::BOOLEAN, "a boolean").flag; }
double Value::asNumber() const { return expect(kind() == Kind::NUMBER, "a number").number; }
double Value::asDate() const { return expect(kind() == Kind::DATE, "a date").number; }

std::string Value::asString() const {
  expect(kind() == Kind::STRING, "a string");
  return textAt(node_);
}

Stub Value::asStub() const {
  auto index = expect(kind() == Kind::STUB, "a stub").ref;
  return Stub(state_->graph.externals[index].kind, state_->capabilities[index]);
}

kj::ArrayPtr<const kj::byte> Value::asBytes() const {
  auto& view = expect(kind() == Kind::BYTES, "bytes");
  bool isView = view.kind == NodeKind::VIEW;
  auto& buffer = isView ? state_->graph.nodes[view.ref] : view;
  auto all = kj::arrayPtr(reinterpret_cast<const kj::byte*>(buffer.bytes.data()), buffer.bytes.size());
  if (!isView) return all;
  auto rest = all.slice(view.offset, all.size());
  if (view.flag) return rest;
  return rest.slice(0, view.length * elementSize(static_cast<ViewKind>(view.subkind)));  // checked on arrival
}

size_t Value::size() const {
  auto& n = node();
  if (n.kind == NodeKind::NUMBERS) return n.numbers.size();
  if (n.kind == NodeKind::ARRAY) return n.length;
  return n.kind == NodeKind::OBJECT ? n.properties.size() : 0;
}

Value Value::operator[](size_t index) const {
  auto& n = node();
  if (n.kind == NodeKind::NUMBERS) return index < n.numbers.size() ? Value(n.numbers[index]) : Value();
  if (n.kind != NodeKind::ARRAY) return Value();
  if (index < n.items.size()) return n.items[index] == NO_NODE ? Value() : Value(state_, n.items[index]);
  return index < n.length && !n.properties.empty() ? (*this)[std::to_string(index)] : Value();
}

Value Value::operator[](std::string_view name) const {
  auto& n = node();
  if (n.kind == NodeKind::DOM_EXCEPTION && name == "name") return Value(n.bytes);
  if (kind() == Kind::ERROR) {
    if (name == "message") return n.ref == NO_NODE ? Value("") : Value(state_, n.ref);
    if (name == "stack" && n.error.stack != NO_NODE) return Value(state_, n.error.stack);
    if (name == "cause" && n.error.cause != NO_NODE) return Value(state_, n.error.cause);
    if (name == "errors" && n.error.errors != NO_NODE) return Value(state_, n.error.errors);
    if (name == "name") return n.error.name == NO_NODE ? Value(ERROR_NAMES[n.subkind]) : Value(state_, n.error.name);
  }
  // From the end: of a name that comes twice, the last.
  for (auto property = n.properties.rbegin(); property != n.properties.rend(); ++property) {
    if (state_->graph.nodes[property->key].kind == NodeKind::TEXT && state_->graph.nodes[property->key].bytes == name) {
      return Value(state_, property->value);
    }
  }
  return Value();
}

std::vector<std::string> Value::names() const {
  std::vector<std::string> names;
  for (auto& property: node().properties) names.push_back(textAt(property.key));
  return names;
}

std::string Value::toJson() const {
  if (state_ != nullptr && node_ == 0) return stringifyJson(state_->graph);
  State alone;
  add(alone, Value(*this));
  return stringifyJson(alone.graph);
}

// ---------------------------------------------------------------------------------------------------------------------
// The wire

Value Value::received(ReceivedValue&& value, kj::Maybe<rpc::Target::Client> disposer) {
  auto state = std::make_shared<State>();
  state->graph = kj::mv(value.graph);
  state->capabilities = kj::mv(value.capabilities);
  state->disposer = kj::mv(disposer);
  return Value(std::move(state), 0);
}

void Value::write(rpc::Payload::Builder payload, size_t inlineBytesMax) && {
  State alone;
  add(alone, std::move(*this));
  // Told apart by their place, which is what a ValueExternal's id is for.
  for (size_t i = 0; i < alone.graph.externals.size(); i++) alone.graph.externals[i].id = i;
  writePayload(kj::mv(alone.graph), payload, inlineBytesMax,
               [&](const ValueExternal& external) { return alone.capabilities[external.id]; });
}

}  // namespace glovebox::client
