#include "ipc/listener.h"

#include <kj/debug.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace glovebox {

namespace {

template <typename... Params>
[[noreturn]] void fail(kj::Exception::Type type, Params&&... params) {
  kj::throwFatalException(kj::Exception(type, __FILE__, __LINE__, kj::str(kj::fwd<Params>(params)...)));
}

struct Address {
  sockaddr_un value{};

  explicit Address(kj::StringPtr path) {
    if (path.size() == 0) fail(kj::Exception::Type::FAILED, "the socket's path is empty");
    if (path.size() >= sizeof(value.sun_path)) {
      fail(kj::Exception::Type::FAILED, "the socket's path has ", path.size(), " bytes, but the kernel takes at most ",
           sizeof(value.sun_path) - 1, "; choose a shorter one: ", path);
    }
    value.sun_family = AF_UNIX;
    memcpy(value.sun_path, path.begin(), path.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
};

kj::AutoCloseFd makeSocket() {
  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return kj::AutoCloseFd(fd);
}

// Makes room for a new socket, or throws if the place is taken for good.
void removeStale(kj::StringPtr path, const Address& address) {
  struct stat info;
  KJ_SYSCALL(lstat(path.cStr(), &info), path);
  if (!S_ISSOCK(info.st_mode)) {
    fail(kj::Exception::Type::FAILED, path, " exists and is not a socket; move it away or choose another path");
  }
  auto probe = makeSocket();
  if (connect(probe, address.get(), sizeof(address.value)) == 0 || errno == EAGAIN) {
    fail(kj::Exception::Type::FAILED, "somebody listens on ", path, " already; stop that process or choose another path");
  }
  if (errno != ECONNREFUSED) fail(kj::Exception::Type::FAILED, "cannot tell who uses ", path, ": ", strerror(errno));
  KJ_SYSCALL(unlink(path.cStr()), path);
}

}  // namespace

UnixListener::UnixListener(UvEventPort& port, kj::StringPtr path): path_(kj::str(path)), fd_(makeSocket()) {
  Address address(path);
  if (bind(fd_, address.get(), sizeof(address.value)) < 0) {
    if (errno != EADDRINUSE) fail(kj::Exception::Type::FAILED, "cannot make the socket ", path, ": ", strerror(errno));
    removeStale(path, address);
    KJ_SYSCALL(bind(fd_, address.get(), sizeof(address.value)), path);
  }
  // Nobody can connect before listen().
  KJ_SYSCALL(chmod(path_.cStr(), 0600), path);
  KJ_SYSCALL(listen(fd_, SOMAXCONN), path);
  observer_ = kj::heap<UvFdObserver>(port, fd_.get());
}

UnixListener::~UnixListener() noexcept(false) { unlink(path_.cStr()); }

kj::Promise<kj::AutoCloseFd> UnixListener::accept() {
  int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) return kj::AutoCloseFd(fd);
  switch (errno) {
    case EAGAIN: return observer_->whenReadable().then([this]() { return accept(); });
    case EINTR:
    case ECONNABORTED: return accept();
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                           kj::str("cannot take a connection on ", path_, ": ", strerror(errno)));
    default:
      return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                           kj::str("cannot take connections on ", path_, ": ", strerror(errno)));
  }
}

kj::AutoCloseFd connectUnix(kj::StringPtr path) {
  Address address(path);
  auto fd = makeSocket();
  if (connect(fd, address.get(), sizeof(address.value)) == 0) return fd;
  switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
      fail(kj::Exception::Type::DISCONNECTED, "no supervisor listens on ", path, "; start one with `glovebox serve --socket ",
           path, "`");
    case EACCES:
      fail(kj::Exception::Type::FAILED, "not allowed to use ", path, "; it belongs to another user");
    case EAGAIN:
      fail(kj::Exception::Type::OVERLOADED, "too many connections wait on ", path, "; try again");
    default:
      fail(kj::Exception::Type::FAILED, "cannot connect to ", path, ": ", strerror(errno));
  }
}

kj::Own<RpcConnection> connectToSupervisor(UvEventPort& port, kj::StringPtr path) {
  auto fd = connectUnix(path);
  auto waiter = kj::heap<UvFdObserver>(port, fd.get());
  return kj::heap<RpcConnection>(RpcConnection::End::CLIENT, kj::mv(fd), kj::mv(waiter), nullptr);
}

}  // namespace glovebox
