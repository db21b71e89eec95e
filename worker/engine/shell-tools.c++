#include "worker/engine/shell-tools.h"

#include "worker/engine/engine.h"
#include "worker/engine/value-v8.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

void rpcClone(const Info& info) {
  auto context = info.GetIsolate()->GetCurrentContext();
  ValueGraph graph;
  ToGraphOptions options;
  if (info[1]->IsNumber()) options.maxBytes = size_t(info[1].As<v8::Number>()->Value());
  Local<v8::Value> clone;
  if (toGraph(context, info[0], graph, options) && fromGraph(context, graph).ToLocal(&clone)) info.GetReturnValue().Set(clone);
}

// ---- graphs that decodeValue() would have refused, or that a hole in it lets through ----

ValueNode node(ValueNode::Kind kind, std::string bytes = {}, NodeRef ref = NO_NODE) {
  ValueNode made;
  made.kind = kind;
  made.bytes = std::move(bytes);
  made.ref = ref;
  return made;
}

ValueNode view(ViewKind kind, uint64_t offset, uint64_t length, bool tracks = false) {
  auto made = node(ValueNode::Kind::VIEW, {}, 1);
  made.subkind = uint8_t(kind);
  made.offset = offset;
  made.length = length;
  made.flag = tracks;
  return made;
}

std::vector<ValueGraph> hostileGraphs() {
  using Kind = ValueNode::Kind;
  std::vector<ValueGraph> graphs;
  auto addAll = [&](std::vector<ValueNode> nodes) { graphs.push_back({std::move(nodes)}); };
  auto with = [](Kind kind, auto&& set) { auto made = node(kind); set(made); return made; };

  addAll({});
  addAll({node(Kind::BOXED, {}, 7)});
  addAll({node(Kind::BOXED, {}, 0)});                                  // itself
  addAll({node(Kind::BOXED, {}, 1), node(Kind::OBJECT)});
  addAll({node(Kind::REGEXP, "g", 0)});
  addAll({node(Kind::REGEXP, "gg", 1), node(Kind::TEXT, "a")});
  addAll({node(Kind::REGEXP, "x", 1), node(Kind::TEXT, "a")});
  addAll({node(Kind::REGEXP, "l", 1), node(Kind::TEXT, "a")});         // V8 knows such a flag, the schema does not
  addAll({node(Kind::REGEXP, "", 1), node(Kind::TEXT, "(")});
  addAll({node(Kind::UTF16, "abc")});
  addAll({with(Kind::ARRAY, [](auto& n) { n.length = 1; n.items = {1, 2}; })});
  addAll({with(Kind::ARRAY, [](auto& n) { n.length = 1; n.items = {9}; })});
  addAll({with(Kind::ARRAY, [](auto& n) { n.length = uint64_t(1) << 32; })});
  addAll({with(Kind::ARRAY, [](auto& n) { n.properties = {{1, 1}}; }), node(Kind::TEXT, "length")});
  addAll({with(Kind::OBJECT, [](auto& n) { n.properties = {{0, 0}}; })});   // an object as a name
  addAll({with(Kind::OBJECT, [](auto& n) { n.properties = {{1, 99}}; }), node(Kind::TEXT, "a")});
  addAll({with(Kind::MAP, [](auto& n) { n.items = {0}; })});
  addAll({with(Kind::MAP, [](auto& n) { n.items = {0, NO_NODE}; })});
  addAll({with(Kind::SET, [](auto& n) { n.items = {5}; })});
  addAll({view(ViewKind::UINT8, 0, 5), node(Kind::ARRAY_BUFFER, "1234")});
  addAll({view(ViewKind::UINT32, 2, 1), node(Kind::ARRAY_BUFFER, "12345678")});
  addAll({view(ViewKind::FLOAT64, 8, uint64_t(1) << 61), node(Kind::ARRAY_BUFFER, "12345678")});
  addAll({view(ViewKind::DATA_VIEW, ~uint64_t(0), 2), node(Kind::ARRAY_BUFFER, "12345678")});
  addAll({view(ViewKind::UINT8, 9, 0, true), node(Kind::ARRAY_BUFFER, "12345678")});
  addAll({view(ViewKind::UINT8, 0, 0), node(Kind::OBJECT)});
  addAll({view(ViewKind(200), 0, 0), node(Kind::ARRAY_BUFFER)});
  addAll({with(Kind::ARRAY_BUFFER, [](auto& n) { n.flag = true; n.bytes = "1234"; n.length = 3; })});
  addAll({with(Kind::ARRAY_BUFFER, [](auto& n) { n.flag = true; n.length = ~uint64_t(0); })});
  addAll({with(Kind::BIGINT, [](auto& n) { n.words.assign((1 << 24) + 1, 1); })});
  addAll({with(Kind::ERROR, [](auto& n) { n.subkind = 77; })});
  addAll({with(Kind::ERROR, [](auto& n) { n.ref = 0; })});
  addAll({with(Kind::ERROR, [](auto& n) { n.error.cause = 12; })});
  addAll({node(Kind::DOM_EXCEPTION, "x", 0)});
  addAll({node(Kind(99))});
  for (const char* name: {"Headers", "Request", "Response", "Blob", "File", "FormData"}) {
    addAll({node(Kind::PLATFORM, name, 7)});
    addAll({node(Kind::PLATFORM, name, 0)});                           // made of itself
    addAll({node(Kind::PLATFORM, name, 1), node(Kind::OBJECT)});
    addAll({node(Kind::PLATFORM, name, 1), with(Kind::ARRAY, [](auto& n) { n.length = 1; n.items = {2}; }), node(Kind::TEXT, "a")});
    addAll({node(Kind::PLATFORM, name, 1), with(Kind::ARRAY, [](auto& n) { n.length = 4; })});   // holes
    addAll({node(Kind::PLATFORM, name, 1), with(Kind::ARRAY, [](auto& n) { n.length = 0xffffffff; })});
    addAll({node(Kind::PLATFORM, name, 1), with(Kind::NUMBERS, [](auto& n) { n.numbers = {200, 1, 2, 3}; })});
  }
  addAll({node(Kind::PLATFORM, "", 0)});
  addAll({node(Kind::PLATFORM, std::string(40, 'a'), 0)});
  auto platform = [&](const char* name, std::vector<ValueNode> state) {
    std::vector<ValueNode> nodes{node(Kind::PLATFORM, name, 1), with(Kind::ARRAY, [&](auto& n) {
      n.length = state.size();
      for (NodeRef i = 0; i < state.size(); ++i) n.items.push_back(2 + i);
    })};
    for (auto& part: state) nodes.push_back(part);
    addAll(nodes);
  };
  auto text = [&](const char* value) { return node(Kind::TEXT, value); };
  auto number = [&](double value) { return with(Kind::NUMBER, [&](auto& n) { n.number = value; }); };
  auto empty = node(Kind::ARRAY);
  platform("Headers", {text("a b"), text("c")});
  platform("Headers", {text("a"), text("b\r\nset-cookie: c")});
  platform("Request", {text("GET / HTTP/1.1"), text("http://a/"), empty, node(Kind::NIL), text("follow")});
  platform("Request", {text("get"), text("http://a/"), empty, node(Kind::NIL), text("follow")});
  platform("Request", {text("GET"), text("/a"), empty, node(Kind::NIL), text("follow")});
  platform("Request", {text("GET"), text("http://a/"), empty, node(Kind::NIL), text("always")});
  platform("Request", {text("POST"), text("http://a/"), empty, text("body"), text("follow")});
  platform("Response", {number(99), text(""), empty, node(Kind::NIL)});
  platform("Response", {number(200.5), text(""), empty, node(Kind::NIL)});
  platform("Response", {number(200), text("a\nb"), empty, node(Kind::NIL)});
  platform("Response", {number(200), text(""), empty, empty});
  platform("Blob", {node(Kind::ARRAY_BUFFER, "abc"), text("")});
  platform("FormData", {text("a"), number(1)});
  return graphs;
}

