#pragma once
// What the sealed gateway may ask the kernel for: accept connections on sockets that it was given, read and write what it has, wait,
// and manage its memory. No call that opens, connects, binds, executes, forks or signals is here, and none that sends or receives
// descriptors. Everything else kills it.
//
// Connections get their descriptors as they come, so reads and writes cannot be tied to numbers, as a worker's are; there is nothing
// among the numbers but connections and what is named below.

#include <asm/unistd.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ctime>

#include "policy/limits.h"
#include "policy/rule.h"

namespace glovebox::policy {

inline constexpr auto GATEWAY_SYSCALLS = [] {
  using namespace words;
#define CALL GLOVEBOX_CALL
#define IS GLOVEBOX_IS
  return std::to_array<Rule>({
    {CALL(accept4), {IS(0, GATEWAY_LISTENER, GATEWAY_LISTENER + 1, GATEWAY_LISTENER + 2, GATEWAY_LISTENER + 3),
                     IS(3, SOCK_NONBLOCK | SOCK_CLOEXEC)}, ALLOW, ALL_PROFILES,
     "takes connections on the sockets that its parent had bound; those are the only sockets that it ever gets"},
    {CALL(brk), {}, ZERO, ALL_PROFILES,
     "malloc asks for it first and then falls back to mmap; a negative answer would be taken for success"},
    {CALL(clock_gettime), {IS(0, CLOCK_REALTIME, CLOCK_MONOTONIC)}, ALLOW, ALL_PROFILES,
     "timeouts, where the machine's clock cannot be read without the kernel"},
    {CALL(close), {}, ALLOW, ALL_PROFILES, "connections end"},
    {CALL(epoll_ctl), {IS(1, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD)}, ALLOW, ALL_PROFILES,
     "connections come and go in what it waits for"},
#ifdef __NR_epoll_wait
    {CALL(epoll_wait), {}, ALLOW, ALL_PROFILES, "waits for connections, bytes, a signal to drain, and the next timeout"},
#else
    {CALL(epoll_pwait), {IS(4, 0)}, ALLOW, ALL_PROFILES, "waits for connections, bytes, a signal to drain, and the next timeout"},
#endif
    {CALL(exit_group), {}, ALLOW, ALL_PROFILES, "ends when its parent is gone, or when it is drained"},
    {CALL(futex), {IS(1, FUTEX_WAKE_PRIVATE)}, ZERO, ALL_PROFILES,
     "pthread_once and mutexes wake waiters; with one thread there are none to wake"},
    {CALL(mmap), {IS(2, PROT_READ | PROT_WRITE), IS(3, MAP_PRIVATE | MAP_ANONYMOUS)}, ALLOW, ALL_PROFILES,
     "malloc grows: private memory of no file, never executable"},
    {CALL(munmap), {}, ALLOW, ALL_PROFILES, "malloc shrinks"},
    {CALL(read), {}, ALLOW, ALL_PROFILES,
     "hears clients, its parent and the signal to drain; read cannot receive descriptors, as recvmsg could"},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)}, ALLOW, ALL_PROFILES,
     "KJ asks for small packets to leave at once on each connection that it accepts"},
    {CALL(shutdown), {IS(1, SHUT_WR)}, ALLOW, ALL_PROFILES, "tells a client that no more comes"},
    {CALL(write), {}, ALLOW, ALL_PROFILES, "answers; write cannot send descriptors"},
    {CALL(writev), {}, ALLOW, ALL_PROFILES, "answers, in several pieces"},
  });
#undef CALL
#undef IS
}();

static_assert(isSound(GATEWAY_SYSCALLS), "sorted by name, each with a reason, no call both free and conditional");

}  // namespace glovebox::policy
