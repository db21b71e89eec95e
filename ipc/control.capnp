# Client and supervisor: what a program that runs workers says to Glovebox.
#
# The client is trusted with its own workers and nothing else; it sits on a Unix socket whose file mode decides who may
# connect, or in the supervisor's own process (the same capabilities without a socket). When a client's line drops,
# everything it loaded ends.

@0xe7724c19a05bd36f;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "value.capnp".Value;
using import "call.capnp".Target;
using import "call.capnp".Console;
using import "worker.capnp".WorkerCode;

interface Supervisor {
  # The bootstrap capability of a client's connection.

  loader @0 () -> (loader :Loader);
  status @1 () -> (json :Text);
  # A JSON document for people and monitoring: layers in force, pool, zygotes, live workers, endings by code.
}

interface Loader {
  load @0 (code :WorkerCode, console :Console) -> (worker :Worker);
  # A fresh worker, never shared. Returns at once: what is wrong with the code is answered to each call on it, as
  # Worker Loader does. `console` may be null: then logs are dropped.
}

interface Worker {
  # Dropping this and every Target that came from it ends the worker process.

  getEntrypoint @0 (name :Text, props :Value) -> (entrypoint :Target);
  # An empty name is the default export. `props` absent: {}.
}
