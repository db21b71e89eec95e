#pragma once
// The admin address of a command that serves: --admin IP:PORT.

#include <functional>
#include <string>

#include "tools/cli/http-service.h"
#include "tools/http/admin.h"

namespace glovebox::cli {

// Takes the address. Throws Failure, also if it could be reached from elsewhere. Empty: there is none.
kj::Maybe<kj::Own<HttpListener>> listenAdmin(const std::string& address);

class AdminService {
 public:
  // All outlive it.
  AdminService(Session& session, const Installation& installation, const SupervisorOptions& options)
      : session_(session), installation_(installation), options_(options) {}
  KJ_DISALLOW_COPY(AdminService);

  // What it tells:
  bool draining = false;
  std::string project;   // empty: there is none
  kj::Maybe<const http::RequestCounts&> requests;
  std::function<kj::Maybe<rpc::Target::Client>()> host = []() -> kj::Maybe<rpc::Target::Client> { return nullptr; };   // whose handler must be there

  // From now on it answers, until this object goes; with a line on standard output. Without a listener it does nothing.
  void start(kj::Maybe<kj::Own<HttpListener>>& listener);

 private:
  Session& session_;
  const Installation& installation_;
  const SupervisorOptions& options_;
  kj::Maybe<kj::Own<gateway::GatewayProcess>> gateway_;

  kj::Promise<kj::Maybe<std::string>> notReady();
  kj::Promise<std::string> status(const Journal& journal);
};

}  // namespace glovebox::cli
