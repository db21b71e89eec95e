#pragma once
// V8's platform: the single-threaded one of libplatform, with our page allocator. One per process, never destroyed.

#include <libplatform/libplatform.h>
#include <v8-platform.h>

#include <memory>

#include "worker/engine/page-allocator.h"

namespace glovebox {

class WorkerPlatform final: public v8::Platform {
 public:
  explicit WorkerPlatform(MemoryBudget& budget)
      : pages_(budget), inner_(v8::platform::NewSingleThreadedDefaultPlatform()) {}

  // Runs tasks that are due. Not all there ever are: near a heap's limit a step of V8's garbage collection posts the next,
  // for ever, and the code whose turn it is would not get to what raises the limit or ends it.
  // False if there may be more.
  bool pump(v8::Isolate* isolate) {
    for (int i = 0; i < TASKS_A_TURN; i++) {
      if (!v8::platform::PumpMessageLoop(inner_.get(), isolate)) return true;
    }
    return false;
  }

  CountingPageAllocator& pages() { return pages_; }

  v8::PageAllocator* GetPageAllocator() override { return &pages_; }
  int NumberOfWorkerThreads() override { return 0; }
  std::shared_ptr<v8::TaskRunner> GetForegroundTaskRunner(v8::Isolate* isolate, v8::TaskPriority priority) override {
    return inner_->GetForegroundTaskRunner(isolate, priority);
  }
  double MonotonicallyIncreasingTime() override { return inner_->MonotonicallyIncreasingTime(); }
  double CurrentClockTimeMillis() override { return inner_->CurrentClockTimeMillis(); }
  v8::TracingController* GetTracingController() override { return inner_->GetTracingController(); }

 protected:
  std::unique_ptr<v8::JobHandle> CreateJobImpl(v8::TaskPriority priority, std::unique_ptr<v8::JobTask> task,
                                               const v8::SourceLocation& location) override {
    return inner_->CreateJob(priority, std::move(task), location);
  }
  void PostTaskOnWorkerThreadImpl(v8::TaskPriority priority, std::unique_ptr<v8::Task> task,
                                  const v8::SourceLocation& location) override {
    inner_->PostTaskOnWorkerThread(priority, std::move(task), location);
  }
  void PostDelayedTaskOnWorkerThreadImpl(v8::TaskPriority priority, std::unique_ptr<v8::Task> task, double delay,
                                         const v8::SourceLocation& location) override {
    inner_->PostDelayedTaskOnWorkerThread(priority, std::move(task), delay, location);
  }

 private:
  static constexpr int TASKS_A_TURN = 16;

  CountingPageAllocator pages_;
  std::unique_ptr<v8::Platform> inner_;
};

}  // namespace glovebox
