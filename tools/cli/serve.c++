// glovebox serve: a supervisor behind a Unix socket, until SIGINT or SIGTERM.

#include <errno.h>
#include <kj/debug.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>

#include "ipc/connection.h"
#include "ipc/listener.h"
#include "tools/cli/admin-service.h"
#include "tools/cli/commands.h"
#include "tools/cli/egress-service.h"
#include "tools/cli/failure.h"
#include "tools/cli/modules.h"
#include "tools/cli/session.h"
#include "tools/cli/stop-signals.h"
#include "tools/cli/supervisor-with-outbound.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {
namespace {

// After accept() failed for want of descriptors: the connection waits in the kernel meanwhile.
constexpr auto ACCEPT_RETRY = 100 * kj::MILLISECONDS;

class Door final: public kj::TaskSet::ErrorHandler {
 public:
  Door(Session& session, rpc::Supervisor::Client supervisor, kj::StringPtr path)
      : session_(session), supervisor_(kj::mv(supervisor)), listener_(session.port(), path), clients_(*this) {}

  kj::Promise<void> run() {
    return listener_.accept().then(
        [this](kj::AutoCloseFd fd) {
          auto waiter = kj::heap<UvFdObserver>(session_.port(), fd.get());
          auto connection = kj::heap<RpcConnection>(RpcConnection::End::SUPERVISOR_OF_CLIENT, kj::mv(fd), kj::mv(waiter),
                                                    capnp::Capability::Client(supervisor_));
          // When the line drops, so does everything that was loaded over it.
          auto ended = connection->onDisconnect();
          clients_.add(ended.attach(kj::mv(connection)));
          return run();
        },
        [this](kj::Exception&& exception) {
          fprintf(stderr, "glovebox serve: %s\n", exception.getDescription().cStr());
          return session_.port().getTimer().afterDelay(ACCEPT_RETRY).then([this]() { return run(); });
        });
  }

  void taskFailed(kj::Exception&& exception) override {
    if (exception.getType() == kj::Exception::Type::DISCONNECTED) return;
    fprintf(stderr, "glovebox serve: a client's connection ended: %s\n", forStandardError(exception.getDescription().cStr()).c_str());
  }

 private:
  Session& session_;
  rpc::Supervisor::Client supervisor_;
  UnixListener listener_;
  kj::TaskSet clients_;
};

// Whoever started us lets go of our standard input when it ends, however it ends.
kj::Promise<void> untilEof(UvFdObserver& input) {
  return input.whenReadable().then([&input]() -> kj::Promise<void> {
    char ignored[256];
    ssize_t got = read(STDIN_FILENO, ignored, sizeof(ignored));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return kj::READY_NOW;
    return untilEof(input);
  });
}

// With the way to the internet that the file of --egress describes, if there is one.
rpc::Supervisor::Client supervisorFor(Session& session, EgressService& egress, const std::string& file) {
  if (file.empty()) return session.supervisor();
  project::ProjectConfig config;
  auto slash = file.rfind('/');
  config.folder = slash == std::string::npos ? "." : file.substr(0, slash);
  config.egress = project::readEgressConfig(project::parseConfigValue(readFile(file), file), file, "egress", config.warnings);
  // Of a policy nothing is ignored.
  if (!config.warnings.empty()) throw Failure(EXIT_CODE_USAGE, config.warnings[0]);
  return kj::heap<SupervisorWithOutbound>(session.supervisor(), KJ_ASSERT_NONNULL(egress.outboundOf(config)));
}

// A message of 32 MiB is read into one piece of memory and copied into another. Fresh pages for both cost more than all else
// that is done with it, so as much is kept once it has been used: 16 MiB pass at 1,100 MB/s instead of 600.
void keepLargeMemory() {
  constexpr int MMAP_BYTES_MIN = 32 << 20;          // the most that the C library takes
  constexpr int KEPT_BYTES_MAX = 2 * (40 << 20);
  mallopt(M_MMAP_THRESHOLD, MMAP_BYTES_MIN);
  mallopt(M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
}

}  // namespace

int serve(const ServeOptions& options) {
  keepLargeMemory();
  auto adminListener = listenAdmin(options.admin);
  auto installation = findInstallation();
  Session session(options.supervisor);
  if (adminListener != nullptr) session.openJournal();
  return runAndClose(session, [&]() -> int {
    StopSignals signals(session.port().uvLoop());
    EgressService egress(session, installation, options.supervisor);
    auto supervisor = supervisorFor(session, egress, options.egress);
    kj::Own<Door> door;
    auto refused = kj::runCatchingExceptions([&]() { door = kj::heap<Door>(session, supervisor, options.socket.c_str()); });
    KJ_IF_MAYBE(exception, refused) {
      throw Failure(EXIT_CODE_UNAVAILABLE, "cannot listen on '" + options.socket + "': " + exception->getDescription().cStr());
    }
    auto profile = policy::profileName(options.supervisor.profile);
    AdminService admin(session, installation, options.supervisor);
    admin.start(adminListener);
    writeOutput("Listening on " + options.socket + " (profile " + std::string(profile) + ")\n");
    auto stopped = signals.take();
    kj::Own<UvFdObserver> input;
    if (options.untilEof) {
      input = kj::heap<UvFdObserver>(session.port(), STDIN_FILENO);
      stopped = stopped.exclusiveJoin(untilEof(*input).then([]() { return 0; }));
    }
    auto listening = door->run().then([]() -> int { KJ_FAIL_ASSERT("the door closed by itself"); });
    stopped.exclusiveJoin(kj::mv(listening)).wait(session.waitScope());
    return EXIT_CODE_OK;
  });
}

}  // namespace glovebox::cli
