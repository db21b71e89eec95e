// HTMLRewriter, as Cloudflare has it: its own lol-html, compiled to WebAssembly (worker/web/html-rewriter.mjs), behind the streams and
// responses that are here. A response is read as its rewritten body is, 64 kB at a time, and so are handlers called.
//
// Each body that is being rewritten has a WebAssembly instance of its own, as handlers may be asynchronous: the stack that waits for one
// must be nobody else's. One that is done with its work is kept for the next; one that has failed in any way is not.

import { makeRewriter } from "html-rewriter-wasm/glue";
import type { RawRewriter } from "html-rewriter-wasm/glue";

import { joinChunks } from "./blob.ts";
import { Body } from "./body.ts";
import { TextDecoder, TextEncoder } from "./encoding.ts";
import { parseParameters } from "./form-data-coding.ts";
import { Headers, getHeader, headersList } from "./headers.ts";
import { Comment, Doctype, DocumentEnd, Element, Text, handle, installHtmlContent } from "./html-content.ts";
import { PlainError, PlainPromise, PlainRangeError, PlainTypeError, apply, min, push, splice, subarray, toLowerCase } from "./primordials.ts";
import { makeResponse, responseParts } from "./response.ts";
import type { Response } from "./response.ts";
import { ReadableStream, byteController } from "./streams.ts";
import { exposeInterface, isObject, requireArguments, toDOMString } from "./webidl.ts";

const STEP_BYTES = 65_536;
const INSTANCES_KEPT = 2;

type Handler = (...args: unknown[]) => unknown;
// `selector` undefined: of the document.
type Entry = { selector: string | undefined; handlers: Record<string, (raw: unknown) => Promise<void> | undefined> };

const OF_ELEMENTS = { element: Element, comments: Comment, text: Text };
const OF_DOCUMENTS = { doctype: Doctype, comments: Comment, text: Text, end: DocumentEnd };

export class HTMLRewriter {
  readonly #entries: Entry[] = [];

  on(selector: unknown, handlers: unknown): this {
    const entries = this.#entries;
    requireArguments(arguments.length, 2, "'on' on 'HTMLRewriter'");
    const text = toDOMString(selector), entry = { selector: text, handlers: toHandlers(handlers, OF_ELEMENTS) };
    checkSelector(text);
    push(entries, entry);
    return this;
  }

  onDocument(handlers: unknown): this {
    const entries = this.#entries;
    requireArguments(arguments.length, 1, "'onDocument' on 'HTMLRewriter'");
    push(entries, { selector: undefined, handlers: toHandlers(handlers, OF_DOCUMENTS) });
    return this;
  }

  transform(response: unknown): Response {
    const entries = this.#entries;
    const parts = responseParts(response);
    if (parts === undefined) throw new PlainTypeError("Failed to execute 'transform' on 'HTMLRewriter': parameter 1 is not of type 'Response'.");
    const headers = new Headers(parts.headers);
    const { body } = parts;
    if (body === undefined) return makeResponse({ ...parts, headers });
    const charset = parseParameters(getHeader(headersList(headers)!, "content-type") ?? "").get("charset");
    if (charset !== undefined && !isUtf8(toLowerCase(charset))) {
      throw new PlainTypeError(`HTMLRewriter reads UTF-8 alone, and this response says that it is ${charset}.`);
    }
    headers.delete("content-length");
    const now: Entry[] = [];
    for (let i = 0; i < entries.length; i++) push(now, entries[i]!);
    return makeResponse({ ...parts, headers, body: new Body(rewritten(body.reader(), now)) });
  }
}

// ---------------------------------------------------------------------------------------------------------------------

function isUtf8(charset: string): boolean { return charset === "utf-8" || charset === "utf8" || charset === "us-ascii" || charset === "ascii"; }

function toHandlers(value: unknown, known: Record<string, unknown>): Entry["handlers"] {
  if (!isObject(value)) throw new PlainTypeError("The handlers of an HTMLRewriter must be an object.");
  const handlers = { __proto__: null } as unknown as Entry["handlers"];
  for (const name of ["element", "doctype", "comments", "text", "end"]) {
    const contentClass = known[name] as typeof Element | undefined;
    if (contentClass === undefined) continue;
    const handler = (value as Record<string, unknown>)[name];
    if (handler === undefined || handler === null) continue;
    if (typeof handler !== "function") throw new PlainTypeError(`The handler \`${name}\` of an HTMLRewriter is not a function.`);
    handlers[name] = (raw) => handle(contentClass, raw, (content) => apply(handler as Handler, value, [content]));
  }
  return handlers;
}

