// The package registry, as the worker that bundles may use it: documents and tarballs of packages, by name and version, and nothing else. Bytes
// are fetched, hashed and kept here, and parsed there. Which registry it is says whoever calls createWorker(), or npm's own configuration.

import { execFile } from "node:child_process";
import { RpcTarget } from "../../ipc/js/receiver.ts";
import { Integrity } from "./package-cache.ts";
import type { Document, PackageCache } from "./package-cache.ts";

// Documents of some packages have 50 MB, by registries that know no short form.
const BODY_BYTES_MAX = 96 << 20;
// What is larger does not fit into one answer to a worker, or hardly.
const STREAMED_BYTES = 16 << 20;
const CHUNK_BYTES = 64 << 10;
const FETCH_MS_MAX = 60_000;
// Of one createWorker().
const REQUESTS_MAX = 10_000;
const BYTES_MAX = 1 << 30;
// How long a document is taken for what the registry would say: npm's is as long, by the header that its registry sends.
const FRESH_MS = 300_000;
// After a failure, what is kept is used for so long without asking again.
const DOWN_MS = 30_000;
const LATEST_KEPT = 2_000;

// When registries last could not be reached.
const down = new Map<string, number>();

export class Registry {
  readonly #askUrl: () => Promise<string>;
  readonly #cache: PackageCache;
  // Hashes of documents by name, as of late: who has one of these is told so without reading it once more.
  readonly #latest = new Map<string, { hash: string; time: number }>();
  // Requests under way, so that two who ask for one thing at once fetch it once.
  readonly #underWay = new Map<string, Promise<unknown>>();

  // `url`: asked when something is wanted.
  constructor(url: () => Promise<string>, cache: PackageCache) {
    this.#askUrl = url;
    this.#cache = cache;
  }

  isLatest(name: string, hash: unknown): boolean {
    const latest = this.#latest.get(name);
    return latest !== undefined && latest.hash === hash && Date.now() - latest.time < FRESH_MS;
  }

  async document(name: string): Promise<Document> {
    const document = await this.#document(name);
    this.#latest.set(name, { hash: document.hash, time: document.time });
    if (this.#latest.size > LATEST_KEPT) this.#latest.delete(this.#latest.keys().next().value!);
    return document;
  }

  async #document(name: string): Promise<Document> {
    const url = await this.#askUrl();
    const kept = await this.#cache.document(url, name);
    if (kept !== undefined && (Date.now() - kept.time < FRESH_MS || Date.now() - (down.get(url) ?? 0) < DOWN_MS)) return kept;
    return this.#once(`document ${name}`, () => this.#fetchDocument(url, name, kept));
  }

  async #fetchDocument(url: string, name: string, kept: Document | undefined): Promise<Document> {
    let answer;
    try {
      answer = await get(`${url}${name.replace("/", "%2f")}`, {
        accept: "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8",
        ...(kept === undefined || kept.etag === "" ? {} : { "if-none-match": kept.etag }),
      });
    } catch (error) {
      if (kept === undefined || !(error instanceof Unreachable)) throw error;
      down.set(url, Date.now());
      return kept;
    }
    if (answer.status === 304 && kept !== undefined) return this.#cache.keepDocument(url, name, kept.etag, Date.now(), kept.body);
    if (answer.status === 404) throw new Error(`The registry ${url} has no package "${name}".`);
    if (answer.status !== 200) throw new Error(`The registry ${url} answered ${answer.status} when asked for the package "${name}".`);
    return this.#cache.keepDocument(url, name, answer.etag, Date.now(), answer.body);
  }

  async tarball(name: string, version: string, integrity: Integrity, said: string | null): Promise<Uint8Array> {
    const kept = await this.#cache.tarball(integrity);
    if (kept !== undefined) return kept;
    return this.#once(`tarball ${integrity} ${name} ${version}`, async () => {
      const url = await this.#askUrl();
      // Where the registry says that it is, if that is the registry; otherwise where registries have it.
      const where = said !== null && said.startsWith(url) && URL.canParse(said) && new URL(said).href === said
        ? said : `${url}${name}/-/${name.slice(name.indexOf("/") + 1)}-${version}.tgz`;
      const answer = await get(where, { accept: "application/octet-stream, */*" });
      if (answer.status !== 200) throw new Error(`The registry ${url} answered ${answer.status} when asked for the tarball of ${name}@${version}.`);
      if (!integrity.fits(answer.body)) {
        throw new Error(`The tarball of ${name}@${version} is not what was published: its hash is not ${integrity}, which the lock file or the registry says.`);
      }
      await this.#cache.keepTarball(integrity, answer.body);
      return answer.body;
    });
  }

  #once<T>(key: string, fetch: () => Promise<T>): Promise<T> {
    let request = this.#underWay.get(key) as Promise<T> | undefined;
    if (request === undefined) {
      request = fetch().finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, request);
    }
    return request;
  }
}

// What one createWorker() hands to the worker: hostile code may call it with anything, any number of times.
export class RegistryForWorker extends RpcTarget {
  readonly #registry: Registry;
  #requests = 0;
  #bytes = 0;

