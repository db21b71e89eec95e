// glovebox status: what a daemon says about itself, once or again and again.

#include <rapidjson/document.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "tools/cli/commands.h"
#include "tools/cli/failure.h"
#include "tools/cli/json-table.h"
#include "tools/cli/live-view.h"
#include "tools/cli/session.h"
#include "tools/cli/stop-signals.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {

namespace {

std::string format(const std::string& json, const StatusOptions& options) {
  if (options.json) return json + "\n";
  rapidjson::Document document;
  document.Parse(json.c_str());
  if (document.HasParseError()) throw Failure(EXIT_CODE_INTERNAL, "the status is not JSON; see it with --json");
  return options.watch ? liveView(document) : jsonTable(document);
}

kj::Promise<std::string> ask(rpc::Supervisor::Client& supervisor) {
  return supervisor.statusRequest().send().then([](auto&& response) { return std::string(response.getJson().cStr()); });
}

// One view after the other, in place on a terminal; until the promise is dropped or the daemon is gone.
class Watch {
 public:
  Watch(Session& session, const StatusOptions& options): session_(session), options_(options), supervisor_(session.supervisor()) {}

  kj::Promise<void> run() {
    return ask(supervisor_).then([this](std::string json) {
      try {
        show(format(json, options_));
      } catch (const Failure& failure) {
        failure_ = failure;   // KJ would make an exception of its own of it
        return kj::Promise<void>(kj::READY_NOW);
      }
      return session_.port().getTimer().afterDelay(options_.intervalMs * kj::MILLISECONDS).then([this]() { return run(); });
    });
  }

  const std::optional<Failure>& failure() const { return failure_; }

 private:
  Session& session_;
  const StatusOptions& options_;
  rpc::Supervisor::Client supervisor_;
  bool isFirst_ = true;
  std::optional<Failure> failure_;   // of our own output, which ends it

  void show(const std::string& view) {
    constexpr const char* HOME_AND_CLEAR = "\x1b[H\x1b[2J";
    bool apart = !options_.json && !isFirst_;
    isFirst_ = false;
    writeOutput((isatty(STDOUT_FILENO) && !options_.json ? HOME_AND_CLEAR : apart ? "\n" : "") + view);
  }
};

}  // namespace

int status(const StatusOptions& options) {
  Session session(options.socket);
  std::string json;
  auto failure = kj::runCatchingExceptions([&]() {
    auto supervisor = session.supervisor();
    json = ask(supervisor).wait(session.waitScope());
  });
  KJ_IF_MAYBE(exception, failure) {
    throw Failure(EXIT_CODE_UNAVAILABLE, "'" + options.socket + "' gave no status: " + exception->getDescription().cStr());
  }
  if (!options.watch) {
    writeOutput(format(json, options));
    return EXIT_CODE_OK;
  }
  StopSignals signals(session.port().uvLoop());
  Watch watch(session, options);
  try {
    signals.take().ignoreResult().exclusiveJoin(watch.run()).wait(session.waitScope());
  } catch (const kj::Exception& exception) {
    throw Failure(EXIT_CODE_UNAVAILABLE, "the daemon on '" + options.socket + "' is gone: " + exception.getDescription().cStr());
  }
  if (watch.failure()) throw *watch.failure();
  return EXIT_CODE_OK;
}

}  // namespace glovebox::cli