function rewritten(source: ReturnType<Body["reader"]>, entries: Entry[]): ReadableStream {
  let running: { instance: Instance; raw: RawRewriter } | undefined;
  let rest: Uint8Array<ArrayBuffer> | undefined;
  let made: Uint8Array<ArrayBuffer>[] = [];   // many small pieces a step
  let over = false;
  let controller: object;

  function sink(chunk: Uint8Array<ArrayBuffer>): void { if (chunk.length > 0) push(made, chunk); }

  function handOn(): boolean {
    if (made.length === 0) return false;
    const chunk = joinChunks(made);
    made = [];
    byteController.enqueue(controller, chunk);
    return true;
  }

  function start(): RawRewriter {
    const instance = splice(kept, 0, 1)[0] ?? makeInstance();
    const raw = new instance.HTMLRewriter(sink);
    running = { instance, raw };
    for (let i = 0; i < entries.length; i++) {
      const { selector, handlers } = entries[i]!;
      if (selector === undefined) raw.onDocument(handlers);
      else raw.on(selector, handlers);
    }
    return raw;
  }

  async function advance(): Promise<void> {
    const raw = running?.raw ?? start();
    for (;;) {
      if (rest === undefined || rest.length === 0) rest = await source.read();
      if (over) return;
      if (rest === undefined) {
        await raw.end();
        if (over) return;
        over = true;
        giveBack(running!);
        handOn();
        return byteController.end(controller);
      }
      const step = subarray(rest, 0, min(STEP_BYTES, rest.length));
      rest = subarray(rest, step.length);
      await raw.write(step);
      if (over || handOn()) return;
    }
  }

  return new ReadableStream({
    type: "bytes",
    __proto__: null,
    start(own: object) { controller = own; },
    async pull() {
      try {
        await advance();
      } catch (exception) {
        if (over) return;
        over = true;
        running = undefined;
        const reason = explained(exception);
        if (!source.ended) source.cancel(reason);
        byteController.error(controller, reason);
      }
    },
    cancel(reason: unknown) {
      over = true;
      running = undefined;
      if (!source.ended) source.cancel(reason);
    },
  } as object as { type: "bytes" }, { highWaterMark: 0 });
}

// -- WebAssembly ------------------------------------------------------------------------------------------------------

type Instance = ReturnType<typeof makeRewriter>;

type WebAssemblyClasses = { Instance: new (module: object, imports: object) => object; RuntimeError: Function };
let WebAssembly: WebAssemblyClasses;
// V8 adds it to a context after that came out of the snapshot, and not where it has no compiler; user code does not exist yet.
export function captureWebAssembly(): void {
  const there = (globalThis as unknown as { WebAssembly?: WebAssemblyClasses }).WebAssembly;
  if (there !== undefined) WebAssembly = { Instance: there.Instance, RuntimeError: there.RuntimeError };
}

const taken = {
  __proto__: null, Array, Error: PlainError, Int32Array, JSON, Map, Object, Promise: PlainPromise, TextDecoder, TextEncoder, TypeError: PlainTypeError, Uint8Array,
};

let wasmModule: object | undefined;
const kept: Instance[] = [];

function makeInstance(): Instance {
  wasmModule ??= native.htmlRewriterModule();
  return makeRewriter(wasmModule, WebAssembly.Instance, taken);
}

function giveBack({ instance, raw }: { instance: Instance; raw: RawRewriter }): void {
  raw.free();
  if (kept.length < INSTANCES_KEPT) push(kept, instance);
}

function checkSelector(selector: string): void {
  const instance = splice(kept, 0, 1)[0] ?? makeInstance();
  const raw = new instance.HTMLRewriter(() => {});
  try {
    raw.on(selector, {});
  } finally {
    giveBack({ instance, raw });
  }
}

// WebAssembly that runs out of memory or stack ends in a trap.
function explained(exception: unknown): unknown {
  if (!isObject(exception) || !(exception instanceof WebAssembly.RuntimeError)) return exception;
  return new PlainRangeError("HTMLRewriter has run out of its own memory, which is 64 MiB for each response: a tag, comment or attribute is too large.");
}

export function installHtmlRewriter(): void {
  installHtmlContent();
  exposeInterface("HTMLRewriter", HTMLRewriter);
}
