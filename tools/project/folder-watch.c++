#include "tools/project/folder-watch.h"

#include <kj/debug.h>

namespace glovebox::project {

struct FolderWatch::Handle {
  uv_fs_event_t event;
  FolderWatch* watch;   // null once it is being closed
};

FolderWatch::~FolderWatch() noexcept(false) { close(); }

bool FolderWatch::watch(const std::vector<std::string>& folders) {
  close();
  bool all = true;
  for (auto& folder: folders) {
    auto handle = new Handle{{}, this};
    KJ_ASSERT(uv_fs_event_init(loop_, &handle->event) == 0);
    handle->event.data = handle;
    handles_.push_back(handle);
    all &= uv_fs_event_start(&handle->event, [](uv_fs_event_t* event, const char*, int, int) {
      auto watch = static_cast<Handle*>(event->data)->watch;
      if (watch == nullptr) return;
      watch->hasChanged_ = true;
      KJ_IF_MAYBE(waiting, watch->waiting_) (*waiting)->fulfill();
    }, folder.c_str(), 0) == 0;
  }
  return all;
}

kj::Promise<void> FolderWatch::changed() {
  if (!hasChanged_) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    waiting_ = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return changed(); });
  }
  hasChanged_ = false;
  waiting_ = nullptr;
  return kj::READY_NOW;
}

void FolderWatch::close() {
  for (auto handle: handles_) {
    handle->watch = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&handle->event), [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
  }
  handles_.clear();
}

}  // namespace glovebox::project
