#pragma once
// The `glovebox` command as a shell sees it: words in, exit code and two streams out, and whether it left a process behind.

#include <string>
#include <vector>

namespace glovebox::test {

struct CommandEnd {
  int code = -1;  // exit status; 128 and the signal if one ended it
  std::string output;
  std::string errors;
  bool leftProcesses = false;  // somebody it had started was still there after it
};

// For EXPECT messages.
std::string describe(const CommandEnd& end);

// Runs the built command (findInstallation) to its end.
CommandEnd runGlovebox(const std::vector<std::string>& words, const std::string& input = "");

// True if no descendant of this process is left, once those that are dying have died. Orphans come to this process (it is
// made their reaper), so that nobody can hide.
void becomeReaper();
bool hasDescendants();
void awaitNoDescendants();  // blocks until the last one is gone

}  // namespace glovebox::test
