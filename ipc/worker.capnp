# Supervisor and worker: what is said over the one socket a worker has.
#
# The worker is on one side and may be hostile from the moment `start` is answered, or sooner if V8 was broken by what
# it was given to parse. The supervisor is on the other side, behind a guard (ipc/guard.h) that reads every message
# first. When the line drops, the worker ends (it reads end-of-file and exits; the supervisor also kills it), and
# nothing survives.

@0xb95e1a07c36d42f8;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "call.capnp".Target;
using import "call.capnp".Payload;
using import "call.capnp".LargeValue;
using import "call.capnp".Console;

interface WorkerProcess {
  # The bootstrap capability of a worker's connection.

  warm @0 () -> ();
  # Called once, first, before any user code: lock-down is complete and the pages that a first call touches are
  # touched. The supervisor then reads the seal back from /proc.

  start @1 (code :WorkerCode, console :Console, caches :List(Data)) -> (status :StartStatus);
  # Called once. Loads and evaluates the modules. A failure of the code is remembered by the worker and answered to
  # every call (`Return.thrown`), as Worker Loader does; `status` only tells the supervisor. `caches`: what another process
  # answered to `compile` for exactly these modules (CodeCaches.modules), or nothing.

  getEntrypoint @2 (name :Text, props :Payload) -> (entrypoint :Target);
  # After `start`; may be pipelined behind it. An empty name is the default export. An unknown name is answered by each
  # call on the entrypoint.

  compile @3 (modules :List(Module), memoryMb :UInt32) -> (caches :LargeValue);
  # Instead of `start`, in a process that does nothing else before or after: V8's code cache of the modules, for workers that
  # will be given exactly these. `caches` is a Cap'n Proto message whose root is a CodeCaches. Modules are parsed and compiled and
  # not run. So what hostile text can do to the process that compiles it, it can do only to those who run the same text.

  enum StartStatus { ok @0; failed @1; }
}

struct WorkerCode {
  # What Worker Loader calls WorkerLoaderWorkerCode. Checked by the supervisor (supervisor/worker-code.h) for shape and
  # size, never parsed by it.

  compatibilityDate @0 :Text;            # "YYYY-MM-DD"
  compatibilityFlags @1 :List(Text);
  mainModule @2 :Text;
  modules @3 :List(Module);
  env @4 :Payload;                       # Inline. Root: an object. Absent: {}.
  limits @5 :Limits;
  tails @6 :List(Target);
  # Each is told of every call on the worker when that has ended: `tail(events)`, one TraceItem an event (Cloudflare's tail
  # workers). At most TAILS_MAX.

  outbound @7 :UInt32;
  # Where the worker's global fetch() goes: which of env's externals, counted from 1; a `stub` or `service` that answers `fetch` with
  # a Response (PlatformObject in value.capnp), as an entrypoint does. No node of env needs to refer to it. 0: nowhere, fetch() is refused.
}

struct Module {
  name @0 :Text;
  union {
    js @1 :Text;
    cjs @2 :Text;
    text @3 :Text;
    data @4 :Data;
    json @5 :Text;    # JSON text.
    wasm @6 :Data;
  }
}

struct CodeCaches {
  modules @0 :List(Data);
  # One for each module, by its index; empty where the module is no JavaScript or does not compile.
}

struct Limits {
  # 0 means: the supervisor's policy. A value above the policy is lowered to it.

  # Of one call:
  cpuMs @0 :UInt32;            # CPU time.
  wallMs @1 :UInt32;           # Wall-clock time.
  subRequests @3 :UInt32;      # Calls of the worker to others, but for the reads and writes of streams.

  # Of a worker:
  memoryMb @2 :UInt32;         # JavaScript heap, ArrayBuffers and WebAssembly memory together, MiB.
  heapMb @4 :UInt32;           # The JavaScript heap alone, MiB.
  startupCpuMs @5 :UInt32;     # CPU time for the evaluation of its modules; a call's cpuMs if that is less.
  callsInFlight @6 :UInt32;    # Calls from outside at once.
  capabilities @7 :UInt32;     # Held by it at once; and of it, held by others.
  timers @8 :UInt32;           # Set at once.
  logBytes @9 :UInt32;         # Of logs in its life; what is beyond is dropped, and said once.
  resultBytes @10 :UInt32;     # Of one result or error.
  idleMs @11 :UInt32;          # Without a call under way; then it is evicted.
  lifetimeMs @12 :UInt32;      # Since it was loaded; then it is evicted as soon as no call is under way, and takes none any more.
}
