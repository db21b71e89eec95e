// Bodies of requests and responses: what may be one, how it is read, and the members that both classes have for it.
//
// A body is bytes that are there already, or a stream. For bytes the stream is made when somebody looks at `body`; until then
// nothing of Streams runs.

import {
  Bytes, PlainTypeError, defineProperty, getOwnPropertyDescriptor, jsonParse, ownKeys, promiseThen, push, uncurryThis,
} from "./primordials.ts";
import { Blob, blobBytes, decodeUtf8, joinChunks, makeBlob, streamOfBytes, typeOf } from "./blob.ts";
import { bytesOf, isBufferSource } from "./encoding.ts";
import { FormData, entriesOf, makeFormData } from "./form-data.ts";
import { decodeMultipart, encodeMultipart, parseParameters } from "./form-data-coding.ts";
import { ReadableStream, ReadableStreamDefaultReader } from "./streams.ts";
import { isUrlSearchParams, queryOf } from "./url.ts";
import type { URLSearchParams } from "./url.ts";
import { isObject, toUSVString } from "./webidl.ts";

type OwnBytes = Uint8Array<ArrayBuffer>;

const { prototype: readable } = ReadableStream;
const lockedOf = uncurryThis(getOwnPropertyDescriptor(readable, "locked")!.get!) as (stream: unknown) => boolean;
const readerOf = uncurryThis(readable.getReader) as unknown as (stream: ReadableStream) => ReadableStreamDefaultReader;
const teeOf = uncurryThis(readable.tee) as (stream: ReadableStream) => [ReadableStream, ReadableStream];
const readFrom = uncurryThis(ReadableStreamDefaultReader.prototype.read) as (reader: unknown) => Promise<{ done: boolean; value?: unknown }>;
const cancelOf = uncurryThis(readable.cancel) as (stream: ReadableStream, reason: unknown) => Promise<void>;
const cancelReader = uncurryThis(ReadableStreamDefaultReader.prototype.cancel) as (reader: unknown, reason: unknown) => Promise<void>;

const USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";

export function isReadableStream(value: unknown): value is ReadableStream {
  return isObject(value) && getOwnPropertyDescriptor(value, "_readableStreamController") !== undefined;
}

function isDisturbed(stream: ReadableStream): boolean {
  return getOwnPropertyDescriptor(stream, "_disturbed")?.value === true;
}

export class Body {
  #bytes: OwnBytes | undefined;             // all of it, if it is there; nobody else changes them
  #stream: ReadableStream | undefined;
  #used = false;

  constructor(content: OwnBytes | ReadableStream) {
    if (isReadableStream(content)) this.#stream = content;
    else this.#bytes = content;
  }

