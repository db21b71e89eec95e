// The modules of Node.js that a worker with `nodejs_compat` can import: as `node:x`, and as `x` where it has no module of that name itself.

import "./internal-modules.ts";
import { asyncHooks } from "./async-hooks.ts";
import { nodeCrypto } from "./crypto.ts";
import "./zlib.ts";
import { nodeConsole } from "./console.ts";
import { provideUtil } from "./internal-binding.ts";
import { process, requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { os } from "./os.ts";
import { finishProcess, installProcess } from "./process.ts";
import { timers, timersPromises } from "./timers.ts";
import { installTimers } from "../timers.ts";
import { unsupported, unsupportedNames } from "./unsupported.ts";
import { webStreams } from "./stream-web.ts";
import { URL } from "../url.ts";
import { PlainTypeError, defineProperty, indexOf, objectCreate, objectKeys, slice } from "../primordials.ts";

const FROM_NODE = [
  "assert", "assert/strict", "buffer", "diagnostics_channel", "events", "path", "path/posix", "path/win32", "punycode", "querystring",
  "stream", "stream/consumers", "stream/promises", "string_decoder", "url", "util", "util/types", "zlib",
];

// By name without "node:".
const modules = objectCreate(null) as Record<string, Exports>;

export function nodeModule(specifier: string): Exports | undefined {
  return modules[indexOf(specifier, "node:") === 0 ? slice(specifier, 5) : specifier];
}

const isBuiltin = (specifier: unknown): boolean => nodeModule(String(specifier)) !== undefined;

function getBuiltinModule(specifier: unknown): Exports | undefined {
  requireInternal("internal/validators")["validateString"](specifier, "id");
  return nodeModule(specifier as string);
}

// Only of these modules: a worker's own are its loader's to find.
function createRequire(from: unknown): Function {
  if (typeof from !== "string" && !(from instanceof URL)) {
    throw new (requireInternal("internal/errors")["codes"]["ERR_INVALID_ARG_VALUE"])("filename", from, "must be a file URL object, file URL string, or absolute path string");
  }
  const resolve = (specifier: string) => {
    if (!isBuiltin(specifier)) throw Object.assign(new Error(`Cannot find module '${specifier}'`), { code: "MODULE_NOT_FOUND" });
    return specifier;
  };
  const require = (specifier: string) => {
    if (typeof specifier !== "string") throw new PlainTypeError("require() expects the name of a module");
    return nodeModule(resolve(specifier));
  };
  return Object.assign(require, { resolve, cache: {}, main: undefined });
}

// While the snapshot is made. V8 gives a context its Error.stackTraceLimit only afterwards, and Node.js's library would leave one behind.
export function installModules(): void {
  (Error as unknown as { stackTraceLimit: number }).stackTraceLimit = 10;
  install();
  Reflect.deleteProperty(Error, "stackTraceLimit");
}

function install(): void {
  installProcess();
  provideUtil(requireInternal);
  finishProcess(getBuiltinModule);
  void requireInternal("internal/async_context_frame")["enabled"];   // asking makes it so
  requireInternal("internal/util/debuglog")["initializeDebugEnv"]("");
  for (let i = 0; i < FROM_NODE.length; i++) modules[FROM_NODE[i]!] = requireInternal(FROM_NODE[i]!);
  modules["stream/web"] = webStreams();
  modules["async_hooks"] = asyncHooks;
  modules["timers"] = timers;
  modules["timers/promises"] = timersPromises;
  modules["crypto"] = nodeCrypto();
  modules["os"] = os;
  modules["process"] = process;
  modules["console"] = nodeConsole();
  modules["constants"] = { ...(os["constants"] as { errno: object }).errno, ...(os["constants"] as { signals: object }).signals };
  modules["sys"] = modules["util"]!;
  modules["perf_hooks"] = { performance: (globalThis as Exports)["performance"], constants: {} };
  for (const name of unsupportedNames()) modules[name] = unsupported(name);
  class Module {}
  modules["module"] = Object.assign(Module, { Module, builtinModules: objectKeys(modules).concat("module"), createRequire, isBuiltin });
  modules["util"]!["types"] = modules["util/types"]!;
  const names = objectKeys(modules);
  for (let i = 0; i < names.length; i++) settle(modules[names[i]!]!);
}

// An import asks for every export. What is made when it is asked for is made now; what cannot be made here is none.
function settle(exports: Exports): void {
  const keys = objectKeys(exports);
  for (let i = 0; i < keys.length; i++) {
    try {
      void exports[keys[i]!];
    } catch {
      delete exports[keys[i]!];
    }
  }
}

// For a worker that wants it, before its code is read.
export function exposeNodeGlobals(globalTimers: boolean): void {
  const expose = (name: string, value: unknown) => defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  expose("Buffer", modules["buffer"]!["Buffer"]);
  expose("process", process);
  expose("global", globalThis);
  expose("setImmediate", timers["setImmediate"]);
  expose("clearImmediate", timers["clearImmediate"]);
  if (!globalTimers) return;
  expose("setTimeout", timers["setTimeout"]);
  expose("setInterval", timers["setInterval"]);
  expose("clearTimeout", timers["clearTimeout"]);
  expose("clearInterval", timers["clearInterval"]);
}

// As if they had not been exposed.
export function hideNodeGlobals(): void {
  const hidden = ["Buffer", "process", "global", "setImmediate", "clearImmediate"];
  for (let i = 0; i < hidden.length; i++) Reflect.deleteProperty(globalThis, hidden[i]!);
  installTimers();
}
