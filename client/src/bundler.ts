// createWorker(): what load() takes, out of a project's files and the npm packages that its package.json asks for, as @cloudflare/worker-bundler
// makes it. Nothing of all that is parsed in this program: a jailed worker does it (worker/bundler/), whose only capability is the package
// registry (registry.ts). It needs more memory than workers mostly get, and so it has a supervisor of its own, unless it is given another.
//
// Whoever took that worker over, through a bug that its parsers reach, could write into what the same Bundler makes later. Tenants that must not
// meet get a Bundler each.

import { readFileSync } from "node:fs";
import type { WorkerLoader } from "../../ipc/js/loader.ts";
import { bundlerFile, esbuildFile } from "./addon-file.ts";
import { connect, Glovebox } from "./connect.ts";
import { GloveboxError } from "./errors.ts";
import { defaultCacheFolder, PackageCache } from "./package-cache.ts";
import { checkUrl, Registry, RegistryForWorker, registryUrl } from "./registry.ts";

// Measured: 160 MiB with hono, of which esbuild itself has a third, and several times that with packages of many megabytes.
const LIMITS = { memoryMb: 768, cpuMs: 60_000, wallMs: 300_000, startupCpuMs: 10_000 };
const CACHE_MB_MAX = 2048;
const NAME = "bundler";
// The files travel in one call.
const FILES_BYTES_MAX = 30 << 20;
const FILES_MAX = 20_000;
const TARGET = "es2022";

export interface FileSystem {
  read(path: string): string | null | undefined;
  list(prefix?: string): string[];
}

export interface CreateWorkerOptions {
  files: Record<string, string | Uint8Array> | FileSystem;
  entryPoint?: string;
  bundle?: boolean;
  externals?: string[];
  target?: string | string[];
  minify?: boolean;
  sourcemap?: boolean;
  registry?: string;
  jsx?: "transform" | "preserve" | "automatic";
  jsxImportSource?: string;
  define?: Record<string, string>;
  loader?: Record<string, string>;
  conditions?: string[];
  virtualModules?: Record<string, string>;
}

export interface CreateWorkerResult {
  mainModule: string;
  modules: Record<string, string | { js?: string; text?: string; data?: Uint8Array; wasm?: Uint8Array }>;
  wranglerConfig?: { main?: string; compatibilityDate?: string; compatibilityFlags?: string[] };
  warnings?: string[];
}

export interface BundlerOptions {
  // Absent: a supervisor of its own.
  glovebox?: Glovebox;
  // Where packages are kept. Absent: glovebox/packages in the user's cache folder.
  cacheFolder?: string;
  // How much of them, in MiB. Absent: 2,048.
  cacheMbMax?: number;
}

export interface BundleMessage {
  text: string;
  file: string;
  line: number;
  column: number;
  lineText: string;
}

// The project is wrong, or a package of it.
export class BundleError extends Error {
  readonly errors: BundleMessage[];
  constructor(errors: BundleMessage[]) {
    super(errors.map(worded).join("\n"));
    this.errors = errors;
  }
}
Object.defineProperty(BundleError.prototype, "name", { value: "BundleError", writable: true, configurable: true });

