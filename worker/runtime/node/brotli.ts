// The half of node:zlib's brotli that Node.js has in C++. Which qualities and windows there are is the native side's to say.

import { nextTick } from "./ticks.ts";
import { runSteps } from "./zlib-steps.ts";
import { PlainError, apply } from "../primordials.ts";

const NEEDS_INPUT = 1, FAILED = 2;
const FINISH = 2;
const ENCODER_LARGE_WINDOW = 6, DECODER_LARGE_WINDOW = 1, ABSENT = 0xffffffff;
const Z_BUF_ERROR = -5;

type Callback = (this: BrotliHandle) => void;

class BrotliHandle {
  onerror: ((message: string, code: number, name: string) => void) | undefined;
  readonly #decompress: boolean;
  #stream: NodeBrotliHandle | undefined;
  #state: Uint32Array | undefined;
  #callback: Callback | undefined;
  #isClosed = false;

  constructor(decompress: boolean) { this.#decompress = decompress; }

  init(parameters: Uint32Array, state: Uint32Array, callback: Callback, dictionary?: ArrayBufferView): void {
    if (dictionary !== undefined) throw new PlainError("Brotli has no dictionaries in a worker: leave out options.dictionary, here and where the bytes come from.");
    this.#state = state;
    this.#callback = callback;
    this.#stream = native.brotliOpen(this.#decompress, parameters);
    if (this.#stream !== undefined) return;
    const isLarge = ![undefined, 0, ABSENT].includes(parameters[this.#decompress ? DECODER_LARGE_WINDOW : ENCODER_LARGE_WINDOW]);
    throw Object.assign(new PlainError(isLarge ? "Brotli has no large windows in a worker, only those of RFC 7932: leave out LARGE_WINDOW." : "Initialization failed"), { code: "ERR_ZLIB_INITIALIZATION_FAILED" });
  }

  params(): void {}

  reset(): void {
    if (!native.brotliReset(this.#opened)) this.#fail("Failed to reset stream", -1, "ERR_ZLIB_INITIALIZATION_FAILED");
  }

  close(): void {
    this.#isClosed = true;
    if (this.#stream !== undefined) native.brotliClose(this.#stream);
  }

  writeSync(operation: number, input: Uint8Array | null, inOffset: number, inLength: number, output: Uint8Array, outOffset: number, outLength: number): void {
    this.#run(operation, input, inOffset, inLength, output, outOffset, outLength);
  }

  write(operation: number, input: Uint8Array | null, inOffset: number, inLength: number, output: Uint8Array, outOffset: number, outLength: number): void {
    nextTick(() => {
      if (this.#isClosed) return;
      if (this.#run(operation, input, inOffset, inLength, output, outOffset, outLength)) apply(this.#callback!, this, []);
    });
  }

  // User code can make a handle of its own, and not open it.
  get #opened(): NodeBrotliHandle {
    if (this.#stream === undefined) throw new PlainError("This handle has no stream: init() comes first.");
    return this.#stream;
  }

  // False: it has failed, and said so.
  #run(operation: number, input: Uint8Array | null, inOffset: number, inLength: number, output: Uint8Array, outOffset: number, outLength: number): boolean {
    const [status, inLeft, outLeft] = runSteps((from, into) => native.brotliStep(this.#opened, operation, from, into), (result) => result !== FAILED,
                                               input, inOffset, inLength, output, outOffset, outLength);
    this.#state![0] = outLeft;
    this.#state![1] = inLeft;
    if (status === FAILED) {
      const error = native.brotliError(this.#opened);
      return error === undefined ? this.#fail("Compression failed", -1, "ERR_BROTLI_COMPRESSION_FAILED") : this.#fail("Decompression failed", error[0], `ERR_${error[1]}`);
    }
    // Not if it was a step's part of the input that was too short.
    if (status === NEEDS_INPUT && inLeft === 0 && operation === FINISH) return this.#fail("unexpected end of file", Z_BUF_ERROR, "Z_BUF_ERROR");
    return true;
  }

  #fail(message: string, code: number, name: string): false {
    this.onerror?.(message, code, name);
    return false;
  }
}

export class BrotliEncoder extends BrotliHandle {
  constructor() { super(false); }
}

export class BrotliDecoder extends BrotliHandle {
  constructor() { super(true); }
}
