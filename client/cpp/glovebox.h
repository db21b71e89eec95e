#pragma once
// Glovebox for C++ programs: load JavaScript that nobody has reviewed into a jailed process, call it, and let it call
// tools of this program.
//
//   UvLoop loop;                                       // or UvEventPort on a loop that is there
//   UvEventPort port(loop.get());
//   auto client = Client::connect(port, "/run/glovebox.sock");
//   auto worker = client.load({.compatibilityDate = "2026-03-01", .modules = {{"agent.js", text}}});
//   Value result = worker.entrypoint().call("myAgent", {Value::object({{"value", 21}})}).wait(port.waitScope());
//
// One thread, that of the loop; nothing here blocks but wait(). All strings are UTF-8.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/memory.h>

#include "client/cpp/account.h"
#include "client/cpp/errors.h"
#include "client/cpp/stub.h"
#include "client/cpp/tool.h"
#include "client/cpp/value.h"
#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "ipc/worker-limits.h"

namespace glovebox {
class RpcConnection;
}

namespace glovebox::client {

struct Module {
  enum class Kind { JS, CJS, TEXT, DATA, JSON, WASM };

  std::string name;  // what others import it by, "lib/math.js"
  std::string body;
  Kind kind = Kind::JS;
};

// 0: the supervisor's policy. More than the policy grants is lowered to it. For an entrypoint only those of a call count.
using Limits = WorkerLimits;

// What Worker Loader calls WorkerLoaderWorkerCode.
struct Code {
  std::string compatibilityDate;  // "YYYY-MM-DD", required
  std::vector<std::string> compatibilityFlags;
  std::string mainModule;       // empty: the first of the modules
  std::vector<Module> modules;  // at most 64 MiB
  Value env = Value::object();  // an object, at most 1 MiB; may hold stubs
  Limits limits;
  std::vector<Stub> tails;  // entrypoints that are told of each call when it has ended; at most 8
  std::function<void(const LogLine&)> console;  // called in the event loop, logs before the result; empty: dropped
};

// What is known of a worker with a name.
struct NamedWorker {
  std::string name;
  bool live;  // it has a process now
  uint32_t callsInFlight;
  uint64_t memoryBytes;  // of its process alone, when that was last looked at
  uint64_t idleMs;       // since its last call
};

// A loaded worker: a process of its own, fresh, never shared. It ends when this and every Stub that came from it are gone.
class Worker {
 public:
  explicit Worker(rpc::Worker::Client worker): worker_(kj::mv(worker)) {}

  // An empty name is the default export. An unknown name is answered by each call. `props` is an object, or undefined.
  Stub entrypoint(const std::string& name = "", Value props = {}, Limits limits = {});

  // Ends it now: calls under way end as `revoked`. When this resolves, no call of the worker reaches anybody.
  kj::Promise<void> revoke();

 private:
  rpc::Worker::Client worker_;
};

// A line to a supervisor. When it is gone, everything that was loaded over it ends, and stubs reject with DISCONNECTED.
class Client {
 public:
  // Throws kj::Exception with what to do if no daemon (`glovebox serve`) listens on the socket. `port` outlives the result.
  static Client connect(UvEventPort& port, const std::string& socketPath);
  // For a program with a supervisor of its own (supervisor/supervisor.h), which outlives this.
  explicit Client(rpc::Supervisor::Client supervisor);
  ~Client() noexcept(false);
  Client(Client&&) = default;
  Client& operator=(Client&&) = delete;

  // Returns at once: what is wrong with the code is answered to each call, and a console that throws gets no more lines.
  // Throws kj::Exception only if `env` cannot be sent.
  Worker load(Code code);

  // The warm worker of that name, at most 1024 bytes. `factory` gives its code each time there is none: at first, and when it has
  // died, failed to start, was aborted or evicted; called in the event loop, once however many calls wait. What it throws is
  // Thrown by those. Stubs of the worker outlive all that, what came out of their calls does not. Worker::revoke() does nothing:
  // others may use the worker. `Code::console` is not used.
  Worker get(const std::string& name, std::function<kj::Promise<Code>()> factory,
             std::function<void(const LogLine&)> console = {});
  // Ends it and forgets the name: calls under way, and later ones on stubs of it, end as `revoked`. False: there is none.
  kj::Promise<bool> remove(const std::string& name);
  // Ends it now: calls under way end as `aborted`, the next one has it made again. False: there is none.
  kj::Promise<bool> abort(const std::string& name);
  // Latest use first.
  kj::Promise<std::vector<NamedWorker>> list();

  kj::Promise<std::string> status();  // JSON: layers in force, pool, live workers, endings by code

  // Resolves when a connected line is lost; never for an embedded supervisor.
  kj::Promise<void> onDisconnect();

 private:
  kj::Maybe<kj::Own<RpcConnection>> connection_;  // outlives the capabilities
  rpc::Supervisor::Client supervisor_;
  rpc::Loader::Client loader_;

  explicit Client(kj::Own<RpcConnection> connection);
};

}  // namespace glovebox::client
