#pragma once
// The commands of `glovebox`: one function each, in the file of its name, with what main() parsed for it. They return
// the exit code or throw Failure.

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/worker-limits.h"
#include "policy/profile.h"
#include "supervisor/supervisor.h"
#include "tools/cli/registry-service.h"

namespace glovebox::cli {

struct RunOptions {
  std::string file;                    // "-": standard input; a folder, or the configuration in it: a project
  std::vector<std::string> with;       // more projects, for a project's services
  std::string call;                    // empty: the only method there is; dots separate a path
  std::vector<std::string> arguments;  // JSON
  std::string env;                     // JSON object; empty: {}
  std::vector<std::string> modules;    // NAME=FILE or NAME=TYPE:FILE
  std::string entrypoint;              // empty: the default export
  std::string compatibilityDate;       // empty: a project's own, or the newest
  WorkerLimits limits;                 // 0: the supervisor's
  bool account = false;                // goes to standard error, as JSON
  RegistryOptions registry;            // of a project
  std::string socket;                  // empty: a supervisor in this process
  SupervisorOptions supervisor;        // for that one
};
int run(const RunOptions& options);

struct DevOptions {
  std::string project = ".";           // the folder, or the configuration in it
  std::vector<std::string> with;       // more projects, for its services
  std::string address;                 // HOST:PORT or unix:PATH
  bool quiet = false;                  // no line for each request and reload
  std::string log;                     // "text" or "json"; empty: text
  std::string admin;                   // address of /metrics, /healthz and /readyz; empty: none
  RegistryOptions registry;
  SupervisorOptions supervisor;
};
int dev(const DevOptions& options);

struct TypesOptions {
  std::string project = ".";   // the folder, or the configuration in it
};
int types(const TypesOptions& options);

struct ServeOptions {
  std::string config;      // a project's configuration, or a file of these options, or empty
  std::string admin;       // as in DevOptions
  SupervisorOptions supervisor;
  // Of a daemon:
  std::string socket;
  bool untilEof = false;   // ends when standard input does
  std::string egress;      // a file of what workers may reach, or empty
  // Of a project, as in DevOptions:
  std::vector<std::string> with;
  std::string address;
  bool quiet = false;
  std::string log;         // empty: text on a terminal, JSON elsewhere
  RegistryOptions registry;
};
int serve(const ServeOptions& options);
int serveProject(const ServeOptions& options);

struct StatusOptions {
  std::string socket;
  bool json = false;
  bool watch = false;
  uint32_t intervalMs = 1000;   // of watch
};
int status(const StatusOptions& options);

struct PolicyOptions {
  policy::Profile profile = policy::Profile::DEFAULT;
  bool json = false;
  bool bpf = false;   // only the compiled filter
};
int policy(const PolicyOptions& options);

struct AuditOptions {
  policy::Profile profile = policy::Profile::DEFAULT;
  bool json = false;
};
int audit(const AuditOptions& options);

// To standard error, a line each.
void writeWarnings(const std::vector<std::string>& warnings);

}  // namespace glovebox::cli
