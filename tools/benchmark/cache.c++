#include "tools/benchmark/cache.h"

#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <cstdio>

#include <kj/debug.h>

#include "ipc/listener.h"
#include "tools/benchmark/agent.h"
#include "tools/benchmark/bundle.h"
#include "tools/benchmark/statistics.h"
#include "tools/daemon-process.h"

namespace glovebox::bench {
namespace {

class CacheBench {
 public:
  explicit CacheBench(const CacheOptions& options)
      : options_(options),
        port_(loop_.get()),
        daemon_(options.glovebox, {}),
        connection_(connectToSupervisor(port_, daemon_.socketPath().c_str())),
        supervisor_(connection_->bootstrap<rpc::Supervisor>()),
        loader_(supervisor_.loaderRequest().send().getLoader()) {}

  void run();

 private:
  const CacheOptions& options_;
  UvLoop loop_;
  UvEventPort port_;
  DaemonProcess daemon_;
  kj::Own<RpcConnection> connection_;
  rpc::Supervisor::Client supervisor_;
  rpc::Loader::Client loader_;

  void pause(unsigned milliseconds) { port_.getTimer().afterDelay(milliseconds * kj::MILLISECONDS).wait(port_.waitScope()); }

  // Load and first call, in microseconds.
  double once(const std::string& bundle) {
    double taken;
    {
      double start = nowMicroseconds();
      auto agent = loadAgent(loader_, bundle.c_str());
      callAgent(agent.entrypoint).wait(port_.waitScope());
      taken = nowMicroseconds() - start;
    }
    pause(5);   // the last worker has ended and the pool has filled its place again
    return taken;
  }

  uint64_t number(const char* name) {
    auto text = supervisor_.statusRequest().send().wait(port_.waitScope());
    rapidjson::Document status;
    status.Parse(text.getJson().cStr());
    return status["codeCache"][name].GetUint64();
  }
  void untilCompiled() {
    while (number("waiting") > 0) pause(5);
  }
};

void CacheBench::run() {
  rapidjson::Document report(rapidjson::kArrayType);
  auto& allocator = report.GetAllocator();
  if (!options_.json) printf("%-28s %12s %12s %8s %14s\n", "load + first call, p50", "first, us", "second, us", "ratio", "cache, kB");
  unsigned seed = 0;
  for (unsigned i = 0; i < 20; i++) once(makeBundle(1'000, seed++));   // the daemon's own first times
  for (unsigned kilobytes: options_.kilobytes) {
    Samples first, second;
    uint64_t cacheBytes = 0;
    for (unsigned i = 0; i < options_.samples; i++) {
      auto bundle = makeBundle(kilobytes * 1'000, seed++);
      auto hits = number("hits");
      first.add(once(bundle));
      untilCompiled();
      for (unsigned j = 0; j < options_.again; j++) second.add(once(bundle));
      if (number("hits") > hits) cacheBytes = number("bytes") / number("entries");
    }
    double ratio = first.percentile(50) / second.percentile(50);
    rapidjson::Value entry(rapidjson::kObjectType);
    entry.AddMember("bytes", kilobytes * 1'000, allocator);
    entry.AddMember("n", static_cast<uint64_t>(first.size()), allocator);
    for (auto [name, samples]: {std::pair{"first", &first}, {"second", &second}}) {
      rapidjson::Value each(rapidjson::kObjectType);
      each.AddMember("unit", "us", allocator);
      each.AddMember("min", samples->percentile(0), allocator);
      each.AddMember("p50", samples->percentile(50), allocator);
      each.AddMember("p95", samples->percentile(95), allocator);
      entry.AddMember(rapidjson::StringRef(name), each, allocator);
    }
    entry.AddMember("ratioOfP50", ratio, allocator);
    report.PushBack(entry, allocator);
    if (options_.json) continue;
    auto cached = cacheBytes == 0 ? std::string("not cached") : std::to_string(cacheBytes / 1'000);
    printf("%6u kB  (min %6.0f, %6.0f) %12.0f %12.0f %8.2f %14s\n", kilobytes, first.percentile(0), second.percentile(0),
           first.percentile(50), second.percentile(50), ratio, cached.c_str());
    fflush(stdout);
  }
  if (!options_.json) return;
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  report.Accept(writer);
  puts(buffer.GetString());
}

}  // namespace

void measureCache(const CacheOptions& options) { CacheBench(options).run(); }

}  // namespace glovebox::bench
