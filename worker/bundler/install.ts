// Which packages a project needs, and where each of them lies: as npm would install them, from the ranges in package.json, or exactly what a
// package-lock.json says. Nothing of a package is run, ever: there are no install scripts here.

import maxSatisfying from "semver/ranges/max-satisfying.js";
import satisfies from "semver/functions/satisfies.js";
import validRange from "semver/ranges/valid.js";
import type { PackageFiles, Packages, Registry, Version } from "./packages.ts";
import type { Present } from "./local.ts";
import { entries, fields, readVersion, texts } from "./packages.ts";
import { problem } from "./problem.ts";

// A package where it lies: "node_modules/a/node_modules/b".
export interface Placed {
  readonly path: string;
  readonly name: string;      // in the registry; the folder's may be another
  readonly version: string;
  readonly integrity: string;
  readonly url: string | null;
  readonly optional: boolean;
}

const PACKAGES_MAX = 3_000;
const ALL_UNPACKED_BYTES_MAX = 256 << 20;
const DOWNLOADS = 12;   // at once

export interface Manifest {
  readonly dependencies: Map<string, string>;
  readonly optional: ReadonlySet<string>;
}

// What is installed beside packages that lie there already, and stay as they are.
export interface Beside {
  readonly wanted: ReadonlySet<string>;                // of the dependencies
  readonly versions: ReadonlyMap<string, Present>;     // what lies there, by folder
}

export async function install(manifest: Manifest, lock: unknown, packages: Packages, registry: Registry, warnings: string[], beside?: Beside): Promise<Map<string, PackageFiles>> {
  const placed = lock === undefined ? await new Tree(packages, registry, warnings).resolve(manifest, beside) : locked(manifest, lock, warnings, beside);
  const installed = new Map<string, PackageFiles>();
  let size = 0;
  const pending = placed.slice();
  await Promise.all(Array.from({ length: DOWNLOADS }, async () => {
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      let files: PackageFiles;
      try {
        files = await packages.files(registry, next.name, next.version, next.integrity, next.url);
      } catch (error) {
        if (next.optional) {
          warnings.push(`The optional package ${next.name}@${next.version} is left out: ${(error as Error).message}`);
          continue;
        }
        pending.length = 0;
        throw error;
      }
      for (const body of files.values()) size += body.length;
      if (size > ALL_UNPACKED_BYTES_MAX) throw problem(`The packages of this project have more than ${ALL_UNPACKED_BYTES_MAX >> 20} MiB when they are unpacked.`);
      installed.set(next.path, files);
    }
  }));
  return installed;
}

// -- From ranges ---------------------------------------------------------------------------------------------------------------

interface Node {
  readonly path: string;           // "": the project
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  readonly label: string;          // for errors
  readonly name: string;
  readonly version: Version | undefined;
}

class Tree {
  readonly #packages: Packages;
  readonly #registry: Registry;
  readonly #warnings: string[];
  readonly #placed: Placed[] = [];

  constructor(packages: Packages, registry: Registry, warnings: string[]) {
    this.#packages = packages;
    this.#registry = registry;
    this.#warnings = warnings;
  }

  // Level by level, and by name within one, so that what is placed where does not depend on who answers first.
  async resolve(manifest: Manifest, beside: Beside | undefined): Promise<Placed[]> {
    const root: Node = { path: "", parent: undefined, children: new Map(), label: "package.json", name: "", version: undefined };
    for (const [folder, { name, version }] of beside?.versions ?? []) {
      root.children.set(folder, { path: `node_modules/${folder}`, parent: root, children: new Map(), label: `${name}@${version.version}`, name, version });
    }
    let level = wantedBy(root, manifest.dependencies, manifest.optional).filter(({ folder }) => beside?.wanted.has(folder) ?? true);
    while (level.length > 0) {
      await this.#prefetch(level);
      const next: Wanted[] = [];
      for (const wanted of level) {
        const node = await this.#place(wanted);
        if (node === undefined) continue;
        const { dependencies, optional, peers, bundled } = node.version!;
        next.push(...wantedBy(node, new Map([...dependencies].filter(([name]) => !bundled.has(name))), optional));
        // Who needs a peer gets one, beside it, as npm does.
        next.push(...wantedBy(node, peers, NONE).map((peer) => ({ ...peer, by: node.parent!, from: node, peer: true })));
      }
      level = next;
    }
    return this.#placed;
  }

