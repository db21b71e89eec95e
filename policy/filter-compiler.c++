#include "policy/filter-compiler.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>

#include "policy/gateway-syscalls.h"
#include "policy/syscalls.h"

namespace glovebox::policy {

namespace {

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

void check(int result, std::string_view what) {
  if (result < 0) {
    throw std::runtime_error("libseccomp could not " + std::string(what) + ": " + strerror(-result));
  }
}

uint32_t actionOf(const Answer& answer) {
  return answer.kind == Answer::Kind::ALLOW ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(answer.error);
}

// A condition with several values becomes one libseccomp rule for each; with several conditions, one for each
// combination. Equality only, so no two of them can contradict each other.
void addRule(scmp_filter_ctx context, const Rule& rule, size_t depth, std::vector<scmp_arg_cmp>& chosen) {
  if (depth == rule.conditionCount()) {
    check(seccomp_rule_add_exact_array(context, actionOf(rule.answer), rule.number, chosen.size(), chosen.data()),
          "add the rule for " + std::string(rule.call));
    return;
  }
  const Condition& condition = rule.conditions[depth];
  bool plain = condition.mask == ~uint64_t{0};
  for (size_t i = 0; i < condition.valueCount; i++) {
    chosen.push_back(plain ? SCMP_CMP64(condition.argument, SCMP_CMP_EQ, condition.values[i])
                           : SCMP_CMP64(condition.argument, SCMP_CMP_MASKED_EQ, condition.mask, condition.values[i]));
    addRule(context, rule, depth + 1, chosen);
    chosen.pop_back();
  }
}

Context buildContext(std::span<const Rule> rules, Profile profile) {
  Context context(seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release);
  if (!context) throw std::runtime_error("libseccomp could not start a filter");
  check(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "kill on a foreign architecture");
  std::vector<scmp_arg_cmp> chosen;
  for (const Rule& rule : rules) {
    if (rule.profiles.has(profile)) addRule(context.get(), rule, 0, chosen);
  }
  return context;
}

// libseccomp 2.5 exports to descriptors only.
std::string exported(const std::function<int(int)>& write) {
  int fd = memfd_create("filter", MFD_CLOEXEC);
  if (fd < 0) throw std::runtime_error(std::string("memfd_create: ") + strerror(errno));
  std::string content;
  int result = write(fd);
  off_t size = result < 0 ? 0 : lseek(fd, 0, SEEK_END);
  if (size > 0) {
    content.resize(size);
    if (pread(fd, content.data(), content.size(), 0) != size) content.clear();
  }
  close(fd);
  check(result, "export the filter");
  if (content.empty()) throw std::runtime_error("libseccomp exported an empty filter");
  return content;
}

}  // namespace

std::vector<sock_filter> compileFilter(std::span<const Rule> rules, Profile profile) {
  Context context = buildContext(rules, profile);
  std::string bytes = exported([&](int fd) { return seccomp_export_bpf(context.get(), fd); });
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

std::vector<sock_filter> compileWorkerFilter(Profile profile) { return compileFilter(WORKER_SYSCALLS, profile); }

std::string filterPseudoCode(Profile profile) {
  Context context = buildContext(WORKER_SYSCALLS, profile);
  return exported([&](int fd) { return seccomp_export_pfc(context.get(), fd); });
}

namespace {

std::string describe(std::span<const Rule> rules, Profile profile) {
  std::string text;
  for (const Rule& rule : rules) {
    if (!rule.profiles.has(profile)) continue;
    text += "\n";
    text += rule.call;
    for (size_t i = 0; i < rule.conditionCount(); i++) {
      const Condition& condition = rule.conditions[i];
      text += i == 0 ? "  if " : "\n    and ";
      text += "argument " + std::to_string(condition.argument);
      if (condition.mask == ~uint64_t{0}) text += condition.valueCount > 1 ? " is one of " : " is ";
      else text += " ";
      text += condition.text;
    }
    if (rule.answer.kind == Answer::Kind::ALLOW) text += "\n  -> allowed";
    else {
      text += "\n  -> not made; answers ";
      text += rule.answer.text;
    }
    text += ": ";
    text += rule.reason;
    text += "\n";
  }
  return text;
}

}  // namespace

std::string describeWorkerRules(Profile profile) {
  return "system calls of a sealed worker, profile " + std::string(profileName(profile)) + "; any other call kills it\n" + describe(WORKER_SYSCALLS, profile);
}

std::string describeGatewayRules() {
  return "system calls of a sealed gateway, which speaks HTTP; any other call kills it\n" + describe(GATEWAY_SYSCALLS, Profile::DEFAULT);
}

std::optional<std::string> tryNameSystemCall(uint32_t number) {
  if (number > INT32_MAX) return std::nullopt;
  std::unique_ptr<char, decltype(&free)> name(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)), free);
  if (name == nullptr) return std::nullopt;
  return std::string(name.get());
}

}  // namespace glovebox::policy
