#pragma once
// Answers of the script host on their way out: turns each into a Return, keeps large results until they are pulled, and
// sends what the code logged before the Return it precedes.

#include <kj/async.h>
#include <kj/map.h>
#include <kj/vector.h>

#include <deque>

#include "ipc/call.capnp.h"
#include "worker/script-host.h"

namespace glovebox {

class CallServer final: private kj::TaskSet::ErrorHandler {
 public:
  explicit CallServer(ScriptHost& host): host_(host), tasks_(*this) {}
  KJ_DISALLOW_COPY(CallServer);

  void setConsole(rpc::Console::Client console) { console_ = kj::mv(console); }

  // Resolves when `results` is filled in; never rejects. Dropping the promise abandons the call. Code begins to run only
  // when what was answered before has left: a call that never comes back must not keep others' answers from their callers.
  kj::Promise<void> call(CallRequest request, rpc::Return::Builder results);

  // An answer that is not a call's was just given.
  void noteAnswered() { unsent_ = true; }

  // The loop is about to wait, so all answers have left. True if a call that stood behind them may run now.
  bool letNextRun();

  // Fills in what is answered by now, unless logs have to go first. To be called after everything that may have run
  // JavaScript.
  void deliver();

  bool idle() const { return pending_.size() == 0 && waiting_.empty(); }

 private:
  struct Pending {
    rpc::Return::Builder results;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  };
  class Abandon;

  kj::Promise<void> run(CallRequest request, rpc::Return::Builder results);
  void sendLogs();
  void respond(CallAnswer& answer);
  void taskFailed(kj::Exception&& exception) override {}

  ScriptHost& host_;
  kj::Maybe<rpc::Console::Client> console_;
  bool logging_ = false;                      // one Console.write at a time
  std::vector<CallAnswer> held_;              // behind logs
  kj::HashMap<CallId, Pending> pending_;
  bool unsent_ = false;                       // answers may be on their way through the loop
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> waiting_;   // calls behind them
  kj::TaskSet tasks_;
};

// Fills in a Return that throws an Error with `message`.
void setThrownError(rpc::Return::Builder results, kj::StringPtr message);

}  // namespace glovebox
