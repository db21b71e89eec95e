#include "supervisor/trace-item.h"

#include "ipc/ending.h"
#include "ipc/log-level.h"

namespace glovebox {
namespace {

using Kind = ValueNode::Kind;

class Builder {
 public:
  Builder() { graph_.nodes.emplace_back(); }

  NodeRef node(Kind kind) {
    graph_.nodes.emplace_back();
    graph_.nodes.back().kind = kind;
    return static_cast<NodeRef>(graph_.nodes.size() - 1);
  }
  NodeRef text(kj::StringPtr value) {
    auto ref = node(Kind::TEXT);
    graph_.nodes[ref].bytes.assign(value.begin(), value.size());
    return ref;
  }
  NodeRef textOrNull(kj::StringPtr value) { return value.size() == 0 ? node(Kind::NIL) : text(value); }
  NodeRef number(double value) {
    auto ref = node(Kind::NUMBER);
    graph_.nodes[ref].number = value;
    return ref;
  }
  NodeRef milliseconds(kj::Duration value) { return number(static_cast<double>(value / kj::MICROSECONDS) / 1'000); }
  NodeRef boolean(bool value) {
    auto ref = node(Kind::BOOLEAN);
    graph_.nodes[ref].flag = value;
    return ref;
  }
  NodeRef array(std::vector<NodeRef> items) {
    auto ref = node(Kind::ARRAY);
    fill(ref, std::move(items));
    return ref;
  }
  using Properties = std::vector<std::pair<kj::StringPtr, NodeRef>>;
  NodeRef object(const Properties& properties) {
    std::vector<ValueProperty> list;
    list.reserve(properties.size());
    for (auto& property: properties) list.push_back({key(property.first), property.second});
    auto ref = node(Kind::OBJECT);
    graph_.nodes[ref].properties = std::move(list);
    return ref;
  }
  // The graph: an array of these.
  ValueGraph finish(std::vector<NodeRef> arguments) {
    graph_.nodes[0].kind = Kind::ARRAY;
    fill(0, std::move(arguments));
    return std::move(graph_);
  }

 private:
  ValueGraph graph_;
  std::vector<std::pair<kj::StringPtr, NodeRef>> keys_;   // a few, of constants; used again for each log

  void fill(NodeRef ref, std::vector<NodeRef> items) {
    graph_.nodes[ref].length = items.size();
    graph_.nodes[ref].items = std::move(items);
  }
  NodeRef key(kj::StringPtr name) {
    for (auto& known: keys_) {
      if (known.first == name) return known.second;
    }
    keys_.push_back({name, text(name)});
    return keys_.back().second;
  }
};

NodeRef traceNode(Builder& builder, const Trace& trace) {
  auto text = [&](const std::string& value) { return builder.text(kj::StringPtr(value.c_str(), value.size())); };
  return builder.object({{"traceId"_kj, text(traceIdText(trace))},
                         {"spanId"_kj, text(spanText(trace.span))},
                         {"parentSpanId"_kj, trace.parent == 0 ? builder.node(Kind::NIL) : text(spanText(trace.parent))}});
}

struct Item {
  NodeRef event;
  double time;
  const Said& said;
  kj::StringPtr scriptName, entrypoint;
  rpc::Ending::Code outcome;
  bool truncated;
  kj::Duration cpu, wall;
  Trace trace = {};
};

ValueGraph finish(Builder& builder, const Item& item) {
  std::vector<NodeRef> logs, exceptions;
  for (auto& log: item.said.logs) {
    logs.push_back(builder.object({{"timestamp"_kj, builder.number(log->time)},
                                   {"level"_kj, builder.text(levelName(log->level))},
                                   {"message"_kj, builder.array({builder.text(log->text)})}}));
  }
  for (auto& thrown: item.said.exceptions) {
    exceptions.push_back(builder.object({{"timestamp"_kj, builder.number(thrown->time)},
                                         {"name"_kj, builder.text(thrown->name)},
                                         {"message"_kj, builder.text(thrown->message)},
                                         {"stack"_kj, builder.text(thrown->stack)}}));
  }
  auto undefined = builder.node(Kind::UNDEFINED);
  Builder::Properties properties({{"event"_kj, item.event},
                               {"eventTimestamp"_kj, builder.number(item.time)},
                               {"logs"_kj, builder.array(std::move(logs))},
                               {"exceptions"_kj, builder.array(std::move(exceptions))},
                               {"diagnosticsChannelEvents"_kj, builder.array({})},
                               {"scriptName"_kj, builder.textOrNull(item.scriptName)},
                               {"entrypoint"_kj, builder.textOrNull(item.entrypoint)},
                               {"scriptVersion"_kj, undefined},
                               {"dispatchNamespace"_kj, undefined},
                               {"scriptTags"_kj, builder.array({})},
                               {"outcome"_kj, builder.text(endingName(item.outcome))},
                               {"executionModel"_kj, builder.text("stateless"_kj)},
                               {"truncated"_kj, builder.boolean(item.truncated || item.said.truncated)},
                               {"cpuTime"_kj, builder.milliseconds(item.cpu)},
                               {"wallTime"_kj, builder.milliseconds(item.wall)}});
  // Not Cloudflare's, and there only where a call is part of a trace.
  if (item.trace.exists()) properties.push_back({"trace"_kj, traceNode(builder, item.trace)});
  auto event = builder.object(properties);
  return builder.finish({builder.array({event})});
}

}  // namespace

ValueGraph traceCall(const Run& run, kj::StringPtr scriptName, bool truncated) {
  Builder builder;
  auto method = builder.text(run.method());
  auto event = builder.object({{"rpcMethod"_kj, method}});
  return finish(builder, {event, run.startTime(), run.said(), scriptName, run.entrypoint(), run.howItEnded(), truncated, run.cpu(), run.wall(), run.trace});
}

ValueGraph traceRest(const TraceRest& rest, kj::StringPtr scriptName, bool truncated) {
  Builder builder;
  auto event = builder.node(Kind::NIL);
  return finish(builder, {event, rest.time, rest.said, scriptName, ""_kj, rpc::Ending::Code::OK, truncated, rest.cpu, rest.wall});
}

}  // namespace glovebox
