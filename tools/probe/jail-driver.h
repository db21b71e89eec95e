#pragma once
// A supervisor reduced to what shows a jail at work: starts a jailer with glovebox-probe in the place of the zygote,
// has it make one attempt per worker, and tells how each ended. Blocking, one jail per object; for `glovebox audit` and
// its tests.

#include <sys/types.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "ipc/zygote-protocol.h"
#include "policy/layers.h"
#include "policy/profile.h"
#include "tools/probe/verdict.h"

namespace glovebox::probe {

// A step of the lock-down that failed, in words; and the layer that is missing because of it, if that is why.
class JailFailure : public std::runtime_error {
 public:
  explicit JailFailure(const std::string& words, std::optional<policy::Layer> missing = std::nullopt)
      : std::runtime_error(words), missing_(missing) {}
  std::optional<policy::Layer> missing() const { return missing_; }

 private:
  std::optional<policy::Layer> missing_;
};

enum class Filter {
  ON,
  OFF,        // every layer but seccomp, and both sides know it
  FORGOTTEN,  // no filter is sent, but none may be missing either: no worker must come to life
};

struct JailOptions {
  std::string jailer;  // absolute paths
  std::string probe;
  policy::Profile profile = policy::Profile::DEFAULT;
  Filter filter = Filter::ON;
  std::optional<uid_t> asUser;  // start the jailer as this user and group; needs root
};

class JailDriver {
 public:
  // Returns when the zygote stands and a sealed sibling waits. Throws JailFailure.
  explicit JailDriver(JailOptions options);
  // Closes the warden's socket; everything in the jail is gone and reaped afterwards.
  ~JailDriver();
  JailDriver(const JailDriver&) = delete;

  // A worker of its own makes the attempt with this id (its index in allAttempts() plus FIRST_ATTEMPT_ID).
  Ending attempt(uint64_t id);

  bool siblingLives() const;
  // What policy/seal.h finds wrong with the waiting sibling.
  std::vector<std::string> siblingFlaws() const;
  policy::LayerSet layersInForce() const { return inForce_; }

 private:
  struct Worker {
    int socket;
    int pidfd;
    int32_t innerPid;
  };

  void startJailer(int zygoteEnd, int wardenEnd);
  void configure();
  Worker spawn(uint64_t id);
  zygote::ChildEnded awaitEnd(int32_t innerPid);
  void stop();

  JailOptions options_;
  int zygoteSocket_ = -1;
  int wardenSocket_ = -1;
  pid_t wardenPid_ = -1;
  zygote::WardenStarted started_;
  policy::LayerSet inForce_;
  Worker sibling_{-1, -1, 0};
  uint32_t spawned_ = 0;
  std::vector<zygote::ChildEnded> ended_;  // reported, not yet asked for
};

}  // namespace glovebox::probe
