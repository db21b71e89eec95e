// One module, and what it cannot hold, out of a project and its packages (bundle: true); or a module for each file that the entry reaches,
// with types stripped and imports led to what there is (bundle: false).

import type { BuildOptions, Plugin } from "./esbuild.ts";
import { files, read, run } from "./esbuild.ts";
import type { Message } from "./problem.ts";
import { Problem } from "./problem.ts";
import { parseJson } from "./project.ts";
import { findFile, joinPath, relativeTo } from "../typescript/module-paths.ts";

export type Kind = "js" | "text" | "data" | "wasm";
export type Module = [name: string, kind: Kind, body: string | Uint8Array];

export interface Options {
  externals: string[];
  target: string;
  minify: boolean;
  sourcemap: boolean;
  jsx: "transform" | "preserve" | "automatic" | null;
  jsxImportSource: string | null;
  define: [string, string][];
  loader: [string, string][];
  conditions: string[];
  virtualModules: [string, string][];
}

// Where packages come from.
export type Source = "registry" | "folder";

export interface Bundle {
  mainModule: string;
  modules: Module[];
  warnings: Message[];
  // Imports that lead nowhere where that is expected (`try { require("x") }`).
  unresolved: Message[];
  // Of the main module, for whoever shows its stacks: a source map without the sources' texts. Its sources are relative to `mapFile`.
  map?: string;
  mapFile?: string;
}

// What the runtime has, or tells by itself that it has not.
const ALWAYS_EXTERNAL = ["cloudflare:*", "node:*", "workerd:*"];

// Node's own modules by the names without `node:`, unless a package of that name is there.
const NODE_MODULES = [
  "assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto", "dgram", "diagnostics_channel", "dns", "domain", "events",
  "fs", "http", "http2", "https", "module", "net", "os", "path", "perf_hooks", "process", "punycode", "querystring", "readline", "repl", "stream",
  "string_decoder", "sys", "timers", "tls", "tty", "url", "util", "v8", "vm", "wasi", "worker_threads", "zlib",
];

const LOADERS: Record<string, "text" | "copy" | "js" | "jsx" | "ts" | "tsx" | "json"> = {
  ".js": "jsx", ".mjs": "js", ".cjs": "js", ".jsx": "jsx", ".ts": "ts", ".mts": "ts", ".cts": "ts", ".tsx": "tsx", ".json": "json",
  ".css": "text", ".txt": "text", ".html": "text", ".sql": "text", ".md": "text", ".wasm": "copy", ".bin": "copy",
};

const EXPECTED = "ignored-dynamic-import";

const MAIN = "bundle.js";
const FOLDER = "/:out";   // no file of a project lies there

export async function bundle(entry: string, options: Options, source: Source, wantsMap: boolean): Promise<Bundle> {
  const result = await attempt(source, () => run({
    ...common(options),
    entryPoints: [{ in: "/" + entry, out: MAIN.slice(0, -3) }],
    bundle: true,
    outdir: FOLDER,
    assetNames: "[name]-[hash]",
    external: [...ALWAYS_EXTERNAL, ...options.externals],
    alias: nodeAliases(),
    plugins: options.virtualModules.length === 0 ? [] : [virtualModules(options.virtualModules)],
    // One that is in the text serves both.
    ...(options.sourcemap ? { sourcemap: "inline" as const, sourcesContent: true } : wantsMap ? { sourcemap: "external" as const, sourcesContent: false } : {}),
  }));
  const modules: Module[] = [];
  let map: string | undefined;
  for (const { path, contents, text } of result.outputFiles) {
    const name = path.slice(FOLDER.length + 1);
    if (name === MAIN) modules.unshift([name, "js", text]);
    else if (name === MAIN + ".map") map = text;
    else if (name.endsWith(".wasm")) modules.push([name, "wasm", contents]);
    else if (!name.endsWith(".css")) modules.push([name, "data", contents]);
  }
  const isExpected = ({ id }: { id: string }) => id === EXPECTED;
  return {
    mainModule: MAIN, modules, warnings: result.warnings.filter((warning) => !isExpected(warning)).map(read), unresolved: result.warnings.filter(isExpected).map(read),
    ...(map === undefined ? {} : { map }), mapFile: `${FOLDER.slice(1)}/${MAIN}`,
  };
}

function common(options: Options): BuildOptions {
  return {
    format: "esm",
    platform: "browser",
    target: options.target.split(","),
    minify: options.minify,
    conditions: options.conditions,
    loader: { ...LOADERS, ...Object.fromEntries(options.loader) } as BuildOptions["loader"] & object,
    define: { "process.env.NODE_ENV": '"production"', ...Object.fromEntries(options.define) },
    ...(options.jsx === null ? {} : { jsx: options.jsx }),
    ...(options.jsxImportSource === null ? {} : { jsxImportSource: options.jsxImportSource }),
    legalComments: "none",
    treeShaking: true,
    logOverride: { [EXPECTED]: "warning" },
  };
}

