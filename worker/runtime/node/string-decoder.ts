// Node.js's string_decoder keeps what is unfinished of a character between chunks in a small buffer whose layout both halves know:
// four bytes of the character, how many are missing, how many are there, the encoding.

import { requireInternal } from "./library.ts";
import { setBytes } from "../primordials.ts";

const MISSING = 4, BUFFERED = 5, ENCODING = 6, SIZE = 7;
const ASCII = 0, UTF8 = 1, BASE64 = 2, UCS2 = 3, LATIN1 = 4, HEX = 5, BUFFER = 6, BASE64URL = 7;

type Slice = (view: ArrayBufferView, start?: number, end?: number) => string;
const SLICES: Record<number, Slice> = {
  [ASCII]: native.bufferAsciiSlice, [UTF8]: native.bufferUtf8Slice, [BASE64]: native.bufferBase64Slice, [UCS2]: native.bufferUcs2Slice,
  [LATIN1]: native.bufferLatin1Slice, [HEX]: native.bufferHexSlice, [BUFFER]: native.bufferUtf8Slice, [BASE64URL]: native.bufferBase64urlSlice,
};

const bytesOf = (view: ArrayBufferView): Uint8Array => new (requireInternal("internal/buffer")["FastBuffer"])(view.buffer, view.byteOffset, view.byteLength);

function decode(state: Uint8Array, view: ArrayBufferView): string {
  const encoding = state[ENCODING]!;
  const slice = SLICES[encoding]!;
  if (encoding !== UTF8 && encoding !== UCS2 && encoding !== BASE64 && encoding !== BASE64URL) return slice(view);
  const bytes = bytesOf(view);
  let at = 0;
  let prepend = "";
  if (state[MISSING]! > 0) {
    if (encoding === UTF8) {
      // What does not go on as it should is malformed: the decoder of UTF-8 says so, and the new bytes begin anew.
      for (let i = 0; i < bytes.length && i < state[MISSING]!; i++) {
        if ((bytes[i]! & 0xc0) !== 0x80) {
          state[MISSING] = 0;
          for (let j = 0; j < i; j++) state[state[BUFFERED]! + j] = bytes[j]!;
          state[BUFFERED] = state[BUFFERED]! + i;
          at = i;
          break;
        }
      }
    }
    const found = state[MISSING]! < bytes.length - at ? state[MISSING]! : bytes.length - at;
    if (state[MISSING]! > 0) {
      for (let j = 0; j < found; j++) state[state[BUFFERED]! + j] = bytes[at + j]!;
      at += found;
      state[MISSING] = state[MISSING]! - found;
      state[BUFFERED] = state[BUFFERED]! + found;
    }
    if (state[MISSING] === 0) {
      prepend = slice(state, 0, state[BUFFERED]);
      state[BUFFERED] = 0;
    }
  }
  if (at === bytes.length) return prepend;
  let end = bytes.length;
  if (encoding === UTF8) {
    if ((bytes[end - 1]! & 0x80) !== 0) {
      for (let i = end - 1; ; i--) {
        state[BUFFERED] = state[BUFFERED]! + 1;
        const byte = bytes[i]!;
        if ((byte & 0xc0) === 0x80) {
          // A byte that continues: more than three of them, or nothing before, are malformed.
          if (state[BUFFERED]! >= 4 || i === at) {
            state[MISSING] = 0;
            state[BUFFERED] = 0;
            break;
          }
          continue;
        }
        state[MISSING] = (byte & 0xe0) === 0xc0 ? 2 : (byte & 0xf0) === 0xe0 ? 3 : (byte & 0xf8) === 0xf0 ? 4 : 0;
        if (state[BUFFERED]! >= state[MISSING]!) {
          state[MISSING] = 0;
          state[BUFFERED] = 0;
        }
        state[MISSING] = state[MISSING]! - state[BUFFERED]!;
        break;
      }
    }
  } else if (encoding === UCS2) {
    if ((end - at) % 2 === 1) {
      state[BUFFERED] = 1;
      state[MISSING] = 1;
    } else if ((bytes[end - 1]! & 0xfc) === 0xd8) {
      state[BUFFERED] = 2;
      state[MISSING] = 2;
    }
  } else {
    state[BUFFERED] = (end - at) % 3;
    if (state[BUFFERED]! > 0) state[MISSING] = 3 - state[BUFFERED]!;
  }
  if (state[BUFFERED]! > 0) {
    end -= state[BUFFERED]!;
    setBytes(state, bytes.subarray(end));
  }
  return prepend + (at < end ? slice(bytes, at, end) : "");
}

function flush(state: Uint8Array): string {
  // Half a unit of UTF-16 is dropped.
  if (state[ENCODING] === UCS2 && state[BUFFERED]! % 2 === 1) {
    state[MISSING] = state[MISSING]! - 1;
    state[BUFFERED] = state[BUFFERED]! - 1;
  }
  if (state[BUFFERED] === 0) return "";
  const text = SLICES[state[ENCODING]!]!(state, 0, state[BUFFERED]);
  state[MISSING] = 0;
  state[BUFFERED] = 0;
  return text;
}

export const stringDecoderBinding = {
  encodings: ["ascii", "utf8", "base64", "utf16le", "latin1", "hex", "buffer", "base64url"],
  kIncompleteCharactersStart: 0,
  kIncompleteCharactersEnd: 4,
  kMissingBytes: MISSING,
  kBufferedBytes: BUFFERED,
  kEncodingField: ENCODING,
  kNumFields: SIZE,
  kSize: SIZE,
  decode,
  flush,
};
