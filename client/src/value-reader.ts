// A Value to JavaScript values: what each node becomes.
//
// What is read was written by sandboxed code: every reference, size and kind is checked where it is used; value-cursor.ts
// checks the pointers.
//
// Two passes: first every node becomes a JavaScript value (containers still empty), then the containers are filled.

import type { ExternalKind } from "../../ipc/js/wire.ts";
import { makePlatform, malformedPlatform } from "./platform-objects.ts";
import { ValueCursor, isString, malformed } from "./value-cursor.ts";
import * as layout from "./value-layout.ts";
import { OBJECT_PROTOTYPE, isResizable } from "./value-objects.ts";
import { FRACTIONS, HOLES_ALLOCATED_MAX, NOTHING, ResizableBuffer, define, filled, isFar, keepSparse,
  withoutFrames } from "./value-reader-objects.ts";

// Each costs a mapping of its own, of which a process has some 65,000.
const RESIZABLE_BUFFERS_MAX = 1024;
// V8's hash of numbers and BigInts is no secret, so that keys can be chosen which all meet in one place, and adding n of
// them takes n * n steps. An honest one takes less than a microsecond.
const KEYS_BETWEEN_LOOKS = 256;
const KEYS_TIME_MS = 1000;
const KEY_TIME_MS = 0.005;

const INTERFACE_NAME_MAX = 32;

// The half of CodecHooks (codec.ts) that is asked here.
interface ReaderHooks {
  fromExternal(kind: ExternalKind, id: number): object;
}

export class Decoder {
  readonly #cursor: ValueCursor;
  readonly #externals: readonly { kind: number; id: number }[];
  #externalValues: Map<number, object> | undefined;
  readonly #hooks: ReaderHooks;
  #resizableBuffers = 0;
  #keysAdded = 0;              // to maps and sets
  #keysSince = 0;

  #values: unknown[] = [];     // undefined: not made yet, or made and undefined

  constructor(bytes: Uint8Array, externals: readonly { kind: number; id: number }[], hooks: ReaderHooks) {
    this.#cursor = new ValueCursor(bytes);
    this.#externals = externals;
    this.#hooks = hooks;
  }

  decode(): unknown {
    const count = this.#cursor.open();
    const values = this.#values = filled(NOTHING, count);
    for (let ref = 0; ref < count; ref++) {
      if (values[ref] === undefined) values[ref] = this.#make(ref);
    }
    for (let ref = 0; ref < count; ref++) this.#fill(ref);
    return values[0];
  }

  // ---- first pass ----

