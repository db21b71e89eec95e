// What follows the code through awaits, timers, ticks and callbacks: the number of the invocation it works for, which is the host's, and
// the frame of AsyncLocalStorage, which is user code's. V8 keeps one value for both: the number, or a pair of both if there is a frame.
// A frame never brings its invocation with it: who restores one goes on working for whom he worked.

import { isArray } from "../primordials.ts";

export function asyncFrame(): unknown {
  const continuation = native.getContinuation();
  return isArray(continuation) ? continuation[1] : undefined;
}

export function setAsyncFrame(frame: unknown): void {
  const invocation = native.currentInvocation();
  native.setContinuation(frame === undefined ? invocation === 0 ? undefined : invocation : [invocation, frame]);
}
