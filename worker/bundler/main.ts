// The Worker that bundles: a project's files and the packages that it needs become modules to be loaded. All parsing of what nobody has
// reviewed happens here, in a jailed process: sources, package.json, lock files, registry documents, tarballs. Its only capability is the
// registry that the caller hands it with each request (client/src/registry.ts); it has no network, no file, and keeps nothing on a disk.
//
// What it answers is as good as what it was given, and the caller takes it as such: names, kinds and texts of modules.

import { bundle, transform } from "./bundle.ts";
import type { Bundle, Options } from "./bundle.ts";
import { files } from "./esbuild.ts";
import { install } from "./install.ts";
import { missingPackages, neededPackages, presentPackages } from "./local.ts";
import { Packages } from "./packages.ts";
import type { Registry } from "./packages.ts";
import { Problem } from "./problem.ts";
import type { Message } from "./problem.ts";
import { readProject } from "./project.ts";
import type { WranglerConfig } from "./project.ts";

// Objects of the language are as they were for every project to come, whatever a text makes a parser do.
for (const intrinsic of [Object, Function, Array, String, RegExp, Map, Set, Promise, Uint8Array]) {
  Object.freeze(intrinsic);
  Object.freeze(intrinsic.prototype);
}

interface Request {
  // Normal relative paths. An array, so that no name means anything else.
  files: [name: string, body: string | Uint8Array][];
  entryPoint: string | null;
  bundle: boolean;
  options: Options;
  // Whether the bundle's map is wanted.
  wantsMap: boolean;
  registry: Registry | null;
  // Packages lie in the project's folder: those that were needed and are not there; and names of packages that lie elsewhere.
  absent?: string[];
  links?: [name: string, target: string][];
  // Whether there is a registry for dependencies that are not there, to be had with the next request.
  mayInstall?: boolean;
}

// `needed`: folders of packages, to be given with the next request if they are there. `missing`: dependencies that are not, for which a registry is.
type Answer = Omit<Bundle, "unresolved" | "map" | "mapFile"> & { wrangler: WranglerConfig | null; map: string | null; mapFile: string | null } | { problems: Message[] } | Wanting;
type Wanting = { needed: string[] } | { missing: string[] };

const PROBLEMS_SHOWN_MAX = 20;

const packages = new Packages();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// There is one esbuild, and its files are one project's: who comes meanwhile waits.
let last: Promise<unknown> = Promise.resolve();

export default {
  create(request: Request): Promise<Answer> {
    const created = last.then(() => create(request));
    last = created.catch(() => {});
    return created;
  },
};

async function create(request: Request): Promise<Answer> {
  const { registry } = request;
  const absent = request.absent === undefined ? undefined : new Set(request.absent);
  let missing: string[] = [];
  // What is to be asked for again with more; nothing where the registry has all.
  const wanting = (messages: readonly Message[]): Wanting | undefined => {
    const needed = absent === undefined ? [] : neededPackages(messages, absent);
    if (needed.length > 0) return { needed };
    return missing.length > 0 && registry === null && request.mayInstall === true ? { missing } : undefined;
  };
  try {
    const given = new Map(request.files);
    const text = (name: string) => {
      const body = given.get(name);
      return typeof body === "object" ? decoder.decode(body) : body;
    };
    const project = readProject(text, request.entryPoint);
    // Where nothing is installed, they mean nothing.
    const warnings = request.bundle && registry !== null ? project.warnings : [];
    for (const [name, body] of given) files.add("/" + name, typeof body === "string" ? encoder.encode(body) : body);
    for (const [name, target] of request.links ?? []) files.link("/" + name, "/" + target);
    if (absent !== undefined) missing = missingPackages(project.manifest, absent);
    // Packages that came along are there; nothing is added to them.
    const isInstalled = absent === undefined && [...given.keys()].some((name) => name.startsWith("node_modules/"));
    if (request.bundle && registry !== null && !isInstalled && (absent === undefined ? project.manifest.dependencies.size : missing.length) > 0) {
      const present = absent === undefined ? undefined : { wanted: new Set(missing), versions: presentPackages(given.keys(), request.links ?? []) };
      const installed = await install(project.manifest, project.lock, packages, registry, warnings, present);
      for (const [path, of] of installed) for (const [name, body] of of) files.add(`/${path}/${name}`, body);
    }
    const made = await (request.bundle ? bundle(project.entry, request.options, absent === undefined ? "registry" : "folder", request.wantsMap) : transform(project.entry, request.options));
    return wanting(made.unresolved) ??
      { mainModule: made.mainModule, modules: made.modules, warnings: [...warnings.map((text) => ({ text, file: "", line: 0, column: 0, lineText: "" })), ...made.warnings], wrangler: project.wrangler ?? null, map: made.map ?? null, mapFile: made.mapFile ?? null };
  } catch (error) {
    if (error instanceof Problem) return wanting(error.messages) ?? { problems: error.messages.slice(0, PROBLEMS_SHOWN_MAX) };
    // Go does not survive a stack that overflows; whoever asked ends this worker when it throws.
    throw error instanceof RangeError ? new Error("Something in it, or in a package that it needs, is nested too deeply or too large.") : error;
  } finally {
    files.clear();
  }
}