void hostileGraph(const Info& info) {
  auto context = info.GetIsolate()->GetCurrentContext();
  static const auto graphs = hostileGraphs();
  auto index = size_t(info[0].As<v8::Number>()->Value());
  Local<v8::Value> value;
  if (index < graphs.size() && fromGraph(context, graphs[index]).ToLocal(&value)) {
    info.GetReturnValue().Set(v8::String::NewFromUtf8Literal(info.GetIsolate(), "accepted"));
  }
}

void takeLogs(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto context = isolate->GetCurrentContext();
  auto list = v8::Array::New(isolate);
  uint32_t index = 0;
  for (auto& line : Engine::of(isolate).logs.take(SIZE_MAX)) {
    list->CreateDataProperty(context, index++, v8::Integer::New(isolate, int(line.level))).Check();
    auto text = v8::String::NewFromUtf8(isolate, line.text.data(), v8::NewStringType::kNormal, int(line.text.size()));
    list->CreateDataProperty(context, index++, text.ToLocalChecked()).Check();
  }
  info.GetReturnValue().Set(list);
}

void hashSeedProbe(const Info& info) {
  auto digest = Engine::of(info.GetIsolate()).hashSeedProbe();
  info.GetReturnValue().Set(v8::String::NewFromUtf8(info.GetIsolate(), std::to_string(digest).c_str()).ToLocalChecked());
}

}  // namespace

void installShellTools(Engine& engine, Local<v8::Context> context) {
  auto* isolate = engine.isolate();
  auto add = [&](const char* name, Local<v8::Value> value) {
    context->Global()->Set(context, v8::String::NewFromUtf8(isolate, name).ToLocalChecked(), value).Check();
  };
  add("rpcClone", v8::Function::New(context, rpcClone).ToLocalChecked());
  add("hostileGraph", v8::Function::New(context, hostileGraph).ToLocalChecked());
  add("takeLogs", v8::Function::New(context, takeLogs).ToLocalChecked());
  add("hashSeedProbe", v8::Function::New(context, hashSeedProbe).ToLocalChecked());
  add("hooks", engine.hooks());
}

}  // namespace glovebox
