#pragma once
// A supervisor whose worker processes are played by the test: each is the far end of a real, guarded line in this process,
// and does what a script says. No jail, no V8, no zygote; the membrane, the guard and Cap'n Proto in between are the real
// ones, and so is the client's line.

#include <kj/async.h>
#include <kj/refcount.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ipc/connection.h"
#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "ipc/value-graph.h"
#include "supervisor/core.h"

namespace glovebox::test {

using CallContext = capnp::CallContext<rpc::Call, rpc::Return>;
using CompileContext = capnp::CallContext<rpc::WorkerProcess::CompileParams, rpc::WorkerProcess::CompileResults>;
using OnCall = std::function<kj::Promise<void>(const std::string& method, CallContext context)>;

// A capability that may be copied from a constant: for containers and functions of the standard library.
class TargetRef {
 public:
  TargetRef(rpc::Target::Client target): target_(kj::mv(target)) {}
  TargetRef(const TargetRef& other): target_(other.target_) {}
  TargetRef& operator=(const TargetRef& other) { target_ = other.target_; return *this; }
  operator rpc::Target::Client() const { return target_; }

 private:
  mutable rpc::Target::Client target_;
};

// An object that does what a function says; the method is the path, joined by dots.
rpc::Target::Client object(OnCall onCall);

// One worker process, from the inside. Shared by the test and the line, which goes when the supervisor lets go of it.
struct ScriptedWorker {
  int socket = -1;   // played elsewhere: the rest is unused but for `gone`, `ending` and the supervisor's end
  OnCall onCall;   // calls on any entrypoint; "entrypoint.method" if it has a name

  // What it was given in `start`, and since.
  std::map<std::string, rpc::Target::Client> env;   // by label
  kj::Maybe<rpc::Loader::Client> loader;
  kj::Maybe<rpc::Console::Client> console;
  std::vector<TargetRef> props;
  std::string mainModule;
  size_t modules = 0, tails = 0;
  uint32_t cpuMs = 0, wallMs = 0, memoryMb = 0;
  std::vector<std::string> caches;

  // What it was given in `compile`, and what it does then.
  std::function<kj::Promise<void>(CompileContext context)> onCompile;
  size_t compiles = 0;
  std::vector<std::pair<std::string, std::string>> compiled;   // name, text

  uint64_t memoryBytes = 1 << 20;                   // as the kernel would say
  bool failsToStart = false;
  bool lingers = false;                             // does not die when it is told to
  bool started = false;
  bool gone = false;                                // the supervisor let go of it, or it died
  kj::Duration cpuTime = 0 * kj::SECONDS;           // by the kernel's account, so to speak
  uint64_t peakMemoryBytes = 0;
  std::string ending;                               // why the supervisor ended it
  std::function<void()> die;                        // closes its line, as a crash does
  kj::Maybe<GuardStream::Counts> counts() const;
  kj::Maybe<RpcConnection&> supervisorsEnd;
};

class ScriptedWorld {
 public:
  explicit ScriptedWorld(SupervisorOptions options = {});
  ~ScriptedWorld() noexcept(false);

  // The next load gets this worker.
  std::shared_ptr<ScriptedWorker> expectLoad(OnCall onCall = nullptr);
  // The code compiler gets this one next, and none that is for loads.
  std::shared_ptr<ScriptedWorker> expectCompile(std::function<kj::Promise<void>(CompileContext context)> onCompile);
  // The next load gets whoever sits at the other end of this socket.
  std::shared_ptr<ScriptedWorker> expectStranger(int socket);
  // Until this is fulfilled loads wait for their process.
  kj::Own<kj::PromiseFulfiller<void>> holdLoads();

  struct Loaded {
    rpc::Worker::Client worker;
    rpc::Target::Client entrypoint;
    std::shared_ptr<ScriptedWorker> inside;
  };
  // Loads with these capabilities as env, through the client's line.
  Loaded load(OnCall onCall = nullptr, std::vector<std::pair<std::string, TargetRef>> env = {}, bool withLoader = false,
              rpc::Limits::Reader limits = {});
  Loaded loadInto(std::shared_ptr<ScriptedWorker> inside, std::vector<std::pair<std::string, TargetRef>> env = {},
                  bool withLoader = false, rpc::Limits::Reader limits = {});

  UvEventPort& port() { return port_; }
  Core& core() { return *core_; }
  rpc::Loader::Client loader() { return clientLoader_; }       // at the client's end of its line
  rpc::Loader::Client localLoader() { return localLoader_; }   // for an embedding program
  void dropClient();
  // And the embedding program.
  void dropLoaders();

  template <typename T>
  T wait(kj::Promise<T> promise) { return promise.wait(port_.waitScope()); }
  // Lets everything happen that does not need time.
  void settle();
  template <typename Condition>
  bool turnUntil(Condition&& condition) {
    for (int i = 0; i < 2'000 && !condition(); i++) port_.getTimer().afterDelay(1 * kj::MILLISECONDS).wait(port_.waitScope());
    return condition();
  }

 private:
  class Supply;
  UvLoop loop_;
  UvEventPort port_;
  kj::Own<Supply> supply_;
  kj::Own<Core> core_;
  rpc::Loader::Client localLoader_;
  kj::Own<RpcConnection> server_, client_;
  rpc::Loader::Client clientLoader_;
};

// Requests and answers in few words. Arguments: texts, numbers and capabilities.
struct Argument {
  Argument(const char* text): text(text) {}
  Argument(rpc::Target::Client target): target(kj::mv(target)) {}
  std::string text;
  std::optional<TargetRef> target;
};
capnp::RemotePromise<rpc::Return> call(rpc::Target::Client target, const std::string& method, std::vector<Argument> arguments = {});
// "value text", "thrown Error: words", "ended revoked", "exception words".
kj::Promise<std::string> outcome(capnp::RemotePromise<rpc::Return>&& promise);

// What the server of a call reads and answers.
std::vector<TargetRef> capabilitiesOf(CallContext& context);
std::string firstText(rpc::Payload::Reader payload);
void answer(CallContext& context, const std::string& text);
void answer(CallContext& context, rpc::Target::Client target, ValueExternal::Kind kind = ValueExternal::Kind::STUB);

}  // namespace glovebox::test