  // All documents of a level at once; what fails is told when it is its turn.
  async #prefetch(level: Wanted[]): Promise<void> {
    const names = new Set<string>();
    for (const wanted of level) {
      const spec = parseSpec(wanted.folder, wanted.range);
      if (spec !== undefined && satisfying(wanted) === undefined) names.add(spec.name);
    }
    const pending = [...names];
    await Promise.all(Array.from({ length: DOWNLOADS }, async () => {
      for (let name = pending.shift(); name !== undefined; name = pending.shift()) await this.#document(name).catch(() => {});
    }));
  }

  // Once for each project, so that it is of one mind.
  readonly #documents = new Map<string, ReturnType<Packages["packument"]>>();
  #document(name: string): ReturnType<Packages["packument"]> {
    let document = this.#documents.get(name);
    if (document === undefined) this.#documents.set(name, document = this.#packages.packument(this.#registry, name));
    return document;
  }

  async #place(wanted: Wanted): Promise<Node | undefined> {
    if (satisfying(wanted) !== undefined) return undefined;
    const { folder, range, by, from, optional } = wanted;
    const spec = parseSpec(folder, range);
    try {
      if (spec === undefined) {
        throw problem(`The dependency "${folder}": "${range}" of ${from.label} is none on a registry; there are versions, ranges, tags and "npm:" names. ` +
          "Give its files in `files` instead, below node_modules/.");
      }
      const packument = await this.#document(spec.name);
      const version = pick(packument, spec.range);
      if (version === undefined) {
        const all = [...packument.versions.keys()];
        throw problem(`There is no version of "${spec.name}" for "${spec.range}", which ${from.label} asks for. ` +
          (all.length === 0 ? "There is none at all." : `There are ${all.length}, the latest is ${packument.tags.get("latest") ?? all.at(-1)}.`));
      }
      if (optional && version.platform) return undefined;
      if (version.integrity === undefined) throw problem(`The registry gives no integrity hash for ${spec.name}@${version.version}, so nobody can say whether it is what was published.`);
      if (this.#placed.length >= PACKAGES_MAX) throw problem(`This project needs more than ${PACKAGES_MAX} packages.`);
      const at = placeFor(folder, by);
      if (at === undefined) throw problem(`${from.label} needs "${folder}" as "${range}" beside it, and another version is there already.`);
      return this.#put(folder, at, spec.name, version, version.integrity, optional);
    } catch (error) {
      if (!optional && !wanted.peer) throw error;
      this.#warnings.push(`The ${optional ? "optional" : "peer"} dependency "${folder}" of ${from.label} is left out: ${(error as Error).message}`);
      return undefined;
    }
  }

  #put(folder: string, at: Node, name: string, version: Version, integrity: string, optional: boolean): Node {
    const path = `${at.path === "" ? "" : at.path + "/"}node_modules/${folder}`;
    const node: Node = { path, parent: at, children: new Map(), label: `${name}@${version.version}`, name, version };
    at.children.set(folder, node);
    this.#placed.push({ path, name, version: version.version, integrity, url: version.url ?? null, optional });
    return node;
  }
}

interface Wanted {
  readonly folder: string;
  readonly range: string;
  readonly by: Node;      // where it is looked for
  readonly from: Node;    // who says so
  readonly optional: boolean;
  readonly peer: boolean;
}

// With the project, where everybody sees it, or, where something else of that name would be hidden by it, with who needs it. Nothing in
// between: somebody there could have found the other one already.
function placeFor(folder: string, by: Node): Node | undefined {
  let top = by;
  let free = !by.children.has(folder);
  for (; top.parent !== undefined; top = top.parent) free &&= !top.parent.children.has(folder);
  return free ? top : by.children.has(folder) ? undefined : by;
}

const NONE: ReadonlySet<string> = new Set();

function wantedBy(by: Node, dependencies: ReadonlyMap<string, string>, optional: ReadonlySet<string>): Wanted[] {
  return [...dependencies].sort(([a], [b]) => a < b ? -1 : 1).map(([folder, range]) => ({ folder, range, by, from: by, optional: optional.has(folder), peer: false }));
}

// What an import of it finds there now, if that will do.
function satisfying({ folder, range, by }: Wanted): Node | undefined {
  for (let at: Node | undefined = by; at !== undefined; at = at.parent) {
    const found = at.children.get(folder);
    if (found === undefined) continue;
    const spec = parseSpec(folder, range);
    if (spec === undefined || spec.name !== found.name) return undefined;
    const { version } = found.version!;
    // A tag is met by what is there.
    return validRange(spec.range) === null || satisfies(version, spec.range, { loose: true }) ? found : undefined;
  }
  return undefined;
}

// Undefined: a folder, a repository, an address.
function parseSpec(folder: string, range: string): { name: string; range: string } | undefined {
  const alias = /^npm:(@?[^@]+)(?:@(.*))?$/.exec(range);
  if (alias !== null) return { name: alias[1]!, range: alias[2] ?? "*" };
  return range.includes(":") || range.includes("/") ? undefined : { name: folder, range: range.trim() };
}

