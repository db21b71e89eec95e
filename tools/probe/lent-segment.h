#pragma once
// A System V segment of the machine's, so that there is one to be found by an attempt that should not find it.

#include <sys/ipc.h>
#include <sys/shm.h>

namespace glovebox::probe {

class LentSegment {
 public:
  LentSegment(): id_(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)) {}
  ~LentSegment() {
    if (id_ >= 0) shmctl(id_, IPC_RMID, nullptr);
  }
  LentSegment(const LentSegment&) = delete;

 private:
  int id_;
};

}  // namespace glovebox::probe
