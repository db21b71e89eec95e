// What the worker's runtime captures of the engine besides ipc/js/primordials.ts: what not every Node.js has, and what only
// the web platform needs.

import { getOwnPropertyDescriptor, getPrototypeOf, symbolIterator, toStringTag, uncurryThis } from "../../ipc/js/primordials.ts";
export * from "../../ipc/js/primordials.ts";

export const { clz32 } = Math;
export const toWellFormed = uncurryThis(String.prototype.toWellFormed) as (text: string) => string;

const typedArrayPrototype = getPrototypeOf(Uint8Array.prototype) as object;
const getterOf = (prototype: object, name: PropertyKey) =>
  uncurryThis(getOwnPropertyDescriptor(prototype, name)!.get!) as (self: unknown) => unknown;
// Undefined for everything that is not a typed array.
export const typedArrayName = getterOf(typedArrayPrototype, toStringTag) as (view: unknown) => string | undefined;
export const typedArrayLength = getterOf(typedArrayPrototype, "length") as (view: unknown) => number;
export const typedArrayByteLength = getterOf(typedArrayPrototype, "byteLength") as (view: unknown) => number;
export const typedArrayBuffer = getterOf(typedArrayPrototype, "buffer") as (view: unknown) => ArrayBufferLike;
export const dataViewBuffer = getterOf(DataView.prototype, "buffer") as (view: unknown) => ArrayBufferLike;
export const bufferByteLength = getterOf(ArrayBuffer.prototype, "byteLength") as (buffer: unknown) => number;
export const bufferIsDetached = getterOf(ArrayBuffer.prototype, "detached") as (buffer: unknown) => boolean;
export const setBytes = uncurryThis(Uint8Array.prototype.set) as (into: Uint8Array, from: Uint8Array, offset?: number) => void;
export const subarray = uncurryThis(Uint8Array.prototype.subarray) as (bytes: Uint8Array<ArrayBuffer>, start: number, end?: number) => Uint8Array<ArrayBuffer>;

export const { Uint8Array: Bytes } = globalThis;
export const iteratorPrototype = getPrototypeOf(getPrototypeOf([][symbolIterator]())) as object;
export const sort = uncurryThis(Array.prototype.sort) as <T>(list: T[], compare: (a: T, b: T) => number) => T[];
export const lastIndexOf = uncurryThis(String.prototype.lastIndexOf) as (text: string, search: string) => number;
export const { parse: jsonParse } = JSON;
export const { fromCharCode: fromCodeUnits } = String;
