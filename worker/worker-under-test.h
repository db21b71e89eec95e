#pragma once
// For tests: a worker process without a jail, driven over its socket as a supervisor would.
//
// The commands come from the environment, where meson puts them: GLOVEBOX_ENGINE (words separated by newlines, the
// engine with our object preloaded) and GLOVEBOX_SNAPSHOT.

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <string>
#include <utility>
#include <vector>

#include "ipc/value-graph.h"
#include "ipc/worker.capnp.h"

namespace glovebox {

// A ValueGraph as text: JSON, and for what JSON cannot say something like it. Errors are `Name: message {props}`.
std::string show(const ValueGraph& graph);

// Small graphs for arguments.
ValueGraph arrayOf(std::vector<ValueGraph> elements);
ValueGraph objectOf(std::vector<std::pair<std::string, ValueGraph>> properties);
ValueGraph number(double value);
ValueGraph text(std::string value);

class WorkerUnderTest: private kj::TaskSet::ErrorHandler {
 public:
  kj::AsyncIoContext io = kj::setupAsyncIo();   // made first, gone last

  struct Module {
    std::string name, js;
    enum class Kind { JS, CJS, TEXT, JSON, DATA, WASM } kind = Kind::JS;
  };

  WorkerUnderTest();                      // a process of its own, without a jail
  explicit WorkerUnderTest(int socket);   // somebody made it; takes the socket
  ~WorkerUnderTest() noexcept;

  // warm() and start(). The first module is the main one. True if the code started.
  bool start(std::vector<Module> modules, ValueGraph env = {}, uint32_t memoryMb = 128, std::vector<std::string> caches = {});
  bool start(std::string js) { return start({{"m.js", std::move(js)}}); }

  // warm() and compile(): a cache for each module, for start() of another worker.
  std::vector<std::string> compile(std::vector<Module> modules, uint32_t memoryMb = 128);
  // What a call of the process itself that does not belong here is answered; empty: nothing is wrong.
  std::string startAgain();
  std::string compileAgain();

  struct Answer {
    std::string kind;   // "value", "thrown" or the name of an ending
    std::string shown;  // show() of the value or of what was thrown; of an ending, nothing
    bool operator==(const Answer&) const = default;
  };
  kj::Promise<Answer> callLater(std::string path, std::vector<ValueGraph> arguments, std::string entrypoint = "",
                                ValueGraph props = {});
  Answer call(std::string path, std::vector<ValueGraph> arguments, std::string entrypoint = "");
  Answer get(std::string path, std::string entrypoint = "");

  kj::Promise<void> sendSignal(int signal);
  int pid() const { return pid_; }

  // Waits for the end: the exit code, or the negative signal.
  int join();

  std::vector<std::string> logs;   // "level text"

 private:
  void connect(int socket);

  class ConsoleImpl;
  void warm();
  static void write(const std::vector<Module>& modules, capnp::List<rpc::Module>::Builder to);
  bool isWarm_ = false;
  int pid_ = -1;
  kj::Own<kj::AsyncIoStream> stream_;
  kj::Own<capnp::TwoPartyClient> client_;
  rpc::WorkerProcess::Client process_ = nullptr;

  kj::Promise<Answer> toAnswer(capnp::Response<rpc::Return>&& response);
  void taskFailed(kj::Exception&& exception) override;
};

std::ostream& operator<<(std::ostream& out, const WorkerUnderTest::Answer& answer);

}  // namespace glovebox
