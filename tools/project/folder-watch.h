#pragma once
// Tells that something changed in folders: a file written, made, renamed or removed. Which one does not matter, the project is read
// afresh. Folders below are not included; whoever reads the project names them all, each time.

#include <kj/async.h>
#include <uv.h>

#include <string>
#include <vector>

namespace glovebox::project {

class FolderWatch {
 public:
  explicit FolderWatch(uv_loop_t* loop): loop_(loop) {}
  ~FolderWatch() noexcept(false);
  KJ_DISALLOW_COPY(FolderWatch);

  // In place of those of before. A folder that is not there, or that the kernel cannot watch, is left out; false if there was one.
  bool watch(const std::vector<std::string>& folders);

  // As far as is known now, nothing has changed since it was last asked.
  bool isQuiet() const { return !hasChanged_; }

  // Something has changed since it was last asked, now or later. One who waits at a time.
  kj::Promise<void> changed();

 private:
  struct Handle;

  uv_loop_t* loop_;
  std::vector<Handle*> handles_;   // each frees itself when libuv has closed it
  bool hasChanged_ = false;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting_;

  void close();
};

}  // namespace glovebox::project
