// `glovebox/bundler`: what load() takes, out of a project's files and the npm packages that it needs. As @cloudflare/worker-bundler's, whose
// options these are; what is not theirs says so.

import type { Glovebox, WorkerModule } from "./index.d.ts";

/**
 * Bundles by a {@link Bundler} that all of this program share: `loader.load({ ...await createWorker({ files }), compatibilityDate })`.
 *
 * Dependencies of `package.json` are fetched from the package registry, by its ranges or exactly as a `package-lock.json` says; each tarball has to
 * have its integrity hash. No script of a package is run. Nothing of a project or a package is parsed in this program: a jailed worker does
 * that, which can reach the registry and nothing else. It is warm between projects, which are made one after the other.
 *
 * Rejects with a {@link BundleError} if something is wrong with the project, with a TypeError or RangeError for wrong options, and with a GloveboxError if
 * a limit was met (768 MiB, 60 seconds of CPU time).
 */
export function createWorker(options: CreateWorkerOptions): Promise<CreateWorkerResult>;

/** One more. Tenants that must not meet get one each: who took a bundler over, by a bug that parsing reaches, could change what it makes later. */
export function createBundler(options?: BundlerOptions): Bundler;

/** Not part of worker-bundler's API. */
export interface BundlerOptions {
  /**
   * Whose supervisor runs the worker. It needs limits of at least 512 MiB. Absent: one of its own in a child process, which starts with the first project and
   * does not keep a program from ending.
   */
  glovebox?: Glovebox | undefined;
  /**
   * Where what came from registries is kept: tarballs by their hash, checked when they are read. Programs may share it.
   * Absent: `glovebox/packages` in the user's cache folder (`XDG_CACHE_HOME`, or `~/.cache`).
   */
  cacheFolder?: string | undefined;
  /** How much of it, in MiB; beyond, what was not used for longest is deleted. Absent: 2,048. */
  cacheMbMax?: number | undefined;
}

export class Bundler implements AsyncDisposable {
  private constructor();
  createWorker(options: CreateWorkerOptions): Promise<CreateWorkerResult>;
  /** Ends the worker, and the supervisor if it is its own. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface CreateWorkerOptions {
  /**
   * The project, by path: `"src/index.ts"`. Bytes are not part of worker-bundler's API. If there are files below `node_modules/`, these are the
   * packages, and none is fetched. At most 30 MiB.
   */
  files: Record<string, string | Uint8Array> | FileSystem;
  /** Absent: `main` of wrangler's configuration; `exports`, `module`, `main` of package.json; `src/index.ts` and the like. */
  entryPoint?: string | undefined;
  /** Absent or true: one module. False: one for each file that is reached; types are stripped, packages are not resolved. */
  bundle?: boolean | undefined;
  /** What stays an import besides `cloudflare:*` and `node:*`: names, or patterns with a `*`. */
  externals?: string[] | undefined;
  /** What syntax may remain. Absent: `"es2022"`. */
  target?: string | string[] | undefined;
  minify?: boolean | undefined;
  /** True: a source map at the end of the bundle. */
  sourcemap?: boolean | undefined;
  /** The address of the package registry. Absent: npm's configuration. */
  registry?: string | undefined;
  jsx?: "transform" | "preserve" | "automatic" | undefined;
  jsxImportSource?: string | undefined;
  /** Expressions by what they replace. `process.env.NODE_ENV` is `"production"` unless it is here. */
  define?: Record<string, string> | undefined;
  /** By ending. Absent: what is usual; `.css`, `.txt`, `.html`, `.sql` and `.md` are texts, `.wasm` and `.bin` modules of their own. */
  loader?: Record<string, "js" | "jsx" | "ts" | "tsx" | "json" | "css" | "text" | "binary" | "base64" | "dataurl"> | undefined;
  /** Of `exports` in a package.json. Absent: `workerd`, `worker`, `browser`. */
  conditions?: string[] | undefined;
  /** JavaScript or TypeScript by the name that imports it. */
  virtualModules?: Record<string, string> | undefined;
}

/** Of worker-bundler's, what is used here. */
export interface FileSystem {
  read(path: string): string | null | undefined;
  list(prefix?: string): string[];
}

export interface CreateWorkerResult {
  mainModule: string;
  modules: Record<string, string | WorkerModule>;
  /** Of a wrangler.jsonc, .json or .toml among the files. */
  wranglerConfig?: { main?: string; compatibilityDate?: string; compatibilityFlags?: string[] };
  warnings?: string[];
}

/** The project is wrong, or a package that it needs. Not part of worker-bundler's API. */
export class BundleError extends Error {
  private constructor();
  /** At least one. The error's message has all of them. */
  readonly errors: BundleMessage[];
}

export interface BundleMessage {
  text: string;
  /** Empty: the place is not known. */
  file: string;
  /** From 1; 0: not known. */
  line: number;
  /** From 1, in UTF-16 units; 0: not known. */
  column: number;
  /** What stands there, if it is short enough to be shown. */
  lineText: string;
}
