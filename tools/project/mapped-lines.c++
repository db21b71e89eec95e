#include "tools/project/mapped-lines.h"

#include <kj/debug.h>

namespace glovebox::project {
namespace {

// More than that is not held back for the sake of one stack.
constexpr size_t WAITING_MAX = 1'000;

}  // namespace

void MappedLines::mapWith(StackMapper& mapper) { mapping_ = kj::heap<Mapping>(mapper); }

void MappedLines::mapNoMore() {
  showAll();
  mapping_ = nullptr;
}

void MappedLines::add(std::string text, const cli::ModuleOrigins& origins, Show show) {
  if (waiting_.size() >= WAITING_MAX) showAll();
  KJ_IF_MAYBE(mapping, mapping_) {
    KJ_IF_MAYBE(mapped, (*mapping)->mapper.tryMap(text, origins)) {
      auto line = std::make_shared<Line>(Line{std::move(text), std::move(show), false});
      waiting_.push_back(line);
      (*mapping)->tasks.add(mapped->then([this, line](std::string mapped) {
        if (line->isReady) return;   // shown already
        line->text = std::move(mapped);
        line->isReady = true;
        showReady();
      }));
      return;
    }
  }
  if (waiting_.empty()) return show(std::move(text));
  waiting_.push_back(std::make_shared<Line>(Line{std::move(text), std::move(show), true}));
}

kj::Promise<void> MappedLines::whenShown() {
  if (waiting_.empty()) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  toTell_.push_back(kj::mv(paf.fulfiller));
  return kj::mv(paf.promise);
}

void MappedLines::showReady() {
  while (!waiting_.empty() && waiting_.front()->isReady) {
    auto line = waiting_.front();
    waiting_.pop_front();
    line->show(std::move(line->text));
  }
  if (!waiting_.empty()) return;
  auto told = std::move(toTell_);
  toTell_.clear();
  for (auto& fulfiller: told) fulfiller->fulfill();
}

void MappedLines::showAll() {
  for (auto& line: waiting_) line->isReady = true;
  showReady();
}

void MappedLines::Handler::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, exception); }

}  // namespace glovebox::project
