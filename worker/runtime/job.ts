// The engine's own job queue: a promise reaction, which user code cannot replace once it is captured. Jobs belong to the invocation
// whose code queues them, and may be queued at the top level too.

import { apply, defineProperty } from "./primordials.ts";
import { reportException } from "./report.ts";

const { then } = Promise.prototype;
const settled = Promise.resolve();
// then() would look up the constructor's species on each call.
defineProperty(settled, "constructor", { value: undefined });

export function queueJob(job: () => void): void {
  apply(then, settled, [() => {
    try {
      job();
    } catch (exception) {
      reportException(exception);
    }
  }]);
}
