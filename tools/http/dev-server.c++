#include "tools/http/dev-server.h"

#include <kj/debug.h>

#include <set>

#include "tools/http/handler-probe.h"
#include "tools/project/project-files.h"

namespace glovebox::http {

using cli::Failure;

namespace {

// An editor writes several files, and each in several steps.
constexpr kj::Duration SETTLE_TIME = 30 * kj::MILLISECONDS;

}  // namespace

DevServer::DevServer(UvEventPort& port, project::ProjectHost& host, project::StackMapper& mapper, Hooks hooks)
    : port_(port), host_(host), mapper_(mapper), hooks_(kj::mv(hooks)), watch_(port.uvLoop()) {}

kj::Promise<DevServer::Loaded> DevServer::tryLoad() {
  std::vector<project::ProjectConfig> projects;
  std::set<std::string> folders;
  try {
    projects = hooks_.readProjects();
    for (auto& config: projects) {
      for (auto& folder: project::foldersOf(config)) folders.insert(folder);
    }
  } catch (const Failure& failure) {
    return Loaded(failure);
  }
  auto name = projects[0].name;
  // Before the files are read, so that nothing is missed.
  watch_.watch({folders.begin(), folders.end()});
  return host_.load(std::move(projects)).then([this, name](project::HostWorker&& loaded) -> kj::Promise<Loaded> {
    if (loaded.is<Failure>()) return Loaded(kj::mv(loaded.get<Failure>()));
    auto& hosted = loaded.get<project::HostedWorker>();
    auto entrypoint = hosted.worker.getEntrypointRequest().send().getEntrypoint();
    auto generation = kj::refcounted<Generation>(kj::mv(hosted), kj::mv(entrypoint));
    auto probed = probeHandler(generation->entrypoint, name, mapper_, generation->hosted.origins);
    return probed.then([generation = kj::mv(generation)](kj::Maybe<Failure>&& failure) mutable -> Loaded {
      KJ_IF_MAYBE(known, failure) return kj::mv(*known);
      return kj::mv(generation);
    });
  });
}

kj::Promise<kj::Maybe<Failure>> DevServer::load() {
  return tryLoad().then([this](Loaded&& loaded) -> kj::Maybe<Failure> {
    if (loaded.is<Failure>()) return kj::mv(loaded.get<Failure>());
    current_ = kj::mv(loaded.get<kj::Own<Generation>>());
    return nullptr;
  });
}

kj::Promise<void> DevServer::reloadOnChanges() {
  auto& timer = port_.getTimer();
  return watch_.changed()
      .then([&timer]() { return timer.afterDelay(SETTLE_TIME); })
      .then([this]() { return tryLoad(); })
      .then([this, &timer](Loaded&& loaded) {
        return timer.afterDelay(SETTLE_TIME).then([this, loaded = kj::mv(loaded)]() mutable {
          // A file may have been read while it was half written. Then it has changed again by now, and nobody is to see that.
          if (!watch_.isQuiet()) return;
          if (loaded.is<Failure>()) return hooks_.log("warn", std::string("not reloaded: ") + loaded.get<Failure>().what());
          current_ = kj::mv(loaded.get<kj::Own<Generation>>());
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
