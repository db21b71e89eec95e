// run(): a call with the supervisor's account of it beside the result, whatever came of it.

import { callOf } from "../../ipc/js/stub.ts";
import type { NativeAccount } from "./addon.d.ts";
import { GloveboxError } from "./errors.ts";
import { LEVELS } from "./line.ts";
import type { LogMessage } from "./line.ts";

export interface Account extends Omit<NativeAccount, "startTime" | "logs" | "exceptions"> {
  startTime: Date;
  logs: LogMessage[];
  exceptions: { time: Date; name: string; message: string; stack: string }[];
}

export interface RunResult {
  outcome: string;
  value?: unknown;
  error?: unknown;
  account: Account | undefined;   // undefined: no supervisor heard of the call, or it is gone
}

export async function run(method: unknown, ...args: unknown[]): Promise<RunResult> {
  const call = callOf(method, args, true);
  if (call === undefined) {
    throw new TypeError("run() expects a method of an entrypoint or stub, as in run(agent.method, ...args), or a stub that is a function.");
  }
  try {
    const value = await call.result;
    return { outcome: "ok", value, account: accountOf(call.account) };
  } catch (error) {
    const account = accountOf(call.account);
    const outcome = account?.outcome ?? (error instanceof GloveboxError ? error.code : "exception");
    return { outcome, error, account };
  }
}

function accountOf(native: unknown): Account | undefined {
  if (native === undefined) return undefined;
  const account = native as NativeAccount;
  return {
    ...account,
    startTime: new Date(account.startTime),
    logs: account.logs.map(({ level, time, text }) => ({ level: LEVELS[level] ?? "log", time: new Date(time), text })),
    exceptions: account.exceptions.map((thrown) => ({ ...thrown, time: new Date(thrown.time) })),
  };
}
