// The built-ins that this folder and the worker's runtime use, captured before user code can replace them. Where hostile
// code shares the realm (the worker): no method calls on values that it can reach the prototype of, where the outcome
// matters; no `for...of` over arrays. All of it exists in Node.js 20.

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
export const matches = uncurryThis(RegExp.prototype.exec) as (pattern: RegExp, text: string) => RegExpExecArray | null;

export const functionToString = uncurryThis(Function.prototype.toString) as (f: Function) => string;
export const dateToISOString = uncurryThis(Date.prototype.toISOString) as (date: Date) => string;
export const dateValueOf = uncurryThis(Date.prototype.getTime) as (date: Date) => number;
export const regExpToString = uncurryThis(RegExp.prototype.toString) as (pattern: RegExp) => string;
export const symbolToString = uncurryThis(Symbol.prototype.toString) as (symbol: symbol) => string;
export const bigintToString = uncurryThis(BigInt.prototype.toString) as (bigint: bigint) => string;

export const { Error: PlainError, TypeError: PlainTypeError, RangeError: PlainRangeError } = globalThis;
export const captureStackTrace = (Error as unknown as { captureStackTrace(target: object, below?: Function): void }).captureStackTrace;
export const { Promise: PlainPromise } = globalThis;
export const promiseThen = uncurryThis(Promise.prototype.then) as <T, R>(
  promise: Promise<T>, fulfilled: ((value: T) => R | PromiseLike<R>) | undefined, rejected?: (error: unknown) => R | PromiseLike<R>) => Promise<R>;
export const { keys: objectKeys } = Object;
export const { parse: jsonParse, stringify: jsonStringify } = JSON;

export const symbolDispose: typeof Symbol.dispose = Symbol.dispose;
export const symbolAsyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose;

// DOMException is the host's.
let makeDataCloneError = (message: string): unknown => new Error(message);
export function provideDataCloneError(make: (message: string) => unknown): void { makeDataCloneError = make; }
export function dataCloneError(message: string): unknown { return makeDataCloneError(message); }
export const isPrototypeOf = uncurryThis(Object.prototype.isPrototypeOf) as (prototype: object, value: object) => boolean;
export const hasOwn = Object.hasOwn;
export const objectPrototype = Object.prototype;

// A Map whose methods stay what they were.
export class Table<V, K = number> {
  readonly #map = new Map<K, V>();
  static #get = uncurryThis(Map.prototype.get) as <K, V>(map: Map<K, V>, key: K) => V | undefined;
  static #set = uncurryThis(Map.prototype.set) as <K, V>(map: Map<K, V>, key: K, value: V) => void;
  static #delete = uncurryThis(Map.prototype.delete) as <K, V>(map: Map<K, V>, key: K) => boolean;
  static #forEach = uncurryThis(Map.prototype.forEach) as <K, V>(map: Map<K, V>, visit: (value: V, key: K) => void) => void;
  static #keys = uncurryThis(Map.prototype.keys) as <K, V>(map: Map<K, V>) => Iterator<K>;
  static #next = uncurryThis((getPrototypeOf(new Map().keys()) as Iterator<unknown>).next) as <K>(iterator: Iterator<K>) => IteratorResult<K>;
  static #size = uncurryThis(getOwnPropertyDescriptor(Map.prototype, "size")!.get!) as (map: Map<unknown, unknown>) => number;
  get(key: K): V | undefined { return Table.#get(this.#map, key); }
  set(key: K, value: V): void { Table.#set(this.#map, key, value); }
  delete(key: K): boolean { return Table.#delete(this.#map, key); }
  forEach(visit: (value: V, key: K) => void): void { Table.#forEach(this.#map, visit); }
  get size(): number { return Table.#size(this.#map); }
  // The key that has been there longest.
  first(): K | undefined { return Table.#next(Table.#keys(this.#map)).value as K | undefined; }
}
