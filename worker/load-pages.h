#pragma once
// The pages that a worker touches while it loads and answers its first call, and that its rehearsal did not touch before. A zygote learns
// them once, from a worker on trial; each worker has them made while nobody waits for it. They are the same in all workers of a
// zygote, because a fork inherits where everything is. A fault of one's own costs about 1 us, and a load has about twenty.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace glovebox {

class LoadPages {
 public:
  // For a zygote that is about to fork, and still has /proc. `serve` becomes a worker on a socket, as workers do, in a process of its own;
  // it does not return. Takes some milliseconds; learns nothing if anything goes wrong, which costs time and nothing else.
  void learn(const std::function<void(int socket)>& serve);

  // In a worker, before it is sealed.
  void make() const;

  struct Range {
    uintptr_t address;
    uint32_t pages;
    bool written;   // else only read
  };
  size_t pageCount() const;

 private:
  // Here, and not in a vector, because workers shall inherit the heap that the worker on trial had.
  std::array<Range, 256> ranges_;
  size_t count_ = 0;
};

// The other side of the trial, for a process of its own (worker/trial-load.c++): lets the worker on `socket` load a program and answer calls.
// `warmed` is called when the worker is ready to load, `called` when it has answered. Throws kj::Exception.
void tryLoad(int socket, const std::function<void()>& warmed, const std::function<void()>& called);

}  // namespace glovebox
