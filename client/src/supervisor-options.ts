// How a supervisor of one's own is to be: the same for one in a child process (arguments of `glovebox serve`) and for one in
// this process.

import { LIMIT_NAMES } from "../../ipc/js/limits.ts";
import type { WorkerLimits } from "../../ipc/js/limits.ts";
import type { Addon, NativeSupervisorOptions } from "./addon.d.ts";

// client/types/index.d.ts says what each is for. Absent and undefined are the same; null is refused.
export interface SupervisorOptions {
  profile?: "default" | "no-wasm" | "jitless";
  poolSize?: number;
  allowMissing?: string[];
  workersMax?: number;
  codeCacheMbMax?: number;
  namedIdleMsMax?: number;
  namedMemoryMbMax?: number;
  limits?: Partial<WorkerLimits>;
}

// Each number, with the flag of `glovebox serve` that means it.
const NUMBERS = {
  poolSize: "--pool", workersMax: "--workers", codeCacheMbMax: "--code-cache-mb", namedIdleMsMax: "--named-idle-ms", namedMemoryMbMax: "--named-memory-mb",
} as const;
const MAY_BE_ZERO: readonly string[] = ["codeCacheMbMax"];   // then there is none
const NAMES = ["profile", "allowMissing", "limits", ...Object.keys(NUMBERS)];
const UINT32_MAX = 0xffffffff;

// A copy, so that what the caller does to its object later does not matter.
export function checkSupervisorOptions(options: unknown, addon: Addon): NativeSupervisorOptions {
  if (options !== undefined && (typeof options !== "object" || options === null || Array.isArray(options))) {
    throw wrong("supervisor", `an object such as { profile: "jitless" }`, options);
  }
  const given = (options ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (!NAMES.includes(name)) throw new TypeError(`connect() knows no option \`supervisor.${name}\`; there are: ${NAMES.join(", ")}.`);
  }
  const { profile, allowMissing } = given;
  if (profile !== undefined && !addon.profiles.includes(profile as string)) throw wrong("supervisor.profile", `one of ${quoted(addon.profiles)}`, profile);
  if (allowMissing !== undefined) {
    if (!Array.isArray(allowMissing)) throw wrong("supervisor.allowMissing", "a list of layers' names", allowMissing);
    for (const layer of allowMissing as unknown[]) {
      if (!addon.layers.includes(layer as string)) throw wrong("supervisor.allowMissing", `layers out of ${quoted(addon.layers)}`, layer);
    }
  }
  const checked = { profile, allowMissing: allowMissing === undefined ? undefined : [...(allowMissing as string[])] } as NativeSupervisorOptions;
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    checked[name] = checkNumber(`supervisor.${name}`, given[name], { min: MAY_BE_ZERO.includes(name) ? 0 : 1 });
  }
  checked.limits = checkPolicy(given["limits"], "supervisor.limits");
  return checked;
}

function checkNumber(option: string, value: unknown, { min = 1, by }: { min?: number; by?: string | undefined } = {}): number | undefined {
  if (value !== undefined && (!Number.isInteger(value) || (value as number) < min || (value as number) > UINT32_MAX)) {
    throw wrong(option, `a whole number from ${min} to ${UINT32_MAX}`, value, by);
  }
  return value as number | undefined;
}

// A policy has no names that there are not: what was meant to be forbidden would be allowed.
export function checkPolicy(limits: unknown, option: string, by?: string): Partial<WorkerLimits> | undefined {
  if (limits === undefined) return undefined;
  if (typeof limits !== "object" || limits === null || Array.isArray(limits)) throw wrong(option, "an object such as { cpuMs: 50 }", limits, by);
  const given = limits as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (!(LIMIT_NAMES as readonly string[]).includes(name)) throw new TypeError(`There is no limit \`${option}.${name}\`; there are: ${LIMIT_NAMES.join(", ")}.`);
  }
  const checked: Partial<WorkerLimits> = {};
  for (const name of LIMIT_NAMES) checked[name] = checkNumber(`${option}.${name}`, given[name], { by });
  return checked;
}

// "subRequests" is --sub-requests.
function flagOf(name: string): string { return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`; }

export function serveArguments(options: NativeSupervisorOptions): string[] {
  const args: string[] = [];
  if (options.profile !== undefined) args.push("--profile", options.profile);
  if (options.allowMissing !== undefined && options.allowMissing.length > 0) args.push("--allow-missing", options.allowMissing.join(","));
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const value = options[name];
    if (value !== undefined) args.push(NUMBERS[name], String(value));
  }
  for (const name of LIMIT_NAMES) {
    const value = options.limits?.[name];
    if (value !== undefined) args.push(flagOf(name), String(value));
  }
  return args;
}

// For connect()'s other options, too.
export function wrong(option: string, expected: string, got: unknown, by = "connect()"): TypeError {
  return new TypeError(`${by} expects \`${option}\` to be ${expected}, got ${describe(got)}.`);
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (value === null || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return "an array";
  return value === undefined ? "undefined" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function quoted(names: readonly string[]): string { return names.map((name) => `"${name}"`).join(", "); }
