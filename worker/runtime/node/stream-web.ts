// node:stream/web: the platform's own classes, and what of Node.js's has no global.

import type { Exports } from "./library.ts";

const NAMES = [
  "ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableByteStreamController",
  "ReadableStreamDefaultController", "TransformStream", "TransformStreamDefaultController", "WritableStream", "WritableStreamDefaultController",
  "WritableStreamDefaultWriter", "ByteLengthQueuingStrategy", "CountQueuingStrategy", "TextEncoderStream", "TextDecoderStream",
  "CompressionStream", "DecompressionStream",
];

export function webStreams(): Exports {
  const exports: Exports = {};
  for (const name of NAMES) {
    const value = (globalThis as Exports)[name];
    if (value !== undefined) exports[name] = value;
  }
  return exports;
}
