// TextEncoderStream and TextDecoderStream of the Encoding standard.

import { TransformStream, TransformStreamDefaultController } from "web-streams-polyfill";

import { TextDecoder } from "./encoding.ts";
import { codeUnitAt, slice, uncurryThis } from "./primordials.ts";
import { toDOMString } from "./webidl.ts";

type Controller = TransformStreamDefaultController<unknown>;

const enqueue = uncurryThis(TransformStreamDefaultController.prototype.enqueue);
const decode = uncurryThis(TextDecoder.prototype.decode);
const getter = <T>(prototype: object, name: string) =>
  uncurryThis(Object.getOwnPropertyDescriptor(prototype, name)!.get!) as (self: object) => T;
const readableOf = getter<TransformStream["readable"]>(TransformStream.prototype, "readable");
const writableOf = getter<TransformStream["writable"]>(TransformStream.prototype, "writable");
const encodingOf = getter<string>(TextDecoder.prototype, "encoding");
const fatalOf = getter<boolean>(TextDecoder.prototype, "fatal");
const ignoreBOMOf = getter<boolean>(TextDecoder.prototype, "ignoreBOM");

export class TextEncoderStream {
  #highSurrogate = "";   // the last unit so far, if the next one may complete it
  readonly #stream = new TransformStream({
    __proto__: null,
    transform: (chunk: unknown, controller: Controller) => {
      const text = this.#highSurrogate + toDOMString(chunk);
      const last = text === "" ? 0 : codeUnitAt(text, text.length - 1);
      const end = last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length;
      this.#highSurrogate = slice(text, end);
      if (end > 0) enqueue(controller, native.utf8Encode(slice(text, 0, end)));
    },
    flush: (controller: Controller) => {
      if (this.#highSurrogate !== "") enqueue(controller, native.utf8Encode(this.#highSurrogate));
    },
  } as object);

  get encoding(): string { this.#stream; return "utf-8"; }
  get readable(): TransformStream["readable"] { return readableOf(this.#stream); }
  get writable(): TransformStream["writable"] { return writableOf(this.#stream); }
}

export class TextDecoderStream {
  readonly #decoder: TextDecoder;
  readonly #stream: TransformStream;

  constructor(label: unknown = "utf-8", options: unknown = undefined) {
    const decoder = this.#decoder = new TextDecoder(label, options);
    this.#stream = new TransformStream({
      __proto__: null,
      transform(chunk: unknown, controller: Controller) {
        // undefined would be taken for an argument left out
        const text = decode(decoder, chunk === undefined ? null : chunk, { __proto__: null, stream: true });
        if (text !== "") enqueue(controller, text);
      },
      flush(controller: Controller) {
        const text = decode(decoder);
        if (text !== "") enqueue(controller, text);
      },
    } as object);
  }

  get encoding(): string { return encodingOf(this.#decoder); }
  get fatal(): boolean { return fatalOf(this.#decoder); }
  get ignoreBOM(): boolean { return ignoreBOMOf(this.#decoder); }
  get readable(): TransformStream["readable"] { return readableOf(this.#stream); }
  get writable(): TransformStream["writable"] { return writableOf(this.#stream); }
}
