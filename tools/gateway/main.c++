// glovebox-gateway: HTTP/1.1 from strangers on one side, calls on workers on the other, and nothing else in reach.
//
// Whoever starts it hands it, by descriptor: 3, a Unix stream socket on which it asks for a GatewayHost (ipc/gateway.capnp); from 4 on,
// the listening sockets, bound already. It has no name for anything and opens nothing.
//
// Order: flags, jail, event loop, seal, `started`, connections. SIGTERM drains.

#include <capnp/rpc-twoparty.h>
#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "policy/confine-gateway.h"
#include "policy/filter-compiler.h"
#include "policy/gateway-syscalls.h"
#include "tools/gateway/jailed-program.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/server.h"

using namespace glovebox;
using gateway::EXIT_LOCKDOWN;
using gateway::EXIT_USAGE;
using gateway::GatewayLimits;
using gateway::JailedProgram;

namespace {

struct Flags {
  unsigned listeners = 1;
  GatewayLimits limits;
  policy::LayerSet mayMiss;
};

JailedProgram program("glovebox-gateway");

Flags parse(int argc, char** argv) {
  Flags flags;
  CLI::App app("Serves HTTP for workers. Started with a Unix stream socket as descriptor 3 and listening sockets from descriptor 4 on.");
  unsigned headerMs = 15'000, idleMs = 60'000, bodyMs = 30'000, writeMs = 60'000, drainMs = 30'000;
  uint64_t bodyMb = 100;
  std::vector<std::string> missing;
  auto times = CLI::Range(1u, 86'400'000u);
  app.add_option("--listeners", flags.listeners, "How many listening sockets it was given")
      ->check(CLI::Range(1, policy::GATEWAY_LISTENERS_MAX))->capture_default_str();
  app.add_option("--connections", flags.limits.connectionsMax, "Open connections, at most")
      ->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--requests", flags.limits.requestsMax, "Requests under way, at most; more are answered with 503")
      ->check(CLI::Range(1, 100'000))->capture_default_str();
  app.add_option("--sockets", flags.limits.socketsMax, "WebSockets open, at most; more are answered with 503")
      ->check(CLI::Range(0, 100'000))->capture_default_str();
  app.add_option("--message-bytes", flags.limits.messageBytesMax, "Bytes of a client's message on a WebSocket, at most")
      ->check(CLI::Range(uint64_t{125}, uint64_t{gateway::MESSAGE_BYTES_MAX}))->capture_default_str();
  app.add_option("--body-mb", bodyMb, "MiB of a request's body, at most")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--header-timeout-ms", headerMs, "From a request's first byte to the end of its headers")->check(times)->capture_default_str();
  app.add_option("--idle-timeout-ms", idleMs, "Until a connection's next request begins")->check(times)->capture_default_str();
  app.add_option("--body-timeout-ms", bodyMs, "For the next bytes of a body that is awaited")->check(times)->capture_default_str();
  app.add_option("--write-timeout-ms", writeMs, "For a client to take what was written")->check(times)->capture_default_str();
  app.add_option("--drain-timeout-ms", drainMs, "After SIGTERM, for what is under way")->check(times)->capture_default_str();
  app.add_option("--allow-missing", missing, "Start without this layer of the jail");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    exit(app.exit(e) == 0 ? 0 : EXIT_USAGE);
  }
  flags.mayMiss = program.parseLayers(missing);
  auto& limits = flags.limits;
  limits.headerTimeout = headerMs * kj::MILLISECONDS;
  limits.idleTimeout = idleMs * kj::MILLISECONDS;
  limits.bodyTimeout = bodyMs * kj::MILLISECONDS;
  limits.writeTimeout = writeMs * kj::MILLISECONDS;
  limits.drainTimeout = drainMs * kj::MILLISECONDS;
  limits.bodyBytesMax = bodyMb << 20;
  return flags;
}

void expectDescriptors(const Flags& flags) {
  program.expectLine();
  for (unsigned i = 0; i < flags.listeners; i++) {
    int fd = policy::GATEWAY_LISTENER + static_cast<int>(i);
    if (gateway::socketOption(fd, SO_ACCEPTCONN) != 1) {
      program.fail(EXIT_USAGE, "descriptor " + std::to_string(fd) + " is not a listening socket: --listeners says how many there are from 4 on");
    }
  }
  rlimit descriptors;
  auto wanted = gateway::descriptorsMax(flags.limits);
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_max < wanted) {
    program.fail(EXIT_USAGE, "--connections " + std::to_string(flags.limits.connectionsMax) + " takes " + std::to_string(wanted) +
                     " descriptors, and this process may have " + std::to_string(descriptors.rlim_max) + " (ulimit -Hn): allow more or lower it");
  }
}

kj::Promise<void> untilSignal(kj::UnixEventPort& port, gateway::Server& server) {
  return port.onSignal(SIGTERM).then([&port, &server](siginfo_t) {
    // A second one ends it at once. It must be awaited without a pause: the set of signals cannot change any more.
    return server.drain().exclusiveJoin(port.onSignal(SIGTERM).ignoreResult());
  });
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags = parse(argc, argv);
  expectDescriptors(flags);
  program.keepOnlyWhatIsNeeded(policy::GATEWAY_LISTENER + flags.listeners);

  std::vector<sock_filter> filter;
  try {
    filter = policy::compileFilter(policy::GATEWAY_SYSCALLS, policy::Profile::DEFAULT);
  } catch (const std::exception& e) {
    program.fail(EXIT_LOCKDOWN, e.what());
  }
  policy::GatewayConfinement confinement{gateway::descriptorsMax(flags.limits), gateway::dataBytesMax(flags.limits), filter.data(),
                                         static_cast<uint16_t>(filter.size()), flags.mayMiss};
  policy::LayerSet inForce;
  program.must(policy::enterGatewayJail(confinement, inForce));

  kj::UnixEventPort::captureSignal(SIGTERM);
  auto io = kj::setupAsyncIo();
  auto& timer = io.provider->getTimer();
  auto line = io.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(policy::GATEWAY_LINE));
  capnp::TwoPartyClient client(*line);
  auto host = client.bootstrap().castAs<rpc::GatewayHost>();
  gateway::Server server(timer, flags.limits, host);
  auto ended = untilSignal(io.unixEventPort, server).eagerlyEvaluate(nullptr);
  // So that nothing is left to be set up behind the seal: the loop has gone round once, with the signal in it.
  timer.afterDelay(0 * kj::SECONDS).wait(io.waitScope);

  std::vector<kj::Own<kj::ConnectionReceiver>> listeners;
  for (unsigned i = 0; i < flags.listeners; i++) {
    listeners.push_back(io.lowLevelProvider->wrapListenSocketFd(kj::AutoCloseFd(policy::GATEWAY_LISTENER + static_cast<int>(i))));
  }

  program.must(policy::sealGateway(confinement, inForce));
  program.fallSilent();
  gateway::Silence silence;

  auto started = host.startedRequest();
  started.setLayersInForce(inForce.bits());
  auto serving = started.send().then([&](auto&&) {
    for (size_t i = 0; i < listeners.size(); i++) server.listen(kj::mv(listeners[i]), static_cast<uint8_t>(i));
    return kj::mv(ended);
  });
  // Without its parent there is nobody to ask.
  serving.exclusiveJoin(client.onDisconnect()).wait(io.waitScope);
  _exit(0);
}