  get used(): boolean { return this.#used || (this.#stream !== undefined && isDisturbed(this.#stream)); }
  get unusable(): boolean { return this.used || (this.#stream !== undefined && lockedOf(this.#stream)); }
  // What may be sent again.
  get bytes(): OwnBytes | undefined { return this.#stream === undefined ? this.#bytes : undefined; }

  get stream(): ReadableStream {
    if (this.#stream === undefined) {
      this.#stream = streamOfBytes(this.#bytes!);
      // Read already: what is left is a stream that has ended.
      if (this.#used) readFrom(readerOf(this.#stream)).catch(() => {});
    }
    return this.#stream;
  }

  // Another one with the same content.
  clone(): Body {
    if (this.#stream === undefined) return new Body(this.#bytes!);
    const branches = teeOf(this.#stream);
    this.#stream = branches[0];
    return new Body(branches[1]);
  }

  // The content, for one use: whoever held it has none any more.
  take(): OwnBytes | ReadableStream {
    if (this.unusable) throw new PlainTypeError(USED);
    this.#used = true;
    return this.#stream ?? this.#bytes!;
  }
  moved(): Body { return new Body(this.take()); }

  async readAll(): Promise<OwnBytes> {
    const content = this.take();
    if (!isReadableStream(content)) return content;
    const reader = new BodyReader(content);
    const chunks: OwnBytes[] = [];
    for (let chunk = await reader.read(); chunk !== undefined; chunk = await reader.read()) push(chunks, chunk);
    return joinChunks(chunks);
  }

  reader(): BodyReader {
    const content = this.take();
    return new BodyReader(isReadableStream(content) ? content : streamOfBytes(content));
  }

  // Nobody wants it.
  cancel(reason: unknown): void {
    if (this.#stream === undefined || lockedOf(this.#stream)) return;
    promiseThen(cancelOf(this.#stream, reason), undefined, () => {});
  }
}

// The chunks of a body that is a stream.
class BodyReader {
  readonly #reader: ReadableStreamDefaultReader;
  ended = false;

  constructor(stream: ReadableStream) { this.#reader = readerOf(stream); }

  // Undefined: that was all.
  async read(): Promise<OwnBytes | undefined> {
    const { done, value } = await readFrom(this.#reader);
    if (done) {
      this.ended = true;
      return undefined;
    }
    if (isBufferSource(value)) return bytesOf(value);
    const problem = new PlainTypeError("This ReadableStream is a body and did not return bytes.");
    this.cancel(problem);
    throw problem;
  }

  cancel(reason: unknown): void {
    this.ended = true;
    promiseThen(cancelReader(this.#reader, reason), undefined, () => {});
  }
}

// What a program gives as a body, with the media type it implies. Undefined: none.
export function extractBody(value: unknown): { body: Body; type: string | undefined } | undefined {
  if (value === undefined || value === null) return undefined;
  if (isReadableStream(value)) {
    if (isDisturbed(value) || lockedOf(value)) throw new PlainTypeError("This ReadableStream is locked or has been read from, so it cannot be a body.");
    return { body: new Body(value), type: undefined };
  }
  const blob = blobBytes(value);
  if (blob !== undefined) {
    const type = typeOf(value as Blob);
    return { body: new Body(blob), type: type === "" ? undefined : type };
  }
  if (isBufferSource(value)) return { body: new Body(new Bytes(bytesOf(value))), type: undefined };
  const entries = entriesOf(value);
  if (entries !== undefined) {
    const { bytes, type } = encodeMultipart(entries);
    return { body: new Body(bytes), type };
  }
  if (isObject(value) && isUrlSearchParams(value)) {
    return { body: new Body(native.utf8Encode(queryOf(value as URLSearchParams))), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  return { body: new Body(native.utf8Encode(toUSVString(value))), type: "text/plain;charset=UTF-8" };
}

// -- The members ------------------------------------------------------------------------------------------------------------------

// Of a Request or Response; throws for anything else.
export interface BodyOwner { body: Body | undefined; contentType: string | null }

export interface BodyMembers {
  readonly body: ReadableStream | null;
  readonly bodyUsed: boolean;
  text(): Promise<string>;
  json(): Promise<unknown>;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  blob(): Promise<Blob>;
  formData(): Promise<FormData>;
}

export function defineBodyMembers(prototype: object, ownerOf: (self: unknown) => BodyOwner): void {
  async function read(owner: BodyOwner): Promise<OwnBytes> {
    return owner.body === undefined ? new Bytes(0) : owner.body.readAll();
  }
  const members = {
    get body(): ReadableStream | null { return ownerOf(this).body?.stream ?? null; },
    get bodyUsed(): boolean { return ownerOf(this).body?.used ?? false; },
    async text(): Promise<string> { return decodeUtf8(await read(ownerOf(this))); },
    async json(): Promise<unknown> { return jsonParse(decodeUtf8(await read(ownerOf(this)))); },
    async arrayBuffer(): Promise<ArrayBuffer> { return new Bytes(await read(ownerOf(this))).buffer; },
    async bytes(): Promise<Uint8Array> { return new Bytes(await read(ownerOf(this))); },
    async blob(): Promise<Blob> {
      const owner = ownerOf(this);
      return makeBlob(await read(owner), owner.contentType ?? "");
    },
    async formData(): Promise<FormData> {
      const owner = ownerOf(this);
      const type = parseParameters(owner.contentType ?? "");
      const boundary = type.get("boundary");
      const isMultipart = type.essence === "multipart/form-data" && boundary !== undefined && boundary !== "";
      if (!isMultipart && type.essence !== "application/x-www-form-urlencoded") {
        throw new PlainTypeError("Unrecognized Content-Type header value. FormData can only parse multipart/form-data with a boundary, and application/x-www-form-urlencoded.");
      }
      const bytes = await read(owner);
      return makeFormData(isMultipart ? decodeMultipart(bytes, boundary) : native.formParse(`?${native.utf8Decode(bytes, false)!}`));
    },
  };
  const keys = ownKeys(members);
  for (let i = 0; i < keys.length; i++) {
    defineProperty(prototype, keys[i]!, getOwnPropertyDescriptor(members, keys[i]!)!);
  }
}

