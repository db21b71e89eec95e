#pragma once
// Where the process begins once the engine's provider (worker/engine/node-npm) has handed it over.

namespace glovebox {

int workerMain(int argc, char** argv);

}  // namespace glovebox
