// What connect() returns, and what a `connect` handler is called with: two streams of bytes, which are there before the connection is.
// The same class on either side of it.

import { PlainError, PlainPromise, PlainTypeError, isArrayBufferView, promiseThen } from "./primordials.ts";
import type { ByteController, Readable, ReadableClass, Reader, Writable, WritableClass, Writer } from "./streams.ts";

export interface SocketInfo { remoteAddress: string | undefined; localAddress: string | undefined }
export interface Connection { readable: Readable; writable: Writable; info: SocketInfo }
export type SecureTransport = "off" | "on" | "starttls";
export interface SocketOptions { secureTransport: SecureTransport; allowHalfOpen: boolean }

// One piece of what is written: an egress process takes no larger ones.
const WRITE_BYTES_MAX = 60 * 1024;
const HIGH_WATER_BYTES = 64 * 1024;

const TOKEN = {};   // only this module makes sockets

export class Socket {
  readonly #parts: Parts;
  readonly #secureTransport: SecureTransport;

  constructor(token: unknown, parts: Parts, secureTransport: SecureTransport) {
    if (token !== TOKEN) throw new PlainTypeError("Illegal constructor");
    this.#parts = parts;
    this.#secureTransport = secureTransport;
  }

  get readable(): object { return this.#parts.readable; }
  get writable(): object { return this.#parts.writable; }
  get opened(): Promise<SocketInfo> { return this.#parts.opened; }
  get closed(): Promise<void> { return this.#parts.closed; }
  get upgraded(): boolean { return false; }
  get secureTransport(): SecureTransport { return this.#secureTransport; }

  close(): Promise<void> { return this.#parts.close(); }
  startTls(): never {
    throw new PlainTypeError("startTls() is not available: a connection cannot change to TLS on its way. Use connect() with { secureTransport: \"on\" }.");
  }
}

export function makeSocket(ReadableStream: ReadableClass, WritableStream: WritableClass, connection: Promise<Connection>, options: SocketOptions): Socket {
  return new Socket(TOKEN, new Parts(ReadableStream, WritableStream, connection, options.allowHalfOpen), options.secureTransport);
}

class Parts {
  readonly readable: Readable;
  readonly writable: Writable;
  readonly opened: Promise<SocketInfo>;
  readonly closed: Promise<void>;
  readonly #reader: Promise<Reader>;
  readonly #writer: Promise<Writer>;
  #source!: ByteController;
  #latestWrite: Promise<unknown> = PlainPromise.resolve();
  #readEnded = false;
  #writeEnded: Promise<void> | undefined;
  #resolveClosed!: () => void;
  #rejectClosed!: (error: unknown) => void;

  constructor(ReadableStream: ReadableClass, WritableStream: WritableClass, connection: Promise<Connection>, allowHalfOpen: boolean) {
    this.opened = promiseThen(connection, ({ info }) => info);
    this.#reader = promiseThen(connection, ({ readable }) => readable.getReader());
    this.#writer = promiseThen(connection, ({ writable }) => writable.getWriter());
    this.closed = new PlainPromise<void>((resolve, reject) => {
      this.#resolveClosed = resolve;
      this.#rejectClosed = reject;
    });
    // Each of them tells of a failure, and so does every read and write: nobody has to look at all of them.
    handled(this.opened);
    handled(this.#reader);
    handled(this.#writer);
    handled(this.closed);
    promiseThen(connection, undefined, (error) => this.#rejectClosed(error));

    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller: ByteController) => { this.#source = controller; },
      pull: async () => {
        let read;
        try {
          read = await (await this.#reader).read();
        } catch (error) {
          this.#rejectClosed(error);
          throw error;
        }
        if (this.#readEnded) return;
        if (!read.done) return this.#source.enqueue(read.value as Uint8Array);
        this.#endReading();
        if (!allowHalfOpen) handled(this.#endWriting());
      },
      cancel: async (reason: unknown) => {
        this.#readEnded = true;
        this.#closeIfDone();
        await (await this.#reader).cancel(reason);
      },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      write: async (chunk: unknown) => {
        if (this.#writeEnded !== undefined) throw new PlainTypeError("This WritableStream has been closed.");
        const bytes = bytesOf(chunk);
        const written = this.#latestWrite = this.#write(bytes);
        await written;
      },
      close: () => this.#endWriting(),
      abort: async (reason: unknown) => {
        this.#writeEnded ??= PlainPromise.resolve();
        this.#closeIfDone();
        await (await this.#writer).abort(reason);
      },
    }, { highWaterMark: 1 });
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      const writer = await this.#writer;
      for (let from = 0; from < bytes.length; from += WRITE_BYTES_MAX) await writer.write(new Uint8Array(bytes.subarray(from, from + WRITE_BYTES_MAX)));
    } catch (error) {
      this.#rejectClosed(error);
      throw error;
    }
  }

  // What has been written arrives first.
  #endWriting(): Promise<void> {
    return this.#writeEnded ??= (async () => {
      try {
        await this.#latestWrite;
        await (await this.#writer).close();
        this.#closeIfDone(true);
      } catch (error) {
        this.#rejectClosed(error);
        throw error;
      }
    })();
  }

  #endReading(): void {
    if (this.#readEnded) return;
    this.#readEnded = true;
    this.#source.close();
    this.#source.byobRequest?.respond(0);
    this.#closeIfDone();
  }

  #closeIfDone(written = false): void {
    if (!this.#readEnded || this.#writeEnded === undefined) return;
    if (written) this.#resolveClosed();
    else promiseThen(this.#writeEnded, this.#resolveClosed, this.#rejectClosed);
  }

  #closeWritable(): Promise<void> {
    const writer = this.writable.getWriter();
    const closed = writer.close();
    writer.releaseLock();
    return closed;
  }

  async close(): Promise<void> {
    // Behind writes that the stream has not begun yet, where nobody else has its end in hand.
    const ended = this.writable.locked || this.#writeEnded !== undefined ? this.#endWriting() : this.#closeWritable();
    handled(ended);
    const reader = await this.#reader;
    try {
      await ended;
    } finally {
      this.#endReading();
      handled(reader.cancel(undefined));
    }
  }
}

function handled(promise: Promise<unknown>): void { promiseThen(promise, undefined, () => {}); }

function bytesOf(chunk: unknown): Uint8Array {
  if (isArrayBufferView(chunk)) return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new PlainTypeError(`A socket takes bytes (an ArrayBuffer, or a view of one), got ${typeof chunk === "string" ? "a string: encode it with TextEncoder" : typeof chunk}.`);
}

// -- Two streams of which one gives what the other takes ----------------------------------------------------------------------------

export interface Pipe { readable: Readable; writable: Writable; fail(reason: unknown): void }

export function makePipe(ReadableStream: ReadableClass, WritableStream: WritableClass): Pipe {
  let source!: ByteController;
  let roomMade: (() => void) | undefined;
  let gone: { reason: unknown } | undefined;
  const readable = new ReadableStream({
    type: "bytes",
    start(controller: ByteController) { source = controller; },
    pull() { roomMade?.(); },
    cancel(reason: unknown) {
      gone = { reason };
      roomMade?.();
    },
  }, { highWaterMark: HIGH_WATER_BYTES });
  const writable = new WritableStream({
    write: async (chunk: unknown) => {
      if (gone !== undefined) throw goneError(gone.reason);
      const bytes = new Uint8Array(bytesOf(chunk));
      if (bytes.length > 0) source.enqueue(bytes);
      if ((source.desiredSize ?? 0) > 0) return;
      await new PlainPromise<void>((resolve) => { roomMade = resolve; });
      if (gone !== undefined) throw goneError((gone as { reason: unknown }).reason);
    },
    close() {
      if (gone !== undefined) return;
      source.close();
      source.byobRequest?.respond(0);
    },
    abort(reason: unknown) { fail(reason); },
  }, { highWaterMark: 1 });
  function fail(reason: unknown): void {
    if (gone !== undefined) return;
    gone = { reason };
    source.error(reason);
    roomMade?.();
  }
  return { readable, writable, fail };
}

function goneError(reason: unknown): unknown { return reason ?? new PlainError("The other side stopped reading."); }
