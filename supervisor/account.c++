#include "supervisor/account.h"

#include <algorithm>
#include <cstring>

#include "supervisor/membrane.h"
#include "supervisor/wall-clock.h"

namespace glovebox {
namespace {

// Appends what finds room, and three dots instead of the rest. A character may be cut in two.
class Cutter {
 public:
  template <size_t size>
  explicit Cutter(std::array<char, size>& space): begin_(space.data()), end_(begin_ + size - 4), at_(begin_) { *at_ = '\0'; }
  void add(kj::StringPtr text) {
    if (text.size() == 0) return;   // would overwrite what says that something was cut
    auto size = std::min<size_t>(text.size(), static_cast<size_t>(end_ - at_));
    memcpy(at_, text.begin(), size);
    at_ += size;
    strcpy(at_, size < text.size() ? "..." : "");
  }
  bool isEmpty() const { return at_ == begin_; }

 private:
  char* begin_;
  char* end_;
  char* at_;
};

}  // namespace

Run::Run(Books& books, Detail detail, rpc::Call::Reader call, kj::StringPtr entrypoint)
    : books_(kj::addRef(books)),
      detail_(detail),
      tailDepth_(call.getTailDepth()),
      entrypoint_(entrypoint),
      start_(kj::systemPreciseMonotonicClock().now()) {
  Cutter method(method_);
  for (auto name: call.getPath()) {
    if (!method.isEmpty()) method.add("."_kj);
    method.add(name);
  }
  if (detail_ == Detail::BRIEF) return;
  ownedEntrypoint_ = kj::str(entrypoint);
  entrypoint_ = ownedEntrypoint_;
  trafficBefore_ = books_->membrane_->ledger.traffic.snapshot();
  books_->open_.insert(this);
}

Run::~Run() noexcept(false) {
  if (isFull()) books_->open_.erase(this);
}

void Run::close(kj::Duration cpu, uint64_t peakMemoryBytes) {
  isClosed_ = true;
  wall_ = kj::systemPreciseMonotonicClock().now() - start_;
  startTime_ = wallClockMs() - static_cast<double>(wall_ / kj::MICROSECONDS) / 1'000;
  KJ_IF_MAYBE(before, startCpu) cpu_ = std::max(cpu - *before, 0 * kj::SECONDS);
  if (!isFull()) return;
  peakMemoryBytes_ = peakMemoryBytes;
  auto& entries = books_->membrane_->ledger.traffic.entries();
  trafficBefore_.resize(entries.size());
  for (size_t i = 0; i < entries.size(); i++) {
    auto used = entries[i].traffic.since(trafficBefore_[i]);
    if (!used.isNothing()) uses_.push_back({entries[i].label, entries[i].kind, used});
  }
}

void Run::write(rpc::Account::Builder account) const {
  account.setOutcome(howItEnded());
  account.setStartTime(startTime_);
  account.setWallUs(static_cast<uint64_t>(wall_ / kj::MICROSECONDS));
  account.setCpuUs(static_cast<uint64_t>(cpu_ / kj::MICROSECONDS));
  account.setPeakMemoryBytes(peakMemoryBytes_);
  account.setBytesIn(bytesIn);
  account.setBytesOut(bytesOut);
  uint64_t calls = 0;
  auto uses = account.initCapabilities(static_cast<uint>(uses_.size()));
  for (auto i: kj::indices(uses)) {
    auto& use = uses_[i];
    if (!isStream(use.kind)) calls += use.traffic.calls;
    uses[i].setLabel(use.label);
    uses[i].setKind(kindName(use.kind));
    uses[i].setCalls(use.traffic.calls);
    uses[i].setBytesOut(use.traffic.bytesOut);
    uses[i].setBytesIn(use.traffic.bytesIn);
  }
  account.setSubRequests(static_cast<uint32_t>(std::min<uint64_t>(calls, UINT32_MAX)));
  auto logs = account.initLogs(static_cast<uint>(said_.logs.size()));
  for (auto i: kj::indices(logs)) {
    logs[i].setLevel(said_.logs[i]->level);
    logs[i].setTime(said_.logs[i]->time);
    logs[i].setText(said_.logs[i]->text);
  }
  auto exceptions = account.initExceptions(static_cast<uint>(said_.exceptions.size()));
  for (auto i: kj::indices(exceptions)) {
    exceptions[i].setTime(said_.exceptions[i]->time);
    exceptions[i].setName(said_.exceptions[i]->name);
    exceptions[i].setMessage(said_.exceptions[i]->message);
    exceptions[i].setStack(said_.exceptions[i]->stack);
  }
  account.setTruncated(said_.truncated);
  if (trace.exists()) writeTrace(trace, account.initTrace());
}

Books::Books(kj::Own<Membrane> membrane): membrane_(kj::mv(membrane)) {}

Books::~Books() noexcept(false) {}

void Books::hear(capnp::List<rpc::LogMessage>::Reader logs, capnp::List<rpc::ThrownError>::Reader exceptions) {
  std::vector<Said*> listeners;
  for (auto run: open_) listeners.push_back(&run->said_);
  if (listeners.empty()) {
    KJ_IF_MAYBE(between, between_) listeners.push_back(&(*between)());
  }
  if (listeners.empty()) return;
  // A list may be long and its elements nothing.
  auto any = [&](auto takes) { return std::any_of(listeners.begin(), listeners.end(), takes); };
  for (auto message: logs) {
    if (!any([](Said* said) { return said->takesLogs(); })) break;
    auto log = std::make_shared<const SaidLog>(message);
    for (auto listener: listeners) listener->add(log);
  }
  for (auto exception: exceptions) {
    if (!any([](Said* said) { return said->takesExceptions(); })) break;
    auto thrown = std::make_shared<const SaidThrown>(exception);
    for (auto listener: listeners) listener->add(thrown);
  }
}

void Recent::add(const Run& run, pid_t pid) {
  auto& row = rows_[next_];
  next_ = (next_ + 1) % rows_.size();
  row.startTime = run.startTime();
  row.pid = pid;
  row.outcome = run.howItEnded();
  row.cpu = run.cpu();
  row.wall = run.wall();
  Cutter method(row.method);
  method.add(run.entrypoint());
  if (!method.isEmpty() && run.method().size() > 0) method.add("."_kj);
  method.add(run.method());
}

}  // namespace glovebox
