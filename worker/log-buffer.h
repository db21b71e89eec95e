#pragma once
// What console.* wrote and what was thrown uncaught, as far as nobody has fetched it yet. Bounded: a worker that logs in a loop
// loses messages, not memory.

#include <cstdint>
#include <string>
#include <vector>

namespace glovebox {

enum class LogLevel : uint8_t { DEBUG, INFO, LOG, WARN, ERROR };   // as rpc::LogMessage::Level

struct LogLine {
  LogLevel level = LogLevel::LOG;
  double time = 0;   // milliseconds since the epoch
  std::string text;
  uint64_t span = 0;   // of the call during which it was said, where that is part of a trace
};

// What the code threw and did not catch.
struct ThrownLine {
  double time = 0;
  std::string name, message, stack;
};

class LogBuffer {
 public:
  static constexpr size_t BYTES_MAX = 256 * 1024;
  static constexpr size_t LINE_BYTES_MAX = 16 * 1024;   // longer ones are cut, so that a line fits into a batch

  // `text` is UTF-8. A line that does not fit any more is counted instead.
  void add(LogLevel level, double time, std::string text, uint64_t span = 0);

  // Each part is cut, so that it fits into a batch. What does not fit any more is counted and told like a line.
  static constexpr size_t NAME_BYTES_MAX = 128;
  static constexpr size_t MESSAGE_BYTES_MAX = 4 * 1024;
  static constexpr size_t STACK_BYTES_MAX = 8 * 1024;
  static constexpr size_t THROWN_MAX = 64;
  void addThrown(ThrownLine thrown);

  bool empty() const { return lines_.empty() && dropped_ == 0 && thrown_.empty(); }
  void clear();

  // Lines of together at most `bytes` (at least one line), in order; after the last one that was kept, a line that says
  // how many were dropped.
  std::vector<LogLine> take(size_t bytes);
  // The same of what was thrown; at least one if it may use all of a batch.
  std::vector<ThrownLine> takeThrown(size_t bytes);

  // What an element costs besides its text, here and on the wire.
  static constexpr size_t OVERHEAD_BYTES = 64;

 private:
  std::vector<LogLine> lines_;
  size_t bytes_ = 0;
  size_t dropped_ = 0;
  double droppedAt_ = 0;
  std::vector<ThrownLine> thrown_;
  size_t thrownDropped_ = 0;
};

}  // namespace glovebox
