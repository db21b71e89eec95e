#include "worker/worker-under-test.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <ostream>
#include <sstream>

#include "ipc/large-value.h"
#include "ipc/payload.h"
#include "ipc/return-reader.h"

extern char** environ;

namespace glovebox {

namespace {

using Kind = ValueNode::Kind;

std::string requireEnvironment(const char* name) {
  const char* value = getenv(name);
  if (value == nullptr) KJ_FAIL_REQUIRE("run this test through meson, which sets", name);
  return value;
}

void showNode(const ValueGraph& graph, NodeRef ref, std::ostream& out, int depth = 0) {
  if (depth > 8) {
    out << "...";
    return;
  }
  auto& node = graph.nodes.at(ref);
  auto properties = [&]() {
    bool first = true;
    out << '{';
    for (auto& property: node.properties) {
      if (!std::exchange(first, false)) out << ',';
      showNode(graph, property.key, out);
      out << ':';
      showNode(graph, property.value, out, depth + 1);
    }
    out << '}';
  };
  auto numeral = [&](double value) {
    if (std::isfinite(value) && value == std::trunc(value) && std::abs(value) < 1e15) out << int64_t(value);
    else out << value;
  };
  switch (node.kind) {
    case Kind::UNDEFINED: out << "undefined"; break;
    case Kind::NIL: out << "null"; break;
    case Kind::BOOLEAN: out << (node.flag ? "true" : "false"); break;
    case Kind::NUMBER: numeral(node.number); break;
    case Kind::TEXT: out << '"' << node.bytes << '"'; break;
    case Kind::ARRAY_BUFFER: out << "buffer(" << node.bytes.size() << ')'; break;
    case Kind::OBJECT: properties(); break;
    case Kind::ARRAY:
    case Kind::NUMBERS: {
      out << '[';
      bool first = true;
      for (auto item: node.items) {
        if (!std::exchange(first, false)) out << ',';
        if (item == NO_NODE) out << "hole";
        else showNode(graph, item, out, depth + 1);
      }
      for (auto value: node.numbers) {
        if (!std::exchange(first, false)) out << ',';
        numeral(value);
      }
      out << ']';
      break;
    }
    case Kind::ERROR: {
      static const char* const NAMES[] = {"Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError",
                                          "URIError", "AggregateError", "SuppressedError"};
      out << (node.error.name != NO_NODE ? graph.nodes.at(node.error.name).bytes : std::string(NAMES[node.subkind])) << ": "
          << (node.ref != NO_NODE ? graph.nodes.at(node.ref).bytes : std::string());
      if (!node.properties.empty()) {
        out << ' ';
        properties();
      }
      if (node.error.cause != NO_NODE) {
        out << " caused by ";
        showNode(graph, node.error.cause, out, depth + 1);
      }
      break;
    }
    case Kind::DOM_EXCEPTION: out << node.bytes << ": " << graph.nodes.at(node.ref).bytes; break;
    default: out << "kind " << int(node.kind); break;
  }
}

NodeRef append(ValueGraph& graph, const ValueGraph& part) {
  auto base = NodeRef(graph.nodes.size());
  for (auto node: part.nodes) {
    for (auto& item: node.items) item += base;
    for (auto& property: node.properties) property = {property.key + base, property.value + base};
    graph.nodes.push_back(std::move(node));
  }
  return base;
}

}  // namespace

std::string show(const ValueGraph& graph) {
  std::ostringstream out;
  showNode(graph, 0, out);
  return out.str();
}

ValueGraph number(double value) {
  ValueGraph graph;
  graph.nodes.resize(1);
  graph.nodes[0].kind = Kind::NUMBER;
  graph.nodes[0].number = value;
  return graph;
}

ValueGraph text(std::string value) {
  ValueGraph graph;
  graph.nodes.resize(1);
  graph.nodes[0].kind = Kind::TEXT;
  graph.nodes[0].bytes = std::move(value);
  return graph;
}

ValueGraph arrayOf(std::vector<ValueGraph> elements) {
  ValueGraph graph;
  graph.nodes.resize(1);
  graph.nodes[0].kind = Kind::ARRAY;
  graph.nodes[0].length = elements.size();
  for (auto& element: elements) {
    auto ref = append(graph, element);
    graph.nodes[0].items.push_back(ref);
  }
  return graph;
}

ValueGraph objectOf(std::vector<std::pair<std::string, ValueGraph>> properties) {
  ValueGraph graph;
  graph.nodes.resize(1);
  graph.nodes[0].kind = Kind::OBJECT;
  for (auto& [key, value]: properties) {
    auto keyRef = append(graph, text(key));
    auto valueRef = append(graph, value);
    graph.nodes[0].properties.push_back({keyRef, valueRef});
  }
  return graph;
}

class WorkerUnderTest::ConsoleImpl final: public rpc::Console::Server {
 public:
  explicit ConsoleImpl(std::vector<std::string>& logs): logs_(logs) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      static const char* const LEVELS[] = {"debug", "info", "log", "warn", "error"};
      auto body = message.getText();
      logs_.push_back(std::string(LEVELS[uint16_t(message.getLevel())]) + " " + std::string(body.begin(), body.size()));
    }
    return kj::READY_NOW;
  }

 private:
  std::vector<std::string>& logs_;
};

