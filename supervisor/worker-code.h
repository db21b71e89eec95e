#pragma once
// What a client hands to load(), checked for shape and size: the part of Worker Loader's validation that needs no
// JavaScript. Syntax, exports and everything inside the modules is the worker's business.

#include <kj/common.h>
#include <kj/string.h>

#include "ipc/value-graph.h"
#include "ipc/worker.capnp.h"

namespace glovebox {

// The newest compatibility date that means something here. A later one is refused, as Worker Loader does, because code
// that asks for tomorrow's behaviour would silently get today's.
constexpr kj::StringPtr COMPATIBILITY_DATE_NEWEST = "2026-11-24"_kj;

struct CodeError {
  ErrorPrototype prototype;   // the class of the JavaScript error that each call on the worker throws
  kj::String message;
};

// Null if the code may be sent to a worker, with these modules. Texts are Worker Loader's where it has one.
kj::Maybe<CodeError> tryFindCodeError(rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules);
inline kj::Maybe<CodeError> tryFindCodeError(rpc::WorkerCode::Reader code) { return tryFindCodeError(code, code.getModules()); }

}  // namespace glovebox
