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
using import "call.capnp".Console;

interface WorkerProcess {
  # The bootstrap capability of a worker's connection.

  warm @0 () -> ();
  # Called once, first, before any user code: lock-down is complete and the pages that a first call touches are
  # touched. The supervisor then reads the seal back from /proc.

  start @1 (code :WorkerCode, console :Console) -> (status :StartStatus);
  # Called once. Loads and evaluates the modules. A failure of the code is remembered by the worker and answered to
  # every call (`Return.thrown`), as Worker Loader does; `status` only tells the supervisor.

  getEntrypoint @2 (name :Text, props :Payload) -> (entrypoint :Target);
  # After `start`; may be pipelined behind it. An empty name is the default export. An unknown name is answered by each
  # call on the entrypoint.

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

struct Limits {
  # 0 means: the supervisor's policy. A value above the policy is lowered to it.

  cpuMs @0 :UInt32;      # CPU time of one call.
  wallMs @1 :UInt32;     # Wall-clock time of one call.
  memoryMb @2 :UInt32;   # JavaScript heap, ArrayBuffers and WebAssembly memory of the worker together, MiB.
}
