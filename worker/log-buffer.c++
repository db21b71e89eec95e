#include "worker/log-buffer.h"

#include <iterator>

namespace glovebox {

namespace {

constexpr size_t LINE_OVERHEAD_BYTES = 64;   // what a line costs besides its text, here and on the wire

// Cuts at a character's boundary.
void truncate(std::string& text, size_t size) {
  while (size > 0 && (uint8_t(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
}

}  // namespace

void LogBuffer::add(LogLevel level, double time, std::string text) {
  if (text.size() > LINE_BYTES_MAX) {
    size_t all = text.size();
    truncate(text, LINE_BYTES_MAX - 64);
    text += "... [" + std::to_string(all) + " bytes, cut]";
  }
  size_t cost = text.size() + LINE_OVERHEAD_BYTES;
  if (dropped_ > 0 || bytes_ + cost > BYTES_MAX) {
    ++dropped_;
    droppedAt_ = time;
    return;
  }
  bytes_ += cost;
  lines_.push_back({level, time, std::move(text)});
}

std::vector<LogLine> LogBuffer::take(size_t bytes) {
  std::vector<LogLine> taken;
  size_t count = 0, sum = 0;
  while (count < lines_.size()) {
    size_t cost = lines_[count].text.size() + LINE_OVERHEAD_BYTES;
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

}  // namespace glovebox
