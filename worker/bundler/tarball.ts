// The files of a package out of its tarball: gunzip, then tar as npm writes it (ustar, with PAX or GNU headers for long names). The bytes are
// an attacker's, and what is made of them are entries of a Map: a name can lead nowhere else. Names that try are refused all the same,
// links and devices have no meaning here and are left out, and each size has a bound.

import { problem } from "./problem.ts";

export const UNPACKED_BYTES_MAX = 128 << 20;
export const FILES_MAX = 30_000;
const NAME_BYTES_MAX = 4096;
const BLOCK = 512;

// By name, without the folder that is around all of it (`package/`, mostly). `what`: the package, for errors.
export async function unpack(tarball: Uint8Array, what: string): Promise<Map<string, Uint8Array>> {
  return readTar(await gunzip(tarball, what), what);
}

async function gunzip(bytes: Uint8Array, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const reader = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > UNPACKED_BYTES_MAX) {
        void reader.cancel();
        throw problem(`The tarball of ${what} has more than ${UNPACKED_BYTES_MAX >> 20} MiB when it is unpacked.`);
      }
      chunks.push(value);
    }
  } catch (error) {
    if (error instanceof TypeError) throw problem(`The tarball of ${what} is no gzip, or it is damaged.`);
    throw error;
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

export function readTar(tar: Uint8Array, what: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const damaged = (why: string) => problem(`The tarball of ${what} is damaged: ${why}.`);
  let longName: string | undefined;
  let entries = 0;
  for (let at = 0; at + BLOCK <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (!checksumFits(header)) throw damaged(`a header at byte ${at} has another checksum`);
    if (++entries > FILES_MAX) throw problem(`The tarball of ${what} has more than ${FILES_MAX} entries.`);
    const size = numberOf(header.subarray(124, 136));
    if (size === undefined || size > tar.length - at - BLOCK) throw damaged(`an entry at byte ${at} has no size, or ends behind the end`);
    const body = tar.subarray(at + BLOCK, at + BLOCK + size);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156]!);
    if (type === "x" || type === "L") {
      if (size > 64 * 1024) throw damaged("a name has more than 64 kB");
      longName = type === "L" ? textOf(body) : paxPath(body) ?? longName;
      continue;
    }
    if (type === "g") continue;
    const prefix = textOf(header.subarray(257, 262)) === "ustar" ? textOf(header.subarray(345, 500)) : "";
    const name = longName ?? (prefix === "" ? "" : prefix + "/") + textOf(header.subarray(0, 100));
    longName = undefined;
    // Files only. A later entry of a name counts, as for tar.
    if (type !== "0" && type !== "\0" && type !== "7") continue;
    const path = checkName(name, what);
    if (path !== undefined && isWanted(path)) files.set(path, body.slice());
  }
  if (entries === 0) throw damaged("there is nothing in it");
  return files;
}

// Without the outermost folder. Undefined: nothing is left.
function checkName(name: string, what: string): string | undefined {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || name.length > NAME_BYTES_MAX || /[\0\\]/.test(name) || parts.includes("..")) {
    throw problem(`The tarball of ${what} has an entry with the name ${JSON.stringify(name.slice(0, 200))}, which leads out of the package's folder.`);
  }
  return parts.length < 2 ? undefined : parts.slice(1).join("/");
}

// Declarations and source maps are half of many packages, and nothing imports them.
function isWanted(path: string): boolean { return !/\.(?:d\.[cm]?ts|map|md|markdown|flow)$/i.test(path); }

function checksumFits(header: Uint8Array): boolean {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i]!;
  return numberOf(header.subarray(148, 156)) === sum;
}

// Octal digits with blanks around. (GNU's form for more than 8 GiB is no number here.)
function numberOf(field: Uint8Array): number | undefined {
  const text = textOf(field).trim();
  return /^[0-7]{1,12}$/.test(text) ? parseInt(text, 8) : undefined;
}

const decoder = new TextDecoder();
function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decoder.decode(end === -1 ? field : field.subarray(0, end));
}

// Records of "LENGTH KEY=VALUE\n".
function paxPath(body: Uint8Array): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const length = space === -1 ? NaN : Number(textOf(body.subarray(at, space)));
    if (!Number.isSafeInteger(length) || length <= space - at || at + length > body.length) break;
    const record = decoder.decode(body.subarray(space + 1, at + length - 1));
    if (record.startsWith("path=")) path = record.slice("path=".length);
    at += length;
  }
  return path;
}
