#include "supervisor/packet-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kj/debug.h>

#include "ipc/uv-event-port.h"

namespace glovebox {
namespace {
constexpr size_t RECORD_BYTES_MAX = 4096;
}

PacketSocket::PacketSocket(UvEventPort& port, kj::AutoCloseFd fd): fd_(kj::mv(fd)), waiter_(kj::heap<UvFdObserver>(port, fd_.get())) {}

void PacketSocket::send(kj::ArrayPtr<const kj::byte> bytes, kj::Maybe<int> fd) {
  iovec part{const_cast<kj::byte*>(bytes.begin()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  KJ_IF_MAYBE(passed, fd) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    auto header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), passed, sizeof(int));
  }
  ssize_t sent;
  KJ_SYSCALL(sent = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
  KJ_ASSERT(static_cast<size_t>(sent) == bytes.size());
}

kj::Maybe<kj::Maybe<Packet>> PacketSocket::tryReceiveNow() {
  kj::byte buffer[RECORD_BYTES_MAX];
  iovec part{buffer, sizeof(buffer)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received;
  do {
    received = recvmsg(fd_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (errno == EAGAIN) return nullptr;
    if (errno != ECONNRESET) KJ_FAIL_SYSCALL("recvmsg", errno);
    received = 0;
  }

  kj::Maybe<kj::AutoCloseFd> fd;
  for (auto header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      int passed;
      memcpy(&passed, CMSG_DATA(header), sizeof(int));
      fd = kj::AutoCloseFd(passed);
    }
  }
  if (received == 0) return kj::Maybe<Packet>(nullptr);
  return kj::Maybe<Packet>(Packet{kj::heapArray(kj::arrayPtr(buffer, static_cast<size_t>(received))), kj::mv(fd)});
}

kj::Promise<kj::Maybe<Packet>> PacketSocket::receive() {
  KJ_IF_MAYBE(packet, tryReceiveNow()) return kj::mv(*packet);
  return waiter_->whenReadable().then([this]() { return receive(); });
}

SocketPair makeSocketPair(int type, bool bothNonBlocking) {
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, type | SOCK_CLOEXEC | (bothNonBlocking ? SOCK_NONBLOCK : 0), 0, fds));
  SocketPair pair{kj::AutoCloseFd(fds[0]), kj::AutoCloseFd(fds[1])};
  if (!bothNonBlocking) {
    KJ_SYSCALL(fcntl(pair.ours, F_SETFL, O_NONBLOCK));
  }
  return pair;
}

}  // namespace glovebox
