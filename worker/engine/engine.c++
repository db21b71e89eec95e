#include "worker/engine/engine.h"

#include <fcntl.h>
#include <libplatform/libplatform.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "ipc/zygote-protocol.h"
#include "worker/engine/native.h"
#include "worker/engine/platform.h"
#include "worker/web/hooks.h"

namespace glovebox {

namespace {

// Where the heap limit stands until a worker's own limit is known; small, so that V8 asks early.
constexpr size_t INITIAL_HEAP_BYTES = 24u << 20;
// What running JavaScript may still take while it is being unwound from the heap limit.
constexpr size_t UNWIND_BYTES = 12u << 20;
// The JIT's range: bounds what one worker can spend on machine code; V8's default would reserve 512 MB.
constexpr size_t CODE_RANGE_BYTES = 64u << 20;

class BufferAllocator final: public v8::ArrayBuffer::Allocator {
 public:
  explicit BufferAllocator(MemoryBudget& budget): budget_(budget) {}
  void* Allocate(size_t length) override {
    void* data = budget_.hasRoom(length) ? calloc(length, 1) : nullptr;
    if (data == nullptr) {
      budget_.refused = true;
    } else {
      budget_.buffers += length;
    }
    return data;
  }
  // Zeroed all the same: what was in this memory before is nobody's business.
  void* AllocateUninitialized(size_t length) override { return Allocate(length); }
  void Free(void* data, size_t length) override {
    free(data);
    budget_.buffers -= length;
  }

 private:
  MemoryBudget& budget_;
};

[[noreturn]] void outOfMemory(const char*, const v8::OOMDetails&) { _exit(zygote::EXIT_OUT_OF_MEMORY); }
[[noreturn]] void fatalError(const char*, const char*) { _exit(zygote::EXIT_FATAL_ERROR); }

WorkerPlatform* platform = nullptr;   // V8 itself is one per process

}  // namespace

MemoryBudget& MemoryBudget::ofProcess() {
  static MemoryBudget budget;
  return budget;
}

void startV8(policy::Profile profile) {
  std::string flags =
      "--single-threaded "             // threads do not survive the zygote's fork
      // What makes the first calls slow is code that is in no cache of the processor yet, and machine code of the baseline compiler
      // is several times as long as bytecode. Code that runs for long gets to the optimizing compilers without it, as soon.
      "--no-sparkplug "
      "--no-ignition-reo "             // compiles in less time than its shorter bytecode saves in code that runs once
      "--rehash-snapshot "             // without it the hash seed is the same constant on every machine
      "--no-freeze-flags-after-init "  // V8 would mprotect its flags; that is one more thing a fork shares
      "--js-explicit-resource-management --js-source-phase-imports "
      // A memory of WebAssembly reserves all that it may ever grow to, so this decides how many of them fit into a worker's address
      // space (WORKER_ADDRESS_SPACE_BYTES_MAX). In pages of 64 KiB: 512 MiB.
      "--wasm-max-mem-pages=8192 "
      "--stack-size=864 ";
  if (profile == policy::Profile::JITLESS) flags += "--jitless ";
  v8::V8::SetFlagsFromString(flags.c_str(), flags.size());
  // With an empty root V8 would find no /dev/urandom and silently seed itself from the clock.
  v8::V8::SetEntropySource([](unsigned char* bytes, size_t length) {
    return getrandom(bytes, length, 0) == ssize_t(length);
  });
  platform = new WorkerPlatform(MemoryBudget::ofProcess());
  v8::V8::InitializePlatform(platform);
  v8::V8::SetFatalMemoryErrorCallback(outOfMemory);
  v8::V8::Initialize();
}

v8::ArrayBuffer::Allocator* bufferAllocator() {
  static auto* allocator = new BufferAllocator(MemoryBudget::ofProcess());
  return allocator;
}

const intptr_t* externalReferences() {
  static const std::vector<intptr_t> references = [] {
    std::vector<intptr_t> all;
    for (auto& native : allNatives()) all.push_back(reinterpret_cast<intptr_t>(native.callback));
    all.push_back(0);
    return all;
  }();
  return references.data();
}

namespace {

// For as long as the process is there. As a mapping of the file, because a copy's 800 pages would be copied to each worker's page table.
v8::StartupData mapSnapshot(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) throw std::runtime_error("cannot read the runtime snapshot " + path);
  void* content = mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (content == MAP_FAILED) throw std::runtime_error("cannot read the runtime snapshot " + path);
  return {static_cast<const char*>(content), int(status.st_size)};
}

}  // namespace

Engine::Engine(const std::string& snapshotPath): heapLimit_(INITIAL_HEAP_BYTES) {
  startupData_ = mapSnapshot(snapshotPath);
  if (!startupData_.IsValid()) {
    throw std::runtime_error("the runtime snapshot " + snapshotPath + " was not made by this V8; build again");
  }
  v8::Isolate::CreateParams params;
  params.snapshot_blob = &startupData_;
  params.array_buffer_allocator = bufferAllocator();
  params.external_references = externalReferences();
  params.constraints.set_initial_old_generation_size_in_bytes(INITIAL_HEAP_BYTES / 2);
  params.constraints.set_max_old_generation_size_in_bytes(INITIAL_HEAP_BYTES);
  params.constraints.set_max_young_generation_size_in_bytes(6u << 20);
  params.constraints.set_code_range_size_in_bytes(CODE_RANGE_BYTES);
  isolate_ = v8::Isolate::New(params);
  isolate_->SetData(0, this);
  isolate_->SetOOMErrorHandler(outOfMemory);
  isolate_->SetFatalErrorHandler(fatalError);
  isolate_->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
  isolate_->AddNearHeapLimitCallback(nearHeapLimit, this);
  isolate_->SetCaptureStackTraceForUncaughtExceptions(true, 10);
  isolate_->Enter();
  v8::HandleScope scope(isolate_);
  auto context = v8::Context::New(isolate_);
  context->Enter();
  context_.Reset(isolate_, context);
  v8::Local<v8::Object> hooks;
  if (!context->GetDataFromSnapshotOnce<v8::Object>(0).ToLocal(&hooks)) {
    throw std::runtime_error("the runtime snapshot " + snapshotPath + " holds no runtime; build again");
  }
  hooks_.Reset(isolate_, hooks);
  // V8 adds its newest built-ins only now; the runtime takes what it needs of them.
  if (callHook(context, "contextStarted", {}).IsEmpty()) throw std::runtime_error("the runtime did not start");
}

