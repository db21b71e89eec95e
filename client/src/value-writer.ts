// JavaScript values to a Value: which node each becomes.
//
// What is written is the program's own, and its getters run. One may change what is still to be written, so each
// property is read once. Objects are written in the order in which they were met.

import { Buffer } from "node:buffer";
import { types } from "node:util";

import type { External } from "../../ipc/js/wire.ts";
import type { NativeExternal } from "./addon.d.ts";
import { platformOf } from "./platform-objects.ts";
import type { Platform } from "./platform-objects.ts";
import { ValueBuilder } from "./value-builder.ts";
import * as layout from "./value-layout.ts";
import { OBJECT_PROTOTYPE, REGEXP_GETTERS, arrayIndex, dateTime, domExceptionMessage, domExceptionName, hasOnlyElements, isExotic,
  isForeignPlain, mapForEach, mapSize, primitiveOf, regexpSource, setForEach, setSize } from "./value-objects.ts";
import { constructorName, dataCloneError, firstBytes, isUncloneable, uncloneable } from "./value-refusals.ts";
import { writeBuffer, writeView } from "./value-writer-views.ts";

// ipc/wire-limits.h
const EXTERNALS_MAX = 256;
const LABEL_BYTES_MAX = 64;

const HOLES_IN_A_ROW_MAX = 1024;   // A wider gap turns the rest of an array into properties.
const LINEAR_SEARCH_MAX = 12;      // Up to so many objects or names a scan beats a hash table.
const KEYS_LISTED_MAX = 64;        // Up to so many elements listing an array's keys is the cheapest question.

// The half of CodecHooks (codec.ts) that is asked here.
interface WriterHooks {
  externalOf(value: object): External | undefined;
  withStacks?: boolean;
}

export class Encoder {
  readonly #builder = new ValueBuilder();

  // Every object met, in the order in which their contents are written.
  #objects: (object | undefined)[] = [];
  #objectNodes: number[] = [];
  #labels: (string | undefined)[] = [];
  #objectCount = 0;
  readonly #byObject = new Map<object, number>();

  #keys: string[] = [];
  #keyNodes: number[] = [];
  #keyCount = 0;
  readonly #byKey = new Map<string, number>();

  #undefined = -1;
  #null = -1;
  #false = -1;
  #true = -1;

  #externals: NativeExternal[] = [];
  #hooks: WriterHooks | undefined;
  #written = 0;                // properties of the latest list

