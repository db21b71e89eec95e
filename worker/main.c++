// The worker's side of the house, in one program with four modes:
//
//   <snapshot>                             the zygote: waits for its supervisor on descriptor 3
//   --build-snapshot <runtime.js> <out>    at build time
//   --serve-unjailed <snapshot>            one worker on descriptor 3, for tests
//   --run-script <snapshot> <file.js>      the shell for the runtime's tests
//
// It is a shared object that is loaded into the engine's executable (worker/engine/node-npm/start.c++).

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include "worker/engine/engine.h"
#include "worker/engine/shell.h"
#include "worker/engine/snapshot-builder.h"
#include "worker/engine/worker-main.h"
#include "worker/zygote.h"

namespace glovebox {

int workerMain(int argc, char** argv) {
  try {
    if (argc == 4 && strcmp(argv[1], "--build-snapshot") == 0) {
      startV8(policy::Profile::DEFAULT);
      buildSnapshot(argv[2], argv[3]);
      return 0;
    }
    if (argc == 4 && strcmp(argv[1], "--run-script") == 0) {
      startV8(policy::Profile::DEFAULT);
      Engine engine(argv[2]);
      int code = runScript(engine, argv[3]);
      fflush(stdout);
      _Exit(code);
    }
    if (argc == 3 && strcmp(argv[1], "--serve-unjailed") == 0) return runUnjailed(argv[2]);
    if (argc == 2 && argv[1][0] != '-') _exit(runZygote(argv[1]));
    fprintf(stderr, "usage: <snapshot> | --serve-unjailed SNAPSHOT | --build-snapshot RUNTIME OUT | --run-script SNAPSHOT FILE\n");
    return 64;
  } catch (const std::exception& e) {
    fprintf(stderr, "glovebox worker: %s\n", e.what());
    return 70;
  }
}

}  // namespace glovebox
