#pragma once
// An account as a line of JSON, with the names and shapes that it has in the Node package. ASCII only, so that nothing of what
// a worker said can act on a terminal.

#include <string>

#include "ipc/call.capnp.h"

namespace glovebox::cli {

std::string accountAsJson(rpc::Account::Reader account);

}  // namespace glovebox::cli