// As npm picks: the tag; what is tagged as latest, if it will do; the highest that is not deprecated; the highest.
function pick({ tags, versions }: { tags: ReadonlyMap<string, string>; versions: ReadonlyMap<string, Version> }, range: string): Version | undefined {
  const loose = { loose: true };
  if (validRange(range, loose) === null) return versions.get(tags.get(range) ?? "");
  const latest = tags.get("latest");
  if (latest !== undefined && versions.has(latest) && satisfies(latest, range, loose)) return versions.get(latest);
  const all = [...versions.keys()];
  const found = maxSatisfying(all.filter((version) => !versions.get(version)!.deprecated), range, loose) ?? maxSatisfying(all, range, loose);
  return found === null ? undefined : versions.get(found);
}

// -- From a lock file ------------------------------------------------------------------------------------------------------------

const LOCK = "package-lock.json";

function locked(manifest: Manifest, lock: unknown, warnings: string[], beside: Beside | undefined): Placed[] {
  const { lockfileVersion, packages } = fields(lock);
  if (lockfileVersion !== 2 && lockfileVersion !== 3) {
    throw problem(`The lock file has the version ${JSON.stringify(lockfileVersion)}, expected 2 or 3. npm 7 or newer writes these.`, LOCK);
  }
  const all = fields(packages);
  const root = fields(Object.hasOwn(all, "") ? all[""] : undefined);
  const said = texts(root.dependencies);
  for (const [name, range] of texts(root.optionalDependencies)) said.set(name, range);
  for (const name of new Set([...said.keys(), ...manifest.dependencies.keys()])) {
    const here = manifest.dependencies.get(name), there = said.get(name);
    if (here === there) continue;
    throw problem(`The lock file is of another package.json: the dependency "${name}" is ${there === undefined ? "missing" : `"${there}"`} in it, and ` +
      `${here === undefined ? "missing" : `"${here}"`} there. \`npm install\` writes it anew; without it, versions are chosen by the ranges.`, LOCK);
  }
  const placed: Placed[] = [];
  for (const [path, value] of entries(packages).sort(([a], [b]) => a < b ? -1 : 1)) {
    const entry = fields(value);
    if (path === "" || entry.dev === true || entry.inBundle === true) continue;
    if (entry.link === true || !path.startsWith("node_modules/")) {
      warnings.push(`${LOCK}: "${path}" is a folder of a workspace and left out; give its files in \`files\`, below node_modules/.`);
      continue;
    }
    if (path.split("/").some((part) => part === "" || part === "." || part === "..")) throw problem(`"${path}" is no place for a package.`, LOCK);
    const optional = entry.optional === true || entry.devOptional === true;
    if (optional && ["os", "cpu", "libc"].some((field) => Array.isArray(entry[field]))) continue;
    const folder = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const { name, version, integrity, resolved } = entry;
    if (typeof version !== "string") throw problem(`"${path}" has no version.`, LOCK);
    if (typeof integrity !== "string") throw problem(`"${path}" has no integrity hash.`, LOCK);
    if (placed.length >= PACKAGES_MAX) throw problem(`The lock file has more than ${PACKAGES_MAX} packages.`, LOCK);
    placed.push({ path, name: typeof name === "string" ? name : folder, version, integrity, url: typeof resolved === "string" ? resolved : null, optional });
  }
  for (const name of manifest.dependencies.keys()) {
    if (!manifest.optional.has(name) && !Object.hasOwn(all, `node_modules/${name}`)) throw problem(`The package "${name}" is not in the lock file.`, LOCK);
  }
  return beside === undefined ? placed : neededBeside(placed, all, beside);
}

// Of a lock file's packages those that the wanted ones need and that do not lie there.
function neededBeside(placed: Placed[], all: Record<string, unknown>, { wanted, versions }: Beside): Placed[] {
  const byPath = new Map(placed.map((one) => [one.path, one]));
  const needed = new Set<Placed>();
  const find = (from: string, name: string): Placed | undefined => {
    for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
      const found = byPath.get(`${folder === "" ? "" : folder + "/"}node_modules/${name}`);
      if (found !== undefined || folder === "") return found;
    }
  };
  const pending = [...wanted].map((name) => find("", name));
  for (let next = pending.shift(); next !== undefined || pending.length > 0; next = pending.shift()) {
    if (next === undefined || needed.has(next)) continue;
    const present = versions.get(next.path.slice("node_modules/".length));
    if (present !== undefined) {
      if (present.version.version === next.version) continue;
      throw problem(`node_modules has ${present.name}@${present.version.version}, and ${next.version} in the lock file, which a package that is not there needs. \`npm install\` makes them agree.`, LOCK);
    }
    needed.add(next);
    const { dependencies, peers } = readVersion(next.version, fields(all[next.path]));
    for (const name of [...dependencies.keys(), ...peers.keys()]) pending.push(find(next.path, name));
  }
  return placed.filter((one) => needed.has(one));
}
