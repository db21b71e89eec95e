// Blob and File of the File API standard: bytes that do not change, with a type.

import {
  Bytes, PlainTypeError, codeUnitAt, dateNow, floor, getOwnPropertyDescriptor, max, min, push, setBytes, slice, subarray, symbolIterator, toLowerCase,
  toNumberOf, trunc,
} from "./primordials.ts";
import { bytesOf, isBufferSource } from "./encoding.ts";
import { provideShower } from "./inspect.ts";
import { ReadableStream, byteController } from "./streams.ts";
import { exposeInterface, illegalConstructor, isObject, requireArguments, toDOMString, toDictionary, toSequence, toUSVString } from "./webidl.ts";

type OwnBytes = Uint8Array<ArrayBuffer>;

let blobBytes: (value: unknown) => OwnBytes | undefined;
let setBlob: (blob: Blob, bytes: OwnBytes, type: string) => void;
let fileParts: (value: unknown) => { name: string; lastModified: number } | undefined;
let setFile: (file: File, name: string, lastModified: number) => void;

const CHUNK_BYTES = 64 * 1024;

export class Blob {
  // Shared by those that were cut out of one another; never handed out.
  #bytes: OwnBytes = new Bytes(0);
  #type = "";

  static {
    blobBytes = (value) => (isObject(value) && #bytes in value ? (value as Blob).#bytes : undefined);
    setBlob = (blob, bytes, type) => {
      blob.#bytes = bytes;
      blob.#type = type;
    };
  }

  constructor(parts: unknown = undefined, options: unknown = undefined) {
    let list: unknown[] = [];
    if (parts !== undefined) {
      const method = isObject(parts) ? (parts as { [symbolIterator]?: unknown })[symbolIterator] : undefined;
      if (typeof method !== "function") throw new PlainTypeError("Failed to construct 'Blob': the parts are not iterable.");
      list = toSequence(parts as object, method, (part) => (blobBytes(part) !== undefined || isBufferSource(part) ? part : toUSVString(part)));
    }
    const given = toDictionary<{ endings: unknown; type: unknown }>(options, "The blob's options");
    const endings = given.endings === undefined ? "transparent" : toDOMString(given.endings);
    if (endings !== "transparent" && endings !== "native") {
      throw new PlainTypeError("Failed to construct 'Blob': `endings` must be \"transparent\" or \"native\".");
    }
    const isNative = endings === "native";
    const type = given.type === undefined ? "" : normalType(toDOMString(given.type));
    const chunks: OwnBytes[] = [];
    for (let i = 0; i < list.length; i++) {
      const part = list[i];
      const bytes = blobBytes(part);
      if (bytes !== undefined) push(chunks, bytes);
      else if (isBufferSource(part)) push(chunks, bytesOf(part));
      else push(chunks, native.utf8Encode(isNative ? nativeEndings(part as string) : part as string));
    }
    this.#bytes = joinChunks(chunks);
    this.#type = type;
  }

  get size(): number { return this.#bytes.length; }
  get type(): string { return this.#type; }

  slice(start: unknown = undefined, end: unknown = undefined, contentType: unknown = undefined): Blob {
    const size = this.#bytes.length;
    const from = start === undefined ? 0 : relative(start, size);
    const to = end === undefined ? size : relative(end, size);
    const type = contentType === undefined ? "" : normalType(toDOMString(contentType));
    return makeBlob(subarray(this.#bytes, from, max(from, to)), type);
  }

  async text(): Promise<string> { return decodeUtf8(this.#bytes); }
  async arrayBuffer(): Promise<ArrayBuffer> { return new Bytes(this.#bytes).buffer; }
  async bytes(): Promise<Uint8Array> { return new Bytes(this.#bytes); }
  stream(): ReadableStream { return streamOfBytes(this.#bytes); }
}

export class File extends Blob {
  #name: string;
  #lastModified: number;

  static {
    fileParts = (value) => (isObject(value) && #name in value
      ? { name: (value as File).#name, lastModified: (value as File).#lastModified } : undefined);
    setFile = (file, name, lastModified) => {
      file.#name = name;
      file.#lastModified = lastModified;
    };
  }

  constructor(parts: unknown, name: unknown, options: unknown = undefined) {
    requireArguments(arguments.length, 2, "'File' constructor");
    super(parts, options);
    this.#name = toUSVString(name);
    const { lastModified } = toDictionary<{ lastModified: unknown }>(options, "The file's options");
    const time = lastModified === undefined ? dateNow() : trunc(toNumberOf(lastModified));
    this.#lastModified = time === time ? time : 0;
  }

  get name(): string { return this.#name; }
  get lastModified(): number { return this.#lastModified; }
}

// What a form's field has in a browser; nobody makes one here. Programs ask whether something is one.
class FileList {
  #brand = true;
  constructor() { illegalConstructor(); }
  get length(): number { this.#brand; return 0; }
  item(index: unknown): File | null {
    this.#brand;
    requireArguments(arguments.length, 1, "'item' on 'FileList'");
    toNumberOf(index);
    return null;
  }
}

export { blobBytes, fileParts, setBlob, setFile };

// The bytes are the new one's own.
export function makeBlob(bytes: OwnBytes, type: string): Blob {
  const blob = new Blob();
  setBlob(blob, bytes, type);
  return blob;
}

export function makeFile(bytes: OwnBytes, type: string, name: string, lastModified: number): File {
  const file = new File(undefined, "");
  setBlob(file, bytes, type);
  setFile(file, name, lastModified);
  return file;
}

export function joinChunks(chunks: OwnBytes[]): OwnBytes {
  let size = 0;
  for (let i = 0; i < chunks.length; i++) size += chunks[i]!.length;
  const joined = new Bytes(size);
  for (let i = 0, at = 0; i < chunks.length; at += chunks[i]!.length, i++) setBytes(joined, chunks[i]!, at);
  return joined;
}

// As a body's text is read: without a byte order mark.
export function decodeUtf8(bytes: OwnBytes): string {
  const text = native.utf8Decode(bytes, false)!;
  return text[0] === "\ufeff" ? slice(text, 1) : text;
}

export function streamOfBytes(bytes: OwnBytes): ReadableStream {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    __proto__: null,
    pull(controller: object) {
      if (at < bytes.length) {
        const chunk = new Bytes(subarray(bytes, at, min(at + CHUNK_BYTES, bytes.length)));
        at += chunk.length;
        byteController.enqueue(controller, chunk);
      }
      if (at < bytes.length) return;
      byteController.end(controller);
    },
  } as object as { type: "bytes" }, { highWaterMark: 0 });
}

// ---------------------------------------------------------------------------------------------------------------------

function normalType(type: string): string {
  for (let i = 0; i < type.length; i++) {
    const unit = codeUnitAt(type, i);
    if (unit < 0x20 || unit > 0x7e) return "";
  }
  return toLowerCase(type);
}

// A place counted from the start, or from the end if it is negative.
function relative(value: unknown, size: number): number {
  const place = clamped(toNumberOf(value));
  return place < 0 ? max(size + place, 0) : min(place, size);
}

// [Clamp] of Web IDL: to the nearest integer, and from the middle to the even one.
function clamped(number: number): number {
  if (number !== number) return 0;
  const below = floor(number), above = number - below;
  return above < 0.5 || (above === 0.5 && below % 2 === 0) ? below : below + 1;
}

function nativeEndings(text: string): string {
  let result = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\r" && text[i + 1] === "\n") continue;
    result += text[i] === "\r" ? "\n" : text[i]!;
  }
  return result;
}

export function installBlob(): void {
  exposeInterface("Blob", Blob);
  exposeInterface("File", File);
  exposeInterface("FileList", FileList);
  provideShower((value) => {
    const bytes = blobBytes(value);
    if (bytes === undefined) return undefined;
    const type = typeOf(value as Blob);
    const file = fileParts(value);
    return file === undefined ? ["Blob", { size: bytes.length, type }] : ["File", { size: bytes.length, type, ...file }];
  });
}

const typeGetter = getOwnPropertyDescriptor(Blob.prototype, "type")!.get!;
export const typeOf = typeGetter.call.bind(typeGetter) as (blob: Blob) => string;
