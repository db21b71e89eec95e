#pragma once
// Waits for the supervisor's own children (jailers and wardens), from their birth on, so that none stays a zombie whatever
// has happened to the object that started it, and can end them all. Uses pidfds, never SIGCHLD: the loop may belong to an embedder that has
// handlers of its own.

#include <sys/types.h>

#include <set>

#include <kj/async.h>
#include <kj/io.h>

namespace glovebox {

class UvEventPort;

class Reaper final: private kj::TaskSet::ErrorHandler {
 public:
  explicit Reaper(UvEventPort& port): port_(port), tasks_(*this) {}

  // `pid` is a child of this process that nobody has waited for, or will.
  void adopt(pid_t pid);

  void killAll();

  // Every adopted child has been waited for.
  kj::Promise<void> whenAllReaped() { return tasks_.onEmpty(); }

 private:
  UvEventPort& port_;
  std::set<int> living_;   // pidfds
  kj::TaskSet tasks_;

  void taskFailed(kj::Exception&& exception) override;
};

// pidfd_open; the process must be an unreaped child of this one, so that the number cannot have been reused.
kj::AutoCloseFd openPidfd(pid_t pid);

// By pidfd, so that it never hits another process. False if the process is gone already.
bool signalPidfd(int pidfd, int signal);

}  // namespace glovebox
