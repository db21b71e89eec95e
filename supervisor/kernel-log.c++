#include "supervisor/kernel-log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string>

namespace glovebox {
namespace {

// Records that others wrote in the meantime. Reading one takes about a microsecond.
constexpr int LOOK_MAX = 2'000;

// Workers that died for a forbidden call at about the same time, or before anybody asked.
constexpr size_t OTHERS_MAX = 64;

// Longer ones are cut by the kernel itself.
constexpr size_t RECORD_BYTES_MAX = 8'192;

constexpr std::string_view SECCOMP_RECORD = "type=1326 ";   // AUDIT_SECCOMP

// The number behind ` name=`. Text that an attacker chose (comm, exe) stands quoted or as hexadecimal digits.
kj::Maybe<uint32_t> tryReadField(std::string_view record, std::string_view name) {
  auto at = record.find(" " + std::string(name) + "=");
  if (at == std::string_view::npos) return nullptr;
  auto begin = record.data() + at + name.size() + 2;
  uint32_t value = 0;
  if (std::from_chars(begin, record.data() + record.size(), value).ec != std::errc()) return nullptr;
  return value;
}

}  // namespace

KernelLog::KernelLog(): fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (fd_.get() >= 0 && lseek(fd_, 0, SEEK_END) < 0) fd_ = nullptr;
}

kj::Maybe<uint32_t> KernelLog::tryFindForbiddenCall(pid_t pid) {
  if (fd_.get() < 0) return nullptr;
  for (auto other = others_.begin(); other != others_.end(); ++other) {
    if (other->pid != pid) continue;
    auto number = other->number;
    others_.erase(other);
    return number;
  }
  char record[RECORD_BYTES_MAX];
  for (int i = 0; i < LOOK_MAX; i++) {
    auto length = read(fd_, record, sizeof(record));
    if (length < 0 && (errno == EPIPE || errno == EINVAL)) continue;   // overwritten before it was read, or too long: the next one
    if (length <= 0) return nullptr;
    KJ_IF_MAYBE(call, tryParse({record, static_cast<size_t>(length)})) {
      if (call->pid == pid) return call->number;
      if (others_.size() == OTHERS_MAX) others_.pop_front();
      others_.push_back(*call);
    }
  }
  return nullptr;
}

kj::Maybe<KernelLog::ForbiddenCall> KernelLog::tryParse(std::string_view record) {
  if (record.find(SECCOMP_RECORD) == std::string_view::npos) return nullptr;
  KJ_IF_MAYBE(pid, tryReadField(record, "pid")) {
    KJ_IF_MAYBE(number, tryReadField(record, "syscall")) return ForbiddenCall{static_cast<pid_t>(*pid), *number};
  }
  return nullptr;
}

}  // namespace glovebox
