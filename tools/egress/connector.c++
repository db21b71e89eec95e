#include "tools/egress/connector.h"

#include <errno.h>
#include <kj/debug.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "tools/egress/limits.h"

namespace glovebox::egress {

namespace {

using Connected = kj::Promise<kj::Own<kj::AsyncIoStream>>;

kj::Exception failure(const std::string& words) { return KJ_EXCEPTION(FAILED, kj::str(words.c_str())); }

// One address after another, until one answers.
struct Attempt {
  Network& network;
  Destination destination;
  std::vector<Address> addresses;
  size_t next = 0;
  std::string problem;

  Connected run() {
    if (next == addresses.size()) return failure("cannot connect to " + destination.origin() + ": " + problem);
    auto address = addresses[next++];
    sockaddr_storage name;
    auto size = address.fill(name, destination.port);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      problem = strerror(errno);
      return run();
    }
    kj::AutoCloseFd owned(fd);
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    using Flags = kj::LowLevelAsyncIoProvider::Flags;
    auto connected = network.io.wrapConnectingSocketFd(kj::mv(owned), reinterpret_cast<sockaddr*>(&name), size,
                                                       Flags::ALREADY_NONBLOCK | Flags::ALREADY_CLOEXEC);
    return network.timer.timeoutAfter(CONNECT_TIMEOUT, kj::mv(connected)).catch_([this, address](kj::Exception&& e) -> Connected {
      auto words = e.getDescription();
      problem = std::string(words.begin(), words.size()) + " (" + address.text() + ")";
      return run();
    });
  }
};

Connected connectToOneOf(Network& network, const Destination& destination, std::vector<Address> addresses) {
  std::vector<Address> allowed;
  for (auto& address : addresses) {
    if (network.policy.mayConnectTo(address) && allowed.size() < ADDRESSES_MAX) allowed.push_back(address);
  }
  if (allowed.empty()) {
    return failure(destination.host + " is at " + addresses[0].text() + ", which is not an address of the public internet; the egress policy " +
                   "allows others by name in `allow_private`");
  }
  auto attempt = kj::heap<Attempt>(Attempt{network, destination, std::move(allowed), 0, {}});
  auto connected = attempt->run();
  return connected.attach(kj::mv(attempt));
}

}  // namespace

Connected connectTo(Network& network, const Destination& destination) {
  auto addresses = destination.address ? kj::Promise<std::vector<Address>>(std::vector<Address>{*destination.address})
                                       : network.resolver.resolve(destination.host.c_str()).catch_([host = destination.host](kj::Exception&& e) {
                                           return kj::Promise<std::vector<Address>>(failure(host + " is not known: " + e.getDescription().cStr()));
                                         });
  auto connected = addresses.then([&network, destination](std::vector<Address> found) {
    return connectToOneOf(network, destination, std::move(found));
  });
  if (!destination.secure) return connected;
  return connected.then([&network, destination](kj::Own<kj::AsyncIoStream> stream) {
    auto shaken = network.tls.wrapClient(kj::mv(stream), destination.host.c_str());
    return network.timer.timeoutAfter(TLS_TIMEOUT, kj::mv(shaken)).catch_([destination](kj::Exception&& e) -> Connected {
      return failure("no TLS with " + destination.origin() + ": " + e.getDescription().cStr());
    });
  });
}

}  // namespace glovebox::egress
