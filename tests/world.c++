#include "tests/world.h"

#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include <kj/debug.h>

#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "ipc/value-json.h"

namespace glovebox::test {
namespace {

class ConsoleRecorder final: public rpc::Console::Server {
 public:
  explicit ConsoleRecorder(std::vector<std::string>& logs): logs_(logs) {}

  kj::Promise<void> write(WriteContext context) override {
    static const char* const LEVELS[] = {"debug", "info", "log", "warn", "error"};
    for (auto message: context.getParams().getMessages()) {
      logs_.push_back(std::string(LEVELS[static_cast<int>(message.getLevel())]) + ": " + message.getText().cStr());
    }
    return kj::READY_NOW;
  }

 private:
  std::vector<std::string>& logs_;
};

std::string textOf(const ValueGraph& graph, NodeRef ref) { return ref == NO_NODE ? std::string() : graph.nodes[ref].bytes; }

// The words of a thrown value.
void readThrown(const ValueGraph& graph, Result& result) {
  static const char* const NAMES[] = {"Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError",
                                      "AggregateError", "SuppressedError"};
  auto& root = graph.nodes[0];
  if (root.kind == ValueNode::Kind::ERROR) {
    result.name = root.error.name == NO_NODE ? NAMES[root.subkind] : textOf(graph, root.error.name);
    result.message = textOf(graph, root.ref);
  } else if (root.kind == ValueNode::Kind::DOM_EXCEPTION) {
    result.name = root.bytes;
    result.message = textOf(graph, root.ref);
  } else {
    result.name = "value";
    result.message = stringifyJson(graph);
  }
}

}  // namespace

std::string describe(const Result& result) {
  switch (result.kind) {
    case Result::Kind::VALUE: return "value " + result.json;
    case Result::Kind::THROWN: return "thrown " + result.name + ": " + result.message;
    case Result::Kind::ENDED: return "ended " + result.name;
  }
  return "";
}

Agent::Agent(World& world, rpc::Worker::Client worker)
    : world_(world), worker_(kj::mv(worker)), entrypoint_(worker_.getEntrypointRequest().send().getEntrypoint()) {}

kj::Promise<Result> Agent::callLater(const std::string& method, const std::string& argumentsJson) {
  auto request = entrypoint_.callRequest();
  request.initPath(1).set(0, method.c_str());
  writePayload(parseJson(argumentsJson), request.getOperation().initInvoke());
  return request.send().then([](capnp::Response<rpc::Return>&& response) {
    return readReturn(kj::mv(response)).then([](CallOutcome outcome) {
      Result result;
      KJ_SWITCH_ONEOF(outcome) {
        KJ_CASE_ONEOF(value, CallValue) {
          result.kind = Result::Kind::VALUE;
          result.json = stringifyJson(value.graph);
        }
        KJ_CASE_ONEOF(thrown, CallThrown) {
          result.kind = Result::Kind::THROWN;
          readThrown(thrown.graph, result);
        }
        KJ_CASE_ONEOF(ended, CallEnded) {
          result.kind = Result::Kind::ENDED;
          result.name = ended.name.cStr();
          result.message = ended.message.cStr();
        }
      }
      return result;
    });
  });
}

Result Agent::call(const std::string& method, const std::string& argumentsJson) {
  return callLater(method, argumentsJson).wait(world_.waitScope());
}

World::World(SupervisorOptions options)
    : port_(loop_.get()),
      supervisor_(Supervisor::start(port_, findInstallation(), options).wait(port_.waitScope())),
      client_(supervisor_->client()),
      loader_(client_.loaderRequest().send().getLoader()) {}

World::~World() noexcept(false) {
  loader_ = nullptr;
  client_ = nullptr;
  supervisor_->shutdown().wait(port_.waitScope());
}

Agent World::load(const std::string& moduleText, LoadOptions options) {
  auto request = loader_.loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("m.js");
  auto modules = code.initModules(1 + options.modules.size());
  modules[0].setName("m.js");
  modules[0].setJs(moduleText.c_str());
  for (size_t i = 0; i < options.modules.size(); i++) {
    modules[i + 1].setName(options.modules[i].first.c_str());
    modules[i + 1].setJs(options.modules[i].second.c_str());
  }
  if (!options.env.empty()) writePayload(parseJson(options.env), code.initEnv());
  auto limits = code.initLimits();
  limits.setCpuMs(options.cpuMs);
  limits.setWallMs(options.wallMs);
  limits.setMemoryMb(options.memoryMb);
  request.setConsole(kj::heap<ConsoleRecorder>(logs));
  return Agent(*this, request.send().getWorker());
}

namespace {
const rapidjson::Value* at(const rapidjson::Document& document, std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  return rapidjson::GetValueByPointer(document, rapidjson::Pointer(("/" + path).c_str()));
}
}  // namespace

uint64_t numberIn(const char* json, const std::string& path) {
  rapidjson::Document document;
  document.Parse(json);
  auto value = at(document, path);
  KJ_REQUIRE(value != nullptr && value->IsUint64(), "the document has no such number", path.c_str());
  return value->GetUint64();
}

uint64_t World::statusNumber(const std::string& path) {
  return numberIn(client_.statusRequest().send().wait(port_.waitScope()).getJson().cStr(), path);
}

std::string World::statusText(const std::string& path) {
  rapidjson::Document document;
  document.Parse(client_.statusRequest().send().wait(port_.waitScope()).getJson().cStr());
  auto value = at(document, path);
  KJ_REQUIRE(value != nullptr && value->IsString(), "the status has no such text", path.c_str());
  return value->GetString();
}

std::string moduleWith(const std::string& body) { return "export default { async run(input, env, ctx) {\n" + body + "\n} };\n"; }

namespace {
std::vector<pid_t> childrenOf(pid_t warden) {
  std::vector<pid_t> children;
  auto name = std::to_string(warden);
  std::ifstream file("/proc/" + name + "/task/" + name + "/children");
  pid_t pid;
  while (file >> pid) children.push_back(pid);
  return children;
}

// The last number of NSpid: in the innermost namespace.
int innerPid(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("NSpid:", 0) == 0) return std::stoi(line.substr(line.find_last_of(" \t") + 1));
  }
  return -1;
}
}  // namespace

