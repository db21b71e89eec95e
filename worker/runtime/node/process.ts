// `process`: of a Node.js program that runs alone, in a folder with its bundle, and can do nothing to the machine.

import { process, requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { emitWarning, nextTick } from "./ticks.ts";
import { abort, current } from "../invocation.ts";
import { PlainError, PlainTypeError, apply, dateNow, defineProperty, getPrototypeOf, isArray, jsonStringify, objectKeys, objectPrototype, toStringOf } from "../primordials.ts";

const { versions } = nodeLibrary;
const NODE_VERSION = "v22.23.4";   // the release whose behaviour libraries are told to expect; workerd says the same

// Strings only, as of a process; what is set to it becomes one.
function makeEnv(): Record<string, string> {
  return new Proxy({} as Record<string, string>, {
    set(target, key, value) {
      if (typeof key === "symbol" || typeof value === "symbol") throw new PlainTypeError("Cannot convert a Symbol value to a string");
      target[key] = toStringOf(value);
      return true;
    },
    defineProperty(target, key, descriptor) {
      if ("value" in descriptor && typeof descriptor.value !== "symbol") descriptor.value = toStringOf(descriptor.value);
      return Reflect.defineProperty(target, key, descriptor);
    },
  });
}

// Milliseconds are what a worker's clock has.
function hrtime(previous?: [number, number]): [number, number] {
  const now = dateNow();
  const seconds = Math.floor(now / 1000), nanoseconds = (now % 1000) * 1_000_000;
  if (previous === undefined) return [seconds, nanoseconds];
  requireInternal("internal/validators")["validateArray"](previous, "time");
  const past = nanoseconds - previous[1];
  return past < 0 ? [seconds - previous[0] - 1, past + 1_000_000_000] : [seconds - previous[0], past];
}
hrtime.bigint = (): bigint => BigInt(dateNow()) * 1_000_000n;

function exit(code: unknown = undefined): never {
  if (code !== undefined) process["exitCode"] = code;
  const invocation = current();
  const reason = new PlainError(`process.exit(${code === undefined ? "" : toStringOf(code)}) was called.`);
  if (invocation !== undefined) abort(invocation, reason);
  throw reason;
}

const unsupported = (name: string) => {
  const refuse = () => { throw new (requireInternal("internal/errors")["codes"]["ERR_METHOD_NOT_IMPLEMENTED"])(`process.${name}()`); };
  defineProperty(refuse, "name", { value: name });
  return refuse;
};

// Lines of text to the console, which is all the output that there is.
function makeOutput(fd: number, level: number): Exports {
  const { Writable } = requireInternal("stream");
  let rest = "";
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: unknown, _: string, done: () => void) {
      rest += typeof chunk === "string" ? chunk : (chunk as { toString(): string }).toString();
      const end = rest.lastIndexOf("\n");
      if (end >= 0) {
        native.log(level, rest.slice(0, end));
        rest = rest.slice(end + 1);
      }
      done();
    },
  });
  stream.fd = fd;
  stream.isTTY = false;
  return stream;
}

function lazily(name: string, make: () => unknown): void {
  let made: unknown;
  defineProperty(process, name, {
    get: () => made ??= make(),
    set: (value: unknown) => { made = value; },
    configurable: true, enumerable: true,
  });
}

export function installProcess(): void {
  Object.assign(process, {
    title: "node",
    version: NODE_VERSION,
    versions: { node: NODE_VERSION.slice(1), v8: versions.v8, openssl: versions.openssl, zlib: versions.zlib },
    arch: "x64",
    platform: "linux",
    release: { name: "node", lts: true },
    argv: ["workerd"],
    argv0: "workerd",
    execArgv: [],
    execPath: "",
    env: makeEnv(),
    pid: 1,
    ppid: 0,
    exitCode: undefined,
    features: { inspector: false, debug: false, uv: false, ipv6: true, tls_alpn: true, tls_sni: true, tls_ocsp: true, tls: true,
                cached_builtins: true, typescript: false, require_module: true },
    config: { target_defaults: {}, variables: {} },
    allowedNodeEnvironmentFlags: new Set(),
    noDeprecation: true,
    throwDeprecation: false,
    report: undefined,
    nextTick,
    hrtime,
    exit,
    reallyExit: exit,
    abort: () => exit(134),
    cwd: () => "/bundle",
    chdir: unsupported("chdir"),
    umask: () => 0o22,
    uptime: () => 0,
    emitWarning: (warning: unknown, type: unknown, code: unknown) => emitWarning(process, warning, type, code),
    memoryUsage: Object.assign(() => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), { rss: () => 0 }),
    cpuUsage: () => ({ user: 0, system: 0 }),
    resourceUsage: () => ({}),
    constrainedMemory: () => 0,
    availableMemory: () => 0,
    getuid: () => 0, geteuid: () => 0, getgid: () => 0, getegid: () => 0, getgroups: () => [0],
    kill: unsupported("kill"),
    binding: unsupported("binding"),
    dlopen: unsupported("dlopen"),
    loadEnvFile: unsupported("loadEnvFile"),
    setUncaughtExceptionCaptureCallback() {},
    hasUncaughtExceptionCaptureCallback: () => false,
    setSourceMapsEnabled() {},
    getActiveResourcesInfo: () => [],
    ref() {},
    unref() {},
    stdin: undefined,
    getBuiltinModule: undefined,   // modules.ts
  });
  defineProperty(process, Symbol.toStringTag, { value: "process", configurable: true });
}

// Once `events` and `stream` can be had.
export function finishProcess(getBuiltinModule: (id: string) => unknown): void {
  const EventEmitter = requireInternal("events") as unknown as { prototype: object };
  const prototype = Object.create(EventEmitter.prototype, { constructor: { value: { process() {} }.process, writable: true, configurable: true } });
  Object.setPrototypeOf(process, prototype);
  apply(EventEmitter as unknown as Function, process, []);
  process["getBuiltinModule"] = getBuiltinModule;
  lazily("stdout", () => makeOutput(1, 2));
  lazily("stderr", () => makeOutput(2, 4));
  lazily("stdin", () => new (requireInternal("stream")["Readable"])({ read(this: Exports) { this["push"](null); } }));
}

function isPlain(value: unknown): boolean {
  if (typeof value === "number" || typeof value === "boolean") return true;
  if (typeof value !== "object" || value === null || native.typesIsProxy(value)) return false;
  return isArray(value) || getPrototypeOf(value) === objectPrototype;
}

// Strings of the worker's `env` as they are, other plain values as JSON; what can be called is no variable.
export function populateEnv(env: unknown): void {
  if (typeof env !== "object" || env === null) return;
  const keys = objectKeys(env);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const value = (env as Record<string, unknown>)[key];
    const text = typeof value === "string" ? value : isPlain(value) ? jsonStringify(value) : undefined;
    if (text !== undefined) process["env"][key] = text;
  }
}
