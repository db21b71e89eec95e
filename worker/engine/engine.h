#pragma once
// V8 in this process: started once, one isolate from the runtime's snapshot, one context. Single-threaded, because V8's
// threads would not survive the zygote's fork. Owned by main(); the memory it needs is never given back, since every
// process that has an engine ends by _exit.

#include <v8.h>

#include <string>
#include <unordered_map>

#include "policy/profile.h"
#include "worker/engine/memory-budget.h"
#include "worker/log-buffer.h"
#include "worker/timers.h"

namespace glovebox {

// As `Trace` in ipc/call.capnp. All 0: none.
struct TracePlace {
  uint64_t high = 0, low = 0, span = 0;
  uint8_t flags = 0;
};

// What the runtime asks of whoever speaks RPC for it (worker/script-host.c++). Numbers are those of ipc/js/wire.ts. Each may
// leave an exception pending, and has done nothing then.
class CallObserver {
 public:
  struct Entrypoint {
    v8::Local<v8::String> name;
    v8::Local<v8::Value> props;
    v8::Local<v8::Value> limits;    // WorkerLimits of ipc/js/limits.ts, or undefined
  };

  // False: nobody waits for the answer any more.
  virtual bool settle(uint64_t call, bool ok, v8::Local<v8::Value> value, uint64_t pipeline, bool disposable) = 0;
  virtual void invocationEnded(uint64_t invocation) = 0;
  virtual uint64_t call(uint64_t target, v8::Local<v8::Array> path, v8::Local<v8::Value> arguments) = 0;
  virtual void release(uint64_t import) = 0;
  virtual uint64_t loopback(uint64_t target) = 0;
  virtual uint64_t load(uint64_t loader, v8::Local<v8::Object> code) = 0;
  virtual uint64_t get(uint64_t loader, v8::Local<v8::String> name, uint64_t factory) = 0;
  virtual void giveCode(uint64_t call, v8::Local<v8::Object> code) = 0;
  virtual uint64_t byName(uint64_t loader, uint32_t act, v8::Local<v8::String> name) = 0;
  // Nothing of the worker runs any more; the process ends when what it logged has left.
  virtual void abortIsolate() = 0;
  virtual uint64_t entrypoint(uint64_t worker, const Entrypoint& entrypoint) = 0;
  virtual void revoke(uint64_t worker) = 0;
  virtual uint64_t promise() = 0;
  virtual void resolve(uint64_t promise, uint64_t worker) = 0;
  virtual void reject(uint64_t promise, v8::Local<v8::String> message) = 0;

 protected:
  ~CallObserver() = default;
};

// Starts V8 with the flags of `profile`. Once per process, before any other call to V8.
void startV8(policy::Profile profile);

// An array-buffer allocator that counts into MemoryBudget::ofProcess().
v8::ArrayBuffer::Allocator* bufferAllocator();

// Throws what Worker Loader throws for timers and randomness while the modules are being evaluated. True if it threw.
bool throwIfStartingUp(v8::Isolate* isolate);

// Addresses a snapshot may contain: every native function. Ends with 0.
const intptr_t* externalReferences();

class Engine {
 public:
  // `snapshotPath` is what buildSnapshot() wrote; it is read completely, so that nothing is opened later. Throws
  // std::runtime_error if it cannot be read or was made by another build.
  explicit Engine(const std::string& snapshotPath);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // The engine of an isolate that one made.
  static Engine& of(v8::Isolate* isolate) { return *static_cast<Engine*>(isolate->GetData(0)); }

  // What natives use.
  Timers timers;
  LogBuffer logs;
  CallObserver* calls = nullptr;
  bool ticksWanted = false;  // process.nextTick() was called: hooks.runTicks() is to be
  bool webAssembly = true;   // whether the profile has it
  bool startingUp = false;   // module evaluation: no timers, no randomness
  // The invocation whose code is running, across awaits; 0 if none.
  uint64_t currentInvocation();
  void setCurrentInvocation(uint64_t id);
  // Of the invocations that are part of a trace: where in it.
  std::unordered_map<uint64_t, TracePlace> traces;
  TracePlace currentTrace();
  static double wallClockMs();

  v8::Isolate* isolate() const { return isolate_; }
  v8::Local<v8::Context> context() const { return context_.Get(isolate_); }
  // What worker/runtime/main.ts exports as `hooks`: the functions the host calls.
  v8::Local<v8::Object> hooks() const { return hooks_.Get(isolate_); }

  // From now on memory above `bytes` (heap and buffers, beyond what the fork source holds) is refused, and of the heap above
  // `heapBytes` (0: no less than all).
  void limitMemory(size_t bytes, size_t heapBytes = 0);

  // In the process that will be forked, once all is there that forks will share.
  void shareHeapInHugePages();
  // In each forked process, once: what V8 maps from here on lies where no sibling can tell.
  void leaveSharedRegion();

  // Has V8 collect what is young now, so that whoever is forked after this has that room before it collects for the first time.
  void emptyYoungGeneration();

  // Calls the code of the page that is about to overflow a heap: true once the limit was hit; the running JavaScript has
  // been told to terminate. Cleared by takeHeapExhausted().
  bool takeHeapExhausted();

  // Runs tasks V8 posted to itself (garbage collection steps, Atomics.waitAsync timeouts). False if there may be more.
  bool pumpTasks();

  // Ends what JavaScript is running. Async-signal-safe as far as V8 is: called from the handler of TERMINATE_SIGNAL on
  // the one thread there is.
  void terminate() { isolate_->TerminateExecution(); }

  // A digest of strings' hashes: differs between processes iff V8's hash seeds differ.
  uint64_t hashSeedProbe();

 private:
  static size_t nearHeapLimit(void* self, size_t current, size_t initial);

  v8::StartupData startupData_;
  v8::Isolate* isolate_ = nullptr;
  v8::Global<v8::Context> context_;
  v8::Global<v8::Object> hooks_;
  size_t heapLimit_;      // shared with buffers
  size_t ownHeapLimit_ = SIZE_MAX;
  bool heapExhausted_ = false;
};

}  // namespace glovebox
