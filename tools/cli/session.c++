#include "tools/cli/session.h"

#include "ipc/listener.h"
#include "tools/cli/failure.h"

namespace glovebox::cli {
namespace {

// The supervisor's own words (supervisor/zygote-process.c++) for a layer that cannot be had.
constexpr std::string_view MISSING_LAYER = "Missing layer: ";

std::string describe(const kj::Exception& exception) { return exception.getDescription().cStr(); }

}  // namespace

Session::Session(SupervisorOptions options): port_(loop_.get()), allowMissing_(options.allowMissing) {
  auto failure = kj::runCatchingExceptions([&]() {
    embedded_ = Supervisor::start(port_, findInstallation(), options).wait(port_.waitScope());
  });
  KJ_IF_MAYBE(exception, failure) {
    auto words = describe(*exception);
    auto layer = words.find(MISSING_LAYER);
    if (layer == std::string::npos) throw Failure(EXIT_CODE_UNAVAILABLE, "the supervisor could not start: " + words);
    auto name = words.substr(layer + MISSING_LAYER.size());
    name.resize(name.find_first_of(". \n") == std::string::npos ? name.size() : name.find_first_of(". \n"));
    throw Failure(EXIT_CODE_MISSING_LAYER, words + "\nTo go on without it, and less safely: --allow-missing=" + name);
  }
}

Session::Session(const std::string& socket): port_(loop_.get()) {
  auto failure = kj::runCatchingExceptions([&]() {
    connection_ = connectToSupervisor(port_, socket.c_str());
  });
  KJ_IF_MAYBE(exception, failure) {
    throw Failure(EXIT_CODE_UNAVAILABLE, "no supervisor answers: " + describe(*exception));
  }
}

rpc::Supervisor::Client Session::supervisor() {
  if (embedded_.get() != nullptr) return embedded_->client();
  return connection_->bootstrap<rpc::Supervisor>();
}

Metrics Session::metrics() { return embedded_->metrics(); }

Journal& Session::openJournal() { return embedded_->openJournal(); }

rpc::Supervisor::Client Session::startBundlers(const WorkerLimits& limits) {
  SupervisorOptions options;
  options.poolSize = 1;
  options.codeCacheMbMax = 0;   // there is one load
  options.allowMissing = allowMissing_;
  for (auto& limit: WORKER_LIMITS) {
    if (limits.*limit.field != 0) options.limits.*limit.field = limits.*limit.field;
  }
  return Supervisor::start(port_, findInstallation(), options).then([this](kj::Own<Supervisor>&& started) {
    bundlers_ = kj::mv(started);
    return bundlers_->client();
  });
}

void Session::endBundlers() {
  if (bundlers_.get() == nullptr) return;
  bundlers_->shutdown().wait(port_.waitScope());
  bundlers_ = nullptr;
}

void Session::close() {
  endBundlers();
  if (embedded_.get() != nullptr) {
    embedded_->shutdown().wait(port_.waitScope());
    embedded_ = nullptr;
  }
  connection_ = nullptr;
}

}  // namespace glovebox::cli