std::vector<pid_t> workersOf(pid_t warden) {
  auto children = childrenOf(warden);
  children.erase(std::remove_if(children.begin(), children.end(), [](pid_t pid) { return innerPid(pid) == 2; }), children.end());
  return children;
}

pid_t zygoteOf(pid_t warden) {
  for (pid_t pid: childrenOf(warden)) {
    if (innerPid(pid) == 2) return pid;
  }
  return -1;
}

bool isAlive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  auto close = text.rfind(')');
  return close != std::string::npos && close + 2 < text.size() && text[close + 2] != 'Z' && text[close + 2] != 'X';
}

namespace {
// Two neighbouring fields of /proc/PID/stat, counted as proc(5) does, in ticks.
uint64_t statMs(pid_t pid, int field) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line, skipped;
  if (!std::getline(file, line)) return 0;
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  for (int i = 3; i < field; i++) fields >> skipped;
  uint64_t user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
}
}  // namespace

uint64_t cpuMs(pid_t pid) { return statMs(pid, 14); }
uint64_t reapedCpuMs(pid_t parent) { return statMs(parent, 16); }

uint64_t workersCpuMs(pid_t warden) {
  for (;;) {
    auto reaped = reapedCpuMs(warden);
    auto sum = reaped;
    for (pid_t pid: workersOf(warden)) sum += cpuMs(pid);
    if (reapedCpuMs(warden) == reaped) return sum;   // otherwise one was reaped between the two looks, and in neither
  }
}

}  // namespace glovebox::test
