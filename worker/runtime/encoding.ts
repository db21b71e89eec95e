// TextEncoder, TextDecoder, atob and btoa.

import {
  Bytes, PlainRangeError, PlainTypeError, isArrayBufferView, setBytes, slice, subarray, typedArrayName,
} from "./primordials.ts";
import { exposeInterface, exposeValue, requireArguments, toDOMString, toDictionary } from "./webidl.ts";
import { findEncoding } from "./encoding-labels.ts";
import { makeDomException } from "./dom-exception.ts";

export class TextEncoder {
  #brand = true;
  get encoding(): string { return this.#brand ? "utf-8" : ""; }
  encode(input: unknown = ""): Uint8Array<ArrayBuffer> {
    this.#brand;
    return native.utf8Encode(toDOMString(input));
  }
  encodeInto(source: unknown, destination: unknown): { read: number; written: number } {
    this.#brand;
    requireArguments(arguments.length, 2, "'encodeInto' on 'TextEncoder'");
    const text = toDOMString(source);
    if (typedArrayName(destination) !== "Uint8Array") {
      throw new PlainTypeError("Failed to execute 'encodeInto' on 'TextEncoder': parameter 2 is not of type 'Uint8Array'.");
    }
    const counts = native.utf8EncodeInto(text, destination as Uint8Array);
    return { read: counts[0], written: counts[1] };
  }
}

export function isBufferSource(value: unknown): value is BufferSource {
  return isArrayBufferView(value) || native.classify(value) === 12;   // a SharedArrayBuffer too
}

const EMPTY = new Bytes(0);
const { fromCharCode: fromCodeUnit } = String;

export class TextDecoder {
  readonly #encoding: string;
  readonly #icu: string;
  readonly #fatal: boolean;
  readonly #ignoreBOM: boolean;
  #bomPossible = true;
  #streaming = false;
  #pending: Uint8Array<ArrayBuffer> = EMPTY;   // the start of a UTF-8 sequence whose end has not come
  #converter: DecoderHandle | undefined = undefined;

