#include "supervisor/code-compiler.h"

#include <kj/debug.h>

#include "ipc/large-value.h"
#include "supervisor/call-watch.h"

namespace glovebox {
namespace {

// A load nobody calls is compiled after this: it may be meant to be called later, and others may load the same.
constexpr kj::Duration NOT_CALLED_DELAY = 1 * kj::SECONDS;

// An answer is on its way to its caller, who may call or load again at once; the pool fills its places first.
constexpr kj::Duration QUIET_DELAY = 5 * kj::MILLISECONDS;

// What the start of a worker may take as well. To parse 16 MiB takes about 0.3 s.
constexpr CallLimits COMPILE_LIMITS{1'000, 5'000};

// Of a list's and a struct's own bytes in the message of caches.
constexpr size_t ENVELOPE_BYTES_MAX = 1u << 20;

// Copies text that V8 compiles; of other modules only that they are there, so that indexes stay. Field by field: a list as
// a whole may hide fields of another schema.
void copyScripts(capnp::List<rpc::Module>::Reader from, capnp::List<rpc::Module>::Builder to) {
  for (auto i: kj::indices(from)) {
    to[i].setName(from[i].getName());
    if (from[i].isJs()) to[i].setJs(from[i].getJs());
    else if (from[i].isCjs()) to[i].setCjs(from[i].getCjs());
    else to[i].setText("");
  }
}

uint64_t wordsOf(capnp::List<rpc::Module>::Reader modules) {
  uint64_t words = 0;
  for (auto module: modules) words += module.totalSize().wordCount + 2;
  return words;
}

// From a hostile process. Throws if it is malformed or does not fit the modules.
ModuleCaches readCaches(kj::ArrayPtr<const capnp::word> words, capnp::List<rpc::Module>::Reader modules) {
  ModuleCaches result;
  withLargeMessage(words, [&](capnp::MessageReader& message) {
    auto caches = message.getRoot<rpc::CodeCaches>().getModules();
    KJ_REQUIRE(caches.size() == modules.size(), "caches of another number of modules", caches.size(), modules.size());
    // Pointers may overlap: what they say together can be more than the message.
    size_t bytes = 0;
    for (auto i: kj::indices(caches)) {
      KJ_REQUIRE(caches[i].size() == 0 || modules[i].isJs() || modules[i].isCjs(), "a cache of what is no JavaScript", i);
      bytes += caches[i].size();
    }
    KJ_REQUIRE(bytes > 0, "nothing of it compiles");
    KJ_REQUIRE(bytes <= CodeCache::ENTRY_BYTES_MAX, "caches are larger than an entry may be", bytes);
    auto copies = kj::heapArrayBuilder<kj::Array<const kj::byte>>(caches.size());
    for (auto cache: caches) copies.add(kj::heapArray<kj::byte>(cache));
    result = copies.finish();
  });
  return result;
}

}  // namespace

CodeCompiler::CodeCompiler(kj::Timer& timer, WorkerSupply& supply, CodeCache& cache, uint32_t memoryMb)
    : timer_(timer), supply_(supply), cache_(cache), memoryMb_(memoryMb), tasks_(*this) {}

kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> CodeCompiler::want(const CodeCache::Key& key,
                                                                  capnp::List<rpc::Module>::Reader modules) {
  if (wanted_.count(key) > 0 || wantedBytes_ > WAITING_BYTES_MAX - CodeCache::CODE_BYTES_MAX) return nullptr;
  auto job = kj::heap<Job>();
  job->key = key;
  auto copy = job->message.initRoot<rpc::WorkerCode>().initModules(modules.size());
  copyScripts(modules, copy);
  job->bytes = wordsOf(copy) * sizeof(capnp::word);
  wanted_.insert(key);
  wantedBytes_ += job->bytes;

  auto answered = kj::newPromiseAndFulfiller<void>();
  auto mayBegin = answered.promise.catch_([](kj::Exception&&) {}).exclusiveJoin(timer_.afterDelay(NOT_CALLED_DELAY));
  tasks_.add(mayBegin.then([this, job = kj::mv(job)]() mutable {
    ready_.push_back(kj::mv(job));
    next();
  }));
  return kj::mv(answered.fulfiller);
}

void CodeCompiler::next() {
  if (busy_ || ready_.empty()) return;
  busy_ = true;
  auto job = kj::mv(ready_.front());
  ready_.pop_front();
  auto& j = *job;
  auto done = timer_.afterDelay(QUIET_DELAY)
                  .then([this]() { return supply_.takeSpare(); })
                  .then([this, &j](kj::Own<WorkerPeer> process) { return compile(j, kj::mv(process)); },
                        [this, &j](kj::Exception&&) { forget(j); });   // no process can be had: that is not the modules' fault
  tasks_.add(done.catch_([this, &j](kj::Exception&& exception) {
                   KJ_LOG(ERROR, "modules could not be compiled", exception);
                   forget(j);
                   drop(kj::mv(process_));
                 })
                 .attach(kj::mv(job))
                 .then([this]() {
    busy_ = false;
    next();
  }));
}

kj::Promise<void> CodeCompiler::compile(Job& job, kj::Own<WorkerPeer> process) {
  auto& peer = *process;
  process_ = kj::mv(process);
  peer.setMemoryLimit(memoryMb_);
  auto modules = job.message.getRoot<rpc::WorkerCode>().asReader().getModules();
  auto request = peer.process().compileRequest(capnp::MessageSize{wordsOf(modules) + 16, 0});
  copyScripts(modules, request.initModules(modules.size()));
  request.setMemoryMb(memoryMb_);
  auto answered = request.send()
                      .then([](capnp::Response<rpc::WorkerProcess::CompileResults>&& response) {
                        return pullLarge(response.getCaches(), CodeCache::ENTRY_BYTES_MAX + ENVELOPE_BYTES_MAX);
                      })
                      .then([&job, modules](kj::Array<capnp::word> words) { job.caches = readCaches(words, modules); });
  auto died = peer.whenEnded().then([](Outcome outcome) -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, outcome.message); });
  return answered.exclusiveJoin(kj::mv(died))
      .exclusiveJoin(watchCall(timer_, peer, COMPILE_LIMITS, AtLimit::KILL, "while its modules were compiled"_kj))
      .then([this, &job]() { finished(job); }, [this, &job](kj::Exception&&) { finished(job); });
}

void CodeCompiler::finished(Job& job) {
  KJ_IF_MAYBE(caches, job.caches) {
    cache_.put(job.key, kj::mv(*caches));
    counts_.compiles++;
  } else {
    cache_.putWorthless(job.key);
    counts_.failures++;
  }
  forget(job);
  drop(kj::mv(process_));
}

// This kills it. Later: its line may be what this was called by.
void CodeCompiler::drop(kj::Maybe<kj::Own<WorkerPeer>> process) { tasks_.add(kj::evalLater([process = kj::mv(process)]() {})); }

void CodeCompiler::forget(Job& job) {
  if (wanted_.erase(job.key) == 0) return;
  wantedBytes_ -= job.bytes;
}

CodeCompiler::Counts CodeCompiler::counts() const {
  auto counts = counts_;
  counts.waiting = wanted_.size();
  return counts;
}

void CodeCompiler::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "the code compiler stumbled", exception); }

}  // namespace glovebox
