#include "supervisor/journal.h"

#include <algorithm>

#include "supervisor/said.h"
#include "supervisor/wall-clock.h"

namespace glovebox {
namespace {

// Cut first, so that a text which is too large costs no more than what is kept of it.
kj::String cutText(kj::ArrayPtr<const char> text, size_t bytesMax) {
  if (text.size() <= bytesMax) return cleanText(text);
  return kj::str(cleanText(text.slice(0, bytesMax)), "... (", text.size(), " bytes)");
}

constexpr size_t at(Journal::Ended what) { return static_cast<size_t>(what); }

}  // namespace

kj::Own<Diary> Journal::begin(uint64_t id) { return kj::refcounted<Diary>(*this, id); }

void Journal::noteCallEnded(Diary& diary, kj::StringPtr method, const Outcome& outcome) {
  // How its worker ended is told anyway.
  if (outcome.code == rpc::Ending::Code::REVOKED) return;
  // A worker that dies takes all of its calls along.
  auto& calls = endings_[at(Ended::CALL)];
  if (!calls.empty() && calls.back().diary.get() == &diary && calls.back().outcome.code == outcome.code) {
    calls.back().times++;
    calls.back().time = wallClockMs();
    return;
  }
  add({Ended::CALL, outcome.clone(), kj::addRef(diary), cutText(method, NAME_BYTES_MAX)});
}

void Journal::noteEnded(Diary& diary, const Outcome& outcome, uint64_t cpuMs, uint64_t peakMemoryBytes) {
  if (diary.ended_) return;
  diary.ended_ = true;
  auto what = outcome.code == rpc::Ending::Code::REVOKED ? Ended::LET_GO : Ended::WORKER;
  add({what, outcome.clone(), kj::addRef(diary), nullptr, cpuMs, peakMemoryBytes});
}

void Journal::add(Ending ending) {
  ending.serial = nextSerial_++;
  ending.time = wallClockMs();
  auto kind = at(ending.what);
  endings_[kind].push_back(kj::mv(ending));
  if (endings_[kind].size() > ENDINGS_MAX[kind]) endings_[kind].pop_front();
}

kj::Maybe<const Diary&> Journal::tryFind(uint64_t id) const {
  auto found = diaries_.find(id);
  if (found == diaries_.end()) return nullptr;
  return *found->second;
}

void Journal::makeRoom() {
  // The last one has just spoken, and has less than all.
  while (bytes_ > ALL_BYTES_MAX && speakers_.size() > 1) speakers_.front()->dropAll();
}

// ---------------------------------------------------------------------------------------------------------------------

Diary::Diary(Journal& journal, uint64_t id): journal_(journal), id_(id), name_(kj::str('#', id)) { journal_.diaries_[id] = this; }

Diary::~Diary() noexcept(false) {
  dropAll();
  journal_.diaries_.erase(id_);
}

void Diary::setName(kj::StringPtr name) { name_ = cutText(name, Journal::NAME_BYTES_MAX); }

void Diary::hear(capnp::List<rpc::LogMessage>::Reader logs, capnp::List<rpc::ThrownError>::Reader exceptions) {
  using Level = rpc::LogMessage::Level;
  // Of a list of any length only the last are kept, and looked at.
  auto first = [](auto list) { return list.size() > Journal::LINES_MAX ? list.size() - static_cast<uint>(Journal::LINES_MAX) : 0; };
  cut_ = cut_ || first(logs) > 0 || first(exceptions) > 0;
  for (auto i = first(logs); i < logs.size(); i++) {
    // A worker may send any number.
    add(std::min(logs[i].getLevel(), Level::ERROR), false, cutText(logs[i].getText(), Journal::LINE_BYTES_MAX));
  }
  for (auto i = first(exceptions); i < exceptions.size(); i++) {
    auto thrown = exceptions[i];
    // V8's stacks begin with name and message; what is no such stack is not told in their place.
    auto head = kj::str(cutText(thrown.getName(), Journal::NAME_BYTES_MAX), ": ", cutText(thrown.getMessage(), Journal::LINE_BYTES_MAX / 2));
    auto stack = cutText(thrown.getStack(), Journal::LINE_BYTES_MAX / 2);
    add(Level::ERROR, true, stack.startsWith(head) ? kj::mv(stack) : kj::str(head, stack.size() == 0 ? "" : "\n", stack));
  }
}

void Diary::add(rpc::LogMessage::Level level, bool isThrown, kj::String text) {
  lines_.push_back({level, isThrown, wallClockMs(), kj::mv(text)});
  auto bytes = lines_.back().bytes();
  bytes_ += bytes;
  journal_.bytes_ += bytes;
  while (lines_.size() > Journal::LINES_MAX || bytes_ > Journal::BYTES_MAX) dropFirst();
  auto& speakers = journal_.speakers_;
  KJ_IF_MAYBE(place, speaking_) speakers.splice(speakers.end(), speakers, *place);
  else speaking_ = speakers.insert(speakers.end(), this);
  journal_.makeRoom();
}

void Diary::dropFirst() {
  auto bytes = lines_.front().bytes();
  lines_.pop_front();
  bytes_ -= bytes;
  journal_.bytes_ -= bytes;
  cut_ = true;
}

void Diary::dropAll() {
  while (!lines_.empty()) dropFirst();
  KJ_IF_MAYBE(place, speaking_) journal_.speakers_.erase(*place);
  speaking_ = nullptr;
}

}  // namespace glovebox