  constructor(label: unknown = "utf-8", options: unknown = undefined) {
    const text = toDOMString(label);
    const given = toDictionary<{ fatal: unknown; ignoreBOM: unknown }>(options, "The decoder's options");
    const encoding = findEncoding(text);
    const fatal = !!given.fatal;
    if (encoding === undefined) throw new PlainRangeError(`"${slice(text, 0, 64)}" is not a known text encoding.`);
    if (encoding.icu !== "") {
      this.#converter = native.decoderOpen(encoding.icu, fatal);
      if (this.#converter === undefined) throw new PlainRangeError(`This build has no decoder for "${encoding.name}".`);
    }
    this.#encoding = encoding.name;
    this.#icu = encoding.icu;
    this.#fatal = fatal;
    this.#ignoreBOM = !!given.ignoreBOM;
  }

  get encoding(): string { return this.#encoding; }
  get fatal(): boolean { return this.#fatal; }
  get ignoreBOM(): boolean { return this.#ignoreBOM; }

  decode(input: unknown = EMPTY, options: unknown = undefined): string {
    const stream = !!toDictionary<{ stream: unknown }>(options, "The options of decode()").stream;
    if (!isBufferSource(input)) {
      throw new PlainTypeError("Failed to execute 'decode' on 'TextDecoder': parameter 1 is not of type 'ArrayBuffer' or 'ArrayBufferView'.");
    }
    if (!this.#streaming) this.#bomPossible = true;
    this.#streaming = stream;
    const text = this.#converter !== undefined ? native.decoderDecode(this.#converter, input, !stream)
      : this.#encoding === "utf-8" ? this.#decodeUtf8(input, stream)
      : decodeSingleBytes(joinBytes(EMPTY, input), this.#encoding === "iso-8859-16" ? ISO_8859_16 : undefined);
    if (text === undefined) {
      this.#streaming = false;
      this.#pending = EMPTY;
      throw new PlainTypeError(`The encoded data was not valid for encoding ${this.#encoding}`);
    }
    if (text === "" || !this.#bomPossible) return text;
    this.#bomPossible = false;
    const hasBOM = text[0] === "\ufeff" && !this.#ignoreBOM && (this.#encoding === "utf-8" || this.#icu === "utf-16le" || this.#icu === "utf-16be");
    return hasBOM ? slice(text, 1) : text;
  }

  #decodeUtf8(input: BufferSource, stream: boolean): string | undefined {
    if (!stream && this.#pending.length === 0) return native.utf8Decode(input, this.#fatal);
    const joined = joinBytes(this.#pending, input);
    const end = stream ? completeLength(joined) : joined.length;
    this.#pending = stream ? new Bytes(subarray(joined, end)) : EMPTY;
    return native.utf8Decode(subarray(joined, 0, end), this.#fatal);
  }
}

const { buffer: viewBuffer, byteOffset: viewOffset, byteLength: viewLength } = (() => {
  const get = (prototype: object, name: string) => {
    const getter = Object.getOwnPropertyDescriptor(prototype, name)!.get!;
    return getter.call.bind(getter) as (view: unknown) => never;
  };
  const typed = Object.getPrototypeOf(Uint8Array.prototype) as object;
  const either = (name: string) => {
    const ofTyped = get(typed, name), ofData = get(DataView.prototype, name);
    return (view: unknown): never => (typedArrayName(view) === undefined ? ofData(view) : ofTyped(view));
  };
  return { buffer: either("buffer"), byteOffset: either("byteOffset"), byteLength: either("byteLength") };
})();

// The same memory, as bytes.
export function bytesOf(source: BufferSource): Uint8Array<ArrayBuffer> {
  return isArrayBufferView(source)
    ? new Bytes(viewBuffer(source) as ArrayBuffer, viewOffset(source), viewLength(source))
    : new Bytes(source as ArrayBuffer);
}

function joinBytes(head: Uint8Array, tail: BufferSource): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(tail);
  const joined = new Bytes(head.length + bytes.length);
  setBytes(joined, head);
  setBytes(joined, bytes, head.length);
  return joined;
}

// The two encodings that neither V8 nor ICU knows; neither can fail.
const ISO_8859_16 =
  "\xa0ĄąŁ€„Š§š©Ș«Ź\xadźŻ°±ČłŽ”¶·žčș»ŒœŸżÀÁÂĂÄĆÆÇÈÉÊËÌÍÎÏĐŃÒÓÔŐÖŚŰÙÚÛÜĘȚßàáâăäćæçèéêëìíîïđńòóôőöśűùúûüęțÿ";   // from 0xa0

function decodeSingleBytes(bytes: Uint8Array, table: string | undefined): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (table !== undefined) text += byte < 0xa0 ? fromCodeUnit(byte) : table[byte - 0xa0]!;
    else text += fromCodeUnit(byte < 0x80 ? byte : 0xf700 + byte);   // x-user-defined
  }
  return text;
}

// How many of the bytes are not the unfinished start of one more sequence.
function completeLength(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back]!;
    if (byte < 0x80) return length;
    if (byte < 0xc0) continue;
    const needed = byte >= 0xf5 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    if (needed <= back) return length;
    if (back >= 2) {
      // A second byte that can never follow ends the sequence now.
      const second = bytes[length - back + 1]!;
      if ((byte === 0xe0 && second < 0xa0) || (byte === 0xed && second > 0x9f) || (byte === 0xf0 && second < 0x90) ||
          (byte === 0xf4 && second > 0x8f)) return length;
    }
    return length - back;
  }
  return length;
}

const functions = {
  atob(data: unknown): string {
    requireArguments(arguments.length, 1, "'atob'");
    const bytes = native.base64Decode(toDOMString(data));
    if (bytes === undefined) throw makeDomException("atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to two terminal '=' signs when the input data length is divisible by 4 are allowed.)", "InvalidCharacterError");
    return bytes;
  },
  btoa(data: unknown): string {
    requireArguments(arguments.length, 1, "'btoa'");
    const text = native.base64Encode(toDOMString(data));
    if (text === undefined) throw makeDomException("btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range.", "InvalidCharacterError");
    return text;
  },
};

export function installEncoding(): void {
  exposeInterface("TextEncoder", TextEncoder);
  exposeInterface("TextDecoder", TextDecoder);
  exposeValue("atob", functions.atob);
  exposeValue("btoa", functions.btoa);
}