export class Bundler {
  readonly #given: Glovebox | undefined;
  readonly #cache: PackageCache;
  readonly #registries = new Map<string, Registry>();
  #own: Promise<Glovebox> | undefined;
  #loader: Promise<WorkerLoader> | undefined;
  // One project after the other: calls that overlap in a worker would end together at a limit, one for the fault of another.
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: BundlerOptions = {}) {
    checkNames(options, ["glovebox", "cacheFolder", "cacheMbMax"], "createBundler()");
    const { glovebox, cacheFolder, cacheMbMax = CACHE_MB_MAX } = options;
    if (glovebox !== undefined && !(glovebox instanceof Glovebox)) throw wrong("glovebox", "what connect() gives", glovebox);
    if (cacheFolder !== undefined && (typeof cacheFolder !== "string" || cacheFolder === "")) throw wrong("cacheFolder", "the path of a folder", cacheFolder);
    if (!Number.isSafeInteger(cacheMbMax) || cacheMbMax < 1) throw wrong("cacheMbMax", "a whole number of MiB, at least 1", cacheMbMax);
    this.#given = glovebox;
    this.#cache = new PackageCache(cacheFolder ?? defaultCacheFolder(), cacheMbMax * 2 ** 20);
  }

  async createWorker(options: CreateWorkerOptions): Promise<CreateWorkerResult> {
    const request = checkOptions(options);
    const registry = new RegistryForWorker(this.#registry(options.registry));
    const made = this.#last.then(() => this.#create(request, registry));
    this.#last = made.catch(() => {});
    return made;
  }

  // Ends its worker, and its supervisor if that is its own. The next createWorker() is refused.
  async close(): Promise<void> {
    this.#closed = true;
    const own = await this.#own?.catch(() => undefined);
    if (own !== undefined) await own.close();
    else await (await this.#loader?.catch(() => undefined))?.delete(NAME).catch(() => {});
  }
  async [Symbol.asyncDispose](): Promise<void> { await this.close(); }

  #registry(url: string | undefined): Registry {
    const key = url ?? "";
    let registry = this.#registries.get(key);
    if (registry === undefined) this.#registries.set(key, registry = new Registry(() => registryUrl(url), this.#cache));
    return registry;
  }

  async #create(request: object, registry: RegistryForWorker): Promise<CreateWorkerResult> {
    if (this.#closed) throw new GloveboxError("disconnected", "This Bundler was closed.");
    const loader = await (this.#loader ??= this.#open());
    const worker = loader.get(NAME, () => ({
      compatibilityDate: "2026-03-01",
      mainModule: "bundler.js",
      modules: { "bundler.js": readFileSync(bundlerFile(), "utf8"), "esbuild.wasm": { wasm: readFileSync(esbuildFile()) } },
      globalOutbound: null,
    }));
    let answer: unknown;
    try {
      const entrypoint = worker.getEntrypoint() as { create(request: object): Promise<unknown> };
      answer = await entrypoint.create({ ...request, registry });
    } catch (error) {
      // Whatever state it is in: the next project gets another.
      if (!(error instanceof GloveboxError && error.code === "disconnected")) await loader.abort(NAME).catch(() => {});
      if (error instanceof GloveboxError) throw new GloveboxError(error.code, `The project could not be bundled: ${error.message}`);
      throw new Error(`The project could not be bundled: ${error instanceof Error ? error.message : "the worker that does it threw something."}`);
    }
    return checkAnswer(answer);
  }

  async #open(): Promise<WorkerLoader> {
    try {
      const glovebox = this.#given ?? await (this.#own ??= connect({ console: "ignore", supervisor: { poolSize: 1, codeCacheMbMax: 0, limits: LIMITS } }));
      // When the supervisor is lost, the next project gets another.
      if (this.#given === undefined) void glovebox.closed.then(() => { this.#own = this.#loader = undefined; });
      return glovebox.createLoader({ limits: LIMITS });
    } catch (error) {
      this.#own = this.#loader = undefined;
      throw error;
    }
  }
}

let shared: Bundler | undefined;

// By a Bundler that all of this program share.
export async function createWorker(options: CreateWorkerOptions): Promise<CreateWorkerResult> {
  return (shared ??= new Bundler()).createWorker(options);
}

export function createBundler(options?: BundlerOptions): Bundler { return new Bundler(options); }

// -- What is given ---------------------------------------------------------------------------------------------------------------

const OPTIONS = [
  "files", "entryPoint", "bundle", "externals", "target", "minify", "sourcemap", "registry", "jsx", "jsxImportSource", "define", "loader", "conditions",
  "virtualModules",
];
const PLUGINS = "__dangerouslyUseEsBuildPluginsDoNotUseOrYouWillBeFired";
const LOADERS = ["js", "jsx", "ts", "tsx", "json", "css", "text", "binary", "base64", "dataurl"];

function checkOptions(options: CreateWorkerOptions): object {
  if (typeof options !== "object" || options === null) throw new TypeError("createWorker() expects an object such as { files: { \"src/index.ts\": \"...\" } }.");
  if ((options as unknown as Record<string, unknown>)[PLUGINS] !== undefined) {
    throw new TypeError(`createWorker() has no \`${PLUGINS}\`: plugins are functions of this program, and bundling is done in a worker that cannot reach it. \`virtualModules\` may do.`);
  }
  checkNames(options, OPTIONS, "createWorker()");
  const { entryPoint, bundle, externals, target, minify, sourcemap, registry, jsx, jsxImportSource, define, loader, conditions, virtualModules } = options;
  for (const [name, value] of Object.entries({ entryPoint, registry, jsxImportSource })) {
    if (value !== undefined && (typeof value !== "string" || value === "")) throw wrong(name, "a text", value);
  }
  for (const [name, value] of Object.entries({ bundle, minify, sourcemap })) {
    if (value !== undefined && typeof value !== "boolean") throw wrong(name, "true or false", value);
  }
  if (registry !== undefined) checkUrl(registry, "The option `registry`");
  if (jsx !== undefined && !["transform", "preserve", "automatic"].includes(jsx)) throw wrong("jsx", '"transform", "preserve" or "automatic"', jsx);
  const loaders = pairs("loader", loader);
  for (const [ending, kind] of loaders) {
    if (!/^\.[\w.-]+$/.test(ending) || !LOADERS.includes(kind)) throw wrong("loader", `endings such as ".svg", each with one of ${LOADERS.join(", ")}`, `${ending}: ${kind}`);
  }
  return {
    files: checkFiles(options.files),
    entryPoint: entryPoint ?? null,
    bundle: bundle ?? true,
    options: {
      externals: list("externals", externals),
      target: typeof target === "string" ? target : target === undefined ? TARGET : list("target", target).join(","),
      minify: minify ?? false,
      sourcemap: sourcemap ?? false,
      jsx: jsx ?? null,
      jsxImportSource: jsxImportSource ?? null,
      define: pairs("define", define),
      loader: loaders,
      conditions: conditions === undefined ? ["workerd", "worker", "browser"] : list("conditions", conditions),
      virtualModules: pairs("virtualModules", virtualModules),
    },
  };
}

function checkFiles(files: unknown): [string, string | Uint8Array][] {
  if (typeof files !== "object" || files === null) throw wrong("files", "an object of texts by path", files);
  const checked = new Map<string, string | Uint8Array>();
  let bytes = 0;
  for (const [path, body] of "list" in files && typeof files.list === "function" ? listed(files as FileSystem) : Object.entries(files as object)) {
    const name = path.split("/").filter((part) => part !== "" && part !== ".").join("/");
    if (name === "" || name.split("/").includes("..") || /[\0\\]/.test(name)) {
      throw new TypeError(`createWorker(): ${JSON.stringify(path)} is no path of a file in a project; expected one such as "src/index.ts".`);
    }
    if (typeof body !== "string" && !(body instanceof Uint8Array)) throw new TypeError(`createWorker(): the file "${path}" is ${typeof body}, expected its text, or its bytes as a Uint8Array.`);
    if (checked.has(name)) throw new TypeError(`createWorker(): the file "${name}" is there twice.`);
    // A copy, and not of all that shares its buffer.
    checked.set(name, typeof body === "string" ? body : new Uint8Array(body));
    bytes += name.length + (typeof body === "string" ? Buffer.byteLength(body) : body.length);
  }
  if (checked.size > FILES_MAX) throw new RangeError(`createWorker(): a project may have ${FILES_MAX} files, this has ${checked.size}.`);
  if (bytes > FILES_BYTES_MAX) throw new RangeError(`createWorker(): the files of a project may have ${FILES_BYTES_MAX >> 20} MiB, these have ${bytes} bytes. Leave out what is not imported, and let packages come from the registry.`);
  return [...checked];
}

function* listed(files: FileSystem): Iterable<[string, unknown]> {
  for (const path of files.list()) yield [path, files.read(path)];
}

function list(name: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string" && item !== "")) throw wrong(name, "an array of texts", value);
  return value as string[];
}

function pairs(name: string, value: unknown): [string, string][] {
  if (value === undefined) return [];
  const pairs = typeof value === "object" && value !== null ? Object.entries(value) : [["", undefined]];
  if (!pairs.every((pair): pair is [string, string] => typeof pair[1] === "string")) throw wrong(name, "an object of texts", value);
  return pairs as [string, string][];
}

function checkNames(options: object, names: string[], what: string): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`${what} knows no option \`${name}\`; there are: ${names.join(", ")}.`);
  }
}

