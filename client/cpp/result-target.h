#pragma once
// The result of a tool's call where it is: what an agent's calls on the not yet arrived result go to. Reaches a result's own
// properties and, through stubs in it, what those reach.

#include "client/cpp/value.h"
#include "ipc/call.capnp.h"

namespace glovebox::client {

// Null if the value is nothing that has properties.
kj::Maybe<rpc::Target::Client> resultTarget(const Value& result);

// Answers with an error of JavaScript.
void answerThrown(const Value& error, rpc::Return::Builder results);

// Answers with the value, or with the reason why it cannot be sent.
void answerValue(Value&& value, rpc::Return::Builder results);

}  // namespace glovebox::client
