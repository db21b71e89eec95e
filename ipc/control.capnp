# Client and supervisor: what a program that runs workers says to Glovebox.
#
# The client is trusted with its own workers and nothing else; it sits on a Unix socket whose file mode decides who may
# connect, or in the supervisor's own process (the same capabilities without a socket). When a client's line drops,
# everything it loaded ends.

@0xe7724c19a05bd36f;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "call.capnp".Target;
using import "call.capnp".Payload;
using import "call.capnp".LargeValue;
using import "call.capnp".Console;
using import "worker.capnp".WorkerCode;
using import "worker.capnp".Limits;

interface Supervisor {
  # The bootstrap capability of a client's connection.

  loader @0 (limits :Limits) -> (loader :Loader);
  # A loader of one's own: names (`get`) of one are unknown to every other. `limits`: what its workers get at most; absent, or where 0,
  # the supervisor's policy.
  status @1 () -> (json :Text);
  # A JSON document for people and monitoring: layers in force, pool, zygotes, live workers, endings by code.
  outbound @2 () -> (outbound :Target);
  # Where requests of what the client loads may go (WorkerCode.outbound), of a daemon with an egress policy (glovebox serve --egress);
  # not implemented by others.
}

interface Loader {
  load @0 (code :WorkerCode, console :Console, bulk :LargeValue) -> (worker :Worker);
  # A fresh worker, never shared. Returns at once: what is wrong with the code is answered to each call on it, as
  # Worker Loader does. `console` may be null: then logs are dropped.
  #
  # `bulk` is for a worker that loads another and whose modules do not fit into a message: a Cap'n Proto message whose root
  # is a WorkerCode of which only `modules` is used, at most CODE_BYTES_MAX and a little. `code.modules` is then empty.
  #
  # Whoever holds a Loader may load, so it is a capability like others and may be handed to a worker. What a worker loads
  # is bounded by the worker's own limits and ends with it, unless the worker handed on an entrypoint of it.

  get @1 (name :Text, factory :WorkerFactory, console :Console) -> (worker :Worker);
  # The warm worker of that name, at most NAME_BYTES_MAX; one for each loader and name. Returns at once, and has it made if there is
  # none. When a call needs the worker and there is none (not yet, or it died, failed to start, was evicted or aborted), the latest
  # `factory` given is asked, once for all who wait. A factory that fails fails the calls that wait (`Return.thrown`), and nothing is
  # remembered of it. Between calls the supervisor may evict the worker: it has been idle for its `idleMs`, or the named workers
  # together need more memory than their budget, or there are as many workers as there may be, and it is the one least recently
  # used. It is never evicted while a call is under way or somebody holds a capability that came out of one.
  #
  # The Worker and its entrypoints are capabilities of the name, and outlive the worker's process; what comes out of a call does not.
  # `Worker.revoke` does nothing here, for others may use the worker: `delete` and `abort` are for that. A loader that is handed to a
  # worker has names of its own there.

  delete @2 (name :Text) -> (found :Bool);
  # Ends the worker and forgets the name: calls under way, and calls on what earlier `get`s returned, end as `revoked`.

  abort @3 (name :Text) -> (found :Bool);
  # Ends the worker now: calls under way end as `aborted`. The next call makes it again.

  list @4 () -> (workers :List(NamedWorker));
  # In order of their last use, latest first.

  struct NamedWorker {
    name @0 :Text;
    live @1 :Bool;              # It has a process now.
    callsInFlight @2 :UInt32;
    memoryBytes @3 :UInt64;     # Of the process's own when it was last looked at; 0 if not live.
    idleMs @4 :UInt64;          # Since its last call ended.
  }
}

interface WorkerFactory $Cxx.allowCancellation {
  # Gives a named worker's code, each time there is none. Implemented by the caller of `get`.

  code @0 () -> (code :WorkerCode, bulk :LargeValue);
  # As in `load`. An exception's description is the message of the Error that is thrown at the calls that wait for it.
}

interface Worker {
  # Dropping this and every Target that came from it ends the worker process, unless it has a name.

  getEntrypoint @0 (name :Text, props :Payload, limits :Limits) -> (entrypoint :Target);
  # An empty name is the default export. `props` absent: {}; inline otherwise. `limits` of each call on it; the lower of
  # these and the worker's own.

  revoke @1 () -> ();
  # Ends the worker now: calls under way end as `revoked`, nothing it was handed can be used by it any more. When this
  # returns, no call of the worker reaches anybody.
}
