#pragma once
// What `glovebox dev` and `glovebox serve` say on standard error while they serve: a line for each request, for what workers log and
// throw, and for what the server itself has to tell. For people as text, for machines as JSON, an object a line.
//
// Much of it was written by strangers and workers. In JSON every text is escaped and sound UTF-8; as text it is escaped on a
// terminal only (tools/cli/terminal.h).

#include <cstdint>
#include <optional>
#include <string>

#include "ipc/call.capnp.h"
#include "tools/http/front.h"
#include "tools/project/mapped-lines.h"

namespace glovebox::http {

struct LogLine {
  std::string level = "info";   // "debug", "info", "log", "warn", "error"
  std::string worker;           // whose words these are, or who was asked; empty: the server's own
  std::string message;
  struct Request {
    std::string method, path;
    unsigned status = 0;        // what the worker answered; 0: no Response
    std::string outcome;        // "ok", "exception", or an ending's name
    uint64_t milliseconds = 0;
    std::string error = {};     // what was thrown, or how the worker ended; as text it has lines of its own
  };
  std::optional<Request> request;
  Trace trace;                  // of the request, or of the call during which a worker said it
};

// Without its end.
std::string asText(const LogLine& line);
// `timeMs`: since the epoch.
std::string asJson(const LogLine& line, double timeMs);

class Log {
 public:
  enum class Form { TEXT, JSON };
  // `quiet`: nothing but what workers say.
  Log(Form form, bool quiet): form_(form), quiet_(quiet) {}

  void write(const LogLine& line);
  // A request that `worker` answered, or not; when it is its turn.
  void write(project::MappedLines& lines, const std::string& worker, Answered answered);
  // The server's own words.
  void say(const char* level, std::string message);

 private:
  const Form form_;
  const bool quiet_;
};

// Where a worker's logs go, under its name, with the stacks in them mapped to `origins`. `lines` and `log` outlive it.
rpc::Console::Client consoleOf(Log& log, project::MappedLines& lines, const std::string& worker, cli::ModuleOrigins origins);

}  // namespace glovebox::http
