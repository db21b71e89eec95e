// Cloudflare's crypto.DigestStream: a WritableStream whose `digest` is that of all that was written.

import "../dom-exception.ts";   // first: see streams.ts
import { WritableStream } from "web-streams-polyfill";

import { copyBytes } from "../buffer-source.ts";
import { PlainPromise, PlainTypeError, promiseThen } from "../primordials.ts";
import { requireArguments } from "../webidl.ts";
import { hashId, resolve, succeeded } from "./algorithm.ts";

export class DigestStream extends WritableStream<BufferSource | string> {
  readonly #digest: Promise<ArrayBuffer>;
  readonly #counted: { bytes: number };

  constructor(algorithm: unknown) {
    requireArguments(arguments.length, 1, "'DigestStream' constructor");
    const id = hashId(resolve(algorithm, "digest").found.name);
    const counted = { bytes: 0 };
    let state: DigestHandle | undefined;
    let done: (digest: ArrayBuffer) => void, failed: (reason: unknown) => void;
    const digest = new PlainPromise<ArrayBuffer>((resolve, reject) => {
      done = resolve;
      failed = reject;
    });
    promiseThen(digest, undefined, () => {});   // nobody has to look at it
    super({
      __proto__: null,
      write(chunk: unknown) {
        try {
          const bytes = typeof chunk === "string" ? native.utf8Encode(chunk) : copyBytes(chunk, "A chunk of a DigestStream");
          native.digestUpdate(state ??= native.digestOpen(id), bytes);
          counted.bytes += bytes.length;
        } catch (exception) {
          failed(exception);
          throw exception;
        }
      },
      close() {
        done(succeeded(native.digestFinish(state ??= native.digestOpen(id)), "The digest failed."));
      },
      abort(reason: unknown) { failed(reason ?? new PlainTypeError("The DigestStream was aborted.")); },
    } as object);
    this.#digest = digest;
    this.#counted = counted;
  }

  get digest(): Promise<ArrayBuffer> { return this.#digest; }
  get bytesWritten(): bigint { return toBigInt(this.#counted.bytes); }
}

const { BigInt: toBigInt } = globalThis;