WorkerUnderTest::WorkerUnderTest() {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  std::istringstream words(requireEnvironment("GLOVEBOX_ENGINE"));
  std::vector<std::string> command;
  for (std::string word; std::getline(words, word);) command.push_back(word);
  command.push_back("--serve-unjailed");
  command.push_back(requireEnvironment("GLOVEBOX_SNAPSHOT"));
  std::vector<char*> argv;
  for (auto& word: command) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  int error = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  KJ_REQUIRE(error == 0, "cannot start the engine", command[0].c_str(), strerror(error));
  connect(ends[0]);
}

WorkerUnderTest::WorkerUnderTest(int socket) { connect(socket); }

void WorkerUnderTest::connect(int socket) {
  stream_ = io.lowLevelProvider->wrapSocketFd(
      socket, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC);
  client_ = kj::heap<capnp::TwoPartyClient>(*stream_);
  process_ = client_->bootstrap().castAs<rpc::WorkerProcess>();
}

WorkerUnderTest::~WorkerUnderTest() noexcept {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

void WorkerUnderTest::warm() {
  if (!isWarm_) process_.warmRequest().send().wait(io.waitScope);
  isWarm_ = true;
}

void WorkerUnderTest::write(const std::vector<Module>& modules, capnp::List<rpc::Module>::Builder list) {
  for (auto i: kj::indices(modules)) {
    auto& from = modules[i];
    auto to = list[uint(i)];
    auto bytes = capnp::Data::Reader(reinterpret_cast<const kj::byte*>(from.js.data()), from.js.size());
    to.setName(from.name.c_str());
    switch (from.kind) {
      case Module::Kind::JS: to.setJs(from.js.c_str()); break;
      case Module::Kind::CJS: to.setCjs(from.js.c_str()); break;
      case Module::Kind::TEXT: to.setText(from.js.c_str()); break;
      case Module::Kind::JSON: to.setJson(from.js.c_str()); break;
      case Module::Kind::DATA: to.setData(bytes); break;
      case Module::Kind::WASM: to.setWasm(bytes); break;
    }
  }
}

bool WorkerUnderTest::start(std::vector<Module> modules, ValueGraph env, uint32_t memoryMb, std::vector<std::string> caches) {
  warm();
  auto request = process_.startRequest();
  request.setConsole(kj::heap<ConsoleImpl>(logs));
  auto code = request.initCode();
  code.setMainModule(modules.at(0).name.c_str());
  write(modules, code.initModules(uint(modules.size())));
  if (!env.nodes.empty()) writePayload(env, code.initEnv());
  code.initLimits().setMemoryMb(memoryMb);
  auto list = request.initCaches(uint(caches.size()));
  for (auto i: kj::indices(caches)) {
    list.set(uint(i), capnp::Data::Reader(reinterpret_cast<const kj::byte*>(caches[i].data()), caches[i].size()));
  }
  return request.send().wait(io.waitScope).getStatus() == rpc::WorkerProcess::StartStatus::OK;
}

std::vector<std::string> WorkerUnderTest::compile(std::vector<Module> modules, uint32_t memoryMb) {
  warm();
  auto request = process_.compileRequest();
  write(modules, request.initModules(uint(modules.size())));
  request.setMemoryMb(memoryMb);
  auto response = request.send().wait(io.waitScope);
  auto words = pullLarge(response.getCaches(), 64 << 20).wait(io.waitScope);
  std::vector<std::string> caches;
  withLargeMessage(words, [&](capnp::MessageReader& message) {
    for (auto cache: message.getRoot<rpc::CodeCaches>().getModules()) {
      caches.emplace_back(reinterpret_cast<const char*>(cache.begin()), cache.size());
    }
  });
  return caches;
}

namespace {
template <typename Promise>
std::string failureOf(Promise&& promise, kj::WaitScope& waitScope) {
  std::string text;
  promise.then([](auto&&) {}, [&](kj::Exception&& exception) { text = exception.getDescription().cStr(); }).wait(waitScope);
  return text;
}
}  // namespace

std::string WorkerUnderTest::startAgain() { return failureOf(process_.startRequest().send(), io.waitScope); }
std::string WorkerUnderTest::compileAgain() { return failureOf(process_.compileRequest().send(), io.waitScope); }

kj::Promise<WorkerUnderTest::Answer> WorkerUnderTest::callLater(std::string path, std::vector<ValueGraph> arguments,
                                                               std::string entrypoint, ValueGraph props) {
  auto entrypointRequest = process_.getEntrypointRequest();
  entrypointRequest.setName(entrypoint.c_str());
  if (!props.nodes.empty()) writePayload(props, entrypointRequest.initProps());
  auto request = entrypointRequest.send().getEntrypoint().callRequest();
  std::vector<std::string> names;
  std::istringstream parts(path);
  for (std::string name; std::getline(parts, name, '.');) names.push_back(name);
  auto list = request.initPath(uint(names.size()));
  for (auto i: kj::indices(names)) list.set(uint(i), names[i].c_str());
  writePayload(arrayOf(std::move(arguments)), request.getOperation().initInvoke());
  return request.send().then([this](auto&& response) { return toAnswer(kj::mv(response)); });
}

WorkerUnderTest::Answer WorkerUnderTest::call(std::string path, std::vector<ValueGraph> arguments, std::string entrypoint) {
  return callLater(path, std::move(arguments), entrypoint).wait(io.waitScope);
}

WorkerUnderTest::Answer WorkerUnderTest::get(std::string path, std::string entrypoint) {
  auto entrypointRequest = process_.getEntrypointRequest();
  entrypointRequest.setName(entrypoint.c_str());
  auto request = entrypointRequest.send().getEntrypoint().callRequest();
  request.initPath(1).set(0, path.c_str());
  request.getOperation().setGet();
  return request.send().then([this](auto&& response) { return toAnswer(kj::mv(response)); }).wait(io.waitScope);
}

kj::Promise<WorkerUnderTest::Answer> WorkerUnderTest::toAnswer(capnp::Response<rpc::Return>&& response) {
  return readReturn(kj::mv(response)).then([](CallOutcome outcome) {
    KJ_SWITCH_ONEOF(outcome) {
      KJ_CASE_ONEOF(value, CallValue) return Answer{"value", show(value.graph)};
      KJ_CASE_ONEOF(thrown, CallThrown) return Answer{"thrown", show(thrown.graph)};
      KJ_CASE_ONEOF(ended, CallEnded) return Answer{ended.name.cStr(), ""};
    }
    KJ_UNREACHABLE;
  });
}

kj::Promise<void> WorkerUnderTest::sendSignal(int signal) {
  kill(pid_, signal);
  return kj::READY_NOW;
}

int WorkerUnderTest::join() {
  client_ = nullptr;
  process_ = nullptr;
  stream_ = nullptr;
  int status;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void WorkerUnderTest::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, exception); }

std::ostream& operator<<(std::ostream& out, const WorkerUnderTest::Answer& answer) {
  return out << answer.kind << ' ' << (answer.shown.size() > 2000 ? answer.shown.substr(0, 2000) + "..." : answer.shown);
}

}  // namespace glovebox
