#pragma once
// The probe in the place of a zygote: same protocol, same acts, same order; its children attempt instead of serving.

namespace glovebox::probe {

// Serves ipc/zygote-protocol.h on descriptor 3 until end-of-file. Returns the exit status.
int runZygote();

}  // namespace glovebox::probe
