#pragma once
// An object of this program that JavaScript may call. It runs here, with all of this program's rights, on arguments that an
// untrusted agent chose: check them as if they came from the network.
//
//   Tool prices;
//   prices.method("of", [](Arguments arguments) -> Value { return lookUp(arguments[0].asString()); });
//   Value env = Value::object({{"PRICES", kj::mv(prices).serve()}});      // env.PRICES.of("apple") in the agent

#include <map>
#include <string>

#include <kj/async.h>
#include <kj/function.h>

#include "client/cpp/stub.h"
#include "client/cpp/value.h"

namespace glovebox::client {

// An array; what the caller left out reads as undefined. Stubs in it belong to whoever keeps them: here, beyond the call.
using Arguments = Value;

class Tool {
 public:
  // Returns a Value or a promise of one. Calls of one reference begin in order and may overlap. The promise is dropped when
  // the caller is gone. A failure is an Error at the caller: throw Thrown for one with a name and a code; any other
  // exception's words cross as they are, so they should hold no secrets.
  using Method = kj::Function<kj::Promise<Value>(Arguments)>;

  // The name "" makes the tool itself a function.
  Tool& method(std::string name, Method method) &;
  // Called once, when nobody has a reference any more: neither here nor in any worker. Must not wait and must not throw.
  Tool& onRelease(kj::Function<void()> callback) &;

  // From here on the methods belong to the stub, which may be put into any Value.
  Stub serve() &&;

 private:
  class Server;

  std::map<std::string, Method> methods_;
  kj::Maybe<kj::Function<void()>> onRelease_;
};

}  // namespace glovebox::client
