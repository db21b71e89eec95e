#pragma once
// The worker's JavaScript side behind a plain interface: no V8 and no KJ in it, because those two cannot meet in one
// translation unit. Single-threaded; nothing here calls back. The server calls in, JavaScript runs until it has nothing to
// do, and the server then collects what came of it.
//
// Everything that runs inside is hostile. Whatever it does, the interface keeps its word: each call is answered once.

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

struct CallAnswer {
  enum class Kind : uint8_t { VALUE, THROWN, ENDED };
  CallId id = 0;
  Kind kind = Kind::VALUE;
  ValueGraph graph;                              // VALUE, THROWN
  HostEnding ending = HostEnding::TERMINATED;    // ENDED
};

struct CallRequest {
  std::string entrypoint;                        // empty: the default export
  std::shared_ptr<const ValueGraph> props;       // null: {}
  std::vector<std::string> path;
  bool get = false;                              // read the property rather than call it
  ValueGraph arguments;                          // root: an array
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

  // Never throws, never fails: the answer comes through takeAnswers().
  virtual CallId call(CallRequest request) = 0;

  // Nobody waits for the answer any more. The code goes on, as far as others keep it alive.
  virtual void abandon(CallId id) = 0;

  // Milliseconds until the next timer, negative if there is none.
  virtual double msUntilTimer() = 0;
  virtual void runTimers() = 0;

  // Ends what was asked for by requestTermination(), if anything was.
  virtual void checkTermination() = 0;

  // Nothing is left to read and nothing to do: calls that only a timer or an answer could settle, and for which there is
  // none, end as HUNG. True if any did.
  virtual bool idle() = 0;

  virtual std::vector<CallAnswer> takeAnswers() = 0;
  virtual LogBuffer& logs() = 0;
};

// Stops running JavaScript and every call in flight. Async-signal-safe: the handler of TERMINATE_SIGNAL.
void requestTermination(int signal);

}  // namespace glovebox
