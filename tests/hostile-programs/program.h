#pragma once
// The table of hostile programs: JavaScript that tries to keep a processor, to fill the memory, to outlast its limit or to
// crash the engine, and how each must end. Rows stand by subject, one file each; tests/hostile-programs-test.c++ runs them.
//
// Limits are small where the program is endless, so that the whole table takes seconds.

#include <ostream>
#include <string>
#include <vector>

#include "tests/world.h"

namespace glovebox::test {

struct HostileProgram {
  std::string name;
  std::string module;   // whole text
  LoadOptions limits;
  std::string ending;   // of describe(): its beginning
  std::string naming;   // what the message must say; empty for a value
};

// For GoogleTest's messages.
inline void PrintTo(const HostileProgram& program, std::ostream* out) { *out << program.name; }

using HostilePrograms = std::vector<HostileProgram>;

HostilePrograms loops();            // in each place where the language runs somebody's code
HostilePrograms asynchronous();     // promises, timers, streams, callbacks from the host
HostilePrograms nativeWork();       // one call of a built-in function that takes long or needs much
HostilePrograms memory();           // everything that can grow
HostilePrograms deep();             // recursion and nesting
HostilePrograms starting();         // what happens while modules are evaluated
HostilePrograms boundaries();       // results, errors, the console, capabilities: what leaves the worker

HostilePrograms allHostilePrograms();

// -- Rows; `body` is of the method `run(input, env, ctx)` ----------------------------------------------------------------

constexpr uint32_t CPU_MS = 100;
constexpr uint32_t WALL_MS = 200;
constexpr uint32_t MEMORY_MB = 32;

// Each of the three limits with the other two out of reach.
LoadOptions cpuLimit();
LoadOptions wallLimit();
LoadOptions memoryLimit();

HostileProgram burns(std::string name, const std::string& body);            // ends by the CPU limit, in its call
HostileProgram burnsAtStart(std::string name, std::string module);          // likewise while its modules are evaluated
HostileProgram waits(std::string name, const std::string& body);            // ends by the wall-clock limit
HostileProgram exhausts(std::string name, const std::string& body);         // ends by the memory limit
HostileProgram exhaustsAtStart(std::string name, std::string module);
// Ends well, or with an error that it could have caught.
HostileProgram comesTo(std::string name, const std::string& body, std::string ending, std::string naming = "");
HostileProgram comesToAtStart(std::string name, std::string module, std::string ending, std::string naming);

}  // namespace glovebox::test
