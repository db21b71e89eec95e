// Cloudflare's IdentityTransformStream and FixedLengthStream: bytes come out as they went in, one write at a time. A write
// ends when its last byte has been read; nothing is queued in between.

import { ReadableByteStreamController, ReadableStream, TransformStream, WritableStream, WritableStreamDefaultController } from "web-streams-polyfill";

import { isSignal, onAbort } from "./abort.ts";
import { bytesOf, isBufferSource } from "./encoding.ts";
import { Bytes, PlainPromise, PlainTypeError, min, setBytes, subarray, toNumberOf } from "./primordials.ts";
import { closeReadable, enqueue, errorReadable, errorWritable, requestOf, respond, signalOf, viewOf } from "./stream-controls.ts";
import { requireArguments, toDictionary, toEnforcedInteger } from "./webidl.ts";

const TOKEN = {};   // only this module may tell a length

export class IdentityTransformStream extends TransformStream<BufferSource, Uint8Array> {
  readonly #pipe: Pipe;

  constructor(options: unknown = undefined, token: unknown = undefined, length: number | undefined = undefined) {
    super();
    const { highWaterMark } = toDictionary<{ highWaterMark: unknown }>(options, "The stream's options");
    const bytesMax = highWaterMark === undefined ? undefined : toEnforcedInteger(highWaterMark, "The stream's `highWaterMark`");
    this.#pipe = makePipe(bytesMax, token === TOKEN ? length : undefined);
  }

  override get readable(): ReadableStream<Uint8Array> { return this.#pipe.readable; }
  override get writable(): WritableStream<BufferSource> { return this.#pipe.writable; }
}

export class FixedLengthStream extends IdentityTransformStream {
  constructor(expectedLength: unknown, options: unknown = undefined) {
    requireArguments(arguments.length, 1, "'FixedLengthStream' constructor");
    const length = typeof expectedLength === "bigint" ? toNumberOf(expectedLength) : expectedLength;
    super(options, TOKEN, toEnforcedInteger(length, "The expected length"));
  }
}

// ---------------------------------------------------------------------------------------------------------------------

type Pipe = { readable: ReadableStream<Uint8Array>; writable: WritableStream<BufferSource> };
type Write = { bytes: Uint8Array<ArrayBuffer>; done(): void; failed(reason: unknown): void };

function makePipe(highWaterMark: number | undefined, length: number | undefined): Pipe {
  let left = length;
  let write: Write | undefined;            // whose bytes have not all been read
  let endPull: (() => void) | undefined;   // a reader waits
  let source: ReadableByteStreamController;
  let sink: WritableStreamDefaultController;

  function deliver(): void {
    const { bytes, done } = write!;
    const request = requestOf(source);
    if (request === null) {
      write = undefined;
      enqueue(source, bytes);
      done();
    } else {
      const into = bytesOf(viewOf(request));
      const count = min(into.length, bytes.length);
      setBytes(into, subarray(bytes, 0, count));
      write = count === bytes.length ? undefined : { ...write!, bytes: subarray(bytes, count) };
      respond(request, count);
      if (write === undefined) done();
    }
  }

  function fail(reason: unknown): void {
    errorWritable(sink, reason);
    stop(reason);
  }

  function stop(reason: unknown): void {
    errorReadable(source, reason);
    write?.failed(reason);
    write = undefined;
    endPull?.();
  }

  function check(chunk: unknown): Uint8Array<ArrayBuffer> {
    if (!isBufferSource(chunk)) {
      throw new PlainTypeError(typeof chunk === "string"
        ? "This TransformStream is being used as a byte stream, but received a string on its writable side. If you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder."
        : "This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
    }
    const bytes = new Bytes(bytesOf(chunk));   // a copy: what a reader gets is its own
    if (left !== undefined) {
      if (bytes.length > left) throw new PlainTypeError("Attempt to write too many bytes through a FixedLengthStream.");
      left -= bytes.length;
    }
    return bytes;
  }

  const readable = new ReadableStream({
    __proto__: null,
    type: "bytes",
    start(controller: ReadableByteStreamController) { source = controller; },
    pull() {
      if (write !== undefined) return deliver();
      return new PlainPromise<void>((resolve) => { endPull = resolve; });
    },
    cancel(reason: unknown) { fail(reason); },
  } as object as { type: "bytes" }, { highWaterMark: 0 });

  const writable = new WritableStream<BufferSource>({
    __proto__: null,
    start(controller: WritableStreamDefaultController) {
      sink = controller;
      // abort() of the sink would come only after the write that nobody reads.
      const signal = signalOf(controller);
      if (isSignal(signal)) onAbort(signal, () => stop(signal.reason));
    },
    write(chunk: unknown) {
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = check(chunk);
      } catch (exception) {
        fail(exception);
        throw exception;
      }
      if (bytes.length === 0) return;
      return new PlainPromise<void>((done, failed) => {
        write = { bytes, done, failed };
        if (endPull === undefined) return;
        const end = endPull;
        endPull = undefined;
        deliver();
        end();
      });
    },
    close() {
      if (left !== undefined && left > 0) {
        const exception = new PlainTypeError("FixedLengthStream did not see all expected bytes before close().");
        fail(exception);
        throw exception;
      }
      closeReadable(source);
      const request = requestOf(source);
      if (request !== null) respond(request, 0);
      endPull?.();
    },
  } as object, highWaterMark === undefined ? { highWaterMark: 1 } : {
    highWaterMark,
    size: (chunk: unknown) => (isBufferSource(chunk) ? bytesOf(chunk).length : 0),
  });

  return { readable, writable };
}
