// structuredClone(), and what the codec in C++ needs from JavaScript.

import {
  PlainError, PlainTypeError, bufferByteLength, bufferIsDetached, construct, push, symbolIterator,
} from "./primordials.ts";
import { exposeValue, isObject, platformPrototypes, requireArguments, toDictionary, toSequence } from "./webidl.ts";
import { fillPlatform, makePlatform, platformOf, whileCloning } from "./platform-objects.ts";
import { domExceptionParts, makeDomException } from "./dom-exception.ts";

type ErrorClass = new (...args: unknown[]) => Error;
type ViewClass = new (buffer: ArrayBuffer, byteOffset: number) => ArrayBufferView;

const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError] as unknown as ErrorClass[];
const AGGREGATE = 7;
const SUPPRESSED = 8;
const VIEWS = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  undefined,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView,
] as unknown as ViewClass[];
const FLOAT16 = 7;
const ResizableBuffer = ArrayBuffer as unknown as new (byteLength: number, options: object) => ArrayBuffer;

const { isPrototypeOf } = Object.prototype;
const isBelow = isPrototypeOf.call.bind(isPrototypeOf) as (prototype: object, value: object) => boolean;

export const codecHooks = {
  // V8 adds its newest built-ins to a context after it came out of the snapshot.
  contextStarted(): void {
    const late = globalThis as unknown as { SuppressedError?: ErrorClass; Float16Array?: ViewClass };
    ERRORS[SUPPRESSED] = late.SuppressedError ?? PlainError as ErrorClass;
    codecHooks.errorPrototypes[SUPPRESSED] = ERRORS[SUPPRESSED].prototype as object;
    VIEWS[FLOAT16] = late.Float16Array ?? VIEWS[0]!;
  },
  errorPrototypes: ERRORS.map((constructor) => constructor.prototype as object),
  makeError(prototype: number): Error {
    const error = construct(ERRORS[prototype]!, prototype === AGGREGATE ? [[]] : []) as Error & { error?: unknown; suppressed?: unknown };
    if (prototype === SUPPRESSED) {
      delete error.error;
      delete error.suppressed;
    }
    return error;
  },
  makeDomException,
  domExceptionParts,
  makeResizableBuffer(byteLength: number, maxByteLength: number): ArrayBuffer {
    return new ResizableBuffer(byteLength, { __proto__: null, maxByteLength } as object);
  },
  makeTrackingView(kind: number, buffer: ArrayBuffer, byteOffset: number): ArrayBufferView {
    return new VIEWS[kind]!(buffer, byteOffset);
  },
  platformOf,
  makePlatform,
  fillPlatform,
  isPlatformObject(value: object): boolean {
    for (let i = 0; i < platformPrototypes.length; i++) {
      if (value !== platformPrototypes[i] && isBelow(platformPrototypes[i]!, value)) return true;
    }
    return false;
  },
};

const functions = {
  structuredClone(value: unknown, options: unknown = undefined): unknown {
    requireArguments(arguments.length, 1, "'structuredClone'");
    return cloneValue(value, toDictionary<{ transfer: unknown }>(options, "The options of structuredClone()").transfer);
  },
};

// `transfer`: undefined, or what should be a list of what is moved instead of copied.
export function cloneValue(value: unknown, transfer: unknown): unknown {
  const buffers: ArrayBuffer[] = [];
  if (transfer !== undefined) {
    if (!isObject(transfer)) throw new PlainTypeError("The `transfer` option is not iterable.");
    const list = toSequence(transfer, (transfer as { [symbolIterator]?: unknown })[symbolIterator]);
    for (let i = 0; i < list.length; i++) push(buffers, checkTransferable(list[i], buffers));
  }
  return whileCloning(() => native.structuredClone(value, buffers));
}

function checkTransferable(item: unknown, before: ArrayBuffer[]): ArrayBuffer {
  if (!isObject(item)) throw new PlainTypeError("An entry of `transfer` is not an object.");
  try {
    bufferByteLength(item);
  } catch {
    throw makeDomException("Value not transferable", "DataCloneError");
  }
  if (bufferIsDetached(item)) throw makeDomException("An ArrayBuffer is detached and could not be transferred.", "DataCloneError");
  for (let i = 0; i < before.length; i++) {
    if (before[i] === item) throw makeDomException("An ArrayBuffer is twice in `transfer`.", "DataCloneError");
  }
  return item as ArrayBuffer;
}

export function installStructuredClone(): void {
  exposeValue("structuredClone", functions.structuredClone);
}