  // Nothing that is needed early needs another in turn but a string, a primitive or a buffer, so the recursion is one deep.
  #early(ref: number): unknown {
    let value = this.#values[ref];
    if (value === undefined) value = this.#values[ref] = this.#make(ref);
    return value;
  }

  #earlyString(ref: number): string {
    if (ref >= this.#values.length || !isString(this.#cursor.nodeKind(ref))) {
      throw malformed("a reference to a string points elsewhere");
    }
    return this.#early(ref) as string;
  }

  #make(ref: number): unknown {
    const cursor = this.#cursor;
    switch (cursor.nodeKind(ref)) {
      case layout.KIND_UNDEFINED: return undefined;
      case layout.KIND_NULL: return null;
      case layout.KIND_BOOLEAN: return cursor.nodeBoolean(ref);
      case layout.KIND_NUMBER: return cursor.nodeNumber(ref);
      case layout.KIND_TEXT: return cursor.readText(cursor.nodePointer(ref));
      case layout.KIND_UTF16: return cursor.readUtf16(cursor.nodePointer(ref));
      case layout.KIND_BIGINT: return this.#makeBigInt(ref);
      case layout.KIND_DATE: return new Date(cursor.nodeNumber(ref));
      case layout.KIND_BOXED: return this.#makeBoxed(ref);
      case layout.KIND_REGEXP: return this.#makeRegExp(ref);
      case layout.KIND_ERROR: return this.#makeError(ref);
      case layout.KIND_ARRAY: return this.#makeArray(ref);
      case layout.KIND_NUMBERS: return this.#makeNumbers(ref);
      case layout.KIND_OBJECT: return {};
      case layout.KIND_MAP: return new Map();
      case layout.KIND_SET: return new Set();
      case layout.KIND_ARRAY_BUFFER: return this.#makeBuffer(ref);
      case layout.KIND_VIEW: return this.#makeView(ref);
      case layout.KIND_DOM_EXCEPTION: return this.#makeDomException(ref);
      case layout.KIND_EXTERNAL: return this.#makeExternal(ref);
      case layout.KIND_PLATFORM: return this.#makePlatform(ref);
      default: throw malformed("a node is of no known kind");
    }
  }

  #makeBigInt(ref: number): bigint {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const negative = (cursor.uint32(0) & 1) !== 0;
    const start = cursor.followList(cursor.pointerAt(0), layout.ELEMENT_EIGHT);
    const count = cursor.length;
    if (count > layout.BIGINT_WORDS_MAX) throw malformed("a BigInt is too long");
    let bigint = 0n;
    if (count === 1) {
      bigint = cursor.view.getBigUint64(start, true);
    } else if (count > 1) {
      let digits = "0x";
      for (let at = start + count * 8 - 4; at >= start; at -= 4) {
        digits += cursor.view.getUint32(at, true).toString(16).padStart(8, "0");
      }
      bigint = BigInt(digits);
    }
    return negative ? -bigint : bigint;
  }

  #makeBoxed(ref: number): object {
    const inner = this.#cursor.nodeReference(ref);
    if (inner >= this.#values.length) throw malformed("a boxed primitive points past its end");
    const kind = this.#cursor.nodeKind(inner);
    if (kind !== layout.KIND_NUMBER && kind !== layout.KIND_BOOLEAN && kind !== layout.KIND_BIGINT && !isString(kind)) {
      throw malformed("something other than a primitive is boxed");
    }
    return Object(this.#early(inner)) as object;
  }

  #makeRegExp(ref: number): RegExp {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const sourceRef = cursor.uint32(0);
    const flags = cursor.readText(cursor.pointerAt(0));
    for (let i = 0; i < flags.length; i++) {
      if (!layout.REGEXP_FLAGS.includes(flags[i]!) || flags.indexOf(flags[i]!) !== i) {
        throw malformed("a regular expression has unknown flags");
      }
    }
    const source = this.#earlyString(sourceRef);
    // It is compiled each time.
    cursor.charge(source.length >>> 3);
    return new RegExp(source, flags);
  }

  #makeError(ref: number): Error {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const prototype = cursor.uint32(0) & 0xffff;
    if (prototype >= layout.ERROR_CLASSES.length) throw malformed("an error is of no known kind");
    const error = withoutFrames(() => {
      const Class = layout.ERROR_CLASSES[prototype];
      if (Class === undefined) return new Error();
      return prototype === layout.ERROR_AGGREGATE ? new Class([]) : new Class();
    }) as Error & { error?: unknown; suppressed?: unknown };
    if (prototype === layout.ERROR_SUPPRESSED) {
      delete error.error;
      delete error.suppressed;
      if (layout.ERROR_CLASSES[prototype] === undefined) define(error, "name", layout.ERROR_NAMES[prototype], false);
    }
    return error;
  }

  #makeDomException(ref: number): DOMException {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const messageRef = cursor.uint32(0);
    const name = cursor.readText(cursor.pointerAt(0));
    const message = this.#earlyString(messageRef);
    return withoutFrames(() => new DOMException(message, name));
  }

  #makeArray(ref: number): unknown[] {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const length = cursor.uint32(0);
    cursor.followList(cursor.pointerAt(0), layout.ELEMENT_FOUR);
    if (cursor.length > length) throw malformed("an array is longer than it says");
    return filled(NOTHING, cursor.length);
  }

  #makeNumbers(ref: number): number[] {
    const cursor = this.#cursor;
    const start = cursor.followList(cursor.nodePointer(ref), layout.ELEMENT_EIGHT);
    const count = cursor.length;
    const view = cursor.view;
    const array = filled(FRACTIONS, count);
    for (let i = 0; i < count; i++) array[i] = view.getFloat64(start + i * 8, true);
    return array;
  }

  #makeBuffer(ref: number): ArrayBuffer {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const isResizable = (cursor.uint32(8) & 1) !== 0;
    const maxByteLength = cursor.uint64(0);
    const start = cursor.followList(cursor.pointerAt(0), layout.ELEMENT_BYTE);
    const size = cursor.length;
    if (!isResizable) {
      const from = cursor.bytes.byteOffset + start;
      return cursor.bytes.buffer.slice(from, from + size) as ArrayBuffer;
    }
    if (maxByteLength < size || maxByteLength > Number.MAX_SAFE_INTEGER) {
      throw malformed("a resizable buffer is larger than its maximum");
    }
    if (++this.#resizableBuffers > RESIZABLE_BUFFERS_MAX) throw malformed("it has too many resizable buffers");
    const buffer = new ResizableBuffer(size, { __proto__: null, maxByteLength } as object);
    new Uint8Array(buffer).set(cursor.bytes.subarray(start, start + size));
    return buffer;
  }

  #makeView(ref: number): ArrayBufferView {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const head = cursor.uint32(0);
    const kind = head & 0xffff;
    const tracksLength = (head & 1 << 16) !== 0;
    const bufferRef = cursor.uint32(4);
    const offset = cursor.uint64(8);
    const length = cursor.uint64(16);
    if (kind >= layout.VIEW_CLASSES.length) throw malformed("a view is of no known kind");
    if (bufferRef >= this.#values.length || cursor.nodeKind(bufferRef) !== layout.KIND_ARRAY_BUFFER) {
      throw malformed("a view has no buffer");
    }
    const buffer = this.#early(bufferRef) as ArrayBuffer;
    const unit = layout.VIEW_ELEMENT_BYTES[kind]!;
    const available = buffer.byteLength - offset;
    if (available < 0 || offset % unit !== 0) throw malformed("a view reaches past its buffer");
    const Class = layout.VIEW_CLASSES[kind];
    if (Class === undefined) {
      throw new Error(`The value holds a ${layout.VIEW_NAMES[kind]}, which Node.js ${process.version} does not have.`);
    }
    if (tracksLength) {
      if (!isResizable(buffer)) throw malformed("a view tracks the length of a buffer that has one for good");
      return new Class(buffer, offset);
    }
    if (length > Math.floor(available / unit)) throw malformed("a view reaches past its buffer");
    return new Class(buffer, offset, length);
  }

  #makeExternal(ref: number): object {
    const index = this.#cursor.nodeReference(ref);
    const external = index < this.#externals.length ? this.#externals[index] : undefined;
    if (external === undefined) throw malformed("it refers to an external that is not there");
    let value = this.#externalValues?.get(index);
    if (value === undefined) {
      value = this.#hooks.fromExternal(external.kind as ExternalKind, external.id);
      (this.#externalValues ??= new Map()).set(index, value);
    }
    return value;
  }

  // Node's own classes are made whole or not at all, so what they are made of is read before its turn. It is at most three deep:
  // the entries of a form, a file among them, its parts.
  #makePlatform(ref: number): object {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    const state = cursor.uint32(0);
    const name = cursor.readText(cursor.pointerAt(0));
    if (name.length > INTERFACE_NAME_MAX) throw malformed("an object of the platform has a name that none has");
    return makePlatform(name, this.#platformState(state, name));
  }

  // `name`: of the object that is made of it; "": part of such a state.
  #platformState(ref: number, name: string): unknown[] {
    const cursor = this.#cursor;
    const kind = ref < this.#values.length ? cursor.nodeKind(ref) : layout.KIND_UNDEFINED;
    if (kind === layout.KIND_NUMBERS && cursor.followList(cursor.nodePointer(ref), layout.ELEMENT_EIGHT) >= 0 && cursor.length === 0) return [];
    if (kind !== layout.KIND_ARRAY) throw malformedPlatform(name);
    cursor.followStruct(cursor.nodePointer(ref));
    const length = cursor.uint32(0);
    const start = cursor.followList(cursor.pointerAt(0), layout.ELEMENT_FOUR);
    if (cursor.length !== length) throw malformedPlatform(name);
    const { view } = cursor;
    const state = filled(NOTHING, length);
    for (let i = 0; i < length; i++) {
      const item = view.getUint32(start + i * 4, true);
      state[i] = this.#platformPart(item, name);
    }
    return state;
  }

  #platformPart(ref: number, name: string): unknown {
    if (ref >= this.#values.length) throw malformed("a reference points past its end");
    switch (this.#cursor.nodeKind(ref)) {
      case layout.KIND_NULL:
      case layout.KIND_NUMBER:
      case layout.KIND_TEXT:
      case layout.KIND_VIEW:
      case layout.KIND_EXTERNAL: return this.#early(ref);
      case layout.KIND_ARRAY:
      case layout.KIND_NUMBERS:
        if (name === "Request" || name === "Response") return this.#platformState(ref, "");
        break;
      case layout.KIND_PLATFORM:
        if (name === "FormData") {
          const part = this.#formFile(ref);
          if (part !== undefined) return part;
        }
    }
    throw malformedPlatform(name);
  }

  // Undefined: something else than a file. So that a form in a form in a form ... does not take the stack.
  #formFile(ref: number): unknown {
    const cursor = this.#cursor;
    cursor.followStruct(cursor.nodePointer(ref));
    return cursor.readText(cursor.pointerAt(0)) === "File" ? this.#early(ref) : undefined;
  }

  // ---- second pass ----

  #fill(ref: number): void {
    switch (this.#cursor.nodeKind(ref)) {
      case layout.KIND_OBJECT: return this.#fillObject(ref);
      case layout.KIND_ARRAY: return this.#fillArray(ref);
      case layout.KIND_ERROR: return this.#fillError(ref);
      case layout.KIND_MAP: return this.#fillMap(ref);
      case layout.KIND_SET: return this.#fillSet(ref);
    }
  }

  #value(ref: number): unknown {
    if (ref >= this.#values.length) throw malformed("a reference points past its end");
    return this.#values[ref];
  }

  #string(ref: number): string {
    const text = ref < this.#values.length ? this.#values[ref] : undefined;
    if (typeof text !== "string") throw malformed("a reference to a string points elsewhere");
    return text;
  }

  #fillObject(ref: number): void {
    const cursor = this.#cursor;
    const object = this.#values[ref] as Record<string, unknown>;
    cursor.followStructs(cursor.nodePointer(ref));
    const step = cursor.dataBytes + cursor.pointers * 8;
    const count = cursor.length;
    let mayHaveGaps = true;
    for (let i = 0; i < count; i++, cursor.start += step) {
      const key = this.#string(cursor.uint32(0));
      const value = this.#value(cursor.uint32(4));
      if (mayHaveGaps && isFar(key, count)) {
        keepSparse(object);
        mayHaveGaps = false;
      }
      // What no prototype knows can be assigned; it is several times faster.
      if (key in OBJECT_PROTOTYPE) define(object, key, value, true);
      else object[key] = value;
    }
  }

  #fillArray(ref: number): void {
    const cursor = this.#cursor;
    const array = this.#values[ref] as unknown[];
    cursor.followStruct(cursor.nodePointer(ref));
    const length = cursor.uint32(0);
    const properties = cursor.pointerAt(1);
    const start = cursor.followList(cursor.pointerAt(0), layout.ELEMENT_FOUR);
    const count = cursor.length;
    const view = cursor.view;
    for (let i = 0; i < count; i++) {
      const item = view.getUint32(start + i * 4, true);
      if (item === layout.HOLE) delete array[i];
      else array[i] = this.#value(item);
    }
    let mayHaveGaps = true;
    if (length > count * 2 + HOLES_ALLOCATED_MAX) {
      keepSparse(array);
      mayHaveGaps = false;
    }
    // `length` is the array's own data property: no setter can stand in the way.
    if (array.length !== length) array.length = length;
    if (properties >= 0) this.#defineAll(array, properties, true, mayHaveGaps);
  }

  #defineAll(object: object, pointer: number, enumerable: boolean, mayHaveGaps: boolean): void {
    const cursor = this.#cursor;
    cursor.followStructs(pointer);
    const step = cursor.dataBytes + cursor.pointers * 8;
    const count = cursor.length;
    for (let i = 0; i < count; i++, cursor.start += step) {
      const key = this.#string(cursor.uint32(0));
      const value = this.#value(cursor.uint32(4));
      if (mayHaveGaps && isFar(key, count)) {
        keepSparse(object);
        mayHaveGaps = false;
      }
      if (!define(object, key, value, enumerable)) throw malformed("a property cannot be defined");
    }
  }

  #fillError(ref: number): void {
    const cursor = this.#cursor;
    const error = this.#values[ref] as Error;
    cursor.followStruct(cursor.nodePointer(ref));
    const head = cursor.uint32(0);
    const { ERROR_NAME, ERROR_MESSAGE, ERROR_STACK, ERROR_CAUSE, ERROR_ERRORS } = layout;
    if ((head & ERROR_NAME.bit) !== 0) define(error, "name", this.#string(cursor.uint32(ERROR_NAME.at)), false);
    if ((head & ERROR_MESSAGE.bit) !== 0) define(error, "message", this.#string(cursor.uint32(ERROR_MESSAGE.at)), false);
    if ((head & ERROR_STACK.bit) !== 0) define(error, "stack", this.#string(cursor.uint32(ERROR_STACK.at)), false);
    if ((head & ERROR_CAUSE.bit) !== 0) define(error, "cause", this.#value(cursor.uint32(ERROR_CAUSE.at)), false);
    if ((head & ERROR_ERRORS.bit) !== 0) {
      const errors = this.#value(cursor.uint32(ERROR_ERRORS.at));
      if (!Array.isArray(errors)) throw malformed("the errors of an error are no array");
      define(error, "errors", errors, false);
    }
    this.#defineAll(error, cursor.pointerAt(0), (head & 0xffff) !== layout.ERROR_SUPPRESSED, true);
  }

  #fillMap(ref: number): void {
    const cursor = this.#cursor;
    const map = this.#values[ref] as Map<unknown, unknown>;
    const start = cursor.followList(cursor.nodePointer(ref), layout.ELEMENT_FOUR);
    if (cursor.length % 2 !== 0) throw malformed("a map has a key without a value");
    for (let at = start, end = start + cursor.length * 4; at < end; at += 8) {
      map.set(this.#value(cursor.view.getUint32(at, true)), this.#value(cursor.view.getUint32(at + 4, true)));
      if (++this.#keysAdded % KEYS_BETWEEN_LOOKS === 0) this.#checkKeysTime();
    }
  }

  #fillSet(ref: number): void {
    const cursor = this.#cursor;
    const set = this.#values[ref] as Set<unknown>;
    const start = cursor.followList(cursor.nodePointer(ref), layout.ELEMENT_FOUR);
    for (let at = start, end = start + cursor.length * 4; at < end; at += 4) {
      set.add(this.#value(cursor.view.getUint32(at, true)));
      if (++this.#keysAdded % KEYS_BETWEEN_LOOKS === 0) this.#checkKeysTime();
    }
  }

  #checkKeysTime(): void {
    const now = performance.now();
    if (this.#keysSince === 0) this.#keysSince = now;
    else if (now - this.#keysSince > KEYS_TIME_MS + this.#keysAdded * KEY_TIME_MS) throw malformed("the keys of a map collide");
  }
}
