# One host Worker that may load others, reached over HTTP on loopback.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(
    name = "host",
    worker = (
      # Bundled by workerd.mjs, which names its folder with --import-path.
      modules = [(name = "workerd-host.js", esModule = embed "/workerd-host.js")],
      compatibilityDate = "2026-03-01",
      bindings = [(name = "LOADER", workerLoader = ())],
    ),
  )],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "host")],
);
