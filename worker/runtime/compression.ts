// CompressionStream and DecompressionStream of the Compression standard. Not a TransformStream, which makes everything that a chunk
// stands for at once: here a reader asks for each 64 kB, so that a bomb that nobody reads costs nothing.

import { ReadableByteStreamController, ReadableStream, WritableStream, WritableStreamDefaultController } from "web-streams-polyfill";

import { isSignal, onAbort } from "./abort.ts";
import { copyBytes } from "./buffer-source.ts";
import { Bytes, PlainPromise, PlainTypeError, slice, subarray } from "./primordials.ts";
import { closeReadable, enqueue, errorReadable, errorWritable, requestOf, respond, signalOf } from "./stream-controls.ts";
import { requireArguments, toDOMString } from "./webidl.ts";

export class CompressionStream {
  readonly #pipe: Pipe;
  constructor(format: unknown) {
    requireArguments(arguments.length, 1, "'CompressionStream' constructor");
    this.#pipe = makePipe(toFormat(format, "CompressionStream"), false);
  }
  get readable(): ReadableStream<Uint8Array> { return this.#pipe.readable; }
  get writable(): WritableStream<BufferSource> { return this.#pipe.writable; }
}

export class DecompressionStream {
  readonly #pipe: Pipe;
  constructor(format: unknown) {
    requireArguments(arguments.length, 1, "'DecompressionStream' constructor");
    this.#pipe = makePipe(toFormat(format, "DecompressionStream"), true);
  }
  get readable(): ReadableStream<Uint8Array> { return this.#pipe.readable; }
  get writable(): WritableStream<BufferSource> { return this.#pipe.writable; }
}

// ---------------------------------------------------------------------------------------------------------------------

type Pipe = { readable: ReadableStream<Uint8Array>; writable: WritableStream<BufferSource> };
// What is to be done until `bytes` are used up; `finish`: and then to the end.
type Work = { bytes: Uint8Array<ArrayBuffer>; finish: boolean; done(): void; failed(reason: unknown): void };

const GOES_ON = 0, ENDED = 1;
const STEP_OUTPUT_MAX = 65_536;   // when there is as much as that, there may be more; see worker/web/compression.c++
const EMPTY = new Bytes(0);

function toFormat(value: unknown, where: string): CompressionFormat {
  const name = toDOMString(value);
  if (name === "gzip") return 0;
  if (name === "deflate") return 1;
  if (name === "deflate-raw") return 2;
  if (name === "brotli") return 3;
  throw new PlainTypeError(`Failed to construct '${where}': "${slice(name, 0, 64)}" is none of "gzip", "deflate", "deflate-raw" and "brotli".`);
}

function makePipe(format: CompressionFormat, decompress: boolean): Pipe {
  const stream = native.zlibOpen(format, decompress);
  let work: Work | undefined;
  let endPull: (() => void) | undefined;   // a reader waits
  let ended = false;                       // the compressed data is complete
  let source: ReadableByteStreamController;
  let sink: WritableStreamDefaultController;

  // Until there are bytes for the reader, or nothing is left to make them of. What closes needs no reader: it is little.
  function advance(): void {
    try {
      while (work !== undefined && (endPull !== undefined || ended || work.finish)) if (step(work)) finishWork();
    } catch (exception) {
      fail(exception);
    }
  }

  // True: the work is done.
  function step(work: Work): boolean {
    if (ended) {
      if (work.bytes.length > 0) throw new PlainTypeError("There are bytes after the end of the compressed data.");
      return true;
    }
    const result = native.zlibStep(stream, work.bytes, work.finish);
    const status = result[0], made = result[2];
    work.bytes = subarray(work.bytes, result[1]);
    if (status === ENDED) ended = true;
    else if (status !== GOES_ON) throw new PlainTypeError("The compressed data is not valid.");
    if (made !== undefined) {
      enqueue(source, made);
      releaseReader();
    }
    if (ended || work.bytes.length > 0 || made?.length === STEP_OUTPUT_MAX) return false;
    if (work.finish && decompress) throw new PlainTypeError("The compressed data ends too early.");
    return !work.finish;
  }

  function finishWork(): void {
    const { done } = work!;
    work = undefined;
    done();
  }

  function releaseReader(): void {
    const end = endPull;
    endPull = undefined;
    end?.();
  }

  function fail(reason: unknown): void {
    errorWritable(sink, reason);
    stop(reason);
  }

  function stop(reason: unknown): void {
    native.zlibClose(stream);
    errorReadable(source, reason);
    work?.failed(reason);
    work = undefined;
    releaseReader();
  }

  function perform(bytes: Uint8Array<ArrayBuffer>, finish: boolean, afterwards?: () => void): Promise<void> {
    return new PlainPromise<void>((resolve, failed) => {
      const done = () => {
        afterwards?.();
        resolve();
      };
      work = { bytes, finish, done, failed };
      advance();
    });
  }

  const readable = new ReadableStream({
    __proto__: null,
    type: "bytes",
    start(controller: ReadableByteStreamController) { source = controller; },
    pull() {
      return new PlainPromise<void>((resolve) => {
        endPull = resolve;
        advance();
      });
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
        bytes = copyBytes(chunk, "A chunk of a compression stream");
      } catch (exception) {
        fail(exception);
        throw exception;
      }
      return bytes.length === 0 ? undefined : perform(bytes, false);
    },
    close: () => perform(EMPTY, true, () => {
      closeReadable(source);
      const request = requestOf(source);
      if (request !== null) respond(request, 0);
      releaseReader();
    }),
  } as object);

  return { readable, writable };
}
