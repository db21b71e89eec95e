#include "supervisor/worker-handle.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include <kj/debug.h>

#include "ipc/uv-event-port.h"
#include "policy/limits.h"
#include "policy/seal.h"
#include "supervisor/proc-file.h"
#include "supervisor/process-memory.h"

namespace glovebox {
namespace {

// A child is ready in about a millisecond; a stuck one must not hold a place in the pool for ever.
constexpr kj::Duration START_TIMEOUT = 5 * kj::SECONDS;

// A worker whose line is gone is on its way out. If it has not arrived after this, it closed or broke its line on
// purpose.
constexpr kj::Duration LINE_LOST_GRACE = 50 * kj::MILLISECONDS;

// Audit records reach the log by a thread of the kernel's, a moment after the death that they are about.
constexpr kj::Duration KERNEL_LOG_DELAY = 10 * kj::MILLISECONDS;

// Dead, and no report of it. The warden writes one when it reaps, which takes a busy machine some milliseconds.
constexpr kj::Duration REPORT_GRACE = 2 * kj::SECONDS;

// The kernel's CPU clock of another process (what clock_getcpuclockid() computes, without its check).
clockid_t cpuClock(pid_t pid) { return static_cast<clockid_t>((~static_cast<unsigned>(pid) << 3) | 2); }

bool isDead(int pidfd) {
  pollfd look{pidfd, POLLIN, 0};
  return poll(&look, 1, 0) == 1;
}

// The kernel is taking it apart: it has closed its descriptors, or will. On a busy machine that takes a while.
bool isDying(pid_t pid) {
  constexpr unsigned PF_EXITING = 0x4;   // linux/sched.h
  char text[512];
  if (readProc(pid, "stat", text, sizeof(text)) == 0) return true;
  const char* close = strrchr(text, ')');
  unsigned flags;
  return close != nullptr && sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && (flags & PF_EXITING) != 0;
}

}  // namespace

kj::Promise<kj::Own<WorkerHandle>> WorkerHandle::start(UvEventPort& port, kj::Own<ZygoteProcess> zygote, uint64_t spawnId,
                                                       uint32_t memoryMbMax, policy::LayerSet allowMissing, KernelLog& log) {
  auto sockets = makeSocketPair(SOCK_STREAM, true);
  auto spawned = zygote->spawn(sockets.theirs, spawnId, policy::workerDataBytesMax(memoryMbMax));
  auto& zygoteRef = *zygote;
  auto handle = kj::refcounted<WorkerHandle>(port, kj::mv(zygote), kj::mv(sockets.ours), log);
  handle->memoryMb_ = memoryMbMax;

  // Sent before the child exists: it waits in the socket until there is somebody to read it.
  auto warm = handle->process_.warmRequest().send().ignoreResult();
  auto& h = *handle;
  auto ready = spawned.then([&h, warm = kj::mv(warm)](ZygoteProcess::Child child) mutable {
    h.child_ = kj::mv(child);
    h.watchEnd();
    // A worker that dies during its lock-down leaves `warm` unanswered or fails it; what it died of is better news.
    auto died = h.whenEnded().then([](Outcome outcome) -> kj::Promise<void> {
      return KJ_EXCEPTION(FAILED, "a worker died before it was ready", outcome.message);
    });
    auto answered = warm.catch_([&h](kj::Exception&& exception) -> kj::Promise<void> {
      return h.whenEnded().then([](Outcome outcome) -> kj::Promise<void> {
        return KJ_EXCEPTION(FAILED, "a worker died before it was ready", outcome.message);
      });
    });
    return answered.exclusiveJoin(kj::mv(died));
  });
  return port.getTimer()
      .timeoutAfter(START_TIMEOUT, kj::mv(ready))
      .then([&h, allowMissing]() {
        auto flaws = policy::findSealFlaws(h.child_.pid, h.zygote_->layersInForce(), allowMissing);
        if (!flaws.empty()) {
          kj::Vector<kj::String> words;
          for (auto& flaw: flaws) words.add(kj::heapString(flaw.data(), flaw.size()));
          KJ_FAIL_REQUIRE("a worker is not sealed as it must be, and gets no code", kj::strArray(words, "; "));
        }
      })
      .then([handle = kj::mv(handle)]() mutable -> kj::Promise<kj::Own<WorkerHandle>> { return kj::mv(handle); },
            [&zygoteRef, spawnId](kj::Exception&& exception) -> kj::Promise<kj::Own<WorkerHandle>> {
              KJ_IF_MAYBE(why, zygoteRef.takeSpawnFailure(spawnId)) {
                return KJ_EXCEPTION(FAILED, "a worker could not be locked down", *why);
              }
              return kj::mv(exception);
            });
}

WorkerHandle::WorkerHandle(UvEventPort& port, kj::Own<ZygoteProcess> zygote, kj::AutoCloseFd socket, KernelLog& log)
    : port_(port),
      log_(log),
      zygote_(kj::mv(zygote)),
      connection_(connect(port, kj::mv(socket))),
      process_(connection_->bootstrap<rpc::WorkerProcess>()),
      endedPromise_(nullptr),
      tasks_(*this) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  endedPromise_ = paf.promise.fork();
  endedFulfiller_ = kj::mv(paf.fulfiller);
}

kj::Own<RpcConnection> WorkerHandle::connect(UvEventPort& port, kj::AutoCloseFd socket) {
  auto waiter = kj::heap<UvFdObserver>(port, socket.get());
  return kj::heap<RpcConnection>(RpcConnection::End::SUPERVISOR_OF_WORKER, kj::mv(socket), kj::mv(waiter), nullptr,
                                 kj::Function<void(const kj::Exception&)>([this](const kj::Exception& violation) {
                                   end(protocolViolation(violation.getDescription()));
                                 }));
}

