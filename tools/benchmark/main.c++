// tools/bench: how fast a load is, how many there can be, what a worker weighs; beside what a user would pick instead.
//
// Measured as a client sees it: through a daemon's socket, from the first byte of the load to the decoded result.

#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>

#include <kj/debug.h>

#include "ipc/listener.h"
#include "supervisor/supervisor.h"
#include "tools/benchmark/agent.h"
#include "tools/benchmark/cache.h"
#include "tools/benchmark/memory.h"
#include "tools/benchmark/statistics.h"
#include "tools/daemon-process.h"

namespace glovebox::bench {
namespace {

// Until what was under way is over: pools are filled, the dead are reaped.
constexpr unsigned SETTLE_MS = 300;

struct Options {
  unsigned samples = 1'000;
  unsigned loadsPerRate = 2'000;
  std::vector<unsigned> concurrencies{1, 2, 8, 32};
  std::vector<unsigned> workerCounts{1, 10, 100, 500};
  std::vector<std::string> only;   // parts; empty: all
  bool json = false;
  std::string glovebox;
};

class Bench {
 public:
  Bench(const Options& options): options_(options), port_(loop_.get()) {}

  void run();

 private:
  const Options& options_;
  UvLoop loop_;
  UvEventPort port_;
  rapidjson::Document report_{rapidjson::kObjectType};

  rapidjson::Document::AllocatorType& allocator() { return report_.GetAllocator(); }

  kj::Timer& timer() { return port_.getTimer(); }
  void pause(unsigned milliseconds) { timer().afterDelay(milliseconds * kj::MILLISECONDS).wait(port_.waitScope()); }

  bool wants(const char* part) const {
    return options_.only.empty() || std::find(options_.only.begin(), options_.only.end(), part) != options_.only.end();
  }

  void fresh(rpc::Loader::Client& loader);
  void warm(rpc::Loader::Client& loader);
  void rates(rpc::Supervisor::Client& supervisor, rpc::Loader::Client& loader, pid_t daemon);
  pid_t wardenOf(rpc::Supervisor::Client& supervisor);
  void memory(rpc::Supervisor::Client& supervisor, rpc::Loader::Client& loader);
  void peers();

