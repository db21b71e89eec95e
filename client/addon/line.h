#pragma once
// One line to a supervisor: everything of Cap'n Proto that the Node package needs, in numbers (ipc/js/wire.ts). It knows
// nothing of Node; client/addon/addon.c++ carries its events to JavaScript and JavaScript's calls to it.
//
// One thread, that of the UvEventPort. It is kept by whoever named it last, JavaScript's object included, but holds
// nothing of Cap'n Proto any more once it has ended: by close(), because the supervisor went away, or by abandon().
// What comes in was passed on by the supervisor and may have been written by a worker.

#include <kj/async.h>
#include <kj/refcount.h>

#include <deque>
#include <map>
#include <set>

#include "client/addon/embedded-supervisor.h"
#include "client/addon/value-bytes.h"
#include "ipc/connection.h"
#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "ipc/value-graph.h"
#include "ipc/worker-limits.h"

namespace glovebox::client {

// Imports, exports and calls.
using Number = uint64_t;
using ExternalKind = ValueExternal::Kind;

struct OutgoingExternal {
  ExternalKind kind;
  Number id;
  bool imported;     // an import that is passed on; otherwise an export
  kj::String label;
};

struct IncomingExternal {
  ExternalKind kind;
  Number id;   // an import
};

struct Answer {
  enum class Kind { VALUE, THROWN, ENDED, FAILED };   // as ANSWER_... in wire.ts

  Kind kind;
  kj::Maybe<rpc::Value::Reader> value;   // of VALUE and THROWN
  kj::StringPtr message;                 // of ENDED and FAILED
  kj::StringPtr code;                    // of ENDED and FAILED
  kj::ArrayPtr<const IncomingExternal> externals;
  bool disposable = false;
  bool pipeline = false;
  kj::Maybe<rpc::Account::Reader> account;
};

// Comes from the loop, never from inside a method of Line. May call methods of Line. What JavaScript throws stays there;
// an exception means that the event did not reach JavaScript because the value in it is malformed.
class LineEvents {
 public:
  virtual ~LineEvents() noexcept(false) = default;
  virtual void deliver(Number call, Number target, kj::ArrayPtr<const kj::String> path, kj::Maybe<rpc::Value::Reader> args,
                       kj::ArrayPtr<const IncomingExternal> externals) = 0;
  virtual void answered(Number call, const Answer& answer) = 0;
  virtual void released(Number target) = 0;
  virtual void log(Number worker, rpc::LogMessage::Level level, double time, kj::StringPtr text) = 0;
  // The last event.
  virtual void closed(kj::StringPtr message) = 0;
};

class Line final: public kj::Refcounted, private kj::TaskSet::ErrorHandler {
 public:
  // To one that is reached by a connection, or to one in this process. `port` outlives the line's end.
  Line(UvEventPort& port, kj::Own<LineEvents> events, kj::Own<RpcConnection> connection);
  Line(UvEventPort& port, kj::Own<LineEvents> events, kj::Own<EmbeddedSupervisor> embedded);
  ~Line() noexcept(false);
  KJ_DISALLOW_COPY(Line);

