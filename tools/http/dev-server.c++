#include "tools/http/dev-server.h"

#include <kj/debug.h>

#include <set>

#include "ipc/payload.h"
#include "tools/cli/thrown.h"
#include "tools/http/request-line.h"
#include "tools/project/project-files.h"

namespace glovebox::http {

using cli::Failure;

namespace {

// An editor writes several files, and each in several steps.
constexpr kj::Duration SETTLE_TIME = 30 * kj::MILLISECONDS;

// What a handler threw, with its stack. It comes from a worker, so it may be anything.
std::string describe(rpc::Payload::Reader thrown) {
  if (!thrown.isValue()) return "Uncaught: an exception too large to be shown";
  std::string text;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { text = cli::describeThrown(readInlinePayload(thrown).graph); })) {
    return std::string("Uncaught: an exception that cannot be read: ") + exception->getDescription().cStr();
  }
  return text;
}

}  // namespace

class DevServer::Front final: public rpc::Target::Server {
 public:
  explicit Front(DevServer& server): server_(server) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    context.allowCancellation();
    auto& generation = *KJ_REQUIRE_NONNULL(server_.current_, "the project is not loaded");
    auto call = context.getParams();
    RequestLine line;
    auto request = generation.entrypoint.callRequest(call.totalSize());
    request.setPath(call.getPath());
    if (call.getOperation().isInvoke()) {
      line = readRequestLine(call.getOperation().getInvoke());
      request.getOperation().setInvoke(call.getOperation().getInvoke());
    } else {
      request.getOperation().setGet();
    }
    context.releaseParams();
    auto start = server_.port_.getTimer().now();
    return request.send()
        .then([this, context, line = std::move(line), start](capnp::Response<rpc::Return>&& response) mutable {
          context.setResults(response);
          auto ms = (server_.port_.getTimer().now() - start) / kj::MILLISECONDS;
          auto status = response.isValue() ? readStatus(response.getValue()) : 0;
          auto outcome = status != 0 ? std::to_string(status) : response.isEnded() ? "ended" : response.isThrown() ? "threw" : "no Response";
          if (response.isThrown()) server_.hooks_.log(describe(response.getThrown()));
          if (response.isEnded()) server_.hooks_.log(response.getEnded().getMessage().cStr());
          server_.hooks_.log(line.method + " " + line.path + " " + outcome + " (" + std::to_string(ms) + " ms)");
        })
        .attach(kj::addRef(generation));
  }

 private:
  DevServer& server_;
};

DevServer::DevServer(UvEventPort& port, project::ProjectHost& host, Hooks hooks)
    : port_(port), host_(host), hooks_(kj::mv(hooks)), watch_(port.uvLoop()) {}

kj::Promise<project::HostWorker> DevServer::loadWorker() {
  std::vector<project::ProjectConfig> projects;
  std::set<std::string> folders;
  try {
    projects = hooks_.readProjects();
    for (auto& config: projects) {
      for (auto& folder: project::foldersOf(config)) folders.insert(folder);
    }
  } catch (const Failure& failure) {
    return project::HostWorker(failure);
  }
  // Before the files are read, so that nothing is missed.
  watch_.watch({folders.begin(), folders.end()});
  return host_.load(std::move(projects));
}

void DevServer::use(rpc::Worker::Client worker) {
  auto entrypoint = worker.getEntrypointRequest().send().getEntrypoint();
  current_ = kj::refcounted<Generation>(kj::mv(worker), kj::mv(entrypoint));
}

kj::Promise<kj::Maybe<Failure>> DevServer::load() {
  return loadWorker().then([this](project::HostWorker&& loaded) -> kj::Maybe<Failure> {
    if (loaded.is<Failure>()) return kj::mv(loaded.get<Failure>());
    use(kj::mv(loaded.get<rpc::Worker::Client>()));
    return nullptr;
  });
}

kj::Promise<void> DevServer::reloadOnChanges() {
  auto& timer = port_.getTimer();
  return watch_.changed()
      .then([&timer]() { return timer.afterDelay(SETTLE_TIME); })
      .then([this]() { return loadWorker(); })
      .then([this, &timer](project::HostWorker&& loaded) {
        return timer.afterDelay(SETTLE_TIME).then([this, loaded = kj::mv(loaded)]() mutable {
          // A file may have been read while it was half written. Then it has changed again by now, and nobody is to see that.
          if (!watch_.isQuiet()) return;
          if (loaded.is<Failure>()) return hooks_.log(std::string("not reloaded: ") + loaded.get<Failure>().what());
          use(kj::mv(loaded.get<rpc::Worker::Client>()));
          hooks_.log("reloaded");
        });
      })
      .then([this]() { return reloadOnChanges(); });
}

rpc::Target::Client DevServer::target() { return kj::heap<Front>(*this); }

}  // namespace glovebox::http
