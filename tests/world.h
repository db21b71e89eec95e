#pragma once
// A whole Glovebox inside a test: a supervisor on a loop of its own, real zygote, real jail. What a test says is what an
// embedding program says, with JSON for values.

#include <string>
#include <vector>

#include <kj/async.h>

#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "supervisor/supervisor.h"

namespace glovebox::test {

// How a call came out.
struct Result {
  enum class Kind { VALUE, THROWN, ENDED } kind = Kind::ENDED;
  std::string json;      // VALUE: as JSON
  std::string name;      // THROWN: the error's name; ENDED: the code's ("exceededCpu")
  std::string message;   // THROWN, ENDED
};

// For EXPECT_EQ: "value 42", "thrown TypeError: boom", "ended exceededCpu".
std::string describe(const Result& result);

struct LoadOptions {
  std::vector<std::pair<std::string, std::string>> modules;   // further js modules: name, text
  std::string env;                                            // JSON object, or empty
  uint32_t cpuMs = 0, wallMs = 0, memoryMb = 0;
};

class World;

// A loaded worker and its default entrypoint.
class Agent {
 public:
  Agent(World& world, rpc::Worker::Client worker);

  Result call(const std::string& method, const std::string& argumentsJson = "[null]");
  kj::Promise<Result> callLater(const std::string& method, const std::string& argumentsJson = "[null]");
  rpc::Worker::Client& worker() { return worker_; }

 private:
  World& world_;
  rpc::Worker::Client worker_;
  rpc::Target::Client entrypoint_;
};

class World {
 public:
  explicit World(SupervisorOptions options = {});
  ~World() noexcept(false);

  Agent load(const std::string& moduleText, LoadOptions options = {});
  // Logs of every worker that was loaded since, in order: "warn: text".
  std::vector<std::string> logs;

  // The status document, parsed no further than a number by its path: "zygote.wardenPid".
  uint64_t statusNumber(const std::string& path);
  std::string statusText(const std::string& path);

  kj::WaitScope& waitScope() { return port_.waitScope(); }
  UvEventPort& port() { return port_; }
  rpc::Loader::Client& loader() { return loader_; }

  template <typename T>
  T wait(kj::Promise<T> promise) { return promise.wait(port_.waitScope()); }
  // Turns the loop until the condition holds; a test that waits in vain ends by its own timeout.
  template <typename Condition>
  void turnUntil(Condition&& condition) {
    while (!condition()) port_.getTimer().afterDelay(2 * kj::MILLISECONDS).wait(port_.waitScope());
  }

 private:
  UvLoop loop_;
  UvEventPort port_;
  kj::Own<Supervisor> supervisor_;
  rpc::Supervisor::Client client_;
  rpc::Loader::Client loader_;
};

// A number in a JSON document by its path: "zygote.wardenPid".
uint64_t numberIn(const char* json, const std::string& path);

// The text of a module whose default export has one method `run`.
std::string moduleWith(const std::string& body);

// The ids of the workers of a warden: its children but the zygote (inner pid 2).
std::vector<pid_t> workersOf(pid_t warden);
pid_t zygoteOf(pid_t warden);
bool isAlive(pid_t pid);   // and no zombie

// CPU time so far, by the kernel's account of 10 ms grains; of its reaped children.
uint64_t cpuMs(pid_t pid);
uint64_t reapedCpuMs(pid_t parent);
// Of all workers of a warden, the living and the reaped.
uint64_t workersCpuMs(pid_t warden);

}  // namespace glovebox::test