  // As in addon.d.ts. They throw kj::Exception if they are used wrongly; nothing has been sent then. After the end they
  // are not called, except release(), settle(), resolve() and reject(), which do nothing then.
  Number loader(const WorkerLimits& limits);
  Number outbound();
  Number loopback(Number target);
  Number call(Number target, kj::ArrayPtr<const kj::String> path, kj::Maybe<ValueBytes&> args,
              kj::ArrayPtr<const OutgoingExternal> externals, bool account);
  void release(Number id);
  void settle(Number call, bool ok, ValueBytes& value, kj::ArrayPtr<const OutgoingExternal> externals, Number pipeline,
              bool disposable);
  // `fill` writes everything but `env` and `tails`.
  Number load(Number loader, kj::FunctionParam<void(rpc::WorkerCode::Builder)> fill, kj::Maybe<ValueBytes&> env,
              kj::ArrayPtr<const OutgoingExternal> externals, kj::ArrayPtr<const OutgoingExternal> tails, bool wantsLogs);
  Number get(Number loader, kj::StringPtr name, Number factory, bool wantsLogs);
  // `fill` writes everything but `env` and `tails`.
  void giveCode(Number call, kj::FunctionParam<void(rpc::WorkerCode::Builder)> fill, kj::Maybe<ValueBytes&> env,
                kj::ArrayPtr<const OutgoingExternal> externals, kj::ArrayPtr<const OutgoingExternal> tails);
  enum class NameAct { DELETE, ABORT, LIST };   // as in wire.ts
  Number byName(Number loader, NameAct act, kj::StringPtr name);
  Number entrypoint(Number worker, kj::StringPtr name, kj::Maybe<ValueBytes&> props,
                    kj::ArrayPtr<const OutgoingExternal> externals, const WorkerLimits& limits);
  Number revoke(Number worker);
  Number promise();
  void resolve(Number promise, Number worker);
  void reject(Number promise, kj::StringPtr message);
  Number status();

  void close();
  bool isOpen() const { return state_ == State::OPEN; }
  bool hasEnded() const { return state_ == State::ENDED; }
  size_t pending() const { return calls_.size(); }

  // Lets go of everything at once, without an event: the environment ends. Not from inside an event.
  void abandon();

 private:
  class ExportedTarget;
  class Factory;
  class ConsoleServer;
  struct IncomingCall;

  struct Import {
    kj::Maybe<capnp::Capability::Client> capability;
    // Of a call without answer, until somebody asks for it: most calls are never pipelined on.
    kj::Maybe<rpc::Return::Pipeline> pipeline;
  };

  enum class State { OPEN, ENDING, ENDED };

  UvEventPort& port_;
  kj::Own<LineEvents> events_;
  State state_ = State::OPEN;
  const bool looksForAnswers_;
  Number next_ = 1;
  std::map<Number, Import> imports_;
  std::map<Number, kj::Own<kj::PromiseFulfiller<capnp::Capability::Client>>> promises_;   // each an import as well
  std::set<Number> calls_;                         // ours, without answer
  std::map<Number, IncomingCall*> incomingCalls_;  // each owned by the promise of its answer
  std::deque<Number> released_;
  bool releasesAreComing_ = false;
  kj::Maybe<rpc::Supervisor::Client> supervisor_;
  kj::Own<RpcConnection> connection_;              // null if the supervisor is in this process
  kj::Own<EmbeddedSupervisor> embedded_;           // null if it is not
  kj::Promise<void> disconnected_ = nullptr;
  kj::Promise<void> releasing_ = nullptr;
  kj::Promise<void> ending_ = nullptr;
  kj::String endMessage_;
  bool holdsForEnd_ = false;
  kj::Own<kj::TaskSet> tasks_;                     // what waits for answers

  capnp::Capability::Client& import(Number id);
  Number add(capnp::Capability::Client capability);
  void requireImports(kj::ArrayPtr<const OutgoingExternal> externals);
  void writeExternals(rpc::Payload::Builder payload, kj::ArrayPtr<const OutgoingExternal> externals);
  capnp::Capability::Client capabilityOf(const OutgoingExternal& external);
  kj::Array<IncomingExternal> readExternals(rpc::Payload::Reader payload);

  Number await(Number id, kj::Promise<void> answer);
  void answerWithGraph(Number id, const ValueGraph& graph);
  kj::Promise<void> receive(Number id, capnp::Response<rpc::Return> response);
  void keepResult(Number id, rpc::Return::Reader result);
  void answerWith(Number id, rpc::Return::Reader result, rpc::Value::Reader value);
  void answer(Number id, const Answer& answer);
  void fail(Number id, const kj::Exception& exception);
  void expect();

  void noteReleased(Number target);
  void sendReleased();
  void end(kj::StringPtr message);
  void answerAllAsFailed();
  void dropEverything();
  void letGoForEnd();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::client
