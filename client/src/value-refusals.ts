// What is not cloned, and the words in which it is refused: V8's own, or Worker Loader's.

import { types } from "node:util";

const DESCRIPTION_BYTES_MAX = 400;

export function dataCloneError(message: string): DOMException {
  return new DOMException(message, "DataCloneError");
}

const NOT_CLONED = " could not be cloned.";

// V8 has a description of each value for this, and tells it when it is asked to clone one. All that come here are refused
// at once, before any of their properties is looked at, but for a few that V8 would clone or share.
export function uncloneable(value: unknown): DOMException {
  let description = typeof value === "object" && value !== null ? `#<${constructorName(value)}>` : typeof value;
  if (!types.isSharedArrayBuffer(value)) {
    try {
      structuredClone(value);
    } catch (error) {
      const message: unknown = (error as { message?: unknown } | undefined)?.message;
      if (typeof message === "string" && message.endsWith(NOT_CLONED)) description = message.slice(0, -NOT_CLONED.length);
    }
  }
  return dataCloneError(firstBytes(description, DESCRIPTION_BYTES_MAX) + NOT_CLONED);
}

// As V8 finds it for its own messages: without running a getter.
export function constructorName(object: object): string {
  for (let at: unknown = object; typeof at === "object" && at !== null && !types.isProxy(at); at = Object.getPrototypeOf(at)) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
    if (typeof constructor === "function" && !types.isProxy(constructor)) {
      const name: unknown = Object.getOwnPropertyDescriptor(constructor, "name")?.value;
      if (typeof name === "string" && name !== "" && name !== "Object") return firstBytes(name, DESCRIPTION_BYTES_MAX);
    }
    const tag: unknown = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag)?.value;
    if (typeof tag === "string") return firstBytes(tag, DESCRIPTION_BYTES_MAX);
  }
  return "Object";
}

// Not there if Node was told to do without (`--jitless`).
const WASM = (globalThis as unknown as { WebAssembly?: { Module: new () => object; Memory: new () => object } }).WebAssembly;

// Objects nothing can clone.
export function isUncloneable(object: object): boolean {
  return types.isPromise(object) || types.isWeakMap(object) || types.isWeakSet(object) || object instanceof WeakRef ||
      types.isSymbolObject(object) || types.isSharedArrayBuffer(object) || types.isGeneratorObject(object) ||
      types.isMapIterator(object) || types.isSetIterator(object) || types.isModuleNamespaceObject(object) ||
      (WASM !== undefined && (object instanceof WASM.Module || object instanceof WASM.Memory));
}

// The start of a text, cut between characters.
export function firstBytes(text: string, size: number): string {
  if (text.length * 3 <= size) return text;
  return text.slice(0, textEncoder.encodeInto(text, scratch.subarray(0, size)).read);
}

const textEncoder = new TextEncoder();
const scratch = new Uint8Array(DESCRIPTION_BYTES_MAX);
