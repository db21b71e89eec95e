#include "tools/http/dev-server.h"

#include <kj/debug.h>

#include <set>

#include "tools/project/project-files.h"

namespace glovebox::http {

using cli::Failure;

namespace {

// An editor writes several files, and each in several steps.
constexpr kj::Duration SETTLE_TIME = 30 * kj::MILLISECONDS;

}  // namespace

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

void DevServer::use(project::HostedWorker hosted) {
  auto entrypoint = hosted.worker.getEntrypointRequest().send().getEntrypoint();
  current_ = kj::refcounted<Generation>(kj::mv(hosted), kj::mv(entrypoint));
}

kj::Promise<kj::Maybe<Failure>> DevServer::load() {
  return loadWorker().then([this](project::HostWorker&& loaded) -> kj::Maybe<Failure> {
    if (loaded.is<Failure>()) return kj::mv(loaded.get<Failure>());
    use(kj::mv(loaded.get<project::HostedWorker>()));
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
          if (loaded.is<Failure>()) return hooks_.log("warn", std::string("not reloaded: ") + loaded.get<Failure>().what());
          use(kj::mv(loaded.get<project::HostedWorker>()));
          hooks_.log("info", "reloaded");
        });
      })
      .then([this]() { return reloadOnChanges(); });
}

Backend DevServer::backend() {
  auto& generation = *KJ_REQUIRE_NONNULL(current_, "the project is not loaded");
  return {generation.entrypoint, kj::addRef(generation), generation.hosted.origins};
}

}  // namespace glovebox::http
