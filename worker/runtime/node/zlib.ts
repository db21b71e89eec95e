// The half of node:zlib that Node.js has in C++: one stream of zlib's behind a handle. What Node.js does in a thread is done at once
// here, and told by a tick. Zstd is missing: its streams refuse to be made.

import { BrotliDecoder, BrotliEncoder } from "./brotli.ts";
import { runSteps } from "./zlib-steps.ts";
import { provideBinding, requireInternal } from "./library.ts";
import { nextTick } from "./ticks.ts";
import { PlainError, apply } from "../primordials.ts";

const Z_OK = 0, Z_STREAM_END = 1, Z_NEED_DICT = 2, Z_BUF_ERROR = -5, Z_DATA_ERROR = -3;
const Z_FINISH = 4;
const CODES: Record<number, string> = { 2: "Z_NEED_DICT", [-1]: "Z_ERRNO", [-2]: "Z_STREAM_ERROR", [-3]: "Z_DATA_ERROR", [-4]: "Z_MEM_ERROR", [-5]: "Z_BUF_ERROR", [-6]: "Z_VERSION_ERROR" };

type Callback = (this: Zlib) => void;

class Zlib {
  onerror: ((message: string, code: number, name: string) => void) | undefined;
  readonly #mode: number;
  #stream: NodeZlibHandle | undefined;
  #state: Uint32Array | undefined;
  #callback: Callback | undefined;
  #hasDictionary = false;
  #isClosed = false;

  constructor(mode: number) { this.#mode = mode; }

  init(windowBits: number, level: number, memoryLevel: number, strategy: number, state: Uint32Array, callback: Callback, dictionary?: ArrayBufferView): void {
    this.#state = state;
    this.#callback = callback;
    this.#hasDictionary = dictionary !== undefined;
    const bytes = dictionary === undefined ? undefined : new Uint8Array(dictionary.buffer, dictionary.byteOffset, dictionary.byteLength);
    this.#stream = native.deflatingOpen(this.#mode, windowBits, level, memoryLevel, strategy, bytes);
  }

  params(level: number, strategy: number): void {
    const result = native.deflatingParams(this.#opened, level, strategy);
    if (result !== Z_OK) this.#fail("Failed to set parameters", result);
  }

  reset(): void {
    if (native.deflatingReset(this.#opened) !== Z_OK) this.#fail("Failed to reset stream", -2);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#stream !== undefined) native.deflatingClose(this.#stream);
  }

  writeSync(flush: number, input: Uint8Array | null, inOffset: number, inLength: number, output: Uint8Array, outOffset: number, outLength: number): void {
    this.#run(flush, input, inOffset, inLength, output, outOffset, outLength);
  }

  write(flush: number, input: Uint8Array | null, inOffset: number, inLength: number, output: Uint8Array, outOffset: number, outLength: number): void {
    nextTick(() => {
      if (this.#isClosed) return;
      if (this.#run(flush, input, inOffset, inLength, output, outOffset, outLength)) apply(this.#callback!, this, []);
    });
  }

  // User code can make a handle of its own, and not open it.
  get #opened(): NodeZlibHandle {
    if (this.#stream === undefined) throw new PlainError("This handle has no stream: init() comes first.");
    return this.#stream;
  }

  // False: it has failed, and said so.
  #run(flush: number, input: Uint8Array | null, inOffset: number, inLength: number, output: Uint8Array, outOffset: number, outLength: number): boolean {
    const [code, inLeft, outLeft] = runSteps((from, into) => native.deflatingStep(this.#opened, flush, from, into), (result) => result === Z_OK || result === Z_BUF_ERROR,
                                             input, inOffset, inLength, output, outOffset, outLength);
    this.#state![0] = outLeft;
    this.#state![1] = inLeft;
    return this.#check(code, flush, outLeft);
  }

  #check(code: number, flush: number, outLeft: number): boolean {
    switch (code) {
      case Z_OK:
      case Z_BUF_ERROR:
        if (outLeft !== 0 && flush === Z_FINISH) return this.#fail("unexpected end of file", Z_BUF_ERROR);
        return true;
      case Z_STREAM_END: return true;
      case Z_NEED_DICT: return this.#fail(this.#hasDictionary ? "Bad dictionary" : "Missing dictionary", code);
      default: return this.#fail(native.deflatingMessage(this.#opened) ?? "Zlib error", code);
    }
  }

  #fail(message: string, code: number): false {
    this.onerror?.(message, code, CODES[code]!);
    return false;
  }
}

function missing(name: string): new () => never {
  return class {
    constructor() { throw new PlainError(`${name} is not available in a worker; gzip, deflate, deflate-raw and brotli are.`); }
  } as unknown as new () => never;
}

const binding = {
  Zlib,
  BrotliEncoder, BrotliDecoder,
  ZstdCompress: missing("zstd"), ZstdDecompress: missing("zstd"),
  crc32(data: unknown, start: number): number {
    const bytes = typeof data === "string" ? requireInternal("buffer")["Buffer"].from(data) : data as Uint8Array;
    return native.crc32(bytes, start);
  },
};
provideBinding("zlib", () => binding);
