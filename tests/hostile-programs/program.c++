#include "tests/hostile-programs/program.h"

#include <iterator>

namespace glovebox::test {

LoadOptions cpuLimit() {
  LoadOptions options;
  options.cpuMs = CPU_MS;
  options.wallMs = 20'000;
  return options;
}

LoadOptions wallLimit() {
  LoadOptions options;
  options.cpuMs = 5'000;
  options.wallMs = WALL_MS;
  return options;
}

LoadOptions memoryLimit() {
  LoadOptions options;
  options.cpuMs = 20'000;
  options.wallMs = 30'000;
  options.memoryMb = MEMORY_MB;
  return options;
}

HostileProgram burns(std::string name, const std::string& body) { return burnsAtStart(std::move(name), moduleWith(body)); }

HostileProgram burnsAtStart(std::string name, std::string module) {
  return {std::move(name), std::move(module), cpuLimit(), "ended exceededCpu", "100 ms of CPU"};
}

HostileProgram waits(std::string name, const std::string& body) {
  return {std::move(name), moduleWith(body), wallLimit(), "ended exceededWallTime", "200 ms"};
}

HostileProgram exhausts(std::string name, const std::string& body) { return exhaustsAtStart(std::move(name), moduleWith(body)); }

HostileProgram exhaustsAtStart(std::string name, std::string module) {
  return {std::move(name), std::move(module), memoryLimit(), "ended exceededMemory", "32 MiB"};
}

HostileProgram comesTo(std::string name, const std::string& body, std::string ending, std::string naming) {
  return comesToAtStart(std::move(name), moduleWith(body), std::move(ending), std::move(naming));
}

HostileProgram comesToAtStart(std::string name, std::string module, std::string ending, std::string naming) {
  auto options = cpuLimit();
  options.cpuMs = 5'000;
  return {std::move(name), std::move(module), options, std::move(ending), std::move(naming)};
}

HostilePrograms allHostilePrograms() {
  HostilePrograms all;
  for (auto subject: {loops, asynchronous, nativeWork, memory, deep, starting, boundaries}) {
    auto rows = subject();
    all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  return all;
}

}  // namespace glovebox::test
