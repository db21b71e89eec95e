#pragma once
// Something that can be called: an entrypoint of a worker, a function or an object that code handed over, a tool of one's
// own. A Stub is a counted reference; with the last one, wherever they are, its owner lets go of the object, and with the
// last one into a worker the worker ends.

#include <initializer_list>
#include <string>
#include <vector>

#include <kj/async.h>

#include "client/cpp/account.h"
#include "client/cpp/value.h"

namespace glovebox::client {

class Call;
struct Run;

// Property names on the way from an object to what is called: "search", or {"tools", "search"}. Empty: the object itself.
struct Path {
  std::vector<std::string> names;

  Path() = default;
  Path(const char* name): names{name} {}
  Path(std::string name): names{std::move(name)} {}
  Path(std::initializer_list<const char*> names): names(names.begin(), names.end()) {}
  explicit Path(std::vector<std::string> names): names(std::move(names)) {}
};

class Stub {
 public:
  explicit Stub(rpc::Target::Client target);
  Stub(ValueExternal::Kind kind, capnp::Capability::Client capability): kind_(kind), capability_(kj::mv(capability)) {}
  Stub(const Stub& other);
  Stub(Stub&&) = default;
  Stub& operator=(const Stub& other);
  Stub& operator=(Stub&&) = default;

  // Sent at once, and in order with others on this stub. At most 32 MiB of arguments. What goes wrong, on either side, is
  // in the promise: Thrown, Ended, or a kj::Exception of type DISCONNECTED when the line to the supervisor is lost.
  Call call(Path path, std::vector<Value> arguments = {}) const;
  // The same with the supervisor's account of it. Rejects only if the arguments cannot be sent.
  kj::Promise<Run> run(Path path, std::vector<Value> arguments = {}) const;
  // Reads a property instead.
  Call read(Path path) const;

  ValueExternal::Kind kind() const { return kind_; }
  rpc::Target::Client target() const { return capability().castAs<rpc::Target>(); }
  capnp::Capability::Client capability() const { return capability_; }

 private:
  ValueExternal::Kind kind_;
  mutable capnp::Capability::Client capability_;
};

// A call under way. Dropping it gives the call up; a result with a disposer is disposed of when its last Value is dropped.
class Call final: public kj::Promise<Value> {
 public:
  // Calls on the result before it is there: one trip instead of two. Fails if the result is nothing that has properties.
  Call call(Path path, std::vector<Value> arguments = {}) const {
    return result_.call(std::move(path), std::move(arguments));
  }
  Call read(Path path) const { return result_.read(std::move(path)); }

  // Throws Thrown and Ended as what they are. Never within a callback of the event loop.
  Value wait(kj::WaitScope& waitScope);

  static kj::Promise<Value> reducePromise(
      kj::Promise<Call>&& promise);  // for then(): a promise of it is one of a Value

 private:
  Stub result_;

  Call(kj::Promise<Value>&& promise, rpc::Target::Client result)
      : kj::Promise<Value>(kj::mv(promise)), result_(kj::mv(result)) {}
  friend class Stub;
};

// What came of a call, and what it took.
struct Run {
  std::string outcome;                // "ok", "exception", or the name of an ending; "disconnected": the line was lost
  kj::Maybe<Value> value;             // if it returned
  kj::Maybe<kj::Exception> failure;   // if not: see Thrown::from() and Ended::from()
  kj::Maybe<Account> account;         // unless no supervisor heard of the call
};

}  // namespace glovebox::client
