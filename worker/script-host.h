#pragma once
// The worker's JavaScript side behind a plain interface: no V8 and no KJ in it, because those two cannot meet in one
// translation unit. Single-threaded; nothing here calls back. The server calls in, JavaScript runs until it has nothing to
// do, and the server then collects what came of it.
//
// Everything that runs inside is hostile. Whatever it does, the interface keeps its word: each call is answered once.

#include <signal.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ipc/value-graph.h"
#include "policy/profile.h"
#include "worker/log-buffer.h"
#include "worker/worker-source.h"

namespace glovebox {

class Engine;

using CallId = uint64_t;

enum class HostEnding : uint8_t { TERMINATED, EXCEEDED_MEMORY, HUNG };

// Numbers are those of ipc/js/wire.ts. What stands in graph.externals is an import or an export of these numbers.

// A call to us is answered.
struct CallAnswer {
  enum class Kind : uint8_t { VALUE, THROWN, ENDED, CODE };
  CallId id = 0;
  Kind kind = Kind::VALUE;
  ValueGraph graph;                              // VALUE, THROWN
  HostEnding ending = HostEnding::TERMINATED;    // ENDED
  std::shared_ptr<WorkerSource> code;            // CODE: only what wants code is answered so
  uint64_t pipeline = 0;                         // an export, or none
  bool disposable = false;
};

// What the code did to others, in order: an answer may hand on what is released right after it.
struct HostAction {
  enum class Kind : uint8_t { ANSWER, CALL, RELEASE, LOOPBACK, LOAD, GET, BY_NAME, ENTRYPOINT, REVOKE, PROMISE, RESOLVE, REJECT };
  Kind kind;
  uint64_t id = 0;                  // the new call or import; what is released; the promise
  uint64_t target = 0;              // an import (LOOPBACK: an export)
  uint64_t factory = 0;             // GET: an export
  uint32_t act = 0;                 // BY_NAME: NAME_... in ipc/js/wire.ts
  std::vector<std::string> path;    // CALL
  bool get = false;                 // CALL
  uint64_t span = 0;                // CALL: of the call to us that it is part of, where that is part of a trace
  ValueGraph graph;                 // CALL: the arguments; ENTRYPOINT: props, no nodes: {}; LOAD: in `code`
  std::string name;                 // ENTRYPOINT, GET, BY_NAME; REJECT: the message
  WorkerLimits limits;              // ENTRYPOINT
  std::shared_ptr<WorkerSource> code;   // LOAD
  CallAnswer answer;                // ANSWER
};

struct CallRequest {
  std::string entrypoint;                        // empty: the default export
  std::shared_ptr<const ValueGraph> props;       // null: {}
  uint64_t target = 0;                           // not 0: an export, rather than an entrypoint
  std::vector<std::string> path;
  bool get = false;                              // read the property rather than call it
  ValueGraph arguments;                          // root: an array
  bool account = false;                          // somebody listens to what is said meanwhile
  struct { uint64_t high = 0, low = 0, span = 0; uint8_t flags = 0; } trace;   // as `Trace` in ipc/call.capnp
};

// What came of a call of ours.
struct RemoteAnswer {
  enum class Kind : uint8_t { VALUE, THROWN, ENDED, FAILED };   // as ANSWER_... in ipc/js/wire.ts
  Kind kind = Kind::FAILED;
  ValueGraph graph;          // VALUE, THROWN
  bool disposable = false;
  bool pipeline = false;
  std::string code, message; // ENDED, FAILED: code as in GloveboxErrorCode of client/types
};

enum class WarmUp {
  ZYGOTE,   // everything that workers will share: each way into user code
  WORKER,   // the pages that a first call writes to: the commonest way only
};

class ScriptHost {
 public:
  static std::unique_ptr<ScriptHost> make(Engine& engine, policy::Profile profile);
  virtual ~ScriptHost() = default;

  // Touches the pages that a first call touches: runs a small module, a call and the codecs, and forgets them.
  virtual void warm(WarmUp how) = 0;

  // Once. False: the code failed; each call is answered with why.
  virtual bool start(WorkerSource source) = 0;

  // Instead of start(): V8's code cache of each module, empty where it is no JavaScript or does not compile. Runs nothing.
  virtual std::vector<std::string> compile(std::vector<ModuleSource> sources, uint32_t memoryMb) = 0;

  // Never throws, never fails: the answer comes through takeActions().
  virtual CallId call(CallRequest request) = 0;

  // The answer to a CALL of ours. Once each.
  virtual void answered(uint64_t call, RemoteAnswer answer) = 0;

  // Nobody holds these exports any more.
  virtual void released(const std::vector<uint64_t>& exports) = 0;

  // A number for something that has come from outside.
  virtual uint64_t newId() = 0;

  // Nobody waits for the answer any more. The code goes on, as far as others keep it alive.
  virtual void abandon(CallId id) = 0;

  // Milliseconds until the next timer, negative if there is none.
  virtual double msUntilTimer() = 0;
  virtual void runTimers() = 0;

  // Ends what was asked for by requestTermination(), if anything was.
  virtual void checkTermination() = 0;

  // Nothing is left to read and nothing to do: calls that only a timer, an answer or a call from outside could settle, and
  // for which none can come, end as HUNG. True if any did.
  virtual bool idle() = 0;

  // The code has ended the worker: no JavaScript runs any more, and what was under way is not answered.
  virtual bool aborted() const = 0;

  virtual std::vector<HostAction> takeActions() = 0;
  virtual LogBuffer& logs() = 0;
};

// Stops running JavaScript and every call in flight. Async-signal-safe: the handler of TERMINATE_SIGNAL, with SA_SIGINFO. It
// cannot stop everything everywhere (worker/engine/interruption.h): what goes on is to be sent it again.
void requestTermination(int signal, siginfo_t* info, void* context);

}  // namespace glovebox