function nodeAliases(): Record<string, string> {
  const aliases: Record<string, string> = {};
  for (const name of NODE_MODULES) if (!files.has(`/node_modules/${name}/package.json`)) aliases[name] = `node:${name}`;
  return aliases;
}

function virtualModules(modules: [string, string][]): Plugin {
  const texts = new Map(modules);
  return {
    name: "virtual-modules",
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(?:${[...texts.keys()].map(escape).join("|")})$`) }, ({ path }) => ({ path, namespace: "virtual" }));
      build.onLoad({ filter: /.*/, namespace: "virtual" }, ({ path }) => ({ contents: texts.get(path)!, loader: "ts", resolveDir: "/" }));
    },
  };
}

function escape(text: string): string { return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"); }

// With words about what to do.
async function attempt<T>(source: Source, build: () => Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    for (const message of error.messages) message.text = explain(message.text, source);
    throw error;
  }
}

function explain(text: string, source: Source): string {
  const specifier = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  if (specifier === undefined || /^[./#]/.test(specifier)) return text;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0];
  if (files.has(`/node_modules/${name}/package.json`)) return text;
  if (source === "folder") return `Could not resolve "${specifier}": the package "${name}" is in no node_modules folder of the project. Install it there: npm install ${name}`;
  return `Could not resolve "${specifier}": the package "${name}" is not among the dependencies in package.json. Add it there, or name it in \`externals\` if the worker gets it from elsewhere.`;
}

// -- bundle: false -----------------------------------------------------------------------------------------------------------------

const CODE = /\.(?:[cm]?[jt]s|[jt]sx)$/;

export async function transform(entry: string, options: Options): Promise<Bundle> {
  const modules: Module[] = [];
  const warnings: Message[] = [];
  const reached = new Set<string>([entry]);
  const isExternal = externalBy([...ALWAYS_EXTERNAL, ...options.externals]);
  const links: Plugin = {
    name: "links",
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        if (kind === "entry-point") return undefined;
        if (isExternal(path)) return { path, external: true };
        if (!/^\.{0,2}\//.test(path) && path !== "." && path !== "..") {
          return { errors: [{ text: `"${path}" is a package, and with \`bundle: false\` only files become modules. Leave that out, or name the package in \`externals\`.` }] };
        }
        const joined = joinPath(path, importer.slice(1));
        const found = joined === undefined ? undefined : findFile(joined, (candidate) => files.has("/" + candidate));
        if (found === undefined) return { errors: [{ text: `Could not resolve "${path}": there is no such file in \`files\`.` }] };
        reached.add(found);
        return { path: relativeTo(nameOf(found), importer.slice(1)), external: true };
      });
    },
  };
  const done = new Set<string>();
  for (;;) {
    const fresh = [...reached].filter((name) => !done.has(name)).sort();
    if (fresh.length === 0) break;
    for (const name of fresh) done.add(name);
    const code = fresh.filter((name) => CODE.test(name));
    for (const name of fresh) if (!CODE.test(name)) modules.push(asIs(name));
    if (code.length === 0) continue;
    const result = await attempt("registry", () => run({
      ...common(options),
      entryPoints: code.map((name) => ({ in: "/" + name, out: nameOf(name).slice(0, -3) })),
      bundle: true,
      outdir: FOLDER,
      plugins: [links],
    }));
    for (const { path, text } of result.outputFiles) modules.push([path.slice(FOLDER.length + 1), "js", text]);
    warnings.push(...result.warnings.filter(({ id }) => id !== EXPECTED).map(read));
  }
  modules.sort(([a], [b]) => a < b ? -1 : 1);
  return { mainModule: nameOf(entry), modules, warnings, unresolved: [] };
}

function nameOf(file: string): string { return file.replace(CODE, ".js"); }

function asIs(name: string): Module {
  const body = files.get("/" + name)!;
  const text = () => new TextDecoder().decode(body);
  if (name.endsWith(".json")) {
    parseJson(text(), name);
    return [name, "js", `export default JSON.parse(${JSON.stringify(text())});\n`];
  }
  if (name.endsWith(".wasm")) return [name, "wasm", body];
  return name.endsWith(".bin") ? [name, "data", body] : [name, "text", text()];
}

function externalBy(patterns: string[]): (path: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.split("*").map(escape).join(".*")}${pattern.includes("*") ? "" : "(?:/.*)?"}$`));
  return (path) => expressions.some((expression) => expression.test(path));
}