  void report(const char* name, const char* title, Samples& samples);
  kj::Promise<void> loadForever(rpc::Loader::Client& loader, unsigned& left);
};

void Bench::report(const char* name, const char* title, Samples& samples) {
  rapidjson::Value entry(rapidjson::kObjectType);
  entry.AddMember("n", static_cast<uint64_t>(samples.size()), allocator());
  entry.AddMember("unit", "us", allocator());
  double min = samples.percentile(0), p50 = samples.percentile(50), p95 = samples.percentile(95), p99 = samples.percentile(99);
  entry.AddMember("min", min, allocator());
  entry.AddMember("p50", p50, allocator());
  entry.AddMember("p95", p95, allocator());
  entry.AddMember("p99", p99, allocator());
  report_.AddMember(rapidjson::StringRef(name), entry, allocator());
  if (!options_.json) {
    printf("%-44s %8.0f %8.0f %8.0f %8.0f   us (n = %zu)\n", title, min, p50, p95, p99, samples.size());
    fflush(stdout);
  }
}

void Bench::fresh(rpc::Loader::Client& loader) {
  Samples fresh;
  for (unsigned i = 0; i < options_.samples; i++) {
    {
      double start = nowMicroseconds();
      auto agent = loadAgent(loader);
      callAgent(agent.entrypoint).wait(port_.waitScope());
      fresh.add(nowMicroseconds() - start);
    }
    // One load at a time on an idle machine: the last worker has ended and the pool has filled its place again.
    pause(5);
  }
  report("loadAndFirstCall", "load + first call, one at a time", fresh);
}

void Bench::warm(rpc::Loader::Client& loader) {
  Samples warm;
  auto agent = loadAgent(loader);
  for (unsigned i = 0; i < 50; i++) callAgent(agent.entrypoint).wait(port_.waitScope());
  for (unsigned i = 0; i < options_.samples; i++) {
    double start = nowMicroseconds();
    callAgent(agent.entrypoint).wait(port_.waitScope());
    warm.add(nowMicroseconds() - start);
  }
  report("warmCall", "warm call", warm);
}

kj::Promise<void> Bench::loadForever(rpc::Loader::Client& loader, unsigned& left) {
  if (left == 0) return kj::READY_NOW;
  left--;
  auto agent = kj::heap<LoadedAgent>(loadAgent(loader));
  auto called = callAgent(agent->entrypoint);
  return called.attach(kj::mv(agent)).then([this, &loader, &left]() { return loadForever(loader, left); });
}

pid_t Bench::wardenOf(rpc::Supervisor::Client& supervisor) {
  rapidjson::Document status;
  auto text = supervisor.statusRequest().send().wait(port_.waitScope());
  status.Parse(text.getJson().cStr());
  return status["zygote"]["wardenPid"].GetInt();
}

void Bench::rates(rpc::Supervisor::Client& supervisor, rpc::Loader::Client& loader, pid_t daemon) {
  rapidjson::Value list(rapidjson::kArrayType);
  // What the machine spends on one load, whatever else it is doing: comparable where rates are not.
  auto spent = [&]() {
    pid_t warden = wardenOf(supervisor);
    auto children = childrenOf(warden);
    return std::array<uint64_t, 4>{cpuMicroseconds(daemon, false), children.empty() ? 0 : cpuMicroseconds(children[0], false),
                                   cpuMicroseconds(warden, true), static_cast<uint64_t>(warden)};
  };
  for (unsigned concurrency: options_.concurrencies) {
    unsigned left = options_.loadsPerRate;
    auto before = spent();
    double start = nowMicroseconds();
    auto lanes = kj::heapArrayBuilder<kj::Promise<void>>(concurrency);
    for (unsigned i = 0; i < concurrency; i++) lanes.add(loadForever(loader, left));
    kj::joinPromises(lanes.finish()).wait(port_.waitScope());
    double rate = options_.loadsPerRate / ((nowMicroseconds() - start) / 1e6);
    rapidjson::Value entry(rapidjson::kObjectType);
    entry.AddMember("concurrency", concurrency, allocator());
    entry.AddMember("loadsPerSecond", rate, allocator());
    pause(100);   // the last workers are reaped
    auto after = spent();
    std::string cpu;
    // A zygote that was replaced meanwhile has taken its account with it.
    if (after[3] == before[3]) {
      const char* const NAMES[] = {"supervisor", "zygote", "workers"};
      rapidjson::Value each(rapidjson::kObjectType);
      for (size_t i = 0; i < std::size(NAMES); i++) {
        double us = static_cast<double>(after[i] - before[i]) / options_.loadsPerRate;
        each.AddMember(rapidjson::StringRef(NAMES[i]), us, allocator());
        cpu += (i == 0 ? "CPU us for each: " : ", ") + std::string(NAMES[i]) + " " + std::to_string(static_cast<int>(us));
      }
      entry.AddMember("cpuMicrosecondsEach", each, allocator());
    }
    list.PushBack(entry, allocator());
    if (!options_.json) {
      printf("fresh loads per second, concurrency %-8u %8.0f   1/s (n = %u)\n", concurrency, rate, options_.loadsPerRate);
      if (!cpu.empty()) printf("    %s\n", cpu.c_str());
      fflush(stdout);
    }
  }
  report_.AddMember("freshLoads", list, allocator());
}

void Bench::memory(rpc::Supervisor::Client& supervisor, rpc::Loader::Client& loader) {
  rapidjson::Value list(rapidjson::kArrayType);
  // All processes of the namespace together, so that what they share is counted once whoever it is charged to.
  auto weighAll = [&]() {
    Weight sum;
    for (pid_t pid: childrenOf(wardenOf(supervisor))) {
      auto weight = weigh(pid);
      sum.privateKb += weight.privateKb;
      sum.proportionalKb += weight.proportionalKb;
    }
    return sum;
  };
  pause(SETTLE_MS);
  auto before = weighAll();
  std::vector<LoadedAgent> agents;
  for (unsigned count: options_.workerCounts) {
    while (agents.size() < count) {
      agents.push_back(loadAgent(loader));
      callAgent(agents.back().entrypoint).wait(port_.waitScope());
    }
    pause(SETTLE_MS);
    auto after = weighAll();
    double privateKb = (static_cast<double>(after.privateKb) - static_cast<double>(before.privateKb)) / count;
    double proportionalKb = (static_cast<double>(after.proportionalKb) - static_cast<double>(before.proportionalKb)) / count;
    rapidjson::Value entry(rapidjson::kObjectType);
    entry.AddMember("workers", count, allocator());
    entry.AddMember("privateKbEach", privateKb, allocator());
    entry.AddMember("proportionalKbEach", proportionalKb, allocator());
    list.PushBack(entry, allocator());
    if (!options_.json) {
      printf("memory of one more idle worker, of %-9u %8.0f kB private, %.0f kB proportional\n", count, privateKb, proportionalKb);
      fflush(stdout);
    }
  }
  agents.clear();
  pause(SETTLE_MS);
  report_.AddMember("memory", list, allocator());
}

void Bench::peers() {
  auto installation = findInstallation();
  // The folder of the sources is not known to the executable; the wrapper tools/bench tells it.
  const char* script = getenv("GLOVEBOX_BENCH_PEERS");
  if (script == nullptr) return;
  auto command = kj::str(installation.engine, " ", script, " ", options_.samples, " 20");
  auto pipe = popen(command.cStr(), "r");
  KJ_REQUIRE(pipe != nullptr, "the peers could not be started");
  std::string text;
  char buffer[4096];
  for (size_t length; (length = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, length);
  KJ_REQUIRE(pclose(pipe) == 0, "the peers failed", command);
  rapidjson::Document peers(&allocator());
  peers.Parse(text.c_str());
  KJ_REQUIRE(!peers.HasParseError(), "the peers gave no JSON", text.c_str());
  double ours = report_["loadAndFirstCall"]["p50"].GetDouble();
  for (auto& peer: peers.GetObject()) {
    double p50 = peer.value["p50"].GetDouble();
    peer.value.AddMember("ratioOfP50", p50 / ours, allocator());
    if (!options_.json) {
      printf("%-44s %8.0f %8.0f %8.0f %8.0f   us (n = %d): %.2f x ours\n", peer.name.GetString(), peer.value["min"].GetDouble(), p50,
             peer.value["p95"].GetDouble(), peer.value["p99"].GetDouble(), peer.value["n"].GetInt(), p50 / ours);
    }
  }
  report_.AddMember("peers", peers, allocator());
}

void Bench::run() {
  if (!options_.json) printf("%-44s %8s %8s %8s %8s\n", "", "min", "p50", "p95", "p99");
  {
    DaemonProcess daemon(options_.glovebox, {});
    auto connection = connectToSupervisor(port_, daemon.socketPath().c_str());
    auto supervisor = connection->bootstrap<rpc::Supervisor>();
    auto loader = supervisor.loaderRequest().send().getLoader();
    for (unsigned i = 0; i < 20; i++) {   // the daemon's own first times
      auto agent = loadAgent(loader);
      callAgent(agent.entrypoint).wait(port_.waitScope());
    }
    pause(100);
    if (wants("fresh")) fresh(loader);
    if (wants("warm")) warm(loader);
    // Before the rates: their loads take up the forks of a zygote, and workers of a second one share nothing with those of the first.
    if (wants("memory")) memory(supervisor, loader);
    if (wants("rates")) rates(supervisor, loader, daemon.pid());
  }
  if (wants("fresh") && wants("peers")) peers();
  if (options_.json) {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
    report_.Accept(writer);
    puts(buffer.GetString());
  }
}

int realMain(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Measures Glovebox as a client sees it, through a daemon's socket, beside node:vm and a node process in the same run.\n"
      "Figures are noisy on a shared machine: run it twice before you believe a difference.");
  app.require_subcommand(1);
  auto start = app.add_subcommand("start", "load + first call, loads per second, warm call, memory of an idle worker");
  start->add_option("--samples", options.samples, "samples of each latency")->check(CLI::Range(1u, 1'000'000u));
  start->add_option("--loads", options.loadsPerRate, "loads for each concurrency")->check(CLI::Range(1u, 1'000'000u));
  start->add_option("--concurrency", options.concurrencies, "concurrencies to try")->delimiter(',');
  start->add_option("--workers", options.workerCounts, "numbers of idle workers to weigh, rising")->delimiter(',');
  start->add_option("--only", options.only, "parts to measure; all if not given")
      ->delimiter(',')
      ->check(CLI::IsMember({"fresh", "warm", "rates", "memory", "peers"}));
  start->add_flag("--json", options.json, "JSON for machines on standard output");
  start->add_option("--glovebox", options.glovebox, "the executable to measure")->required();
  CacheOptions cacheOptions;
  auto cache = app.add_subcommand("cache", "load + first call of a bundle, the first time and the second");
  cache->add_option("--samples", cacheOptions.samples, "bundles of each size")->check(CLI::Range(1u, 1'000'000u));
  cache->add_option("--again", cacheOptions.again, "further loads of each")->check(CLI::Range(1u, 1'000'000u));
  cache->add_option("--kilobytes", cacheOptions.kilobytes, "sizes to try")->delimiter(',')->check(CLI::Range(1u, 60'000u));
  cache->add_flag("--json", cacheOptions.json, "JSON for machines on standard output");
  cache->add_option("--glovebox", cacheOptions.glovebox, "the executable to measure")->required();
  CLI11_PARSE(app, argc, argv);
  if (cache->parsed()) {
    measureCache(cacheOptions);
    return 0;
  }
  Bench bench(options);
  bench.run();
  return 0;
}

}  // namespace
}  // namespace glovebox::bench

int main(int argc, char** argv) {
  int status = 70;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { status = glovebox::bench::realMain(argc, argv); })) {
    fprintf(stderr, "glovebox-bench: %s\n", exception->getDescription().cStr());
    return 70;
  }
  return status;
}
