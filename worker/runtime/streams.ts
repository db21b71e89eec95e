// The Streams standard: the package web-streams-polyfill, dressed as one of our own, and what is built on it. The package
// follows the standard's reference implementation and needs nothing of a host but the globals AbortController, DOMException
// and queueMicrotask.
//
// What differs from a built-in: the state of a stream stands in plain properties (`_state`, ...) of the object. User code that
// tampers with them breaks its own streams and nothing else. So runtime code that is handed a stream goes by the methods
// captured from the classes exported here, and expects anything of what they return.

import "./dom-exception.ts";   // first: see there
import {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
} from "web-streams-polyfill";

import { CompressionStream, DecompressionStream } from "./compression.ts";
import { FixedLengthStream, IdentityTransformStream } from "./identity-stream.ts";
import { TextDecoderStream, TextEncoderStream } from "./text-streams.ts";
import { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, toStringTag, uncurryThis } from "./primordials.ts";
import { exposeInterface } from "./webidl.ts";
import { provideShower } from "./inspect.ts";

export {
  FixedLengthStream, IdentityTransformStream, ReadableStream, ReadableStreamBYOBReader, ReadableStreamDefaultReader,
  TextDecoderStream, TextEncoderStream, TransformStream, WritableStream, WritableStreamDefaultWriter,
};

// The controller of a stream of bytes, by methods that nobody can replace.
const { prototype: byteMethods } = ReadableByteStreamController;
const close = uncurryThis(byteMethods.close) as (controller: object) => void;
const requestOf = uncurryThis(getOwnPropertyDescriptor(byteMethods, "byobRequest")!.get!) as (controller: object) => object | null;
const respond = uncurryThis(ReadableStreamBYOBRequest.prototype.respond) as (request: object, bytes: number) => void;
export const byteController = {
  enqueue: uncurryThis(byteMethods.enqueue) as (controller: object, chunk: Uint8Array) => void,
  error: uncurryThis(byteMethods.error) as (controller: object, reason: unknown) => void,
  end(controller: object): void {
    close(controller);
    const request = requestOf(controller);
    if (request !== null) respond(request, 0);
  },
};

export function installStreams(): void {
  exposeInterface("ReadableStream", ReadableStream);
  exposeInterface("ReadableStreamDefaultReader", ReadableStreamDefaultReader);
  exposeInterface("ReadableStreamBYOBReader", ReadableStreamBYOBReader);
  exposeInterface("ReadableStreamBYOBRequest", ReadableStreamBYOBRequest);
  exposeInterface("ReadableStreamDefaultController", ReadableStreamDefaultController);
  exposeInterface("ReadableByteStreamController", ReadableByteStreamController);
  exposeInterface("WritableStream", WritableStream);
  exposeInterface("WritableStreamDefaultWriter", WritableStreamDefaultWriter);
  exposeInterface("WritableStreamDefaultController", WritableStreamDefaultController);
  exposeInterface("TransformStream", TransformStream);
  exposeInterface("TransformStreamDefaultController", TransformStreamDefaultController);
  exposeInterface("ByteLengthQueuingStrategy", ByteLengthQueuingStrategy);
  exposeInterface("CountQueuingStrategy", CountQueuingStrategy);
  exposeInterface("TextEncoderStream", TextEncoderStream);
  exposeInterface("TextDecoderStream", TextDecoderStream);
  exposeInterface("IdentityTransformStream", IdentityTransformStream);
  exposeInterface("FixedLengthStream", FixedLengthStream);
  exposeInterface("CompressionStream", CompressionStream);
  exposeInterface("DecompressionStream", DecompressionStream);
  completeAsyncIterator();
  provideShower(show);
  void rehearse();
}

// Runs while the snapshot is built, so that the first streams of a worker find their functions compiled (1 ms of the 2 they cost else); and
// so that the package takes our queueMicrotask for good, as it does when an iteration first yields.
async function rehearse(): Promise<void> {
  const source = new ReadableStream({
    type: "bytes",
    start(controller) {
      controller.enqueue(native.utf8Encode("text"));
      controller.close();
    },
  });
  const text = source.pipeThrough(new IdentityTransformStream()).pipeThrough(new TextDecoderStream());
  for await (const _ of text.pipeThrough(new TextEncoderStream()));
}

// The package's iterator has no parent and no tag.
function completeAsyncIterator(): void {
  const prototype = getPrototypeOf(new ReadableStream().values()) as Record<symbol, unknown>;
  const asyncGenerator = getPrototypeOf(async function* () {}.prototype) as object;
  setPrototypeOf(prototype, getPrototypeOf(asyncGenerator) as object);
  delete prototype[Symbol.asyncIterator];   // the parent's does the same
  defineProperty(prototype, toStringTag, { value: "ReadableStream AsyncIterator", configurable: true });
}

// The property that each class's instances have and no other's.
const BRANDS = [
  "_readableStreamController", "_writableStreamController", "_transformStreamController", "_ownerReadableStream",
  "_ownerWritableStream", "_controlledReadableStream", "_controlledReadableByteStream", "_controlledWritableStream",
  "_controlledTransformStream", "_associatedReadableByteStreamController", "_byteLengthQueuingStrategyHighWaterMark",
  "_countQueuingStrategyHighWaterMark", "_asyncIteratorImpl",
];

function show(value: object): [string, object] | undefined {
  for (let i = 0; i < BRANDS.length; i++) {
    if (getOwnPropertyDescriptor(value, BRANDS[i]!) === undefined) continue;
    const field = (name: string): unknown => getOwnPropertyDescriptor(value, name)?.value;
    const shown = i === 0 ? { locked: field("_reader") !== undefined, state: field("_state") }
      : i === 1 ? { locked: field("_writer") !== undefined, state: field("_state") }
      : i === 2 ? { readable: field("_readable"), writable: field("_writable") }
      : {};
    return [native.constructorName(value), shown];
  }
  return undefined;
}
