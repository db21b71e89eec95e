// Figures and words for people.

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const count = (value: number): string => COUNT.format(value);

const three = (value: number): string => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

export function bytes(value: number): string {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const) {
    if (value >= size) return `${three(value / size)} ${unit}`;
  }
  return `${value} B`;
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${three(seconds * 1e3)} ms`;
  if (seconds < 60) return `${three(seconds)} s`;
  return age(seconds);
}

export function age(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

export const rate = (value: number): string => value >= 100 || value === 0 ? COUNT.format(value) : value.toFixed(1);

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
export const clock = (milliseconds: number): string => CLOCK.format(milliseconds);

// The names of endings (ipc/call.capnp), in words; a name that is not here is shown as it is.
const OUTCOMES: Record<string, [words: string, tone: Tone]> = {
  ok: ["ok", "good"],
  exception: ["threw", "warn"],
  canceled: ["given up", "plain"],
  crashed: ["crashed", "bad"],
  killed: ["killed by the policy", "bad"],
  exceededCpu: ["CPU limit", "bad"],
  exceededWallTime: ["time limit", "bad"],
  exceededMemory: ["memory limit", "bad"],
  exceededResultSize: ["result too large", "bad"],
  protocolViolation: ["broke the protocol", "bad"],
  exited: ["exited", "bad"],
  revoked: ["disposed of", "plain"],
  startFailed: ["did not start", "bad"],
  terminated: ["stopped", "bad"],
  hung: ["hung", "warn"],
  exceededLogs: ["log limit", "bad"],
  overloaded: ["overloaded", "warn"],
  exceededSubrequests: ["subrequest limit", "bad"],
  evicted: ["evicted", "plain"],
  aborted: ["aborted", "warn"],
};

export type Tone = "good" | "warn" | "bad" | "plain";

export function outcome(name: string): [words: string, tone: Tone] {
  return Object.hasOwn(OUTCOMES, name) ? OUTCOMES[name]! : [name, "plain"];
}
