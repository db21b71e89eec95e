#pragma once
// What is said of named workers, as the value that JavaScript gets of it.

#include "ipc/control.capnp.h"
#include "ipc/value-graph.h"

namespace glovebox {

ValueGraph booleanGraph(bool value);

// A list of objects with the fields of Loader.NamedWorker.
ValueGraph namedWorkersGraph(capnp::List<rpc::Loader::NamedWorker>::Reader workers);

}  // namespace glovebox
