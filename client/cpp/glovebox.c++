#include "client/cpp/glovebox.h"

#include <kj/debug.h>

#include "ipc/connection.h"
#include "ipc/limits-message.h"
#include "ipc/listener.h"
#include "ipc/wire-limits.h"

namespace glovebox::client {
namespace {

class ConsoleServer final: public rpc::Console::Server {
 public:
  explicit ConsoleServer(std::function<void(const LogLine&)> callback): callback_(std::move(callback)) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      auto text = message.getText();
      callback_({message.getLevel(), message.getTime(), std::string(text.begin(), text.size())});
    }
    return kj::READY_NOW;
  }

 private:
  std::function<void(const LogLine&)> callback_;
};

capnp::Text::Reader asText(const std::string& text) { return capnp::Text::Reader(text.c_str(), text.size()); }

void writeModule(const Module& from, rpc::Module::Builder to) {
  auto text = asText(from.body);
  to.setName(asText(from.name));
  switch (from.kind) {
    case Module::Kind::JS: to.setJs(text); return;
    case Module::Kind::CJS: to.setCjs(text); return;
    case Module::Kind::TEXT: to.setText(text); return;
    case Module::Kind::JSON: to.setJson(text); return;
    case Module::Kind::DATA: to.setData(text.asBytes()); return;
    case Module::Kind::WASM: to.setWasm(text.asBytes()); return;
  }
}

}  // namespace

Client::Client(rpc::Supervisor::Client supervisor)
    : supervisor_(kj::mv(supervisor)), loader_(supervisor_.loaderRequest().send().getLoader()) {}

Client::Client(kj::Own<RpcConnection> connection): Client(connection->bootstrap<rpc::Supervisor>()) {
  connection_ = kj::mv(connection);
}

Client::~Client() noexcept(false) {}

Client Client::connect(UvEventPort& port, const std::string& socketPath) {
  return Client(connectToSupervisor(port, socketPath.c_str()));
}

namespace {

void writeCode(Code&& code, rpc::WorkerCode::Builder to) {
  to.setCompatibilityDate(asText(code.compatibilityDate));
  auto flags = to.initCompatibilityFlags(static_cast<unsigned>(code.compatibilityFlags.size()));
  for (unsigned i = 0; i < code.compatibilityFlags.size(); i++) flags.set(i, asText(code.compatibilityFlags[i]));
  if (code.mainModule.empty() && !code.modules.empty()) code.mainModule = code.modules[0].name;
  to.setMainModule(asText(code.mainModule));
  auto modules = to.initModules(static_cast<unsigned>(code.modules.size()));
  for (unsigned i = 0; i < code.modules.size(); i++) writeModule(code.modules[i], modules[i]);
  std::move(code.env).write(to.initEnv(), wire::PAYLOAD_BYTES_MAX);
  writeLimits(code.limits, to.initLimits());
  auto tails = to.initTails(static_cast<unsigned>(code.tails.size()));
  for (unsigned i = 0; i < code.tails.size(); i++) tails.set(i, code.tails[i].target());
}

class Factory final: public rpc::WorkerFactory::Server {
 public:
  explicit Factory(std::function<kj::Promise<Code>()> callback): callback_(std::move(callback)) {}

 protected:
  kj::Promise<void> code(CodeContext context) override {
    return kj::evalNow([&]() { return callback_(); }).then([context](Code code) mutable {
      writeCode(std::move(code), context.getResults().initCode());
    });
  }

 private:
  std::function<kj::Promise<Code>()> callback_;
};

}  // namespace

Worker Client::load(Code code) {
  auto request = loader_.loadRequest();
  if (code.console) request.setConsole(kj::heap<ConsoleServer>(std::move(code.console)));
  writeCode(std::move(code), request.initCode());
  return Worker(request.send().getWorker());
}

Worker Client::get(const std::string& name, std::function<kj::Promise<Code>()> factory,
                   std::function<void(const LogLine&)> console) {
  auto request = loader_.getRequest();
  request.setName(asText(name));
  request.setFactory(kj::heap<Factory>(std::move(factory)));
  if (console) request.setConsole(kj::heap<ConsoleServer>(std::move(console)));
  return Worker(request.send().getWorker());
}

kj::Promise<bool> Client::remove(const std::string& name) {
  auto request = loader_.deleteRequest();
  request.setName(asText(name));
  return request.send().then([](auto&& response) { return response.getFound(); });
}

kj::Promise<bool> Client::abort(const std::string& name) {
  auto request = loader_.abortRequest();
  request.setName(asText(name));
  return request.send().then([](auto&& response) { return response.getFound(); });
}

kj::Promise<std::vector<NamedWorker>> Client::list() {
  return loader_.listRequest().send().then([](auto&& response) {
    std::vector<NamedWorker> workers;
    for (auto worker: response.getWorkers()) {
      auto name = worker.getName();
      workers.push_back({std::string(name.begin(), name.size()), worker.getLive(), worker.getCallsInFlight(),
                         worker.getMemoryBytes(), worker.getIdleMs()});
    }
    return workers;
  });
}

kj::Promise<std::string> Client::status() {
  return supervisor_.statusRequest().send().then(
      [](auto&& response) { return std::string(response.getJson().cStr()); });
}

kj::Promise<void> Client::onDisconnect() {
  KJ_IF_MAYBE (connection, connection_) return (*connection)->onDisconnect();
  return kj::NEVER_DONE;
}

Stub Worker::entrypoint(const std::string& name, Value props, Limits limits) {
  auto request = worker_.getEntrypointRequest();
  request.setName(asText(name));
  if (!props.isUndefined()) std::move(props).write(request.initProps(), wire::PAYLOAD_BYTES_MAX);
  writeLimits(limits, request.initLimits());
  return Stub(ValueExternal::Kind::SERVICE, request.send().getEntrypoint());
}

kj::Promise<void> Worker::revoke() { return worker_.revokeRequest().send().ignoreResult(); }

}  // namespace glovebox::client