bool throwIfStartingUp(v8::Isolate* isolate) {
  auto* engine = static_cast<Engine*>(isolate->GetData(0));
  if (engine == nullptr || !engine->startingUp) return false;
  throwError(isolate,
             "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a "
             "timeout, and generating random values are not allowed within global scope. To fix this error, perform "
             "this operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/");
  return true;
}

// The number itself, or a pair of it and a frame (worker/runtime/node/async-frame.ts).
uint64_t Engine::currentInvocation() {
  auto data = isolate_->GetContinuationPreservedEmbedderDataV2();
  if (data.IsEmpty() || !data->IsValue()) return 0;
  v8::HandleScope scope(isolate_);
  auto value = data.As<v8::Value>();
  if (value->IsArray() && !value.As<v8::Array>()->Get(context(), 0).ToLocal(&value)) return 0;
  return value->IsNumber() ? uint64_t(value.As<v8::Number>()->Value()) : 0;
}

void Engine::setCurrentInvocation(uint64_t id) {
  if (id == 0) {
    isolate_->SetContinuationPreservedEmbedderDataV2(v8::Undefined(isolate_));
  } else {
    isolate_->SetContinuationPreservedEmbedderDataV2(v8::Number::New(isolate_, double(id)));
  }
}

TracePlace Engine::currentTrace() {
  if (traces.empty()) return {};
  auto found = traces.find(currentInvocation());
  return found == traces.end() ? TracePlace() : found->second;
}

double Engine::wallClockMs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec / 1'000'000);
}

void Engine::limitMemory(size_t bytes, size_t heapBytes) {
  auto& budget = MemoryBudget::ofProcess();
  budget.baseline = budget.pages + budget.buffers;
  budget.limit = bytes;
  heapLimit_ = bytes;
  ownHeapLimit_ = heapBytes == 0 ? SIZE_MAX : heapBytes;
}

void Engine::emptyYoungGeneration() {
  // V8 offers no way to ask for it but to fill the room. Twice: what survives once stays young.
  static int collections;
  constexpr int ROUNDS = 2, STRINGS_MAX = 10'000;
  collections = 0;
  auto count = [](v8::Isolate*, v8::GCType, v8::GCCallbackFlags) { collections++; };
  isolate_->AddGCEpilogueCallback(count, v8::kGCTypeScavenge);
  const std::string filler(8'000, ' ');
  for (int i = 0; collections < ROUNDS && i < STRINGS_MAX; i++) {
    v8::HandleScope scope(isolate_);
    v8::String::NewFromUtf8(isolate_, filler.data(), v8::NewStringType::kNormal, int(filler.size())).ToLocalChecked();
  }
  isolate_->RemoveGCEpilogueCallback(count);
}

size_t Engine::nearHeapLimit(void* data, size_t current, size_t initial) {
  auto& self = *static_cast<Engine*>(data);
  size_t buffers = MemoryBudget::ofProcess().buffers;
  size_t allowed = std::min(self.heapLimit_ > buffers ? self.heapLimit_ - buffers : 0, self.ownHeapLimit_);
  if (!self.heapExhausted_ && current < allowed) return allowed;
  if (self.heapExhausted_) return current;   // still growing while it should unwind: V8 ends the process
  self.heapExhausted_ = true;
  MemoryBudget::ofProcess().refused = true;
  self.isolate_->TerminateExecution();
  return current + UNWIND_BYTES;
}

bool Engine::takeHeapExhausted() {
  if (!heapExhausted_) return false;
  heapExhausted_ = false;
  // What filled the heap is mostly garbage now. Without this the limit would stay where unwinding had lifted it to.
  isolate_->LowMemoryNotification();
  isolate_->RemoveNearHeapLimitCallback(nearHeapLimit, heapLimit_);
  isolate_->AddNearHeapLimitCallback(nearHeapLimit, this);
  return true;
}

void Engine::shareHeapInHugePages() { platform->pages().makeRegionHuge(); }

void Engine::leaveSharedRegion() { platform->pages().leaveRegion(); }

bool Engine::pumpTasks() { return platform->pump(isolate_); }

uint64_t Engine::hashSeedProbe() {
  v8::HandleScope scope(isolate_);
  uint64_t digest = 0;
  for (const char* text : {"glovebox", "hash", "seed", "probe"}) {
    auto string = v8::String::NewFromUtf8(isolate_, text, v8::NewStringType::kInternalized).ToLocalChecked();
    digest = digest * 0x100000001b3ull + uint64_t(uint32_t(string->GetIdentityHash()));
  }
  return digest;
}

}  // namespace glovebox