  encode(value: unknown, hooks: WriterHooks, maxBytes: number): { bytes: Uint8Array; externals: NativeExternal[] } {
    this.#hooks = hooks;
    this.#builder.begin(maxBytes);
    this.#add(value, undefined);
    for (let next = 0; next < this.#objectCount; next++) {
      this.#fill(this.#objects[next]!, this.#objectNodes[next]!, this.#labels[next]);
    }
    return { bytes: this.#builder.finish(), externals: this.#externals };
  }

  // Lets go of everything that belongs to the value.
  forget(): void {
    if (this.#objectCount > LINEAR_SEARCH_MAX) {
      this.#objects = [];
      this.#objectNodes = [];
      this.#labels = [];
      this.#byObject.clear();
    } else {
      for (let i = 0; i < this.#objectCount; i++) this.#objects[i] = this.#labels[i] = undefined;
    }
    if (this.#keyCount > LINEAR_SEARCH_MAX) this.#byKey.clear();
    this.#objectCount = this.#keyCount = 0;
    this.#undefined = this.#null = this.#false = this.#true = -1;
    this.#externals = [];
    this.#hooks = undefined;
    this.#builder.forget();
  }

  // ---- one value ----

  #add(value: unknown, label: string | undefined): number {
    const builder = this.#builder;
    switch (typeof value) {
      case "string": return builder.addString(value);
      case "number": return this.#addNumber(value);
      case "boolean": return this.#addBoolean(value);
      case "undefined":
        if (this.#undefined < 0) this.#undefined = builder.node(layout.KIND_UNDEFINED);
        return this.#undefined;
      case "bigint": return this.#addBigInt(value);
      case "symbol": throw uncloneable(value);
      default:
        if (value !== null) return this.#addObject(value as object, label);
        if (this.#null < 0) this.#null = builder.node(layout.KIND_NULL);
        return this.#null;
    }
  }

  #addNumber(number: number): number {
    const ref = this.#builder.node(layout.KIND_NUMBER);
    this.#builder.setNumber(ref, number);
    return ref;
  }

  #addBoolean(value: boolean): number {
    if (value) {
      if (this.#true < 0) this.#true = this.#builder.node(layout.KIND_BOOLEAN | 1 << 16);
      return this.#true;
    }
    if (this.#false < 0) this.#false = this.#builder.node(layout.KIND_BOOLEAN);
    return this.#false;
  }

  #addObject(object: object, label: string | undefined): number {
    const count = this.#objectCount;
    if (count <= LINEAR_SEARCH_MAX) {
      for (let i = 0; i < count; i++) {
        if (this.#objects[i] === object) return this.#objectNodes[i]!;
      }
    } else {
      const known = this.#byObject.get(object);
      if (known !== undefined) return known;
    }
    const ref = this.#builder.node(layout.KIND_OBJECT);
    this.#objects[count] = object;
    this.#objectNodes[count] = ref;
    this.#labels[count] = label;
    this.#objectCount = count + 1;
    if (count === LINEAR_SEARCH_MAX) {
      for (let i = 0; i <= count; i++) this.#byObject.set(this.#objects[i]!, this.#objectNodes[i]!);
    } else if (count > LINEAR_SEARCH_MAX) {
      this.#byObject.set(object, ref);
    }
    return ref;
  }

  readonly #addBuffer = (buffer: ArrayBuffer): number => this.#addObject(buffer, undefined);

  // A property name. Objects of one shape share the nodes of their names.
  #addKey(key: string): number {
    const count = this.#keyCount;
    if (count <= LINEAR_SEARCH_MAX) {
      for (let i = 0; i < count; i++) {
        if (this.#keys[i] === key) return this.#keyNodes[i]!;
      }
    } else {
      const known = this.#byKey.get(key);
      if (known !== undefined) return known;
    }
    const ref = this.#builder.addString(key);
    this.#keyCount = count + 1;
    if (count < LINEAR_SEARCH_MAX) {
      this.#keys[count] = key;
      this.#keyNodes[count] = ref;
    } else {
      if (count === LINEAR_SEARCH_MAX) {
        for (let i = 0; i < count; i++) this.#byKey.set(this.#keys[i]!, this.#keyNodes[i]!);
      }
      this.#byKey.set(key, ref);
    }
    return ref;
  }

  #addBigInt(bigint: bigint): number {
    const builder = this.#builder;
    const ref = builder.node(layout.KIND_BIGINT);
    const digits = (bigint < 0n ? -bigint : bigint).toString(16);
    const count = bigint === 0n ? 0 : Math.ceil(digits.length / 16);
    if (count > layout.BIGINT_WORDS_MAX) {
      throw dataCloneError(`A BigInt of ${count * 64} bits could not be cloned: at most ${layout.BIGINT_WORDS_MAX * 64} ` +
          "are supported.");
    }
    const start = builder.reserveStruct(2 + count);
    if (bigint < 0n) builder.words[start * 2] = 1;
    builder.pointFrom(start + 1, start + 2, count << 3 | layout.ELEMENT_EIGHT);
    for (let end = digits.length, at = (start + 2) * 2; end > 0; end -= 8, at++) {
      if (count > 0) builder.words[at] = parseInt(digits.slice(Math.max(0, end - 8), end), 16);
    }
    builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.BIGINT_SHAPE);
    return ref;
  }

  // ---- the contents of one object ----

  #fill(object: object, ref: number, label: string | undefined): void {
    if (typeof object === "function" || types.isProxy(object)) {
      if (!this.#tryRefer(object, ref, label)) throw uncloneable(object);
      return;
    }
    if (Array.isArray(object)) return this.#fillArray(object, ref);
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype === OBJECT_PROTOTYPE && !isExotic(object)) return this.#fillObject(object, ref);
    if (this.#tryFillBuiltIn(object, ref)) return;
    if (isUncloneable(object)) throw uncloneable(object);
    if (isForeignPlain(prototype)) return this.#fillObject(object, ref);
    if (this.#tryRefer(object, ref, label)) return;
    const platform = platformOf(object);
    if (platform !== undefined) return this.#fillPlatform(platform, ref);
    throw dataCloneError(`Could not serialize object of type "${constructorName(object)}". ` +
        "This type does not support serialization.");
  }

  #fillPlatform(platform: Platform, ref: number): void {
    const builder = this.#builder;
    const state = this.#addObject(platform.state, undefined);
    const name = builder.tryWriteAscii(platform.name);
    const start = builder.reserveStruct(2);
    builder.words[start * 2] = state;
    builder.pointFrom(start + 1, name, (platform.name.length + 1) << 3 | layout.ELEMENT_BYTE);
    builder.setKind(ref, layout.KIND_PLATFORM);
    builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.PLATFORM_SHAPE);
  }

  #tryRefer(object: object, ref: number, label: string | undefined): boolean {
    const external = this.#hooks!.externalOf(object);
    if (external === undefined) return false;
    if (this.#externals.length === EXTERNALS_MAX) {
      throw dataCloneError(`One call or return may carry at most ${EXTERNALS_MAX} functions, RpcTargets, stubs and streams. ` +
          "Hand over one object with methods instead.");
    }
    const { kind, id, imported } = external;
    this.#builder.setKind(ref, layout.KIND_EXTERNAL);
    this.#builder.setReference(ref, this.#externals.length);
    this.#externals.push(label === undefined ? { kind, id, imported }
                                             : { kind, id, imported, label: firstBytes(label, LABEL_BYTES_MAX) });
    return true;
  }

  #tryFillBuiltIn(object: object, ref: number): boolean {
    const builder = this.#builder;
    if (object instanceof DOMException && this.#tryFillDomException(object, ref)) return true;
    if (types.isNativeError(object)) this.#fillError(object, ref);
    else if (types.isMap(object)) this.#fillMap(object, ref);
    else if (types.isSet(object)) this.#fillSet(object, ref);
    else if (types.isDate(object)) {
      builder.setKind(ref, layout.KIND_DATE);
      builder.setNumber(ref, dateTime.call(object));
    } else if (ArrayBuffer.isView(object)) writeView(this.#builder, object, ref, this.#addBuffer);
    else if (types.isArrayBuffer(object)) writeBuffer(this.#builder, object, ref);
    else if (types.isRegExp(object)) this.#fillRegExp(object, ref);
    else if (types.isBoxedPrimitive(object) && !types.isSymbolObject(object)) {
      builder.setKind(ref, layout.KIND_BOXED);
      builder.setReference(ref, this.#add(primitiveOf(object), undefined));
    } else return false;
    return true;
  }

  #fillObject(object: object, ref: number): void {
    const start = this.#writeProperties(object, Object.keys(object), 0);
    this.#builder.setList(ref, start, layout.ELEMENT_STRUCT, this.#written);
  }

  // The properties named from `first` on, as a list; `#written` tells how many there were. Each is read once. A getter of an
  // earlier one may have deleted it: then there is nothing to write.
  #writeProperties(owner: object, keys: readonly string[], first: number): number {
    const builder = this.#builder;
    const count = keys.length - first;
    const start = builder.reserve(1 + count);
    builder.clear(start, 1 + count);
    let written = 0;
    for (let i = first; i < keys.length; i++) {
      const key = keys[i]!;
      if (!Object.hasOwn(owner, key)) continue;
      const value = (owner as Record<string, unknown>)[key];
      const keyRef = this.#addKey(key);
      const valueRef = this.#add(value, key);
      written++;
      builder.words[(start + written) * 2] = keyRef;
      builder.words[(start + written) * 2 + 1] = valueRef;
    }
    builder.words[start * 2] = written << 2;
    builder.words[start * 2 + 1] = layout.PROPERTY_SHAPE;
    this.#written = written;
    return start;
  }

  #fillArray(array: readonly unknown[], ref: number): void {
    const length = array.length;
    if (length > KEYS_LISTED_MAX && hasOnlyElements(array)) return this.#fillDense(array, length, ref);
    // Indices come first and ascending, names after them.
    const keys = Object.keys(array);
    if (keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))) {
      if (length > 0) return this.#fillDense(array, length, ref);
    }
    this.#fillSparse(array, keys, ref);
  }

  // Every index of the array is an own property, and there is nothing else.
  #fillDense(array: readonly unknown[], length: number, ref: number): void {
    const builder = this.#builder;
    let i = 0;
    let value = array[0];
    if (typeof value === "number") {
      const start = builder.reserve(length);
      const floats = builder.floats;
      do floats[start + i] = value; while (++i < length && typeof (value = array[i]) === "number");
      builder.setKind(ref, layout.KIND_NUMBERS);
      if (i === length) return builder.setList(ref, start, layout.ELEMENT_EIGHT, length);
      // Not all of them are. What was written becomes nodes; a reference is half as long as a number, so it can stand
      // where the numbers before it have been read.
      builder.endAt(start + ((length + 1) >>> 1));
      for (let j = 0; j < i; j++) {
        const number = floats[start + j]!;
        builder.words[start * 2 + j] = this.#addNumber(number);
      }
      return this.#fillItems(array, length, ref, start, i, value);
    }
    this.#fillItems(array, length, ref, builder.reserve((length + 1) >>> 1), 0, value);
  }

  // From element `i` on, whose value has been read already.
  #fillItems(array: readonly unknown[], length: number, ref: number, start: number, i: number, value: unknown): void {
    if (length % 2 !== 0) this.#builder.words[start * 2 + length] = 0;
    for (;;) {
      const item = this.#add(value, undefined);
      this.#builder.words[start * 2 + i] = item;
      if (++i === length) break;
      value = array[i];
    }
    this.#setArray(ref, length, start, length, -1);
  }

  #fillSparse(array: readonly unknown[], keys: readonly string[], ref: number): void {
    const builder = this.#builder;
    let filled = 0;      // elements that are written as items, holes among them
    let indices = 0;     // keys that name them
    for (; indices < keys.length; indices++) {
      const index = arrayIndex(keys[indices]!);
      if (index < 0 || index - filled > HOLES_IN_A_ROW_MAX) break;
      filled = index + 1;
    }
    const length = array.length;
    const start = builder.reserve((filled + 1) >>> 1);
    builder.words.fill(layout.HOLE, start * 2, start * 2 + filled);
    if (filled % 2 !== 0) builder.words[start * 2 + filled] = 0;
    for (let i = 0; i < indices; i++) {
      const key = keys[i]!;
      if (!Object.hasOwn(array, key)) continue;
      const item = this.#add(array[key as unknown as number], undefined);
      builder.words[start * 2 + Number(key)] = item;
    }
    const properties = indices === keys.length ? -1 : this.#writeProperties(array, keys, indices);
    this.#setArray(ref, length, start, filled, properties);
  }

  #setArray(ref: number, length: number, items: number, count: number, properties: number): void {
    const builder = this.#builder;
    const start = builder.reserveStruct(3);
    builder.words[start * 2] = length;
    builder.pointFrom(start + 1, items, count << 3 | layout.ELEMENT_FOUR);
    if (properties >= 0) builder.pointFrom(start + 2, properties, this.#written << 3 | layout.ELEMENT_STRUCT);
    builder.setKind(ref, layout.KIND_ARRAY);
    builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.ARRAY_SHAPE);
  }

  // No user code runs while a map or a set is walked, so its size stays.
  #fillMap(map: ReadonlyMap<unknown, unknown>, ref: number): void {
    const builder = this.#builder;
    const count = mapSize.call(map) * 2;
    let at = builder.reserve(count >>> 1) * 2;
    builder.setKind(ref, layout.KIND_MAP);
    builder.setList(ref, at >>> 1, layout.ELEMENT_FOUR, count);
    mapForEach.call(map, (value, key) => {
      const keyRef = this.#add(key, undefined);
      const valueRef = this.#add(value, undefined);
      builder.words[at++] = keyRef;
      builder.words[at++] = valueRef;
    });
  }

  #fillSet(set: ReadonlySet<unknown>, ref: number): void {
    const builder = this.#builder;
    const count = setSize.call(set);
    let at = builder.reserveBytes(count * 4) * 2;
    builder.setKind(ref, layout.KIND_SET);
    builder.setList(ref, at >>> 1, layout.ELEMENT_FOUR, count);
    setForEach.call(set, (value) => {
      const item = this.#add(value, undefined);
      builder.words[at++] = item;
    });
  }

  #fillRegExp(regexp: RegExp, ref: number): void {
    const builder = this.#builder;
    let flags = "";
    for (let i = 0; i < REGEXP_GETTERS.length; i++) {
      if (REGEXP_GETTERS[i]!.call(regexp)) flags += layout.REGEXP_FLAGS[i];
    }
    const source = builder.addString(regexpSource.call(regexp));
    const text = builder.tryWriteAscii(flags);
    const start = builder.reserveStruct(2);
    builder.words[start * 2] = source;
    builder.pointFrom(start + 1, text, (flags.length + 1) << 3 | layout.ELEMENT_BYTE);
    builder.setKind(ref, layout.KIND_REGEXP);
    builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.REGEXP_SHAPE);
  }

  // ---- errors ----

  #tryFillDomException(exception: DOMException, ref: number): boolean {
    const builder = this.#builder;
    let name, message;
    try {
      name = domExceptionName.call(exception);
      message = domExceptionMessage.call(exception);
    } catch {
      return false;   // It only inherits from one.
    }
    const messageRef = builder.addString(message);
    const text = name.toWellFormed();
    const size = Buffer.byteLength(text, "utf8");
    const bytes = builder.reserveBytes(size + 1);
    builder.bytes.write(text, bytes * 8, size, "utf8");
    const start = builder.reserveStruct(2);
    builder.words[start * 2] = messageRef;
    builder.pointFrom(start + 1, bytes, (size + 1) << 3 | layout.ELEMENT_BYTE);
    builder.setKind(ref, layout.KIND_DOM_EXCEPTION);
    builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.DOM_EXCEPTION_SHAPE);
    return true;
  }

  #fillError(error: Error & { errors?: unknown }, ref: number): void {
    const builder = this.#builder;
    const own = layout.ERROR_PROTOTYPES.indexOf(Object.getPrototypeOf(error));
    const name: unknown = error.name;
    const named = typeof name === "string" ? layout.ERROR_NAMES.indexOf(name) : -1;
    // A class of one's own is of the kind whose name it bears.
    const prototype = own >= 0 ? own : Math.max(named, layout.ERROR_PLAIN);

    const start = builder.reserveStruct(4);
    builder.words[start * 2] = prototype;
    builder.setKind(ref, layout.KIND_ERROR);
    builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.ERROR_SHAPE);
    const set = (part: layout.ErrorPart, node: number): void => {
      builder.words[start * 2]! |= part.bit;
      builder.words[start * 2 + part.at / 4] = node;
    };

    if (typeof name === "string" && named !== prototype) set(layout.ERROR_NAME, builder.addString(name));
    if (Object.hasOwn(error, "message")) set(layout.ERROR_MESSAGE, builder.addString(toText(error.message)));
    if (this.#hooks!.withStacks !== false && Object.hasOwn(error, "stack")) {
      const stack: unknown = error.stack;
      if (typeof stack === "string") set(layout.ERROR_STACK, builder.addString(stack));
    }
    if (Object.hasOwn(error, "cause")) set(layout.ERROR_CAUSE, this.#add(error.cause, "cause"));
    if (prototype === layout.ERROR_AGGREGATE) {
      const errors = error.errors;
      if (Array.isArray(errors) && !types.isProxy(errors)) set(layout.ERROR_ERRORS, this.#add(errors, "errors"));
    }

    const keys = prototype === layout.ERROR_SUPPRESSED ? ["error", "suppressed"] : [];
    for (const key of Object.keys(error)) {
      if (!isErrorPart(key, prototype)) keys.push(key);
    }
    if (keys.length === 0) return;
    const properties = this.#writeProperties(error, keys, 0);
    builder.pointFrom(start + 3, properties, this.#written << 3 | layout.ELEMENT_STRUCT);
  }
}

// ---------------------------------------------------------------------------------------------------------------------

// Whether a property name is one that an error's node has a place of its own for.
function isErrorPart(key: string, prototype: number): boolean {
  return key === "name" || key === "message" || key === "stack" || key === "cause" ||
      (prototype === layout.ERROR_AGGREGATE && key === "errors") ||
      (prototype === layout.ERROR_SUPPRESSED && (key === "error" || key === "suppressed"));
}

// The language's ToString, which unlike String() refuses symbols.
function toText(value: unknown): string {
  return `${value as string}`;
}
