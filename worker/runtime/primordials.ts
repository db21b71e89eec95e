// The built-ins the runtime uses, captured before user code can replace them. Within the runtime: no method calls on
// values that user code can reach the prototype of, where the outcome matters; no `for...of` over arrays.

const { bind, call } = Function.prototype;

type Uncurried<F> = F extends (this: infer T, ...args: infer A) => infer R ? (self: T, ...args: A) => R : never;

// f.call as a function of its own: uncurryThis(f)(self, ...args).
export const uncurryThis = bind.bind(call) as unknown as <F>(method: F) => Uncurried<F>;

export const {
  create: objectCreate,
  defineProperty,
  freeze,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  setPrototypeOf,
} = Object;
export const { ownKeys, apply, construct } = Reflect;
export const { isArray } = Array;
export const { now: dateNow } = Date;
export const { min, max, floor, trunc } = Math;
export const { isView: isArrayBufferView } = ArrayBuffer;
export const toStringOf = String;
export const toNumberOf = Number;
export const toStringTag: typeof Symbol.toStringTag = Symbol.toStringTag;
export const symbolIterator: typeof Symbol.iterator = Symbol.iterator;

export const push = uncurryThis(Array.prototype.push) as <T>(list: T[], ...items: T[]) => number;
export const splice = uncurryThis(Array.prototype.splice) as <T>(list: T[], start: number, count: number, ...items: T[]) => T[];
export const arraySlice = uncurryThis(Array.prototype.slice) as <T>(list: T[], start?: number, end?: number) => T[];
export const join = uncurryThis(Array.prototype.join) as (list: unknown[], separator: string) => string;

export const slice = uncurryThis(String.prototype.slice) as (text: string, start: number, end?: number) => string;
export const includes = uncurryThis(String.prototype.includes) as (text: string, search: string) => boolean;
export const indexOf = uncurryThis(String.prototype.indexOf) as (text: string, search: string, from?: number) => number;
export const codeUnitAt = uncurryThis(String.prototype.charCodeAt) as (text: string, index: number) => number;
export const toLowerCase = uncurryThis(String.prototype.toLowerCase) as (text: string) => string;
export const repeat = uncurryThis(String.prototype.repeat) as (text: string, count: number) => string;
export const padEnd = uncurryThis(String.prototype.padEnd) as (text: string, length: number, fill?: string) => string;
export const toWellFormed = uncurryThis(String.prototype.toWellFormed) as (text: string) => string;
export const matches = uncurryThis(RegExp.prototype.exec) as (pattern: RegExp, text: string) => RegExpExecArray | null;

export const functionToString = uncurryThis(Function.prototype.toString) as (f: Function) => string;
export const dateToISOString = uncurryThis(Date.prototype.toISOString) as (date: Date) => string;
export const dateValueOf = uncurryThis(Date.prototype.getTime) as (date: Date) => number;
export const regExpToString = uncurryThis(RegExp.prototype.toString) as (pattern: RegExp) => string;
export const symbolToString = uncurryThis(Symbol.prototype.toString) as (symbol: symbol) => string;
export const bigintToString = uncurryThis(BigInt.prototype.toString) as (bigint: bigint) => string;

const typedArrayPrototype = getPrototypeOf(Uint8Array.prototype) as object;
const getterOf = (prototype: object, name: PropertyKey) =>
  uncurryThis(getOwnPropertyDescriptor(prototype, name)!.get!) as (self: unknown) => unknown;
// Undefined for everything that is not a typed array.
export const typedArrayName = getterOf(typedArrayPrototype, toStringTag) as (view: unknown) => string | undefined;
export const typedArrayLength = getterOf(typedArrayPrototype, "length") as (view: unknown) => number;
export const typedArrayByteLength = getterOf(typedArrayPrototype, "byteLength") as (view: unknown) => number;
export const bufferByteLength = getterOf(ArrayBuffer.prototype, "byteLength") as (buffer: unknown) => number;
export const bufferIsDetached = getterOf(ArrayBuffer.prototype, "detached") as (buffer: unknown) => boolean;
export const setBytes = uncurryThis(Uint8Array.prototype.set) as (into: Uint8Array, from: Uint8Array, offset?: number) => void;
export const subarray = uncurryThis(Uint8Array.prototype.subarray) as (bytes: Uint8Array<ArrayBuffer>, start: number, end?: number) => Uint8Array<ArrayBuffer>;

export const captureStackTrace = (Error as unknown as { captureStackTrace(target: object, below?: Function): void }).captureStackTrace;
export const { stringify: jsonStringify } = JSON;
export const { Uint8Array: Bytes, Error: PlainError, TypeError: PlainTypeError, RangeError: PlainRangeError } = globalThis;
export const iteratorPrototype = getPrototypeOf(getPrototypeOf([][symbolIterator]())) as object;
