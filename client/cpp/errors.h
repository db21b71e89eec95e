#pragma once
// How a call fails. Promises of KJ carry every failure as a plain kj::Exception; from() finds in it what it was. Call::wait()
// throws these two themselves, and a tool may throw a Thrown wherever its promise would take it along.

#include <exception>
#include <string>

#include <kj/exception.h>

#include "ipc/call.capnp.h"

namespace glovebox::client {

class Value;

// The JavaScript code threw, or is to see this thrown.
class Thrown final: public kj::Exception, public std::exception {
 public:
  explicit Thrown(std::string name, std::string message, std::string code = "", std::string stack = "");
  // Of an Error: its name, message, `code` (if a text) and stack. Of anything else that was thrown: no name, its JSON as message.
  explicit Thrown(const Value& value);
  // Null if the exception is none of these.
  static kj::Maybe<Thrown> from(const kj::Exception& exception);

  std::string name;  // "TypeError"
  std::string message;
  std::string code;   // "E_TOO_FAR", often empty
  std::string stack;  // of the worker; empty for one that was made here

  const char* what() const noexcept override { return getDescription().cStr(); }
};

// The call neither returned nor threw: a limit was reached, the worker crashed, it was revoked.
class Ended final: public kj::Exception, public std::exception {
 public:
  Ended(rpc::Ending::Code code, std::string message);
  static kj::Maybe<Ended> from(const kj::Exception& exception);

  rpc::Ending::Code code;
  std::string name;     // of the code, as in ipc/call.capnp: "exceededCpu"
  std::string message;  // one or two sentences for a user, naming the limit and its value

  const char* what() const noexcept override { return getDescription().cStr(); }
};

// What the other side is to see of a failure here, as a JavaScript Error: a Thrown as it is, of anything else the description.
Value errorFor(const kj::Exception& exception);

}  // namespace glovebox::client
