// What the registry says, made small and kept: the next project mostly needs the same. Documents and tarballs come as bytes from the caller,
// who fetches and caches them and reads none (client/src/registry.ts).

import { membersOf, parse } from "./json-members.ts";
import { problem } from "./problem.ts";
import { unpack } from "./tarball.ts";

// The one capability of the bundler. It refuses what is not a name or a version.
export interface Registry {
  // The document of a package: as bytes, or null if it is the one with that tag still. Rejects if there is none.
  packument(name: string, tag: string | null): Promise<{ tag: string; body: Body | null }>;
  // Bytes with that hash. `url`: where the registry says that it is; it need not be believed.
  tarball(name: string, version: string, integrity: string, url: string | null): Promise<Body>;
}

// What is large comes as a stream.
type Body = Uint8Array | ReadableStream<Uint8Array>;

export interface Version {
  readonly version: string;
  readonly dependencies: ReadonlyMap<string, string>;
  readonly optional: ReadonlySet<string>;        // of these
  readonly peers: ReadonlyMap<string, string>;   // those that are not optional
  readonly bundled: ReadonlySet<string>;
  readonly integrity: string | undefined;
  readonly url: string | undefined;
  readonly deprecated: boolean;
  readonly platform: boolean;                    // it is for some operating systems or processors only
}

export interface Packument {
  readonly tags: ReadonlyMap<string, string>;
  readonly versions: ReadonlyMap<string, Version>;
}

export type PackageFiles = ReadonlyMap<string, Uint8Array>;

const PACKUMENTS_KEPT = 500;
const UNPACKED_KEPT_BYTES = 96 << 20;

export class Packages {
  readonly #packuments = new Map<string, { tag: string; packument: Packument }>();
  readonly #files = new Map<string, { files: PackageFiles; size: number }>();
  #size = 0;

  async packument(registry: Registry, name: string): Promise<Packument> {
    const known = this.#packuments.get(name);
    const { tag, body } = await asked(registry.packument(name, known?.tag ?? null));
    let packument = known?.packument;
    if (body !== null) packument = readPackument(await asked(whole(body)), name);
    if (packument === undefined) throw problem(`The registry's document of the package "${name}" did not come.`);
    this.#packuments.delete(name);
    this.#packuments.set(name, { tag, packument });
    if (this.#packuments.size > PACKUMENTS_KEPT) this.#packuments.delete(this.#packuments.keys().next().value!);
    return packument;
  }

  async files(registry: Registry, name: string, version: string, integrity: string, url: string | null): Promise<PackageFiles> {
    const known = this.#files.get(integrity);
    if (known !== undefined) {
      this.#files.delete(integrity);
      this.#files.set(integrity, known);
      return known.files;
    }
    const files = await unpack(await asked(registry.tarball(name, version, integrity, url).then(whole)), `${name}@${version}`);
    let size = 0;
    for (const body of files.values()) size += body.length;
    if (!this.#files.has(integrity)) {
      this.#files.set(integrity, { files, size });
      this.#size += size;
    }
    for (const [key, { size }] of this.#files) {
      if (this.#size <= UNPACKED_KEPT_BYTES) break;
      this.#files.delete(key);
      this.#size -= size;
    }
    return files;
  }
}

async function whole(body: Body): Promise<Uint8Array> {
  return body instanceof Uint8Array ? body : new Uint8Array(await new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

// What the registry refuses is wrong with the project.
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw problem(error instanceof Error ? error.message : "The registry failed.");
  }
}

function readPackument(body: Uint8Array, name: string): Packument {
  let tags = new Map<string, string>();
  const versions = new Map<string, Version>();
  try {
    for (const [member, value] of membersOf(body)) {
      if (member === "dist-tags") tags = texts(parse(value));
      if (member !== "versions") continue;
      for (const [version, manifest] of membersOf(value)) versions.set(version, readVersion(version, fields(parse(manifest))));
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw problem(`The registry's document of the package "${name}" is no JSON.`);
  }
  return { tags, versions };
}

// Of a manifest: of a registry's document, or of an entry in a lock file.
export function readVersion(version: string, manifest: Record<string, unknown>): Version {
  const optional = texts(manifest.optionalDependencies);
  const dependencies = texts(manifest.dependencies);
  for (const [name, range] of optional) dependencies.set(name, range);
  const peers = texts(manifest.peerDependencies);
  for (const [name, meta] of entries(manifest.peerDependenciesMeta)) if (fields(meta).optional === true) peers.delete(name);
  const bundled = manifest.bundleDependencies ?? manifest.bundledDependencies;
  const { integrity, tarball } = fields(manifest.dist);
  return {
    version, dependencies, optional: new Set(optional.keys()), peers,
    bundled: new Set(Array.isArray(bundled) ? bundled.filter((name) => typeof name === "string") : bundled === true ? dependencies.keys() : []),
    integrity: typeof integrity === "string" ? integrity : undefined,
    url: typeof tarball === "string" ? tarball : undefined,
    deprecated: typeof manifest.deprecated === "string" && manifest.deprecated !== "",
    platform: ["os", "cpu", "libc"].some((field) => Array.isArray(manifest[field]) && manifest[field].length > 0),
  };
}

// JSON that may be anything, read as what it should be.
export function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : {};
}
export function entries(value: unknown): [string, unknown][] { return Object.entries(fields(value)); }
export function texts(value: unknown): Map<string, string> {
  const map = new Map<string, string>();
  for (const [key, text] of entries(value)) if (typeof text === "string") map.set(key, text);
  return map;
}
