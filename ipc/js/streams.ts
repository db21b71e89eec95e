// Streams of bytes across the line, as calls: a ReadableStream that is handed over stays where it is and answers `read()`;
// the receiver's stream asks for as much as it has room for. A WritableStream answers `write()`, `close()` and `abort()`.
// Flow control is that nobody is sent what was not asked for.

import { PlainError, PlainPromise, PlainTypeError, isArrayBufferView, promiseThen } from "./primordials.ts";
import { RpcTarget } from "./receiver.ts";
import { CapabilityState } from "./stub.ts";
import type { Import } from "./stub-state.ts";

// As much of the streams' interfaces as is needed here; worker and Node declare them each in their own way.
export interface Reader { read(): Promise<{ done: boolean; value?: unknown }>; cancel(reason: unknown): Promise<void> }
export interface Writer { write(chunk: unknown): Promise<void>; close(): Promise<void>; abort(reason: unknown): Promise<void>; releaseLock(): void }
export interface Readable { readonly locked: boolean; getReader(): Reader }
export interface Writable { readonly locked: boolean; getWriter(): Writer }
export interface ByteController {
  readonly desiredSize: number | null;
  readonly byobRequest: { respond(bytes: number): void } | null;
  enqueue(chunk: Uint8Array): void;
  close(): void;
  error(error: unknown): void;
}
export type ReadableClass = new (source: object, strategy: object) => Readable;
export type WritableClass = new (sink: object, strategy: object) => Writable;

export interface StreamClasses {
  ReadableStream: ReadableClass | undefined;
  WritableStream: WritableClass | undefined;
}

// Room for about two chunks of a usual size while another two are on their way.
const HIGH_WATER_BYTES = 128 * 1024;
const CALLS_IN_FLIGHT_MAX = 4;
// So that an answer goes with its message, and a chunk may be of any size.
const PART_BYTES_MAX = 60 * 1024;

const PREMATURE = "ReadableStream received over RPC disconnected prematurely.";

// What is exported for a stream of ours.
class ReadableSource extends RpcTarget {
  readonly #reader: Reader;
  #ended = false;
  #latest: Promise<unknown> = PlainPromise.resolve();
  #rest: Uint8Array | undefined;   // of a chunk that was answered in part

  constructor(stream: Readable) {
    super();
    if (stream.locked) throw new PlainTypeError("The ReadableStream has been locked to a reader.");
    this.#reader = stream.getReader();
  }

