#pragma once
// What the sealed egress process may ask the kernel for: make sockets of the internet, connect them, read and write, wait, and manage its
// memory. No call that opens a file, listens, accepts, executes, forks or signals is here, and none that sends or receives descriptors.
// Everything else kills it.
//
// Which addresses it connects to no filter can see: that is decided by its own code (tools/egress/address-range.h), and by Landlock for the
// ports. Sockets of the machine's own (AF_UNIX, AF_NETLINK, AF_PACKET, AF_VSOCK) cannot be made.

#include <asm/unistd.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ctime>

#include "policy/rule.h"

namespace glovebox::policy {

inline constexpr auto EGRESS_SYSCALLS = [] {
  using namespace words;
#define CALL GLOVEBOX_CALL
#define IS GLOVEBOX_IS
#define ERRNO GLOVEBOX_ERRNO
  return std::to_array<Rule>({
    {CALL(brk), {}, ZERO, ALL_PROFILES,
     "malloc asks for it first and then falls back to mmap; a negative answer would be taken for success"},
    {CALL(clock_gettime), {IS(0, CLOCK_REALTIME, CLOCK_MONOTONIC)}, ALLOW, ALL_PROFILES,
     "timeouts and the validity of certificates, where the machine's clock cannot be read without the kernel"},
    {CALL(close), {}, ALLOW, ALL_PROFILES, "connections end"},
    {CALL(connect), {}, ALLOW, ALL_PROFILES, "what it is for; only sockets of the internet exist to be connected"},
    {CALL(epoll_ctl), {IS(1, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD)}, ALLOW, ALL_PROFILES,
     "connections come and go in what it waits for"},
#ifdef __NR_epoll_wait
    {CALL(epoll_wait), {}, ALLOW, ALL_PROFILES, "waits for connections, bytes, and the next timeout"},
#else
    {CALL(epoll_pwait), {IS(4, 0)}, ALLOW, ALL_PROFILES, "waits for connections, bytes, and the next timeout"},
#endif
    {CALL(exit_group), {}, ALLOW, ALL_PROFILES, "ends when its parent is gone"},
    {CALL(futex), {IS(1, FUTEX_WAKE_PRIVATE)}, ZERO, ALL_PROFILES,
     "pthread_once and mutexes wake waiters; with one thread there are none to wake"},
    {CALL(getpid), {}, ALLOW, ALL_PROFILES, "OpenSSL asks, before each random number, whether it was forked"},
    {CALL(getrandom), {}, ALLOW, ALL_PROFILES, "TLS keys and the numbers of DNS questions"},
    {CALL(getsockopt), {IS(1, SOL_SOCKET), IS(2, SO_ERROR)}, ALLOW, ALL_PROFILES, "whether a connection came about"},
    {CALL(mmap), {IS(2, PROT_READ | PROT_WRITE), IS(3, MAP_PRIVATE | MAP_ANONYMOUS)}, ALLOW, ALL_PROFILES,
     "malloc grows: private memory of no file, never executable"},
    {CALL(mremap), {}, ERRNO(ENOMEM), ALL_PROFILES, "realloc of large blocks tries it, and copies them if it is told no"},
    {CALL(munmap), {}, ALLOW, ALL_PROFILES, "malloc shrinks"},
    {CALL(poll), {IS(1, 1)}, ALLOW, ALL_PROFILES, "KJ looks whether a connection is there at once"},
    {CALL(read), {}, ALLOW, ALL_PROFILES, "hears servers and its parent; read cannot receive descriptors, as recvmsg could"},
    {CALL(recvfrom), {}, ALLOW, ALL_PROFILES, "answers of name servers, with the address that they came from"},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)}, ALLOW, ALL_PROFILES, "small packets leave at once"},
    {CALL(shutdown), {IS(1, SHUT_WR)}, ALLOW, ALL_PROFILES, "tells a server that no more comes"},
    {CALL(socket), {IS(0, AF_INET, AF_INET6), IS(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)},
     ALLOW, ALL_PROFILES, "streams to servers, and datagrams to name servers"},
    {CALL(write), {}, ALLOW, ALL_PROFILES, "requests; write cannot send descriptors"},
    {CALL(writev), {}, ALLOW, ALL_PROFILES, "requests, in several pieces"},
  });
#undef CALL
#undef IS
#undef ERRNO
}();

static_assert(isSound(EGRESS_SYSCALLS), "sorted by name, each with a reason, no call both free and conditional");

}  // namespace glovebox::policy
