#include "tools/cli/registry-service.h"

#include <capnp/message.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <cstdlib>

#include "tools/cli/failure.h"
#include "tools/cli/http-service.h"
#include "tools/cli/modules.h"
#include "tools/egress/destination.h"
#include "tools/egress/outlet.h"

namespace glovebox::cli {
namespace {

constexpr auto NPM_TIME_MAX = std::chrono::seconds(30);
constexpr size_t NPM_BYTES_MAX = 4096;

[[noreturn]] void notKnown(const std::string& why) {
  throw Failure(EXIT_CODE_UNAVAILABLE, "which package registry to use is not known: npm, which has that configured, could not be asked (" + why +
                "). Say it: --registry URL, or npm_config_registry in the environment");
}

// `npm config get registry`. The program waits for it: it is asked once.
std::string askNpm() {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd from(ends[0]), to(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  char npm[] = "npm", config[] = "config", get[] = "get", registry[] = "registry";
  char* words[] = {npm, config, get, registry, nullptr};
  pid_t pid;
  if (int error = posix_spawnp(&pid, npm, &actions, nullptr, words, environ); error != 0) notKnown(strerror(error));
  to = nullptr;
  std::string said;
  auto end = std::chrono::steady_clock::now() + NPM_TIME_MAX;
  bool inTime = true;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    pollfd waiting{from, POLLIN, 0};
    if (left <= 0 || (inTime = poll(&waiting, 1, static_cast<int>(left)) != 0, !inTime)) {
      inTime = false;
      break;
    }
    char buffer[512];
    auto n = read(from, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || said.size() > NPM_BYTES_MAX) break;
    said.append(buffer, static_cast<size_t>(n));
  }
  if (!inTime) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  if (!inTime) notKnown("it did not answer in 30 seconds");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) notKnown("it failed");
  return said.substr(0, said.find_first_of("\r\n"));
}

std::string registryUrl(const RegistryOptions& options) {
  if (!options.url.empty()) return project::checkRegistryUrl(options.url, "--registry");
  for (auto name: {"npm_config_registry", "NPM_CONFIG_REGISTRY"}) {
    auto said = getenv(name);
    if (said != nullptr && *said != '\0') return project::checkRegistryUrl(said, name);
  }
  return project::checkRegistryUrl(askNpm(), "npm's `registry`");
}

}  // namespace

RegistryService::RegistryService(Session& session, const Installation& installation, const SupervisorOptions& supervisor, const RegistryOptions& options)
    : session_(session), installation_(installation), supervisor_(supervisor), options_(options) {
  if (!options.url.empty()) project::checkRegistryUrl(options.url, "--registry");
}

RegistryService::~RegistryService() noexcept(false) {
  KJ_IF_MAYBE(registry, registry_) (*registry)->close();
}

rpc::Target::Client RegistryService::forWorker() {
  if (registry_ == nullptr) {
    auto url = registryUrl(options_);
    registry_ = kj::refcounted<project::PackageRegistry>(project::PackageCache(project::PackageCache::defaultFolder()), session_.port().getTimer(), url, options_.offline, [this, url]() {
      KJ_IF_MAYBE(outbound, outbound_) return *outbound;
      auto started = startEgress(url);
      outbound_ = started;
      return started;
    });
  }
  return KJ_ASSERT_NONNULL(registry_)->forWorker();
}

rpc::Target::Client RegistryService::startEgress(const std::string& url) {
  auto destination = std::get<egress::Destination>(egress::parseDestination(url));
  capnp::MallocMessageBuilder message;
  auto policy = message.initRoot<rpc::EgressPolicy>();
  auto origin = policy.initAllow(1)[0];
  origin.setSecure(destination.secure);
  origin.setHost(destination.host.c_str());
  origin.setPort(destination.port);
  origin.initMethods(1).set(0, "GET");
  // Whoever configures a registry says where it is, and many are in a network of their own.
  auto anywhere = policy.initAllowPrivate(2);
  anywhere.set(0, "0.0.0.0/0");
  anywhere.set(1, "::/0");
  // As in the Node package, by what Node does with it.
  auto authorities = getenv("NODE_EXTRA_CA_CERTS");
  if (authorities != nullptr && *authorities != '\0') policy.setAuthorities(readFile(authorities).c_str());
  auto flags = layerFlags(supervisor_);
  return kj::heap<egress::Outlet>(session_.port(), installation_.egress, kj::arrayPtr(flags.data(), flags.size()), policy.asReader());
}

}  // namespace glovebox::cli
