// Talking to another process by anything but the one socket.

#include <fcntl.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

Result sharedSegment(const Surroundings&) {
  long id = rawCall(SYS_shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (id < 0) return refused();
  rawCall(SYS_shmctl, id, IPC_RMID, nullptr);
  return met();
}

// Somebody's segment, by its place in the kernel's list: that needs no permission on it.
Result existingSegment(const Surroundings&) {
  constexpr int INFO = 14, STAT_ANY = 15;  // SHM_INFO answers the last place in use
  char summary[128];
  shmid_ds info;
  long last = rawCall(SYS_shmctl, 0, INFO, summary);
  for (long place = 0; place <= last; ++place) {
    if (rawCall(SYS_shmctl, place, STAT_ANY, &info) >= 0) return met();
  }
  return refused();
}

Result messageQueue(const Surroundings&) {
  long id = rawCall(SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600);
  if (id < 0) return refused();
  rawCall(SYS_msgctl, id, IPC_RMID, nullptr);
  return met();
}

Result semaphores(const Surroundings&) {
  long id = rawCall(SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0600);
  if (id < 0) return refused();
  rawCall(SYS_semctl, id, 0, IPC_RMID, 0);
  return met();
}

Result posixQueue(const Surroundings&) {
  constexpr char NAME[] = "glovebox-probe";
  mq_attr attributes{};
  attributes.mq_maxmsg = 1;
  attributes.mq_msgsize = 8;
  long fd = rawCall(SYS_mq_open, NAME, O_CREAT | O_RDWR, 0600, &attributes);
  if (fd < 0) return refused();
  rawCall(SYS_mq_unlink, NAME);
  return metIfDescriptor(fd);
}

Result typeOnTerminal(const Surroundings&) { return metIf(rawCall(SYS_ioctl, 0, TIOCSTI, " ") == 0); }

Result pipeOfOwn(const Surroundings&) {
  int fds[2];
  return metIf(rawCall(SYS_pipe2, fds, 0) == 0);
}
Result eventCounter(const Surroundings&) { return metIfDescriptor(rawCall(SYS_eventfd2, 0, 0)); }
Result pollSet(const Surroundings&) { return metIfDescriptor(rawCall(SYS_epoll_create1, 0)); }
Result timerDescriptor(const Surroundings&) { return metIfDescriptor(rawCall(SYS_timerfd_create, CLOCK_MONOTONIC, 0)); }

// Memory that a descendant or a neighbour would see too.
Result sharedMapping(const Surroundings&) {
  return metIf(rawCall(SYS_mmap, nullptr, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != -1);
}

Result mapDescriptor(const Surroundings&) {
  // ENODEV: a socket cannot be mapped, but it was looked at.
  return metIf(rawCall(SYS_mmap, nullptr, 65536, PROT_READ, MAP_PRIVATE, 3, 0) != -1 || errno == ENODEV);
}

constexpr Attempt ATTEMPTS[] = {
    {"shared-segment", Group::IPC, "makes a System V shared memory segment", sharedSegment, {}},
    {"existing-segment", Group::IPC, "looks at another program's shared memory segment", existingSegment, {}},
    {"message-queue", Group::IPC, "makes a System V message queue", messageQueue, {}},
    {"semaphores", Group::IPC, "makes System V semaphores", semaphores, {}},
    {"posix-queue", Group::IPC, "makes a POSIX message queue", posixQueue, {}},
    {"type-on-terminal", Group::IPC, "types into the terminal it was started from", typeOnTerminal,
     "would type into the operator's terminal"},
    {"pipe", Group::IPC, "makes a pipe", pipeOfOwn, {}},
    {"event-counter", Group::IPC, "makes an eventfd", eventCounter, {}},
    {"poll-set", Group::IPC, "makes an epoll set", pollSet, {}},
    {"timer-descriptor", Group::IPC, "makes a timerfd", timerDescriptor, {}},
    {"shared-mapping", Group::IPC, "maps shared memory", sharedMapping, {}},
    {"map-descriptor", Group::IPC, "maps its socket", mapDescriptor, {}},
};

}  // namespace

std::span<const Attempt> ipcAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