WorkerHandle::~WorkerHandle() noexcept(false) {
  if (!ended_) signal(SIGKILL);
}

// A signal that meets somebody else kills an innocent worker, and nobody would know why it died.
void WorkerHandle::signal(int number) {
  if (child_.pidfd == nullptr) return;
  // It has none once it is dead.
  auto pid = policy::tryGetPid(child_.pidfd);
  if (pid && *pid != child_.pid) {
    KJ_LOG(ERROR, "a descriptor that was a worker's is another process's: no signal is sent", child_.pidfd.get(), child_.pid, *pid);
    return;
  }
  signalPidfd(child_.pidfd, number);
}

void WorkerHandle::watchEnd() {
  // The warden reaps and reports; the report comes a moment after the death.
  tasks_.add(zygote_->whenEnded(child_.innerPid).then([this](ProcessEnd processEnd) -> kj::Promise<void> {
    ended_ = true;
    lastCpuTime_ = std::max(lastCpuTime_, static_cast<int64_t>(processEnd.cpuUs) * kj::MICROSECONDS);
    peakBytes_ = std::max(peakBytes_, processEnd.peakBytes);
    bool forbidden = processEnd.code != CLD_EXITED && processEnd.status == SIGSYS;
    if (!forbidden || reason_ != nullptr) {
      settleEnd(processEnd, nullptr);
      return kj::READY_NOW;
    }
    return port_.getTimer().afterDelay(KERNEL_LOG_DELAY).then([this, processEnd]() {
      settleEnd(processEnd, log_.tryFindForbiddenCall(child_.pid));
    });
  }));
  tasks_.add(connection_->onDisconnect().then([this]() {
    return port_.getTimer().afterDelay(LINE_LOST_GRACE).then([this]() {
      // On a busy machine a death, or the report of it, may take longer than this; then the process is dying all the same.
      if (!ended_ && !isDead(child_.pidfd) && !isDying(child_.pid)) end(protocolViolation("it closed or corrupted its line"));
      return port_.getTimer().afterDelay(REPORT_GRACE);
    }).then([this]() {
      // Whoever waits for a report that never comes waits for ever.
      if (ended_ || !isDead(child_.pidfd)) return;
      KJ_LOG(ERROR, "the warden did not report the end of a worker", child_.pid);
      ended_ = true;
      settleEnd(ProcessEnd{CLD_KILLED, SIGKILL}, nullptr);
    });
  }));
}

void WorkerHandle::settleEnd(ProcessEnd processEnd, kj::Maybe<uint32_t> forbiddenCall) {
  if (reason_ == nullptr) reason_ = fromProcessEnd(processEnd, memoryMb_, forbiddenCall);
  endedFulfiller_->fulfill();
}

kj::Duration WorkerHandle::cpuTime() {
  timespec time;
  if (!ended_ && clock_gettime(cpuClock(child_.pid), &time) == 0) {
    lastCpuTime_ = time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
  }
  return lastCpuTime_;
}

uint64_t WorkerHandle::memoryBytes() { return ended_ ? 0 : anonymousBytesOf(child_.pid); }

uint64_t WorkerHandle::peakMemoryBytes() {
  if (!ended_) peakBytes_ = std::max(peakBytes_, peakBytesOf(child_.pid));
  return peakBytes_;
}

bool WorkerHandle::isGone() { return ended_ || isDead(child_.pidfd); }

uint64_t WorkerHandle::privateBytes() { return ended_ ? 0 : privateBytesOf(child_.pid); }

bool WorkerHandle::exceedsMemory() { return memoryBytes() > policy::workerDataBytesMax(memoryMb_); }

void WorkerHandle::setMemoryLimit(uint32_t memoryMb) {
  if (memoryMb == memoryMb_) return;
  memoryMb_ = memoryMb;
  rlimit limit{policy::workerDataBytesMax(memoryMb), policy::workerDataBytesMax(memoryMb)};
  // Fails only if the process is gone, which the caller hears by other means.
  (void)prlimit(child_.pid, RLIMIT_DATA, &limit, nullptr);
}

void WorkerHandle::softStop(Outcome reason) {
  softReason_ = kj::mv(reason);
  if (!ended_) signal(zygote::TERMINATE_SIGNAL);
}

kj::Maybe<const Outcome&> WorkerHandle::lastSoftStop() const {
  KJ_IF_MAYBE(reason, softReason_) return *reason;
  return nullptr;
}

void WorkerHandle::end(Outcome reason) {
  if (ended_) return;
  cpuTime();
  if (reason_ == nullptr) reason_ = kj::mv(reason);
  signal(SIGKILL);
}

size_t WorkerHandle::openReads() { return KJ_ASSERT_NONNULL(connection_->guard()).openReads(); }

size_t WorkerHandle::openCalls() { return KJ_ASSERT_NONNULL(connection_->guard()).openCalls(); }

kj::Promise<void> WorkerHandle::whenReadFinished() { return KJ_ASSERT_NONNULL(connection_->guard()).whenReadFinished(); }

kj::Promise<Outcome> WorkerHandle::whenEnded() {
  return endedPromise_.addBranch().then([this]() { return KJ_ASSERT_NONNULL(reason_).clone(); });
}

void WorkerHandle::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "lost touch with a worker", exception);
  end(protocolViolation("it could not be followed"));
}

}  // namespace glovebox
