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

  loader @0 () -> (loader :Loader);
  status @1 () -> (json :Text);
  # A JSON document for people and monitoring: layers in force, pool, zygotes, live workers, endings by code.
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
}

interface Worker {
  # Dropping this and every Target that came from it ends the worker process.

  getEntrypoint @0 (name :Text, props :Payload, limits :Limits) -> (entrypoint :Target);
  # An empty name is the default export. `props` absent: {}; inline otherwise. `limits` of each call on it; the lower of
  # these and the worker's own.

  revoke @1 () -> ();
  # Ends the worker now: calls under way end as `revoked`, nothing it was handed can be used by it any more. When this
  # returns, no call of the worker reaches anybody.
}