  // One after the other, however many are under way: a chunk may be answered in parts.
  read(): Promise<Uint8Array | undefined> {
    const part = promiseThen(this.#latest, () => this.#read());
    this.#latest = promiseThen(part, undefined, () => undefined);
    return part;
  }

  async #read(): Promise<Uint8Array | undefined> {
    if (this.#rest !== undefined) return this.#part(this.#rest);
    const { done, value } = await this.#reader.read();
    if (done) {
      this.#ended = true;
      return undefined;
    }
    if (isArrayBufferView(value)) return this.#part(new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength));
    if (value instanceof ArrayBuffer) return this.#part(new Uint8Array(value));
    this.#ended = true;
    const problem = new PlainTypeError("This ReadableStream was handed to another process and did not return bytes.");
    promiseThen(this.#reader.cancel(problem), undefined, () => {});
    throw new PlainError(PREMATURE);
  }

  #part(chunk: Uint8Array): Uint8Array {
    const { length } = chunk;
    this.#rest = length > PART_BYTES_MAX ? chunk.subarray(PART_BYTES_MAX) : undefined;
    // A copy: of a view the whole buffer would be sent.
    return length > PART_BYTES_MAX || length < chunk.buffer.byteLength ? new Uint8Array(chunk.subarray(0, PART_BYTES_MAX)) : chunk;
  }

  async cancel(reason: unknown): Promise<void> {
    this.#ended = true;
    await this.#reader.cancel(reason);
  }

  // Nobody will read any more. The other side may call this as well as let go.
  dropped(): void {
    if (this.#ended) return;
    this.#ended = true;
    promiseThen(this.#reader.cancel(new PlainError("The other side stopped reading.")), undefined, () => {});
  }
}

class WritableSink extends RpcTarget {
  readonly #writer: Writer;
  #ended = false;

  constructor(stream: Writable) {
    super();
    if (stream.locked) throw new PlainTypeError("The WritableStream has been locked to a writer.");
    this.#writer = stream.getWriter();
  }

  async write(chunk: unknown): Promise<void> { await this.#writer.write(chunk); }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#writer.close();
  }

  async abort(reason: unknown): Promise<void> {
    this.#ended = true;
    await this.#writer.abort(reason);
  }

  dropped(): void {
    if (this.#ended) return;
    this.#ended = true;
    const reason = new PlainError("WritableStream received over RPC was disconnected because the remote execution context has ended.");
    promiseThen(this.#writer.abort(reason), undefined, () => {});
  }
}

export class StreamBridge {
  readonly #classes: StreamClasses;

  constructor(classes: StreamClasses) { this.#classes = classes; }

  // Locks the stream. Undefined: not a stream.
  sourceOrSink(value: object): { readable: boolean; target: ReadableSource | WritableSink } | undefined {
    const { ReadableStream, WritableStream } = this.#classes;
    if (ReadableStream !== undefined && value instanceof ReadableStream) return { readable: true, target: new ReadableSource(value) };
    if (WritableStream !== undefined && value instanceof WritableStream) return { readable: false, target: new WritableSink(value) };
    return undefined;
  }

  readable(imported: Import): object {
    const { ReadableStream } = this.#classes;
    if (ReadableStream === undefined) throw new PlainError("This program has no ReadableStream.");
    const source = new CapabilityState("ServiceStub", imported);
    let inFlight = 0;
    let ended = false;
    // Answers are taken in the order of their questions: a large one is there later than a small one behind it.
    let latest: Promise<unknown> = PlainPromise.resolve();
    const fill = (controller: ByteController) => {
      while (!ended && inFlight < CALLS_IN_FLIGHT_MAX && (controller.desiredSize ?? 0) > 0) {
        inFlight++;
        const call = source.ask(["read"], []);
        call.handled();
        const taken = promiseThen(promiseThen(latest, () => call.result), (chunk) => {
          inFlight--;
          if (ended) return;
          if (chunk === undefined) {
            ended = true;
            source.dispose();
            controller.close();
            controller.byobRequest?.respond(0);
          } else if (!(chunk instanceof Uint8Array)) {
            throw new PlainError(PREMATURE);
          } else {
            if (chunk.byteLength > 0) controller.enqueue(chunk);
            fill(controller);
          }
        });
        latest = promiseThen(taken, undefined, (error: unknown) => {
          if (ended) return;
          ended = true;
          source.dispose();
          controller.error(error);
        });
      }
    };
    return new ReadableStream({
      type: "bytes",
      pull: (controller: ByteController) => fill(controller),
      cancel: async (reason: unknown) => {
        if (ended) return;
        ended = true;
        const cancelled = source.ask(["cancel"], [reason]).result;
        source.dispose();
        await cancelled;
      },
    }, { highWaterMark: HIGH_WATER_BYTES });
  }

  writable(imported: Import): object {
    const { WritableStream } = this.#classes;
    if (WritableStream === undefined) throw new PlainError("This program has no WritableStream.");
    const sink = new CapabilityState("ServiceStub", imported);
    let inFlight = 0;
    let failure: { error: unknown } | undefined;
    let room: (() => void) | undefined;
    const settled = () => {
      inFlight--;
      room?.();
    };
    const untilBelow = async (count: number) => {
      while (inFlight >= count && failure === undefined) {
        await new PlainPromise<void>((resolve) => { room = resolve; });
      }
      if (failure !== undefined) throw failure.error;
    };
    return new WritableStream({
      write: async (chunk: unknown, controller: { error(error: unknown): void }) => {
        if (failure !== undefined) throw failure.error;
        inFlight++;
        promiseThen(sink.ask(["write"], [chunk]).result, settled, (error) => {
          failure ??= { error };
          settled();
          controller.error(error);
        });
        await untilBelow(CALLS_IN_FLIGHT_MAX);
      },
      close: async () => {
        await untilBelow(1);
        await sink.ask(["close"], []).result;
        sink.dispose();
      },
      abort: async (reason: unknown) => {
        const aborted = sink.ask(["abort"], [reason]).result;
        sink.dispose();
        await aborted;
      },
    }, { highWaterMark: 1 });
  }

}
