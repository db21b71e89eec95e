#pragma once
// What console.* wrote and nobody has fetched yet. Bounded: a worker that logs in a loop loses messages, not memory.

#include <cstdint>
#include <string>
#include <vector>

namespace glovebox {

enum class LogLevel : uint8_t { DEBUG, INFO, LOG, WARN, ERROR };   // as rpc::LogMessage::Level

struct LogLine {
  LogLevel level = LogLevel::LOG;
  double time = 0;   // milliseconds since the epoch
  std::string text;
};

class LogBuffer {
 public:
  static constexpr size_t BYTES_MAX = 256 * 1024;
  static constexpr size_t LINE_BYTES_MAX = 16 * 1024;   // longer ones are cut, so that a line fits into a batch

  // `text` is UTF-8. A line that does not fit any more is counted instead.
  void add(LogLevel level, double time, std::string text);

  bool empty() const { return lines_.empty() && dropped_ == 0; }

  // Lines of together at most `bytes` (at least one line), in order; after the last one that was kept, a line that says
  // how many were dropped.
  std::vector<LogLine> take(size_t bytes);

 private:
  std::vector<LogLine> lines_;
  size_t bytes_ = 0;
  size_t dropped_ = 0;
  double droppedAt_ = 0;
};

}  // namespace glovebox