function wrong(name: string, expected: string, got: unknown): TypeError {
  const shown = got === null ? "null" : typeof got === "string" ? JSON.stringify(got) : Array.isArray(got) ? "an array" : typeof got === "object" ? "an object" : String(got);
  return new TypeError(`The option \`${name}\` is ${shown}, expected ${expected}.`);
}

// -- What the worker says, which is checked ----------------------------------------------------------------------------------------

type Fields = Record<string, unknown>;

function checkAnswer(answer: unknown): CreateWorkerResult {
  const { problems, mainModule, modules, warnings, wrangler } = fieldsOf(answer);
  if (problems !== undefined) throw new BundleError(messagesOf(problems, 1));
  if (!Array.isArray(modules) || modules.length === 0) throw unusable();
  const checked: CreateWorkerResult["modules"] = {};
  for (const module of modules) {
    if (!Array.isArray(module)) throw unusable();
    const [name, kind, body] = module as unknown[];
    if (typeof name !== "string" || name === "" || name.length > 1024 || Object.hasOwn(checked, name)) throw unusable();
    // Not by assignment: a module may be called `__proto__`.
    Object.defineProperty(checked, name, { value: moduleOf(name, kind, body), writable: true, enumerable: true, configurable: true });
  }
  if (typeof mainModule !== "string" || !Object.hasOwn(checked, mainModule)) throw unusable();
  const config = wrangler === null ? undefined : wranglerOf(wrangler);
  const said = messagesOf(warnings, 0).map(worded);
  return { mainModule, modules: checked, ...(config === undefined ? {} : { wranglerConfig: config }), ...(said.length === 0 ? {} : { warnings: said }) };
}

