// What Node.js's library requires of its own, where the runtime has something else: the web platform's classes, and less.

import { asyncHooks } from "./async-hooks.ts";
import { provideModule, requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { timers, timersPromises } from "./timers.ts";
import { AbortController, AbortSignal } from "../abort.ts";
import { Blob, File } from "../blob.ts";
import { TextDecoder, TextEncoder } from "../encoding.ts";
import { Event, EventTarget } from "../event.ts";
import { PlainError } from "../primordials.ts";
import { ReadableStream, TransformStream, WritableStream } from "../streams.ts";
import { nodeUrl } from "./url.ts";

const OPTIONS: Record<string, unknown> = { "--async-context-frame": true };

provideModule("internal/options", () => ({ getOptionValue: (name: string) => OPTIONS[name], getEmbedderOptions: () => ({}) }));
provideModule("internal/v8/startup_snapshot", () => ({
  namespace: { isBuildingSnapshot: () => false, addDeserializeCallback() {}, addSerializeCallback() {}, setDeserializeMainFunction() {} },
  addAfterUserSerializeCallback() {},
}));
provideModule("internal/bootstrap/realm", () => ({ BuiltinModule: { exists: () => false, normalizeRequirableId: () => undefined } }));
provideModule("internal/trace_events", () => ({ isTraceCategoryEnabled: () => false, trace() {}, traceBegin() {}, traceEnd() {} }));
provideModule("internal/util/colors", () => ({
  blue: "", green: "", white: "", yellow: "", red: "", gray: "", clear: "", reset: "", hasColors: false, shouldColorize: () => false, refresh() {},
}));
// What an assertion said in the source: no source is at hand.
provideModule("internal/errors/error_source", () => ({ getErrorSourceExpression: () => undefined }));
provideModule("internal/async_hooks", () => ({ enabledHooksExist: () => false, symbols: { owner_symbol: Symbol("owner_symbol") } }));
provideModule("async_hooks", () => asyncHooks);
// Archives: what is made of them says that there are none.
provideModule("internal/zip", () => {
  class Archive { constructor() { unavailable(); } }
  return { ZipEntry: Archive, ZipFile: Archive, ZipBuffer: Archive, createZipArchive: unavailable, createZipArchiveSync: unavailable,
           zipFiles: unavailable, getMaxZipContentSize: unavailable, setMaxZipContentSize: unavailable };
});
provideModule("internal/timers", () => ({ TIMEOUT_MAX: 0x7fffffff }));
provideModule("timers", () => timers);
provideModule("timers/promises", () => timersPromises);
provideModule("internal/url", () => nodeUrl());
provideModule("internal/encoding", () => ({ TextEncoder, TextDecoder }));
provideModule("internal/abort_controller", () => ({ AbortController, AbortSignal, aborted }));
provideModule("internal/event_target", () => ({
  Event, EventTarget,
  isEventTarget: (value: unknown) => value instanceof EventTarget,
  kEvents: Symbol("kEvents"), kWeakHandler: Symbol("kWeak"), kResistStopPropagation: Symbol("kResistStopPropagation"),
}));
provideModule("internal/blob", () => ({ Blob, isBlob: (value: unknown) => value instanceof Blob, resolveObjectURL: () => undefined, createBlob: unavailable }));
provideModule("internal/file", () => ({ File }));
provideModule("internal/webstreams/util", () => ({ kResolvedPromise: Promise.resolve() }));
provideModule("internal/webstreams/queuingstrategies", () => ({ CountQueuingStrategy: (globalThis as Exports)["CountQueuingStrategy"], ByteLengthQueuingStrategy: (globalThis as Exports)["ByteLengthQueuingStrategy"] }));
provideModule("internal/webstreams/transformstream", () => ({ TransformStream, isTransformStream: (value: unknown) => value instanceof TransformStream }));

const kChunk = Symbol("kChunk"), kClose = Symbol("kClose"), kError = Symbol("kError");
interface ReadRequest { [kChunk](chunk: unknown): void; [kClose](): void; [kError](error: unknown): void }

provideModule("internal/webstreams/readablestream", () => ({
  ReadableStream, kChunk, kClose, kError,
  isReadableStream: (value: unknown) => value instanceof ReadableStream,
  readableStreamDefaultReaderRead(reader: { read(): Promise<{ done: boolean; value: unknown }> }, request: ReadRequest) {
    reader.read().then(({ done, value }) => done ? request[kClose]() : request[kChunk](value), (error: unknown) => request[kError](error));
  },
}));

interface WriteRequest { pending: number; resolve(): void; reject(error: unknown): void }

provideModule("internal/webstreams/writablestream", () => ({
  WritableStream,
  isWritableStream: (value: unknown) => value instanceof WritableStream,
  writableStreamDefaultWriterWriteWithRequest(writer: { write(chunk: unknown): Promise<void> }, chunk: unknown, request: WriteRequest) {
    request.pending++;
    writer.write(chunk).then(() => request.resolve(), (error: unknown) => request.reject(error));
  },
}));

function unavailable(): never { throw new PlainError("This part of Node.js is not available in a worker."); }

// util.aborted()
async function aborted(signal: AbortSignal, resource: object): Promise<void> {
  const { validateAbortSignal, validateObject } = requireInternal("internal/validators");
  validateAbortSignal(signal, "signal");
  validateObject(resource, "resource");
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