  constructor(registry: Registry) {
    super();
    this.#registry = registry;
  }

  async packument(name: unknown, tag: unknown): Promise<{ tag: string; body: Uint8Array | ReadableStream<Uint8Array> | null }> {
    this.#count();
    const checked = checkName(name);
    if (typeof tag === "string" && this.#registry.isLatest(checked, tag)) return { tag, body: null };
    const document = await this.#registry.document(checked);
    if (tag === document.hash) return { tag: document.hash, body: null };
    return { tag: document.hash, body: this.#given(document.body) };
  }

  async tarball(name: unknown, version: unknown, integrity: unknown, url: unknown): Promise<Uint8Array | ReadableStream<Uint8Array>> {
    this.#count();
    const checked = checkName(name);
    if (typeof version !== "string" || version.length > 256 || !VERSION.test(version)) throw new TypeError(`${quoted(version)} is no version of a package.`);
    const hash = typeof integrity === "string" && integrity.length <= 1024 ? Integrity.parse(integrity) : undefined;
    if (hash === undefined) throw new TypeError(`${quoted(integrity)} is no integrity hash for ${checked}@${version}; expected sha512-..., or sha384 or sha256.`);
    return this.#given(await this.#registry.tarball(checked, version, hash, typeof url === "string" && url.length <= 2048 ? url : null));
  }

  #count(): void {
    if (++this.#requests > REQUESTS_MAX) throw new RangeError(`One project may ask the registry ${REQUESTS_MAX} times.`);
  }

  #given(body: Uint8Array): Uint8Array | ReadableStream<Uint8Array> {
    this.#bytes += body.length;
    if (this.#bytes > BYTES_MAX) throw new RangeError(`One project may get ${BYTES_MAX >> 20} MiB from the registry.`);
    // Copies: what shares its buffer is not to be sent.
    if (body.length <= STREAMED_BYTES) return new Uint8Array(body);
    let at = 0;
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        controller.enqueue(new Uint8Array(body.subarray(at, at += CHUNK_BYTES)));
        if (at >= body.length) controller.close();
      },
    });
  }
}

const NAME = /^(?:@[a-z0-9~_-][a-z0-9._~-]*\/)?[a-z0-9~_-][a-z0-9._~-]*$/i;
const VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

function checkName(name: unknown): string {
  if (typeof name !== "string" || name.length > 214 || !NAME.test(name)) throw new TypeError(`${quoted(name)} is no name of a package.`);
  return name;
}

function quoted(value: unknown): string { return typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : `A ${typeof value}`; }

// -- Fetching ----------------------------------------------------------------------------------------------------------------------

class Unreachable extends Error {}

// With its end: in time, and in size.
async function get(url: string, headers: Record<string, string>): Promise<{ status: number; etag: string; body: Uint8Array }> {
  const signal = AbortSignal.timeout(FETCH_MS_MAX);
  try {
    const response = await fetch(url, { headers, signal });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of (response.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > BODY_BYTES_MAX) throw new RangeError(`${url} has more than ${BODY_BYTES_MAX >> 20} MiB, which is the most that is taken.`);
      chunks.push(chunk);
    }
    if (response.status >= 500) throw new Unreachable(`${url} answered ${response.status}.`);
    return { status: response.status, etag: response.headers.get("etag") ?? "", body: Buffer.concat(chunks) };
  } catch (error) {
    if (error instanceof RangeError || error instanceof Unreachable) throw error;
    const why = signal.aborted ? `there was no whole answer in ${FETCH_MS_MAX / 1000} seconds` : ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message;
    throw new Unreachable(`${url} could not be fetched: ${why}.`);
  }
}

// -- Which registry ----------------------------------------------------------------------------------------------------------------

let configured: Promise<string> | undefined;

// What was given, or what npm would take, from its environment variables and files; npm is asked once. Ends with a slash.
export async function registryUrl(given: string | undefined): Promise<string> {
  if (given !== undefined) return checkUrl(given, "`registry`");
  const said = process.env.npm_config_registry ?? process.env.NPM_CONFIG_REGISTRY;
  if (said !== undefined && said !== "") return checkUrl(said, "npm_config_registry");
  configured ??= askNpm();
  try {
    return await configured;
  } catch (error) {
    configured = undefined;
    throw error;
  }
}

function askNpm(): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("npm", ["config", "get", "registry"], { timeout: 30_000 }, (error, stdout) => {
      if (error === null) {
        try {
          resolve(checkUrl(stdout.trim(), "npm's `registry`"));
        } catch (wrong) {
          reject(wrong as Error);
        }
        return;
      }
      reject(new Error(`Which package registry to use is not known: npm, which has that configured, could not be asked (${error.message.split("\n")[0]}). ` +
        "Say it: createWorker({ registry: \"https://...\" }), or npm_config_registry in the environment.", { cause: error }));
    });
  });
}

export function checkUrl(text: string, what: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["https:", "http:"].includes(url.protocol) || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TypeError(`${what} is ${quoted(text)}, expected an address of a package registry that begins with https:// or http:// and has no password, query or fragment.`);
  }
  return url.href.endsWith("/") ? url.href : url.href + "/";
}
