// Making objects out of what a stranger says: no setter hears of it, and a few bytes of theirs take no great amount of memory.

import { arrayIndex } from "./value-objects.ts";

export const HOLES_ALLOCATED_MAX = 16;   // Beyond, an array's or object's elements are kept in a hash table.

export const NOTHING: readonly unknown[] = Array.from({ length: 64 }, () => undefined);
export const FRACTIONS: readonly number[] = Array.from({ length: 64 }, () => 0.5);   // V8 keeps them as such, eight bytes each.

// An array that has each of its elements already, so that assigning one asks no prototype for a setter.
export function filled<Item>(template: readonly Item[], length: number): Item[] {
  if (length <= template.length) return template.slice(0, length);
  let array = template.concat(template);
  while (array.length < length) array = array.concat(array);
  array.length = length;
  return array;
}

export const ResizableBuffer = ArrayBuffer as unknown as new (byteLength: number, options: object) => ArrayBuffer;

// No prototype, so that no `get` is found on Object.prototype.
const descriptor = {
  __proto__: null, value: undefined as unknown, writable: true, enumerable: true, configurable: true,
} as unknown as { value: unknown; enumerable: boolean };

export function define(object: object, key: PropertyKey, value: unknown, enumerable: boolean): boolean {
  descriptor.value = value;
  descriptor.enumerable = enumerable;
  const done = Reflect.defineProperty(object, key, descriptor as PropertyDescriptor);
  descriptor.value = undefined;
  return done;
}

// Whether the element so named would lie far behind as many as there are.
export function isFar(key: string, count: number): boolean {
  const first = key.charCodeAt(0);
  return first >= 48 && first <= 57 && arrayIndex(key) > count * 2 + HOLES_ALLOCATED_MAX;
}

// V8 allocates the elements between the last one and a new one if they are not too many. A message that says so again and
// again in a few bytes would take hundreds of times its size; from an element at the very end on it uses a hash table.
export function keepSparse(object: object): void {
  if (Array.isArray(object)) {
    const { length } = object;
    object.length = 0xffffffff;
    object.length = length;
  } else {
    define(object, "4294967294", undefined, true);
    delete (object as Record<string, unknown>)["4294967294"];
  }
}

// The frames at the receiver say nothing of an error that happened elsewhere, and cost more than the rest of it.
export function withoutFrames<Result>(make: () => Result): Result {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
