// What Web IDL asks of every interface: enumerable members, a tag, conversions of arguments and their error texts.

import {
  PlainTypeError, apply, defineProperty, getOwnPropertyDescriptor, iteratorPrototype, objectCreate, ownKeys, push, symbolIterator, toNumberOf, toStringOf,
  toStringTag, toWellFormed, trunc,
} from "./primordials.ts";

type Class = { readonly prototype: object; readonly name: string };

// The prototypes of the runtime's classes: structuredClone() refuses their instances, but for those it knows.
export const platformPrototypes: object[] = [];

// Members become enumerable, the prototype gets its tag, and the class becomes a global of that name.
export function exposeInterface(name: string, interfaceClass: Class): void {
  makeInterface(name, interfaceClass);
  push(platformPrototypes, interfaceClass.prototype);
  defineProperty(globalThis, name, { value: interfaceClass, writable: true, configurable: true, enumerable: false });
}

export function makeInterface(name: string, interfaceClass: Class): void {
  // The bundler renames a class whose name is taken elsewhere.
  defineProperty(interfaceClass, "name", { value: name, configurable: true });
  makeEnumerable(interfaceClass.prototype);
  makeEnumerable(interfaceClass, true);
  defineProperty(interfaceClass.prototype, toStringTag, { value: name, configurable: true });
}

function makeEnumerable(target: object, statics = false): void {
  const keys = ownKeys(target);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (typeof key !== "string" || key === "constructor") continue;
    if (statics && (key === "prototype" || key === "name" || key === "length")) continue;
    defineProperty(target, key, { ...getOwnPropertyDescriptor(target, key)!, enumerable: true });
  }
}

export function defineConstants(interfaceClass: Class, constants: Record<string, number>): void {
  const names = ownKeys(constants) as string[];
  for (let i = 0; i < names.length; i++) {
    const attributes = { value: constants[names[i]!], enumerable: true, writable: false, configurable: false };
    defineProperty(interfaceClass, names[i]!, attributes);
    defineProperty(interfaceClass.prototype, names[i]!, attributes);
  }
}

// A global that is neither enumerable by accident nor read-only: how the platform's functions and objects look.
export function exposeValue(name: string, value: unknown, enumerable = true): void {
  defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable });
}

export function requireArguments(got: number, needed: number, where: string): void {
  if (got < needed) {
    throw new PlainTypeError(`Failed to execute ${where}: ${needed} argument${needed === 1 ? "" : "s"} required, but only ${got} present.`);
  }
}

export function toDOMString(value: unknown): string {
  if (typeof value === "symbol") throw new PlainTypeError("Cannot convert a Symbol value to a string");
  return toStringOf(value);
}

export function toUSVString(value: unknown): string {
  return toWellFormed(toDOMString(value));
}

// unsigned long long with [EnforceRange].
export function toEnforcedInteger(value: unknown, what: string): number {
  const number = trunc(toNumberOf(value));
  if (!(number >= 0 && number <= 9007199254740991)) throw new PlainTypeError(`${what} must be an integer between 0 and 2^53 - 1.`);
  return number;
}

// A dictionary argument: undefined and null are an empty one.
export function toDictionary<T extends object>(value: unknown, what: string): Partial<T> {
  if (value === undefined || value === null) return objectCreate(null) as Partial<T>;
  if (typeof value !== "object" && typeof value !== "function") throw new PlainTypeError(`${what} must be an object.`);
  return value as Partial<T>;
}

export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

// Any iterable to a list, through its own iterator, as a Web IDL sequence.
export function toSequence(value: object, method: unknown, convert: (item: unknown) => unknown = (item) => item): unknown[] {
  if (typeof method !== "function") throw new PlainTypeError("The value is not iterable.");
  const source: Iterable<unknown> = { [symbolIterator]: () => apply(method, value, []) as Iterator<unknown> };
  const list: unknown[] = [];
  let count = 0;
  for (const item of source) defineProperty(list, count++, { value: convert(item), writable: true, enumerable: true, configurable: true });
  return list;
}

// Iterators of pair interfaces (URLSearchParams, Headers, ...): one prototype each, with a brand.
export function makePairIterator<Owner>(tag: string, at: (owner: Owner, index: number) => [string, string] | undefined) {
  class State {
    readonly #owner: Owner;
    readonly #kind: "key" | "value" | "entry";
    #index = 0;
    constructor(owner: Owner, kind: "key" | "value" | "entry") {
      this.#owner = owner;
      this.#kind = kind;
    }
    next(): IteratorResult<unknown> {
      const pair = at(this.#owner, this.#index);
      if (pair === undefined) return { value: undefined, done: true };
      this.#index++;
      const value = this.#kind === "key" ? pair[0] : this.#kind === "value" ? pair[1] : pair;
      return { value, done: false };
    }
  }
  const prototype: object = State.prototype;
  Reflect.deleteProperty(prototype, "constructor");
  Object.setPrototypeOf(prototype, iteratorPrototype);
  makeEnumerable(prototype);
  defineProperty(prototype, toStringTag, { value: `${tag} Iterator`, configurable: true });
  return (owner: Owner, kind: "key" | "value" | "entry") => new State(owner, kind) as unknown as IterableIterator<unknown>;
}

export function illegalConstructor(): never {
  throw new PlainTypeError("Illegal constructor");
}


