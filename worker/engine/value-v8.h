#pragma once
// JavaScript values to and from a ValueGraph: the structured clone of Workers RPC and of structuredClone().
//
// Runs on the isolate's thread inside a HandleScope, an entered context and no JavaScript frame in particular. toGraph() may run
// user code (getters of the value, `name` of an error); fromGraph() runs none. Neither calls itself for a nested value,
// so depth costs heap and no stack. This file is compiled without RTTI and knows neither KJ nor Cap'n Proto.
//
// A graph given to fromGraph() may be hostile: every index, offset and length in it is checked again here.

#include "ipc/value-graph.h"

#include <v8.h>

namespace glovebox {

enum class CloneRules : uint8_t {
  RPC,              // class instances are refused; errors keep their own name and properties
  STRUCTURED_CLONE  // the HTML standard's: class instances become plain objects, null prototypes are fine
};

struct ToGraphOptions {
  CloneRules rules = CloneRules::RPC;
  size_t maxBytes = 32u << 20;   // Of the serialised form; a value above it throws (see SIZE_ERROR in value-v8.c++).
  size_t maxExternals = 256;       // As wire::EXTERNALS_MAX.
  v8::LocalVector<v8::ArrayBuffer>* transfer = nullptr;
  // Buffers to hand over: they get an empty ARRAY_BUFFER node; FromGraphOptions::transferred supplies the new ones.
  std::vector<NodeRef>* transferredNodes = nullptr;   // Out: the node of each entry of `transfer` (NO_NODE: not reached).
};

// False: an exception is pending in the isolate (DataCloneError, or whatever a getter threw), or execution is being
// terminated. `graph` is then of no use.
bool toGraph(v8::Local<v8::Context> context, v8::Local<v8::Value> value, ValueGraph& graph, ToGraphOptions options = {});

struct FromGraphOptions {
  const v8::LocalVector<v8::ArrayBuffer>* transferred = nullptr;
  const std::vector<NodeRef>* transferredNodes = nullptr;
  // The graph is not needed afterwards: large buffers are taken out of it instead of copied.
  ValueGraph* mayTake = nullptr;   // the graph itself, or null
};

// Empty: an exception is pending.
v8::MaybeLocal<v8::Value> fromGraph(v8::Local<v8::Context> context, const ValueGraph& graph, FromGraphOptions options = {});

}  // namespace glovebox
