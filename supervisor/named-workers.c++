#include "supervisor/named-workers.h"

#include <algorithm>
#include <vector>

#include <kj/debug.h>

#include "ipc/wire-limits.h"
#include "supervisor/membrane-limits.h"

namespace glovebox {
namespace {

// Of a row of list() besides its name.
constexpr size_t LISTED_BYTES = 64;

std::string_view checked(kj::StringPtr name) {
  KJ_REQUIRE(name.size() <= wire::NAME_BYTES_MAX, "the name of a worker is longer than names may be", name.size(), wire::NAME_BYTES_MAX);
  return {name.begin(), name.size()};
}

}  // namespace

NamedWorkers::NamedWorkers(kj::Own<Core> core, kj::Own<WorkerMaker> maker, kj::Maybe<kj::Own<Holder>> holder)
    : core_(kj::mv(core)), maker_(kj::mv(maker)), holder_(kj::mv(holder)) {}

NamedWorkers::~NamedWorkers() noexcept(false) {
  for (auto& row: rows_) row.second.worker->leaveTable();
}

rpc::Worker::Client NamedWorkers::get(kj::StringPtr name, rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console) {
  auto key = checked(name);
  kj::Maybe<Holder&> holder;
  KJ_IF_MAYBE(h, holder_) holder = **h;
  auto found = rows_.find(key);
  if (found == rows_.end()) {
    auto worker = kj::refcounted<NamedWorker>(*this, kj::addRef(*core_), name, kj::addRef(*maker_));
    auto hold = kj::heap<Hold>(kj::addRef(*worker), holder);
    found = rows_.emplace(key, Row{kj::mv(worker), kj::mv(hold), countRow()}).first;
  }
  auto& worker = *found->second.worker;
  auto stub = worker.stub(holder);
  worker.want(kj::mv(factory), kj::mv(console));
  return stub;
}

bool NamedWorkers::hasRoomFor(kj::StringPtr name) const {
  KJ_IF_MAYBE(owner, maker_->owner()) return owner->ledger.names.hasRoom() || rows_.count(checked(name)) > 0;
  return true;
}

// In the books of the worker whose loader this is: it may have several.
kj::Own<void> NamedWorkers::countRow() {
  KJ_IF_MAYBE(owner, maker_->owner()) {
    owner->ledger.names.take();
    return kj::heap(kj::defer([membrane = kj::addRef(*owner)]() mutable { membrane->ledger.names.give(); }));
  }
  return {};
}

bool NamedWorkers::remove(kj::StringPtr name) {
  auto found = rows_.find(checked(name));
  if (found == rows_.end()) return false;
  auto row = kj::mv(found->second);
  rows_.erase(found);
  row.worker->leaveTable();
  row.worker->revoke();
  return true;
}

bool NamedWorkers::abort(kj::StringPtr name) {
  auto found = rows_.find(checked(name));
  if (found == rows_.end()) return false;
  found->second.worker->abort(abortedByOwner());
  return true;
}

void NamedWorkers::list(rpc::Loader::ListResults::Builder to, size_t bytesMax) {
  std::vector<NamedWorker*> workers;
  for (auto& row: rows_) workers.push_back(row.second.worker.get());
  std::stable_sort(workers.begin(), workers.end(), [](auto a, auto b) { return a->lastUse() > b->lastUse(); });
  size_t count = 0;
  for (size_t bytes = 0; count < workers.size(); count++) {
    bytes += workers[count]->name().size() + LISTED_BYTES;
    if (bytes > bytesMax) break;
  }
  auto list = to.initWorkers(static_cast<unsigned>(count));
  for (auto i: kj::indices(list)) workers[i]->describe(list[i]);
}

bool NamedWorkers::evictOne(const Outcome& why) {
  NamedWorker* oldest = nullptr;
  for (auto& row: rows_) {
    auto& worker = *row.second.worker;
    if (worker.isIdle() && (oldest == nullptr || worker.lastUse() < oldest->lastUse())) oldest = &worker;
  }
  if (oldest == nullptr) return false;
  oldest->evict(why.clone());
  return true;
}

void NamedWorkers::close() {
  auto rows = kj::mv(rows_);
  rows_.clear();
  for (auto& row: rows) row.second.worker->orphan();
}

void NamedWorkers::planTidying() {
  if (tidyingPlanned_) return;
  tidyingPlanned_ = true;
  // Not at once: this may be something that one of them is just doing.
  tidying_ = kj::evalLater([this]() { tidy(); }).eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

void NamedWorkers::tidy() {
  for (auto i = rows_.begin(); i != rows_.end();) i = i->second.worker->isUsed() ? std::next(i) : rows_.erase(i);
  tidyingPlanned_ = false;
}

}  // namespace glovebox
