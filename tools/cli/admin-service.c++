#include "tools/cli/admin-service.h"

#include "tools/cli/failure.h"
#include "tools/cli/terminal.h"
#include "tools/http/handler-probe.h"
#include "tools/http/page-data.h"

namespace glovebox::cli {

kj::Maybe<kj::Own<HttpListener>> listenAdmin(const std::string& address) {
  if (address.empty()) return nullptr;
  if (!address.starts_with("unix:") && address.find(':') != std::string::npos && !http::isLoopbackHost(address)) {
    throw Failure(EXIT_CODE_USAGE, "--admin: got '" + address + "', expected an address of this machine alone, such as 127.0.0.1:9090, [::1]:9090 or unix:PATH. "
                  "To read it from elsewhere, put something that knows who asks in front: an SSH tunnel, a proxy");
  }
  return kj::heap<HttpListener>(address);
}

void AdminService::start(kj::Maybe<kj::Own<HttpListener>>& listener) {
  KJ_IF_MAYBE(l, listener) {
    auto& journal = session_.openJournal();
    http::AdminHooks hooks{[this]() { return http::metricsText(session_.metrics(), options_.profile, requests); }, [this]() { return notReady(); },
                           [this, &journal]() { return status(journal); }, [&journal](uint64_t worker) { return http::tryWriteLogs(journal, worker); }};
    auto target = http::newAdmin(session_.port().getTimer(), kj::mv(hooks));
    gateway_ = startGateway(session_, installation_, options_, **l, [target](kj::StringPtr host, uint8_t) mutable -> kj::Maybe<rpc::Target::Client> {
      if (!http::isLoopbackHost(std::string_view(host.begin(), host.size()))) return nullptr;
      return target;
    });
    writeOutput("Admin on " + (*l)->shown() + "\n");
  }
}

kj::Promise<std::string> AdminService::status(const Journal& journal) {
  return session_.supervisor().statusRequest().send().then([this, &journal](auto&& response) {
    auto supervisor = response.getJson();
    return http::writePageStatus({project, draining, requests, session_.metrics(), journal, {supervisor.begin(), supervisor.size()}});
  });
}

kj::Promise<kj::Maybe<std::string>> AdminService::notReady() {
  if (draining) return kj::Maybe<std::string>("draining");
  if (!session_.metrics().zygoteStands) return kj::Maybe<std::string>("there is no zygote");
  KJ_IF_MAYBE(entrypoint, host()) {
    // What is wrong with it stands in the log; here is only that something is.
    return http::probeHandler(*entrypoint, "").then([](kj::Maybe<Failure> failure) -> kj::Maybe<std::string> {
      if (failure != nullptr) return std::string("the worker does not answer");
      return nullptr;
    });
  }
  return kj::Maybe<std::string>(nullptr);
}

}  // namespace glovebox::cli