function moduleOf(name: string, kind: unknown, body: unknown): CreateWorkerResult["modules"][string] {
  if ((kind === "js" || kind === "text") && typeof body === "string") return kind === "text" ? { text: body } : name.endsWith(".js") ? body : { js: body };
  if ((kind === "data" || kind === "wasm") && body instanceof Uint8Array) return { [kind]: body };
  throw unusable();
}

function wranglerOf(value: unknown): NonNullable<CreateWorkerResult["wranglerConfig"]> {
  const { main, compatibilityDate, compatibilityFlags } = fieldsOf(value);
  return {
    ...(typeof main === "string" ? { main } : {}),
    ...(typeof compatibilityDate === "string" ? { compatibilityDate } : {}),
    ...(Array.isArray(compatibilityFlags) && compatibilityFlags.every((flag) => typeof flag === "string") ? { compatibilityFlags } : {}),
  };
}

function messagesOf(value: unknown, least: number): BundleMessage[] {
  if (!Array.isArray(value) || value.length < least) throw unusable();
  return value.map((message) => {
    const { text, file, line, column, lineText } = fieldsOf(message);
    if (typeof text !== "string" || typeof file !== "string" || !isPosition(line) || !isPosition(column) || typeof lineText !== "string") throw unusable();
    return { text, file, line, column, lineText };
  });
}

function isPosition(value: unknown): value is number { return Number.isSafeInteger(value) && (value as number) >= 0; }
function fieldsOf(value: unknown): Fields { return typeof value === "object" && value !== null ? value as Fields : {}; }

// "src/index.ts:3:15: Unexpected token" and the line with a mark below.
function worded({ text, file, line, column, lineText }: BundleMessage): string {
  const place = file === "" ? "" : line > 0 ? `${file}:${line}:${column}: ` : `${file}: `;
  const shown = lineText === "" ? "" : `\n    ${lineText}\n    ${lineText.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, " ")}^`;
  return place + text + shown;
}

function unusable(): GloveboxError { return new GloveboxError("protocolViolation", "The worker that bundles gave no usable answer."); }
