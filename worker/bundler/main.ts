// The Worker that bundles: a project's files and the packages that it needs become modules to be loaded. All parsing of what nobody has
// reviewed happens here, in a jailed process: sources, package.json, lock files, registry documents, tarballs. Its only capability is the
// registry that the caller hands it with each request (client/src/registry.ts); it has no network, no file, and keeps nothing on a disk.
//
// What it answers is as good as what it was given, and the caller takes it as such: names, kinds and texts of modules.

import { bundle, transform } from "./bundle.ts";
import type { Bundle, Options } from "./bundle.ts";
import { files } from "./esbuild.ts";
import { install } from "./install.ts";
import { neededPackages } from "./local.ts";
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
  // Null: packages lie in the project's folder.
  registry: Registry | null;
  // Then: packages that were needed, and are not there; and names of packages that lie elsewhere.
  absent?: string[];
  links?: [name: string, target: string][];
}

// `needed`: folders of packages, to be given with the next request if they are there.
type Answer = Omit<Bundle, "unresolved" | "map" | "mapFile"> & { wrangler: WranglerConfig | null; map: string | null; mapFile: string | null } | { problems: Message[] } | { needed: string[] };

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
  try {
    const given = new Map(request.files);
    const text = (name: string) => {
      const body = given.get(name);
      return typeof body === "object" ? decoder.decode(body) : body;
    };
    const project = readProject(text, request.entryPoint);
    // Where nothing is installed, they mean nothing.
    const warnings = request.bundle && request.registry !== null ? project.warnings : [];
    for (const [name, body] of given) files.add("/" + name, typeof body === "string" ? encoder.encode(body) : body);
    for (const [name, target] of request.links ?? []) files.link("/" + name, "/" + target);
    // Packages that came along are there; nothing is added to them.
    const isInstalled = [...given.keys()].some((name) => name.startsWith("node_modules/"));
    const { registry } = request;
    if (request.bundle && registry !== null && !isInstalled && project.manifest.dependencies.size > 0) {
      const installed = await install(project.manifest, project.lock, packages, registry, warnings);
      for (const [path, of] of installed) for (const [name, body] of of) files.add(`/${path}/${name}`, body);
    }
    const made = await (request.bundle ? bundle(project.entry, request.options, registry === null ? "folder" : "registry", request.wantsMap) : transform(project.entry, request.options));
    const needed = registry === null ? neededPackages(made.unresolved, new Set(request.absent)) : [];
    if (needed.length > 0) return { needed };
    return { mainModule: made.mainModule, modules: made.modules, warnings: [...warnings.map((text) => ({ text, file: "", line: 0, column: 0, lineText: "" })), ...made.warnings], wrangler: project.wrangler ?? null, map: made.map ?? null, mapFile: made.mapFile ?? null };
  } catch (error) {
    if (error instanceof Problem) {
      const needed = request.registry === null ? neededPackages(error.messages, new Set(request.absent)) : [];
      return needed.length > 0 ? { needed } : { problems: error.messages.slice(0, PROBLEMS_SHOWN_MAX) };
    }
    // Go does not survive a stack that overflows; whoever asked ends this worker when it throws.
    throw error instanceof RangeError ? new Error("Something in it, or in a package that it needs, is nested too deeply or too large.") : error;
  } finally {
    files.clear();
  }
}
