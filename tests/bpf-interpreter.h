#pragma once
// A second opinion on seccomp filters: a small interpreter for classic BPF as the kernel accepts it for seccomp. It
// shares no code and no idea with libseccomp or with policy/, so that a program both agree on was understood twice.
//
// It judges programs of our own; a malformed one is rejected with a sentence, never run.

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace glovebox::tests {

class BpfProgram {
 public:
  // Throws std::invalid_argument naming the instruction: empty or too long, unknown opcode, a jump past the end, a load
  // that is not an aligned word of struct seccomp_data, a scratch slot that does not exist or is read before it is
  // written, a division or shift by a bad constant, an end that is not a return.
  explicit BpfProgram(std::span<const sock_filter> instructions);

  // What the kernel would do with this call: SECCOMP_RET_*, data included.
  uint32_t run(const seccomp_data& call) const;

  // The same program with each return of `from` replaced, to watch a decision from inside a live process.
  std::vector<sock_filter> withReturnsReplaced(uint32_t from, uint32_t to) const;

  size_t length() const { return instructions_.size(); }

 private:
  std::vector<sock_filter> instructions_;
};

// "ALLOW", "KILL_PROCESS", "ERRNO(38)", ... for messages.
std::string describeAction(uint32_t action);

}  // namespace glovebox::tests
