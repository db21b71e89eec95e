#include "tools/egress/resolver.h"

#include <kj/debug.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "tools/egress/limits.h"

namespace glovebox::egress {

namespace {

constexpr uint16_t DNS_PORT = 53;

// c-ares' own make their sockets in several steps; these need only what the policy has (policy/egress-syscalls.h).
const ares_socket_functions SOCKETS{
    [](int family, int type, int protocol, void*) -> ares_socket_t { return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol); },
    [](ares_socket_t fd, void*) { return close(fd); },
    [](ares_socket_t fd, const sockaddr* name, ares_socklen_t size, void*) { return connect(fd, name, size); },
    [](ares_socket_t fd, void* buffer, size_t size, int flags, sockaddr* from, ares_socklen_t* fromSize, void*) -> ares_ssize_t {
      return recvfrom(fd, buffer, size, flags, from, fromSize);
    },
    [](ares_socket_t fd, const iovec* pieces, int count, void*) -> ares_ssize_t { return writev(fd, pieces, count); },
};

}  // namespace

// One socket of c-ares' and what it waits for there.
struct Resolver::Watched {
  kj::UnixEventPort::FdObserver observer;
  bool isRead = false;
  kj::Promise<void> readable = nullptr, writable = nullptr;

  Watched(kj::UnixEventPort& port, int fd): observer(port, fd, kj::UnixEventPort::FdObserver::OBSERVE_READ_WRITE) {}

};

struct Resolver::Question {
  kj::Own<kj::PromiseFulfiller<std::vector<Address>>> fulfiller;
};

Resolver::Resolver(kj::UnixEventPort& port, kj::Timer& timer, const std::string& nameservers): port_(port), timer_(timer) {
  ares_options options{};
  options.timeout = NAME_TIMEOUT_MS;
  options.tries = NAME_TRIES;
  char lookups[] = "b";   // by DNS alone: there are no files any more when names are asked for
  options.lookups = lookups;
  options.sock_state_cb_data = this;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Resolver*>(self)->watch(fd, readable != 0, writable != 0);
  };
  // A search list would ask for "api.example.com.company.example", and the answer be somebody else's.
  options.ndots = 0;
  options.flags = ARES_FLAG_NOSEARCH;
  int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status == ARES_SUCCESS) {
    status = ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
                                                        ARES_OPT_NDOTS | ARES_OPT_FLAGS);
  }
  KJ_REQUIRE(status == ARES_SUCCESS, "the resolver cannot start", ares_strerror(status));
  ares_set_socket_functions(channel_, &SOCKETS, nullptr);
  if (!nameservers.empty()) {
    status = ares_set_servers_ports_csv(channel_, nameservers.c_str());
    KJ_REQUIRE(status == ARES_SUCCESS, "not a list of name servers, such as 127.0.0.1:53", nameservers.c_str(), ares_strerror(status));
  }
}

Resolver::~Resolver() noexcept(false) {
  ares_destroy(channel_);
  ares_library_cleanup();
}

kj::Promise<std::vector<Address>> Resolver::resolve(kj::StringPtr name) {
  // RFC 6761: no name server is asked for these.
  std::string text(name.begin(), name.size());
  if (text == "localhost" || text.ends_with(".localhost")) return std::vector<Address>{*tryParseAddress("127.0.0.1"), *tryParseAddress("::1")};
  auto paf = kj::newPromiseAndFulfiller<std::vector<Address>>();
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;   // sorting connects sockets to all of them to see how
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  // Deleted in answered(), which always comes: at the latest from ares_destroy().
  ares_getaddrinfo(channel_, name.cStr(), nullptr, &hints, answered, new Question{kj::mv(paf.fulfiller)});
  setAlarm();
  return kj::mv(paf.promise);
}

void Resolver::answered(void* argument, int status, int, ares_addrinfo* found) {
  kj::Own<Question> question(static_cast<Question*>(argument), kj::_::HeapDisposer<Question>::instance);
  std::vector<Address> addresses;
  if (status == ARES_SUCCESS) {
    for (auto node = found->nodes; node != nullptr; node = node->ai_next) {
      auto address = tryReadAddress(node->ai_addr);
      if (address && std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
    }
    ares_freeaddrinfo(found);
  }
  if (!addresses.empty()) {
    question->fulfiller->fulfill(std::move(addresses));
  } else {
    question->fulfiller->reject(KJ_EXCEPTION(FAILED, kj::str(ares_strerror(status == ARES_SUCCESS ? ARES_ENODATA : status))));
  }
}

void Resolver::watch(int fd, bool readable, bool writable) {
  if (!readable && !writable) {
    auto found = watched_.find(fd);
    if (found == watched_.end()) return;
    // c-ares may say so while it handles this very socket.
    auto gone = kj::mv(found->second);
    watched_.erase(found);
    kj::evalLater([gone = kj::mv(gone)]() {}).detach([](kj::Exception&&) {});
    return;
  }
  auto& watched = watched_[fd];
  if (watched.get() == nullptr) watched = kj::heap<Watched>(port_, fd);
  if (readable && !watched->isRead) {
    watched->isRead = true;
    watched->readable = readLoop(fd).eagerlyEvaluate([](kj::Exception&&) {});
  }
  if (writable) {
    watched->writable = watched->observer.whenBecomesWritable().then([this, fd]() {
      ares_process_fd(channel_, ARES_SOCKET_BAD, fd);
      setAlarm();
    }).eagerlyEvaluate([](kj::Exception&&) {});
  }
}

kj::Promise<void> Resolver::readLoop(int fd) {
  auto found = watched_.find(fd);
  if (found == watched_.end()) return kj::READY_NOW;
  return found->second->observer.whenBecomesReadable().then([this, fd]() {
    ares_process_fd(channel_, fd, ARES_SOCKET_BAD);
    setAlarm();
    return readLoop(fd);
  });
}

// c-ares counts the time itself; it only has to be asked.
void Resolver::setAlarm() {
  if (alarmSet_) return;
  timeval space, *wait = ares_timeout(channel_, nullptr, &space);
  if (wait == nullptr) return;
  alarmSet_ = true;
  auto delay = wait->tv_sec * kj::SECONDS + wait->tv_usec * kj::MICROSECONDS + 1 * kj::MILLISECONDS;
  alarm_ = timer_.afterDelay(delay).then([this]() {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    alarmSet_ = false;
    // This promise is still running.
    kj::evalLater([this]() { setAlarm(); }).detach([](kj::Exception&&) {});
  }).eagerlyEvaluate([](kj::Exception&&) {});
}

std::vector<uint16_t> Resolver::ports() const {
  std::vector<uint16_t> ports{DNS_PORT};
  ares_addr_port_node* servers = nullptr;
  if (ares_get_servers_ports(channel_, &servers) == ARES_SUCCESS) {
    for (auto server = servers; server != nullptr; server = server->next) {
      if (server->tcp_port != 0) ports.push_back(static_cast<uint16_t>(server->tcp_port));
    }
    ares_free_data(servers);
  }
  return ports;
}

}  // namespace glovebox::egress
