// The methods by which the runtime's own sources and sinks drive their streams, captured before user code can replace them.

import { ReadableByteStreamController, ReadableStreamBYOBRequest, WritableStreamDefaultController } from "web-streams-polyfill";

import { uncurryThis } from "./primordials.ts";

const source = ReadableByteStreamController.prototype;
const getter = (prototype: object, name: string) => uncurryThis(Object.getOwnPropertyDescriptor(prototype, name)!.get!);

export const enqueue = uncurryThis(source.enqueue);
export const closeReadable = uncurryThis(source.close);
export const errorReadable = uncurryThis(source.error);
export const errorWritable = uncurryThis(WritableStreamDefaultController.prototype.error);
export const respond = uncurryThis(ReadableStreamBYOBRequest.prototype.respond);
export const requestOf = getter(source, "byobRequest") as (controller: unknown) => ReadableStreamBYOBRequest | null;
export const viewOf = getter(ReadableStreamBYOBRequest.prototype, "view") as (request: unknown) => ArrayBufferView;
export const signalOf = getter(WritableStreamDefaultController.prototype, "signal") as (controller: unknown) => { reason: unknown };
