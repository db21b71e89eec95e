// What the language and Node know of an object, asked so that the object itself has no say.

import { inspect, types } from "node:util";

export const OBJECT_PROTOTYPE = Object.prototype;

export function getterOf<Result>(prototype: object, name: PropertyKey): (this: unknown) => Result {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as (this: unknown) => Result;
}

export const bufferByteLength = getterOf<number>(ArrayBuffer.prototype, "byteLength");
export const bufferMaxByteLength = getterOf<number>(ArrayBuffer.prototype, "maxByteLength");
const isResizableGetter = getterOf<boolean>(ArrayBuffer.prototype, "resizable");
export const mapSize = getterOf<number>(Map.prototype, "size");
export const setSize = getterOf<number>(Set.prototype, "size");
export const mapForEach = Map.prototype.forEach;
export const setForEach = Set.prototype.forEach;
export const dateTime = Date.prototype.getTime;
export const regexpSource = getterOf<string>(RegExp.prototype, "source");
// In the order of REGEXP_FLAGS.
export const REGEXP_GETTERS = ["hasIndices", "global", "ignoreCase", "multiline", "dotAll", "unicode", "unicodeSets", "sticky"]
    .map((name) => getterOf<boolean>(RegExp.prototype, name));
export const domExceptionName = getterOf<string>(DOMException.prototype, "name");
export const domExceptionMessage = getterOf<string>(DOMException.prototype, "message");
const functionText = Function.prototype.toString;

export function isResizable(buffer: ArrayBuffer): boolean {
  return isResizableGetter.call(buffer);
}

export function primitiveOf(boxed: object): unknown {
  if (types.isNumberObject(boxed)) return Number.prototype.valueOf.call(boxed);
  if (types.isStringObject(boxed)) return String.prototype.valueOf.call(boxed);
  if (types.isBooleanObject(boxed)) return Boolean.prototype.valueOf.call(boxed);
  return BigInt.prototype.valueOf.call(boxed);
}

// Objects that are not plain whatever their prototype is (`Object.setPrototypeOf(new Map(), Object.prototype)`).
export function isExotic(object: object): boolean {
  return types.isNativeError(object) || types.isMap(object) || types.isSet(object) || types.isDate(object) ||
      types.isAnyArrayBuffer(object) || ArrayBuffer.isView(object) || types.isRegExp(object) || types.isPromise(object) ||
      types.isBoxedPrimitive(object) || types.isWeakMap(object) || types.isWeakSet(object) || types.isGeneratorObject(object) ||
      types.isMapIterator(object) || types.isSetIterator(object);
}

// Whether it is the Object.prototype of another realm (`node:vm`).
export function isForeignPlain(prototype: unknown): boolean {
  if (typeof prototype !== "object" || prototype === null || types.isProxy(prototype)) return false;
  if (Object.getPrototypeOf(prototype) !== null) return false;
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof constructor === "function" && !types.isProxy(constructor) &&
      Object.getOwnPropertyDescriptor(constructor, "prototype")?.value === prototype &&
      functionText.call(constructor) === "function Object() { [native code] }";
}

// -1: not an index of an array.
export function arrayIndex(key: string): number {
  const index = Number(key) >>> 0;
  return index !== 0xffffffff && String(index) === key ? index : -1;
}

// A plain array whose every index is there and which has no other enumerable property. Listing its keys would make a
// string of each index; `inspect`, told to show no element, names the other properties only, whatever the length. It reads
// none of them. If it ever says it in other words the answer is no, which costs nothing but time.
export function hasOnlyElements(array: readonly unknown[]): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false;
  const { length } = array;
  for (let i = 0; i < length; i++) {
    if (!(i in array)) return false;
  }
  return inspect(array, ELEMENTS_HIDDEN) === `[ ... ${length} more items ]`;
}

const ELEMENTS_HIDDEN = {
  maxArrayLength: 0, depth: 0, customInspect: false, getters: false, colors: false, showHidden: false, numericSeparator: false,
};
