#pragma once
// The first SIGINT or SIGTERM as a promise. By libuv, so KJ's own signal handling stays unused.

#include <signal.h>
#include <uv.h>

#include <kj/async.h>
#include <kj/debug.h>

namespace glovebox::cli {

class StopSignals {
 public:
  explicit StopSignals(uv_loop_t* loop): paf_(kj::newPromiseAndFulfiller<int>()) {
    constexpr int SIGNALS[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
      KJ_ASSERT(uv_signal_init(loop, &handles_[i]) == 0);
      handles_[i].data = this;
      KJ_ASSERT(uv_signal_start(&handles_[i], [](uv_signal_t* handle, int number) {
        static_cast<StopSignals*>(handle->data)->paf_.fulfiller->fulfill(kj::cp(number));
      }, SIGNALS[i]) == 0);
    }
  }
  // The handles are libuv's until the loop's next turn.
  ~StopSignals() noexcept(false) {
    int open = 2;
    for (auto& handle: handles_) {
      handle.data = &open;
      uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) { --*static_cast<int*>(closed->data); });
    }
    while (open > 0) uv_run(handles_[0].loop, UV_RUN_NOWAIT);
  }
  KJ_DISALLOW_COPY(StopSignals);

  kj::Promise<int> take() { return kj::mv(paf_.promise); }

 private:
  uv_signal_t handles_[2];
  kj::PromiseFulfillerPair<int> paf_;
};

}  // namespace glovebox::cli
