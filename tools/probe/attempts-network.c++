// Reaching the network, or another process by a socket; and bending the one socket that is there.

#include <arpa/inet.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

constexpr int OWN_SOCKET = 3;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

long socketRaw(int family, int type, int protocol = 0) { return rawCall(SYS_socket, family, type, protocol); }

// The discard port, where nobody listens: "connection refused" is an answer from the network all the same.
Result connectTcp(const Surroundings&) {
  long fd = socketRaw(AF_INET, SOCK_STREAM);
  if (fd < 0) return refused();
  sockaddr_in address = loopback(9);
  return metIf(rawCall(SYS_connect, fd, &address, sizeof(address)) == 0 || errno == ECONNREFUSED);
}

Result sendUdp(const Surroundings&) {
  long fd = socketRaw(AF_INET, SOCK_DGRAM);
  if (fd < 0) return refused();
  sockaddr_in address = loopback(9);
  return metIf(rawCall(SYS_sendto, fd, "x", 1, 0, &address, sizeof(address)) == 1);
}

Result listenTcp(const Surroundings&) {
  long fd = socketRaw(AF_INET, SOCK_STREAM);
  if (fd < 0) return refused();
  sockaddr_in address = loopback(0);
  if (rawCall(SYS_bind, fd, &address, sizeof(address)) != 0) return refused();
  return metIf(rawCall(SYS_listen, fd, 1) == 0);
}

Result socketTcp6(const Surroundings&) { return metIfDescriptor(socketRaw(AF_INET6, SOCK_STREAM)); }
Result socketRawIcmp(const Surroundings&) { return metIfDescriptor(socketRaw(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }
Result socketPacket(const Surroundings&) { return metIfDescriptor(socketRaw(AF_PACKET, SOCK_RAW)); }
Result socketNetlink(const Surroundings&) { return metIfDescriptor(socketRaw(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)); }
Result socketVsock(const Surroundings&) { return metIfDescriptor(socketRaw(AF_VSOCK, SOCK_STREAM)); }

Result socketCrypto(const Surroundings&) {
  long fd = socketRaw(AF_ALG, SOCK_SEQPACKET);
  if (fd < 0) return refused();
  sockaddr_alg address{};
  address.salg_family = AF_ALG;
  std::strcpy(reinterpret_cast<char*>(address.salg_type), "hash");
  std::strcpy(reinterpret_cast<char*>(address.salg_name), "sha256");
  return metIf(rawCall(SYS_bind, fd, &address, sizeof(address)) == 0);
}

Result bindUnix(const char* path, size_t length, bool remove) {
  long fd = socketRaw(AF_UNIX, SOCK_STREAM);
  if (fd < 0) return refused();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (rawCall(SYS_bind, fd, &address, sizeof(sa_family_t) + length) != 0) return refused();
  Result result = metIf(rawCall(SYS_listen, fd, 1) == 0);
  if (remove) rawCall(SYS_unlinkat, -100 /* AT_FDCWD */, path, 0);
  return result;
}

Result unixPath(const Surroundings&) {
  constexpr char PATH[] = "/tmp/glovebox-probe-socket";
  return bindUnix(PATH, sizeof(PATH), true);
}
Result unixAbstract(const Surroundings&) {
  constexpr char NAME[] = "\0glovebox-probe";
  return bindUnix(NAME, sizeof(NAME) - 1, false);
}

Result socketPair(const Surroundings&) {
  int fds[2];
  return metIf(rawCall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fds) == 0);
}

// -- The socket that is there
// ------------------------------------------------------------------------------------------

Result passDescriptor(const Surroundings&) {
  int payload = OWN_SOCKET;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &payload, sizeof(int));
  return metIf(rawCall(SYS_sendmsg, OWN_SOCKET, &message, MSG_NOSIGNAL) == 1);
}

Result receiveDescriptor(const Surroundings&) {
  msghdr message{};
  return metIf(rawCall(SYS_recvmsg, OWN_SOCKET, &message, MSG_DONTWAIT) >= 0 || errno == EAGAIN);
}

Result askPeer(const Surroundings&) {
  ucred peer;
  socklen_t length = sizeof(peer);
  return metIf(rawCall(SYS_getsockopt, OWN_SOCKET, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
}

Result growBuffer(const Surroundings&) {
  int bytes = 1 << 20;
  return metIf(rawCall(SYS_setsockopt, OWN_SOCKET, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0);
}

Result controlSocket(const Surroundings&) {
  int bytes;
  return metIf(rawCall(SYS_ioctl, OWN_SOCKET, FIONREAD, &bytes) == 0);
}

Result duplicateSocket(const Surroundings&) { return metIfDescriptor(rawCall(SYS_dup, OWN_SOCKET)); }

// Allowed calls on a descriptor that is not the one socket: zero bytes would do no harm, but the call must not exist.
Result writeElsewhere(const Surroundings&) { return metIf(rawCall(SYS_write, 2, "", 0) == 0); }
Result readElsewhere(const Surroundings&) {
  char byte;
  return metIf(rawCall(SYS_read, 0, &byte, 0) == 0);
}
// The filter sees 64 bits, the kernel uses 32 of them for a descriptor.
Result writeHighBits(const Surroundings&) { return metIf(rawCall(SYS_write, 0x100000003, "", 0) == 0); }

constexpr Attempt ATTEMPTS[] = {
    {"connect-tcp", Group::NETWORK, "connects to a TCP port of the machine", connectTcp, {}},
    {"send-udp", Group::NETWORK, "sends a UDP datagram", sendUdp, {}},
    {"listen-tcp", Group::NETWORK, "listens on a TCP port", listenTcp, {}},
    {"socket-tcp6", Group::NETWORK, "makes an IPv6 socket", socketTcp6, {}},
    {"socket-raw", Group::NETWORK, "makes a raw ICMP socket", socketRawIcmp, {}},
    {"socket-packet", Group::NETWORK, "makes a socket for link-layer frames", socketPacket, {}},
    {"socket-netlink", Group::NETWORK, "makes a netlink socket", socketNetlink, {}},
    {"socket-vsock", Group::NETWORK, "makes a socket to the hypervisor", socketVsock, {}},
    {"socket-crypto", Group::NETWORK, "binds a kernel crypto socket", socketCrypto, {}},
    {"unix-path", Group::NETWORK, "listens on a Unix socket in /tmp", unixPath, {}},
    {"unix-abstract", Group::NETWORK, "listens on an abstract Unix socket", unixAbstract, {}},
    {"socket-pair", Group::NETWORK, "makes a pair of sockets", socketPair, {}},
    {"pass-descriptor", Group::NETWORK, "passes a descriptor to the supervisor", passDescriptor, {}},
    {"receive-descriptor", Group::NETWORK, "receives by recvmsg, which could bring descriptors", receiveDescriptor, {}},
    {"ask-peer", Group::NETWORK, "asks who is at the other end of its socket", askPeer, {}},
    {"grow-buffer", Group::NETWORK, "enlarges its socket's buffer", growBuffer, {}},
    {"control-socket", Group::NETWORK, "sends an ioctl to its socket", controlSocket, {}},
    {"duplicate-socket", Group::NETWORK, "duplicates its socket", duplicateSocket, {}},
    {"write-elsewhere", Group::NETWORK, "writes to descriptor 2", writeElsewhere, {}},
    {"read-elsewhere", Group::NETWORK, "reads from descriptor 0", readElsewhere, {}},
    {"write-high-bits", Group::NETWORK, "writes to a descriptor whose upper 32 bits are not 0", writeHighBits, {}},
};

}  // namespace

std::span<const Attempt> networkAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
