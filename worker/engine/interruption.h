#pragma once
// Where V8 may be told to stop by a signal handler. Isolate::TerminateExecution() takes locks. The handler runs on the one
// thread there is, so if that thread was interrupted while it held one of them, V8 waits for itself: it makes system calls
// that the policy does not allow, and dies of them. A loop of `debugger` or of Atomics.notify() is mostly in there.
//
// V8 holds no lock while machine code of its own making runs: JavaScript, WebAssembly. So the handler stops what it finds in
// there, and leaves C++ alone; whoever sent the signal sends it again. But there are long calls of C++ that never come
// back to machine code and look for themselves whether they are to stop: a regular expression before it is compiled, large
// numbers. They are told by their staying where they are, whereas a loop is met in one place and another.

#include <v8.h>

namespace glovebox {

// Learns where the C++ code is. Before the first signal; later, nothing may be loaded any more.
void learnWhereCodeIs(v8::Isolate* isolate);

// Called for each signal; `context` is the third parameter of a handler with SA_SIGINFO. Async-signal-safe.
bool mayStopHere(const void* context);

}  // namespace glovebox
