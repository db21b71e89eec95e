#include "tools/benchmark/memory.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace glovebox::bench {

Weight weigh(pid_t pid) {
  Weight weight;
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string line;
  while (std::getline(file, line)) {
    auto value = [&](const char* name) -> uint64_t {
      return line.rfind(name, 0) == 0 ? std::stoull(line.substr(line.find(':') + 1)) : 0;
    };
    weight.proportionalKb += value("Pss:");
    weight.privateKb += value("Private_Clean:") + value("Private_Dirty:");
  }
  return weight;
}

uint64_t cpuMicroseconds(pid_t pid, bool children) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 2));   // from the third field on
  std::string skipped;
  for (int i = 3; i < (children ? 16 : 14); i++) fields >> skipped;
  uint64_t user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1'000'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
}

std::vector<pid_t> childrenOf(pid_t warden) {
  std::vector<pid_t> children;
  auto name = std::to_string(warden);
  std::ifstream file("/proc/" + name + "/task/" + name + "/children");
  pid_t pid;
  while (file >> pid) children.push_back(pid);
  return children;
}

}  // namespace glovebox::bench
