// What was fetched from a package registry, on the disk. Tarballs lie under the hash of what is in them; a registry's documents under a hash of
// the registry and the name, with a hash of their own. So what is damaged, or was changed by somebody, is noticed when it is read, and fetched again.
// Files appear whole or not at all, and any number of programs may share a folder. It has a bound: beyond it, what was not used for longest is deleted.

import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import * as path from "node:path";

export interface Document {
  // Of the registry, for asking whether it is still this one; may be empty.
  readonly etag: string;
  // When the registry last said that it is, in milliseconds.
  readonly time: number;
  readonly body: Uint8Array;
  // Of the body.
  readonly hash: string;
}

export function defaultCacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  return path.join(base !== undefined && path.isAbsolute(base) ? base : path.join(homedir(), ".cache"), "glovebox", "packages");
}

export class PackageCache {
  readonly folder: string;
  readonly #bytesMax: number;
  // Since the folder was last measured.
  #written = Infinity;

  constructor(folder: string, bytesMax: number) {
    this.folder = folder;
    this.#bytesMax = bytesMax;
  }

  async tarball(integrity: Integrity): Promise<Uint8Array | undefined> {
    const file = this.#tarballFile(integrity);
    const body = await read(file);
    if (body === undefined) return undefined;
    if (integrity.fits(body)) {
      await this.#use(file);
      return body;
    }
    await rm(file, { force: true });
    return undefined;
  }

  // `body` fits.
  async keepTarball(integrity: Integrity, body: Uint8Array): Promise<void> { await this.#write(this.#tarballFile(integrity), body); }

  async document(registry: string, name: string): Promise<Document | undefined> {
    const file = this.#documentFile(registry, name);
    const bytes = await read(file);
    const end = bytes?.indexOf(NEWLINE) ?? -1;
    if (bytes === undefined || end === -1) return undefined;
    try {
      const head = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString()) as Record<string, unknown>;
      const body = bytes.subarray(end + 1);
      const hash = hashOf(body);
      if (head.hash === hash && head.registry === registry && head.name === name && typeof head.etag === "string" && typeof head.time === "number") {
        return { etag: head.etag, time: head.time, body, hash };
      }
    } catch {}
    await rm(file, { force: true });
    return undefined;
  }

  async keepDocument(registry: string, name: string, etag: string, time: number, body: Uint8Array): Promise<Document> {
    const hash = hashOf(body);
    const head = Buffer.from(JSON.stringify({ registry, name, etag, time, hash }) + "\n");
    await this.#write(this.#documentFile(registry, name), Buffer.concat([head, body]));
    return { etag, time, body, hash };
  }

  async #write(file: string, body: Uint8Array): Promise<void> {
    await write(file, body);
    this.#written += body.length;
    if (this.#written > this.#bytesMax / 16) await this.#prune();
  }

  // A document is written anew when it is checked, a tarball never.
  async #use(file: string): Promise<void> {
    const { mtimeMs } = await stat(file);
    if (Date.now() - mtimeMs > DAY_MS) await utimes(file, new Date(), new Date());
  }

  async #prune(): Promise<void> {
    this.#written = 0;
    const files: { file: string; size: number; mtimeMs: number }[] = [];
    for (const entry of await readdir(this.folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      // Another program may delete it meanwhile.
      const { size, mtimeMs } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0 }));
      files.push({ file, size, mtimeMs });
    }
    let total = files.reduce((sum, { size }) => sum + size, 0);
    if (total <= this.#bytesMax) return;
    files.sort((a, b) => a.mtimeMs - b.mtimeMs);
    // Some more, so that it is not measured again at once.
    for (const { file, size } of files) {
      if (total <= this.#bytesMax / 4 * 3) break;
      await rm(file, { force: true });
      total -= size;
    }
  }

  #tarballFile({ algorithm, hex }: Integrity): string { return path.join(this.folder, "tarballs", algorithm, hex.slice(0, 2), hex.slice(2)); }
  #documentFile(registry: string, name: string): string {
    const hex = hashOf(Buffer.from(`${registry}\n${name}`));
    return path.join(this.folder, "documents", hex.slice(0, 2), hex.slice(2));
  }
}

// "sha512-BASE64", as lock files and registries write it.
export class Integrity {
  readonly algorithm: string;
  readonly hex: string;

  private constructor(algorithm: string, hex: string) {
    this.algorithm = algorithm;
    this.hex = hex;
  }

  // Several may be said, separated by blanks; the strongest counts. Undefined: none of them is strong enough to rely on.
  static parse(text: string): Integrity | undefined {
    for (const [algorithm, length] of [["sha512", 64], ["sha384", 48], ["sha256", 32]] as const) {
      for (const [, name, base64] of text.matchAll(/(?:^|\s)(sha\d+)-([A-Za-z0-9+/]+=*)(?=$|[\s?])/g)) {
        const bytes = Buffer.from(base64!, "base64");
        if (name === algorithm && bytes.length === length) return new Integrity(algorithm, bytes.toString("hex"));
      }
    }
    return undefined;
  }

  fits(body: Uint8Array): boolean { return createHash(this.algorithm).update(body).digest("hex") === this.hex; }
  toString(): string { return `${this.algorithm}-${Buffer.from(this.hex, "hex").toString("base64")}`; }
}

const NEWLINE = 0x0a;
const DAY_MS = 86_400_000;

function hashOf(body: Uint8Array): string { return createHash("sha256").update(body).digest("hex"); }

async function read(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function write(file: string, body: Uint8Array): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = path.join(folder, `.${randomUUID()}`);
  try {
    await writeFile(temporary, body, { mode: 0o600, flag: "wx" });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
