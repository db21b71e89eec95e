#pragma once
// Calls both ways between the script host, which speaks numbers and graphs, and Cap'n Proto: answers of the host on their way
// out, calls of the host on others, the tables of what it holds of others, and what the code logged.
//
// What comes in was sent by whoever holds a capability of this worker, and what goes out is hostile to them; neither matters
// here, because the supervisor stands in between.

#include <capnp/capability.h>
#include <kj/async.h>
#include <kj/map.h>
#include <kj/one-of.h>

#include <deque>
#include <vector>

#include "ipc/call.capnp.h"
#include "ipc/control.capnp.h"
#include "ipc/payload.h"
#include "worker/script-host.h"
#include "worker/worker-source.h"

namespace glovebox {

class CallServer final: private kj::TaskSet::ErrorHandler {
 public:
  explicit CallServer(ScriptHost& host): host_(host), tasks_(*this) {}
  ~CallServer() noexcept(false);
  KJ_DISALLOW_COPY(CallServer);

  void setConsole(rpc::Console::Client console) { console_ = kj::mv(console); }

  // Gives what came with a value numbers, by which the code may use it.
  ValueGraph import(ReceivedValue&& received);

  // Resolves when `results` is filled in; never rejects. Dropping the promise abandons the call. Code begins to run only
  // when what was answered before has left: a call that never comes back must not keep others' answers from their callers.
  kj::Promise<void> call(CallRequest request, rpc::Return::Builder results);

  // The same for what gives a named worker's code; rejects with the words why there is none.
  kj::Promise<void> askForCode(uint64_t factory, rpc::WorkerFactory::CodeResults::Builder results);

  // An answer that is not a call's was just given.
  void noteAnswered() { unsent_ = true; }

  // The loop is about to wait, so all answers have left. True if something that stood behind them may run now.
  bool letNextRun();

  // Sends what the code has done: its calls, and the answers to ours unless logs have to go first. To be called after
  // everything that may have run JavaScript.
  void collect();

  // Nobody holds this export of the code's any more.
  void release(uint64_t exported);

  // Reads a value, in turn where it has to be pulled. `payload` is read before this returns.
  kj::Promise<ReceivedValue> pull(rpc::Payload::Reader payload);

  // Nothing that was logged waits to be sent.
  bool logsHaveLeft() const { return host_.logs().empty(); }

  bool idle() const { return pending_.size() == 0 && waiting_.empty(); }
  // An answer to a call of the code's is to come.
  bool expectsAnswer() const { return openCalls_ > 0; }

 private:
  using CodeResults = rpc::WorkerFactory::CodeResults;
  struct Pending {
    kj::OneOf<rpc::Return::Builder, CodeResults::Builder> results;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    bool account;
  };
  class Abandon;

  ScriptHost& host_;
  kj::Maybe<rpc::Console::Client> console_;
  bool logging_ = false;                      // one Console.write at a time
  bool wanted_ = true;                        // somebody listens to it, at other times than during calls with `account`
  unsigned accountCalls_ = 0;
  struct Held {
    CallAnswer answer;
    kj::Vector<capnp::Capability::Client> capabilities;   // of its externals
  };
  kj::Vector<Held> held_;                     // behind logs
  kj::HashMap<CallId, Pending> pending_;
  bool unsent_ = false;                       // answers may be on their way through the loop
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> waiting_;   // what may run code, behind them

  kj::HashMap<uint64_t, capnp::Capability::Client> imports_;
  kj::HashMap<uint64_t, kj::Own<kj::PromiseFulfiller<capnp::Capability::Client>>> promises_;   // each an import as well
  uint32_t openCalls_ = 0;
  std::deque<HostAction> queued_;             // calls, while too many are open, and releases behind them
  std::vector<uint64_t> released_;            // exports the code has not been told of yet
  bool tellingReleased_ = false;
  unsigned pulls_ = 0;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> waitingPulls_;
  kj::TaskSet tasks_;

  kj::Promise<void> whenAnswersHaveLeft();
  kj::Promise<void> run(CallRequest request, kj::OneOf<rpc::Return::Builder, CodeResults::Builder> results);
  void sendLogs();
  bool forget(CallId id);
  void respond(Held& held);
  capnp::Capability::Client capabilityOf(const ValueExternal& external);
  void takeBack(const ValueGraph& graph);

  void perform(HostAction& action);
  void performCall(HostAction& action);
  void performResolve(HostAction& action);
  void performLoad(HostAction& action);
  void performGet(HostAction& action);
  void performByName(HostAction& action);
  // For what is a request of a load, or the results of a factory.
  template <typename Message>
  static void writeCode(WorkerSource& source, Message& message, CapabilityOf capabilityOf);
  void performEntrypoint(HostAction& action);
  kj::Promise<RemoteAnswer> read(uint64_t call, capnp::Response<rpc::Return>&& response);
  static void writeModules(const WorkerSource& source, rpc::WorkerCode::Builder code);
  void pullEnded();
  void answered(uint64_t call, RemoteAnswer&& answer);
  kj::Maybe<capnp::Capability::Client&> find(uint64_t id);
  void taskFailed(kj::Exception&& exception) override {}
};

// One object of the code's that may be called from outside: an export, or an entrypoint.
class CallTarget: public rpc::Target::Server {
 protected:
  explicit CallTarget(CallServer& calls): calls_(calls) {}
  // Fills in who is called; or says what is wrong.
  virtual kj::Maybe<kj::StringPtr> address(CallRequest& request) = 0;
  kj::Promise<void> call(CallContext context) override;
  CallServer& calls_;

 private:
  unsigned pulling_ = 0;                 // calls whose arguments are still on their way, and those behind them
  kj::ForkedPromise<void> lastPulled_ = kj::Promise<void>(kj::READY_NOW).fork();

  kj::Promise<void> deliver(CallRequest request, ReceivedValue&& arguments, rpc::Return::Builder results);
};

class ExportedTarget final: public CallTarget {
 public:
  ExportedTarget(CallServer& calls, uint64_t id): CallTarget(calls), id_(id) {}
  ~ExportedTarget() noexcept(false) { calls_.release(id_); }

 protected:
  kj::Maybe<kj::StringPtr> address(CallRequest& request) override {
    request.target = id_;
    return nullptr;
  }

 private:
  const uint64_t id_;
};

// What gives a named worker's code.
class ExportedFactory final: public rpc::WorkerFactory::Server {
 public:
  ExportedFactory(CallServer& calls, uint64_t id): calls_(calls), id_(id) {}
  ~ExportedFactory() noexcept(false) { calls_.release(id_); }

 protected:
  kj::Promise<void> code(CodeContext context) override;

 private:
  CallServer& calls_;
  const uint64_t id_;
};

// Fills in a Return that throws an Error with `message`.
void setThrownError(rpc::Return::Builder results, kj::StringPtr message);

}  // namespace glovebox
