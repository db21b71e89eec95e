#pragma once
// What workers said of late and how they ended, for people who look at a server (tools/http/admin.h). Kept only once somebody has
// opened it (Supervisor::openJournal); until then there is none, and nothing is spent on it.
//
// All of it is bounded: lines and bytes for each worker and for all together, where the worker that has said nothing for the longest
// makes room; and endings, in rings of their own by kind, so that a server that lets go of a thousand workers a second still shows the
// one that was killed. Texts are workers' and strangers': here they are sound UTF-8, cut to a size, and nothing else is promised.
// Times are the supervisor's own.

#include <kj/memory.h>
#include <kj/refcount.h>
#include <kj/string.h>

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>

#include "ipc/call.capnp.h"
#include "supervisor/outcome.h"

namespace glovebox {

class Diary;

class Journal {
 public:
  // A screen or two of lines, and a stack trace whole.
  static constexpr size_t LINES_MAX = 200;
  static constexpr size_t LINE_BYTES_MAX = 4 * 1024;
  static constexpr size_t BYTES_MAX = 64 * 1024;
  // Of as many workers as people look at; a supervisor may have 2,000.
  static constexpr size_t ALL_BYTES_MAX = 8 << 20;
  static constexpr size_t NAME_BYTES_MAX = 256;

  // What ended: a call without an answer, a worker, or a worker that nobody needed any more.
  enum class Ended { CALL, WORKER, LET_GO };
  static constexpr std::array<size_t, 3> ENDINGS_MAX{32, 32, 16};

  struct Ending {
    Ended what;
    Outcome outcome;
    kj::Own<Diary> diary;    // of the worker
    kj::String method;       // of a call
    uint64_t cpuMs = 0, peakMemoryBytes = 0;   // of a worker until then
    uint64_t serial = 0;     // a later one has a higher one
    double time = 0;         // milliseconds since the epoch
    uint32_t times = 1;      // the same again, of calls that ended together
  };

  Journal() = default;
  KJ_DISALLOW_COPY(Journal);

  // A worker has been loaded.
  kj::Own<Diary> begin(uint64_t id);
  void noteCallEnded(Diary& diary, kj::StringPtr method, const Outcome& outcome);
  // A worker that was revoked was let go of. Of several times the first counts.
  void noteEnded(Diary& diary, const Outcome& outcome, uint64_t cpuMs, uint64_t peakMemoryBytes);

  const std::array<std::deque<Ending>, 3>& endings() const { return endings_; }
  // Of a worker that is live, or among the endings.
  kj::Maybe<const Diary&> tryFind(uint64_t id) const;
  size_t bytes() const { return bytes_; }

 private:
  friend class Diary;

  uint64_t nextSerial_ = 1;
  std::map<uint64_t, Diary*> diaries_;
  std::list<Diary*> speakers_;   // those with lines, who spoke last at the end
  size_t bytes_ = 0;
  std::array<std::deque<Ending>, 3> endings_;   // their diaries leave the others when they go

  void add(Ending ending);
  void makeRoom();
};

// Of one worker: held by the journal for as long as it is among the endings, and by whoever writes into it. The journal outlives it.
class Diary final: public kj::Refcounted {
 public:
  struct Line {
    rpc::LogMessage::Level level;
    bool isThrown;   // what its code threw and nobody caught
    double time;     // when it came, milliseconds since the epoch
    kj::String text;
    size_t bytes() const { return text.size() + OVERHEAD_BYTES; }
    static constexpr size_t OVERHEAD_BYTES = 64;
  };

  Diary(Journal& journal, uint64_t id);
  ~Diary() noexcept(false);

  uint64_t id() const { return id_; }
  // "#" and its number, until it has one.
  kj::StringPtr name() const { return name_; }
  void setName(kj::StringPtr name);

  // By the worker.
  void hear(capnp::List<rpc::LogMessage>::Reader logs, capnp::List<rpc::ThrownError>::Reader exceptions);

  const std::deque<Line>& lines() const { return lines_; }
  // There were more before the first.
  bool isCut() const { return cut_; }
  bool hasEnded() const { return ended_; }

 private:
  friend class Journal;

  Journal& journal_;
  const uint64_t id_;
  kj::String name_;
  std::deque<Line> lines_;
  size_t bytes_ = 0;
  bool cut_ = false, ended_ = false;
  kj::Maybe<std::list<Diary*>::iterator> speaking_;

  void add(rpc::LogMessage::Level level, bool isThrown, kj::String text);
  void dropFirst();
  void dropAll();
};

}  // namespace glovebox
