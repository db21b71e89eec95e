// Limits as JavaScript says them, wherever a WorkerLoader takes some: the names and meanings are those of ipc/worker-limits.h
// (client/test/limits.test.mjs holds the two together).

import { PlainTypeError } from "./primordials.ts";

export const LIMIT_NAMES = [
  "cpuMs", "wallMs", "subRequests", "memoryMb", "heapMb", "startupCpuMs", "callsInFlight", "capabilities", "timers", "logBytes", "resultBytes",
  "idleMs", "lifetimeMs",
] as const;

// Every one is there; 0: not said, so the policy's.
export type WorkerLimits = { [Name in (typeof LIMIT_NAMES)[number]]: number };

// Undefined: nothing was said at all. Names that there are not are ignored, as Worker Loader does.
export function checkLimits(limits: unknown, type: string): WorkerLimits | undefined {
  if (limits === undefined || limits === null) return undefined;
  if (typeof limits !== "object") {
    throw new PlainTypeError(`Incorrect type for the 'limits' field on '${type}': the provided value is not of type 'object'.`);
  }
  const checked = {} as WorkerLimits;
  for (let i = 0; i < LIMIT_NAMES.length; i++) {
    const name = LIMIT_NAMES[i]!;
    checked[name] = limitOf((limits as Record<string, unknown>)[name]);
  }
  return checked;
}

const UINT32_MAX = 0xffffffff;

function limitOf(value: unknown): number {
  if (value === undefined) return 0;
  const number = Number(value);
  if (!(number === number) || (typeof value !== "number" && typeof value !== "string" && typeof value !== "bigint")) {
    throw new PlainTypeError("The value cannot be converted because it is not an integer.");
  }
  if (number < 0) throw new PlainTypeError("The value cannot be converted because it is negative and this API expects a positive number.");
  const whole = Math.trunc(number);
  // Zero of something is as little as there can be; on the wire 0 means that nothing was said.
  return whole === 0 ? 1 : whole > UINT32_MAX ? UINT32_MAX : whole;
}
