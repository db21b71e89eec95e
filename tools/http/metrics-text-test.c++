#include "tools/http/metrics-text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tools/http/admin.h"

extern char** environ;

namespace glovebox::http {
namespace {

using testing::HasSubstr;

std::string example() {
  Metrics metrics;
  metrics.zygoteStands = true;
  metrics.census.noteRun(rpc::Ending::Code::OK, 200 * kj::MICROSECONDS);
  metrics.census.noteRun(rpc::Ending::Code::OK, 100 * kj::MICROSECONDS);
  metrics.census.noteRun(rpc::Ending::Code::EXCEEDED_CPU, 61 * kj::SECONDS);
  metrics.census.passed[static_cast<size_t>(ValueExternal::Kind::SERVICE)] = {3, 500, 70'000};
  metrics.workerCpu = 1'500 * kj::MILLISECONDS;
  metrics.pool.zygotesStarted = 2;
  metrics.evictions[static_cast<size_t>(EvictionReason::MEMORY)] = 7;
  metrics.cgroupMemoryBytes = uint64_t{1} << 40;
  RequestCounts requests;
  requests.byStatusClass[2] = 5;
  requests.byStatusClass[0] = 1;
  return metricsText(metrics, policy::Profile::NO_WASM, requests);
}

TEST(MetricsText, TellsWhatWasCounted) {
  auto text = example();
  for (auto line: {"glovebox_info{profile=\"no-wasm\"} 1", "glovebox_calls_total{outcome=\"ok\"} 2", "glovebox_calls_total{outcome=\"exceededCpu\"} 1",
                   "glovebox_calls_total{outcome=\"hung\"} 0", "glovebox_capability_bytes_total{kind=\"service\",direction=\"in\"} 70000",
                   "glovebox_capability_bytes_total{kind=\"service\",direction=\"out\"} 500", "glovebox_capability_calls_total{kind=\"service\"} 3",
                   "glovebox_worker_cpu_seconds_total 1.5", "glovebox_zygote_starts_total 2", "glovebox_zygote_ready 1",
                   "glovebox_evictions_total{reason=\"memory\"} 7", "glovebox_cgroup_memory_bytes 1099511627776",
                   "glovebox_requests_total{status=\"2xx\"} 5", "glovebox_requests_total{status=\"none\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line + "\n"));
  }
  EXPECT_THAT(metricsText({}, policy::Profile::DEFAULT, nullptr), testing::Not(HasSubstr("glovebox_requests_total")));
  EXPECT_THAT(metricsText({}, policy::Profile::DEFAULT, nullptr), testing::Not(HasSubstr("glovebox_cgroup_memory_bytes")));
}

// A bound belongs to the class below it, and each class holds those before it.
TEST(MetricsText, HistogramsAreCumulative) {
  auto text = example();
  for (auto line: {"_bucket{le=\"0.0001\"} 1", "_bucket{le=\"0.00025\"} 2", "_bucket{le=\"60\"} 2", "_bucket{le=\"+Inf\"} 3", "_count 3"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\nglovebox_call_duration_seconds") + line + "\n"));
  }
}

TEST(MetricsText, HistogramsHaveTheirSum) {
  Metrics metrics;
  metrics.census.noteRun(rpc::Ending::Code::OK, 250 * kj::MILLISECONDS);
  metrics.census.noteRun(rpc::Ending::Code::OK, 2 * kj::SECONDS);
  EXPECT_THAT(metricsText(metrics, policy::Profile::DEFAULT, nullptr), HasSubstr("\nglovebox_call_duration_seconds_sum 2.25\n"));
}

// The grammar of the format, as far as it is used: what stands between a family's lines belongs to it, and no value is there twice.
TEST(MetricsText, IsOfTheFormat) {
  std::istringstream text(example());
  std::regex help(R"(# HELP (glovebox_[a-z_]+) \S.*)"), type(R"(# TYPE (glovebox_[a-z_]+) (counter|gauge|histogram))"),
      value(R"re((glovebox_[a-z_]+?)(_bucket|_sum|_count)?(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? [0-9.e+-]+)re");
  std::string line, family, kind;
  std::set<std::string> families, series;
  std::smatch match;
  while (std::getline(text, line)) {
    if (std::regex_match(line, match, help)) {
      family = match[1];
      EXPECT_TRUE(families.insert(family).second) << line;
      kind = "";
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], family);
      kind = match[2];
      EXPECT_EQ(kind == "counter", family.ends_with("_total")) << line;
    } else {
      ASSERT_TRUE(std::regex_match(line, match, value)) << line;
      EXPECT_EQ(kind == "histogram" ? match[1].str() : line.substr(0, line.find_first_of("{ ")), family) << line;
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line;
    }
  }
  EXPECT_GT(families.size(), 25u);
  EXPECT_LT(series.size(), 250u);
}

TEST(MetricsText, PassesPromtool) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  char program[] = "promtool", check[] = "check", metrics[] = "metrics";
  char* words[] = {program, check, metrics, nullptr};
  pid_t pid;
  int error = posix_spawnp(&pid, program, &actions, nullptr, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[0]);
  auto text = example();
  if (error == 0) EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));   // a pipe holds 64 kB
  close(ends[1]);
  if (error != 0) GTEST_SKIP() << "this machine has no promtool";
  int status;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

TEST(Admin, KnowsNamesOfThisMachine) {
  for (auto host: {"127.0.0.1", "127.0.0.1:9090", "127.8.9.1:1", "localhost", "localhost:9090", "[::1]", "[::1]:9090"}) EXPECT_TRUE(isLoopbackHost(host)) << host;
  for (auto host: {"", "0.0.0.0:9090", "10.0.0.1", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::]:9090", "[::ffff:7f00:1]:1", "1270.0.0.1"}) {
    EXPECT_FALSE(isLoopbackHost(host)) << host;
  }
}

}  // namespace
}  // namespace glovebox::http
