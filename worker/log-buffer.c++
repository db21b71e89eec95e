#include "worker/log-buffer.h"

#include <iterator>

namespace glovebox {

namespace {

// Cuts at a character's boundary.
void truncate(std::string& text, size_t size) {
  if (text.size() <= size) return;
  while (size > 0 && (uint8_t(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
}

}  // namespace

void LogBuffer::add(LogLevel level, double time, std::string text, uint64_t span) {
  if (text.size() > LINE_BYTES_MAX) {
    size_t all = text.size();
    truncate(text, LINE_BYTES_MAX - 64);
    text += "... [" + std::to_string(all) + " bytes, cut]";
  }
  size_t cost = text.size() + OVERHEAD_BYTES;
  if (dropped_ > 0 || bytes_ + cost > BYTES_MAX) {
    ++dropped_;
    droppedAt_ = time;
    return;
  }
  bytes_ += cost;
  lines_.push_back({level, time, std::move(text), span});
}

std::vector<LogLine> LogBuffer::take(size_t bytes) {
  std::vector<LogLine> taken;
  size_t count = 0, sum = 0;
  while (count < lines_.size()) {
    size_t cost = lines_[count].text.size() + OVERHEAD_BYTES;
    if (count > 0 && sum + cost > bytes) break;
    sum += cost;
    ++count;
  }
  taken.assign(std::make_move_iterator(lines_.begin()), std::make_move_iterator(lines_.begin() + ptrdiff_t(count)));
  lines_.erase(lines_.begin(), lines_.begin() + ptrdiff_t(count));
  bytes_ -= sum;
  if (lines_.empty() && dropped_ > 0) {
    taken.push_back({LogLevel::WARN, droppedAt_,
                     "[" + std::to_string(dropped_) + " messages dropped: the worker logs faster than they can be sent]"});
    dropped_ = 0;
  }
  return taken;
}

void LogBuffer::addThrown(ThrownLine thrown) {
  if (thrown_.size() >= THROWN_MAX) {
    ++thrownDropped_;
    return;
  }
  truncate(thrown.name, NAME_BYTES_MAX);
  truncate(thrown.message, MESSAGE_BYTES_MAX);
  truncate(thrown.stack, STACK_BYTES_MAX);
  thrown_.push_back(std::move(thrown));
}

std::vector<ThrownLine> LogBuffer::takeThrown(size_t bytes) {
  size_t count = 0, sum = 0;
  while (count < thrown_.size()) {
    auto& thrown = thrown_[count];
    sum += thrown.name.size() + thrown.message.size() + thrown.stack.size() + OVERHEAD_BYTES;
    if (sum > bytes) break;
    ++count;
  }
  auto end = thrown_.begin() + ptrdiff_t(count);
  std::vector<ThrownLine> taken(std::make_move_iterator(thrown_.begin()), std::make_move_iterator(end));
  thrown_.erase(thrown_.begin(), end);
  if (thrown_.empty() && thrownDropped_ > 0) {
    double time = taken.empty() ? 0 : taken.back().time;
    taken.push_back({time, "", "[" + std::to_string(thrownDropped_) + " more exceptions dropped]", ""});
    thrownDropped_ = 0;
  }
  return taken;
}

void LogBuffer::clear() { *this = LogBuffer(); }

}  // namespace glovebox
