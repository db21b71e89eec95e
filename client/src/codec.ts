// JavaScript values to and from the bytes of a Value (ipc/value.capnp), under the rules of Workers RPC: the twin of
// worker/engine/value-v8-write.c++ and value-v8-read.c++, without Cap'n Proto's library, because a call spends more time
// here than anywhere else in the client.
//
// What is read was written by sandboxed code. Every pointer, reference, size and kind is checked where it is used; time and
// memory are bounded by the size of the message; properties are defined, never assigned where a setter could hear of it.
// What is written is the program's own: its getters run, and nothing of it leaves that it did not name (no neighbours in
// Node's pool of small buffers, no leftovers of earlier messages).
//
// Depth costs no stack in either direction: the message is a table, and both sides walk it in a row.

import { Buffer, isAscii, isUtf8 } from "node:buffer";
import * as buffers from "node:buffer";
import { inspect, types } from "node:util";
import { Serializer } from "node:v8";
import * as workerThreads from "node:worker_threads";

import type { External, ExternalKind } from "../../ipc/js/wire.ts";
import type { NativeExternal } from "./addon.d.ts";
import * as layout from "./value-layout.ts";

export interface CodecHooks {
  // Asked once for each function, proxy and class instance before it is refused. Undefined: not ours. What it answered is
  // the caller's to take back if encode() throws in the end.
  externalOf(value: object): External | undefined;
  // Whether errors take their stacks along, which name files of this machine. They do unless this is false.
  withStacks?: boolean;
  // Makes what stands for an external of the other side; called once for each that the value refers to.
  fromExternal(kind: ExternalKind, id: number): object;
}

export interface Encoded {
  bytes: Uint8Array;
  externals: NativeExternal[];   // `label`: the property under which it was met first, cut to LABEL_BYTES_MAX
}

// Throws a DataCloneError, an Error if the value is too large, or what a getter threw.
export function encode(value: unknown, hooks: CodecHooks, maxBytes: number = VALUE_BYTES_MAX): Encoded {
  // A getter may come back here while its value is being written.
  const encoder = spareEncoder ?? new Encoder();
  spareEncoder = undefined;
  try {
    return encoder.encode(value, hooks, maxBytes);
  } finally {
    encoder.forget();
    spareEncoder = encoder;
  }
}

// Throws an Error if the bytes are no Value. Externals that were made by then are the caller's to release.
export function decode(bytes: Uint8Array, externals: readonly { kind: number; id: number }[], hooks: CodecHooks): unknown {
  return new Decoder(bytes, externals, hooks).decode();
}

// Worker Loader's limit on one call or return.
const VALUE_BYTES_MAX = 32 << 20;
// The most that pointers of one segment reach.
const SEGMENT_BYTES_MAX = 2 ** 29 - 8;

// ipc/wire-limits.h
const EXTERNALS_MAX = 256;
const LABEL_BYTES_MAX = 64;

let spareEncoder: Encoder | undefined;

// ---------------------------------------------------------------------------------------------------------------------
// Writing
//
// Nodes and what they point to grow at the same time, so each has a buffer; at the end the nodes are put behind the rest.
// Until then a node's pointer holds the position in the segment rather than the distance.

const HEADER_WORDS = 2;                   // the root pointer and the Value
const SMALL_WORDS = 8192;                 // Up to so much is copied out and the buffer kept; above, it is handed over.
const GROWTH_WORDS = 4096;
const HOLES_IN_A_ROW_MAX = 1024;          // A wider gap turns the rest of an array into properties.
const LINEAR_SEARCH_MAX = 12;             // Up to so many objects or names a scan beats a hash table.
const LOOPED_TEXT_MAX = 24;               // Up to so many characters a loop beats a call into C++.
const KEYS_LISTED_MAX = 64;               // Up to so many elements listing an array's keys is the cheapest question.
const DESCRIPTION_BYTES_MAX = 400;

class Encoder {
  #bytes!: Buffer;
  #words!: Uint32Array;        // half-words of the same memory
  #floats!: Float64Array;
  #capacity = 0;               // all in words from here
  #end = 0;
  #limit = 0;
  #maxBytes = 0;

  #table!: Uint32Array;
  #tableFloats!: Float64Array;
  #nodes = 0;

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
  #hooks: CodecHooks | undefined;
  #written = 0;                // properties of the latest list

  constructor() {
    this.#allocate(SMALL_WORDS);
    this.#allocateTable(SMALL_WORDS);
  }

  encode(value: unknown, hooks: CodecHooks, maxBytes: number): Encoded {
    this.#hooks = hooks;
    this.#maxBytes = maxBytes;
    this.#limit = Math.min(maxBytes, SEGMENT_BYTES_MAX) >>> 3;
    this.#end = HEADER_WORDS;
    this.#add(value, undefined);
    for (let next = 0; next < this.#objectCount; next++) {
      this.#fill(this.#objects[next]!, this.#objectNodes[next]!, this.#labels[next]);
    }
    return { bytes: this.#finish(), externals: this.#externals };
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
    this.#objectCount = this.#keyCount = this.#nodes = 0;
    this.#undefined = this.#null = this.#false = this.#true = -1;
    this.#externals = [];
    this.#hooks = undefined;
    if (this.#capacity > SMALL_WORDS) this.#allocate(SMALL_WORDS);
    if (this.#table.length > 2 * SMALL_WORDS) this.#allocateTable(SMALL_WORDS);
  }

  // ---- memory: neither buffer is cleared, so whoever reserves words writes each of them ----

  #allocate(words: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(words * 8);
    this.#words = new Uint32Array(this.#bytes.buffer, 0, words * 2);
    this.#floats = new Float64Array(this.#bytes.buffer, 0, words);
    this.#capacity = words;
  }

  #allocateTable(words: number): void {
    this.#tableFloats = new Float64Array(words);
    this.#table = new Uint32Array(this.#tableFloats.buffer);
  }

  #reserve(words: number): number {
    const start = this.#end;
    const end = start + words;
    this.#checkSize(end + this.#nodes * layout.NODE_WORDS + 1);
    if (end > this.#capacity) this.#grow(end);
    this.#end = end;
    return start;
  }

  #checkSize(words: number): void {
    if (words <= this.#limit) return;
    throw new Error(`Serialized RPC arguments or return values are limited to ${Math.floor(this.#maxBytes / (1 << 20))}MiB, ` +
        `but the size of this value was: ${words * 8} bytes.`);
  }

  #grow(words: number): void {
    const old = this.#bytes.subarray(0, this.#end * 8);
    // The second is for a single large part, behind which the nodes shall fit without another move.
    this.#allocate(Math.max(this.#capacity * 2, words + GROWTH_WORDS));
    this.#bytes.set(old);
  }

  #reserveBytes(size: number): number {
    const words = (size + 7) >>> 3;
    const start = this.#reserve(words);
    if (words > 0) this.#clear(start + words - 1, 1);
    return start;
  }

  #clear(start: number, words: number): void {
    this.#words.fill(0, start * 2, (start + words) * 2);
  }

  #reserveStruct(words: number): number {
    const start = this.#reserve(words);
    for (let i = start * 2; i < (start + words) * 2; i++) this.#words[i] = 0;
    return start;
  }

  // A pointer inside the body of a node.
  #pointFrom(word: number, target: number, size: number): void {
    this.#words[word * 2] = (target - word - 1) << 2 | layout.POINTER_LIST;
    this.#words[word * 2 + 1] = size;
  }

  // ---- nodes ----

  #node(kind: number): number {
    const ref = this.#nodes;
    this.#checkSize(this.#end + (ref + 1) * layout.NODE_WORDS + 1);
    const at = ref * layout.NODE_WORDS * 2;
    if (at + layout.NODE_WORDS * 2 > this.#table.length) {
      const old = this.#table;
      this.#allocateTable(old.length);
      this.#table.set(old);
    }
    this.#nodes = ref + 1;
    const table = this.#table;
    table[at] = kind;
    for (let i = 1; i < layout.NODE_WORDS * 2; i++) table[at + i] = 0;
    return ref;
  }

  #setKind(ref: number, kind: number): void {
    this.#table[ref * layout.NODE_WORDS * 2] = kind;
  }

  #setNumber(ref: number, number: number): void {
    this.#tableFloats[ref * layout.NODE_WORDS + 1] = number;
  }

  #setReference(ref: number, to: number): void {
    this.#table[ref * layout.NODE_WORDS * 2 + 2] = to;
  }

  #setPointer(ref: number, kind: number, target: number, size: number): void {
    const at = ref * layout.NODE_WORDS * 2 + 4;
    this.#table[at] = target << 2 | kind;
    this.#table[at + 1] = size;
  }

  #setList(ref: number, target: number, element: number, count: number): void {
    this.#setPointer(ref, layout.POINTER_LIST, target, count << 3 | element);
  }

  #finish(): Uint8Array {
    const nodeWords = this.#nodes * layout.NODE_WORDS;
    const start = this.#reserve(1 + nodeWords);
    const words = this.#words;
    words[0] = 0;
    words[1] = layout.VALUE_SHAPE;
    words[2] = (start - HEADER_WORDS) << 2 | layout.POINTER_LIST;
    words[3] = nodeWords << 3 | layout.ELEMENT_STRUCT;
    words[start * 2] = this.#nodes << 2;
    words[start * 2 + 1] = layout.NODE_SHAPE;

    const table = this.#table;
    const at = (start + 1) * 2;
    if (nodeWords > 256) {
      words.set(table.subarray(0, nodeWords * 2), at);
    } else {
      for (let i = 0; i < nodeWords * 2; i++) words[at + i] = table[i]!;
    }
    for (let i = 0, pointer = at + 4; i < this.#nodes; i++, pointer += layout.NODE_WORDS * 2) {
      if (words[pointer] !== 0) words[pointer]! -= (pointer / 2 + 1) << 2;
    }

    const bytes = this.#bytes;
    const size = this.#end * 8;
    if (this.#end > SMALL_WORDS) {
      this.#capacity = Infinity;   // forget() takes a new buffer
      return new Uint8Array(bytes.buffer, 0, size);
    }
    const result = Buffer.allocUnsafe(size);
    bytes.copy(result, 0, 0, size);
    return result;
  }

  // ---- one value ----

  #add(value: unknown, label: string | undefined): number {
    switch (typeof value) {
      case "string": return this.#addString(value);
      case "number": return this.#addNumber(value);
      case "boolean": return this.#addBoolean(value);
      case "undefined":
        if (this.#undefined < 0) this.#undefined = this.#node(layout.KIND_UNDEFINED);
        return this.#undefined;
      case "bigint": return this.#addBigInt(value);
      case "symbol": throw uncloneable(value);
      default:
        if (value !== null) return this.#addObject(value as object, label);
        if (this.#null < 0) this.#null = this.#node(layout.KIND_NULL);
        return this.#null;
    }
  }

  #addNumber(number: number): number {
    const ref = this.#node(layout.KIND_NUMBER);
    this.#setNumber(ref, number);
    return ref;
  }

  #addBoolean(value: boolean): number {
    if (value) {
      if (this.#true < 0) this.#true = this.#node(layout.KIND_BOOLEAN | 1 << 16);
      return this.#true;
    }
    if (this.#false < 0) this.#false = this.#node(layout.KIND_BOOLEAN);
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
    const ref = this.#node(layout.KIND_OBJECT);
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

  #addString(text: string): number {
    const ref = this.#node(layout.KIND_TEXT);
    this.#setText(ref, text);
    return ref;
  }

  #setText(ref: number, text: string): void {
    const length = text.length;
    if (length <= LOOPED_TEXT_MAX) {
      const start = this.#tryWriteAscii(text);
      if (start >= 0) return this.#setList(ref, start, layout.ELEMENT_BYTE, length + 1);
    }
    const size = Buffer.byteLength(text, "utf8");
    if (size !== length && !text.isWellFormed()) {
      const start = this.#reserveBytes(length * 2);
      this.#bytes.write(text, start * 8, length * 2, "utf16le");
      this.#setKind(ref, layout.KIND_UTF16);
      this.#setList(ref, start, layout.ELEMENT_BYTE, length * 2);
      return;
    }
    const start = this.#reserveBytes(size + 1);
    // As many bytes as characters: all of them are ASCII.
    this.#bytes.write(text, start * 8, size, size === length ? "latin1" : "utf8");
    this.#setList(ref, start, layout.ELEMENT_BYTE, size + 1);
  }

  // Short text with its NUL; -1 if it is not ASCII.
  #tryWriteAscii(text: string): number {
    const length = text.length;
    const before = this.#end;
    const start = this.#reserve((length >>> 3) + 1);
    const bytes = this.#bytes;
    let at = start * 8;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) {
        this.#end = before;
        return -1;
      }
      bytes[at++] = code;
    }
    for (const end = this.#end * 8; at < end;) bytes[at++] = 0;
    return start;
  }

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
    const ref = this.#addString(key);
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
    const ref = this.#node(layout.KIND_BIGINT);
    const digits = (bigint < 0n ? -bigint : bigint).toString(16);
    const count = bigint === 0n ? 0 : Math.ceil(digits.length / 16);
    if (count > layout.BIGINT_WORDS_MAX) {
      throw dataCloneError(`A BigInt of ${count * 64} bits could not be cloned: at most ${layout.BIGINT_WORDS_MAX * 64} ` +
          "are supported.");
    }
    const start = this.#reserveStruct(2 + count);
    if (bigint < 0n) this.#words[start * 2] = 1;
    this.#pointFrom(start + 1, start + 2, count << 3 | layout.ELEMENT_EIGHT);
    for (let end = digits.length, at = (start + 2) * 2; end > 0; end -= 8, at++) {
      if (count > 0) this.#words[at] = parseInt(digits.slice(Math.max(0, end - 8), end), 16);
    }
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.BIGINT_SHAPE);
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
    throw dataCloneError(`Could not serialize object of type "${constructorName(object)}". ` +
        "This type does not support serialization.");
  }

  #tryRefer(object: object, ref: number, label: string | undefined): boolean {
    const external = this.#hooks!.externalOf(object);
    if (external === undefined) return false;
    if (this.#externals.length === EXTERNALS_MAX) {
      throw dataCloneError(`One call or return may carry at most ${EXTERNALS_MAX} functions, RpcTargets, stubs and streams. ` +
          "Hand over one object with methods instead.");
    }
    const { kind, id, imported } = external;
    this.#setKind(ref, layout.KIND_EXTERNAL);
    this.#setReference(ref, this.#externals.length);
    this.#externals.push(label === undefined ? { kind, id, imported }
                                             : { kind, id, imported, label: firstBytes(label, LABEL_BYTES_MAX) });
    return true;
  }

  #tryFillBuiltIn(object: object, ref: number): boolean {
    if (object instanceof DOMException && this.#tryFillDomException(object, ref)) return true;
    if (types.isNativeError(object)) this.#fillError(object, ref);
    else if (types.isMap(object)) this.#fillMap(object, ref);
    else if (types.isSet(object)) this.#fillSet(object, ref);
    else if (types.isDate(object)) {
      this.#setKind(ref, layout.KIND_DATE);
      this.#setNumber(ref, dateTime.call(object));
    } else if (ArrayBuffer.isView(object)) this.#fillView(object, ref);
    else if (types.isArrayBuffer(object)) this.#fillBuffer(object, ref);
    else if (types.isRegExp(object)) this.#fillRegExp(object, ref);
    else if (types.isBoxedPrimitive(object) && !types.isSymbolObject(object)) {
      this.#setKind(ref, layout.KIND_BOXED);
      this.#setReference(ref, this.#add(primitiveOf(object), undefined));
    } else return false;
    return true;
  }

  #fillObject(object: object, ref: number): void {
    const start = this.#writeProperties(object, Object.keys(object), 0);
    this.#setList(ref, start, layout.ELEMENT_STRUCT, this.#written);
  }

  // The properties named from `first` on, as a list; `#written` tells how many there were. Each is read once. A getter of an
  // earlier one may have deleted it: then there is nothing to write.
  #writeProperties(owner: object, keys: readonly string[], first: number): number {
    const count = keys.length - first;
    const start = this.#reserve(1 + count);
    this.#clear(start, 1 + count);
    let written = 0;
    for (let i = first; i < keys.length; i++) {
      const key = keys[i]!;
      if (!Object.hasOwn(owner, key)) continue;
      const value = (owner as Record<string, unknown>)[key];
      const keyRef = this.#addKey(key);
      const valueRef = this.#add(value, key);
      written++;
      this.#words[(start + written) * 2] = keyRef;
      this.#words[(start + written) * 2 + 1] = valueRef;
    }
    this.#words[start * 2] = written << 2;
    this.#words[start * 2 + 1] = layout.PROPERTY_SHAPE;
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
    let i = 0;
    let value = array[0];
    if (typeof value === "number") {
      const start = this.#reserve(length);
      const floats = this.#floats;
      do floats[start + i] = value; while (++i < length && typeof (value = array[i]) === "number");
      this.#setKind(ref, layout.KIND_NUMBERS);
      if (i === length) return this.#setList(ref, start, layout.ELEMENT_EIGHT, length);
      // Not all of them are. What was written becomes nodes; a reference is half as long as a number, so it can stand
      // where the numbers before it have been read.
      this.#end = start + ((length + 1) >>> 1);
      for (let j = 0; j < i; j++) {
        const number = floats[start + j]!;
        this.#words[start * 2 + j] = this.#addNumber(number);
      }
      return this.#fillItems(array, length, ref, start, i, value);
    }
    this.#fillItems(array, length, ref, this.#reserve((length + 1) >>> 1), 0, value);
  }

  // From element `i` on, whose value has been read already.
  #fillItems(array: readonly unknown[], length: number, ref: number, start: number, i: number, value: unknown): void {
    if (length % 2 !== 0) this.#words[start * 2 + length] = 0;
    for (;;) {
      const item = this.#add(value, undefined);
      this.#words[start * 2 + i] = item;
      if (++i === length) break;
      value = array[i];
    }
    this.#setArray(ref, length, start, length, -1);
  }

  #fillSparse(array: readonly unknown[], keys: readonly string[], ref: number): void {
    let filled = 0;      // elements that are written as items, holes among them
    let indices = 0;     // keys that name them
    for (; indices < keys.length; indices++) {
      const index = arrayIndex(keys[indices]!);
      if (index < 0 || index - filled > HOLES_IN_A_ROW_MAX) break;
      filled = index + 1;
    }
    const length = array.length;
    const start = this.#reserve((filled + 1) >>> 1);
    this.#words.fill(layout.HOLE, start * 2, start * 2 + filled);
    if (filled % 2 !== 0) this.#words[start * 2 + filled] = 0;
    for (let i = 0; i < indices; i++) {
      const key = keys[i]!;
      if (!Object.hasOwn(array, key)) continue;
      const item = this.#add(array[key as unknown as number], undefined);
      this.#words[start * 2 + Number(key)] = item;
    }
    const properties = indices === keys.length ? -1 : this.#writeProperties(array, keys, indices);
    this.#setArray(ref, length, start, filled, properties);
  }

  #setArray(ref: number, length: number, items: number, count: number, properties: number): void {
    const start = this.#reserveStruct(3);
    this.#words[start * 2] = length;
    this.#pointFrom(start + 1, items, count << 3 | layout.ELEMENT_FOUR);
    if (properties >= 0) this.#pointFrom(start + 2, properties, this.#written << 3 | layout.ELEMENT_STRUCT);
    this.#setKind(ref, layout.KIND_ARRAY);
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.ARRAY_SHAPE);
  }

  // No user code runs while a map or a set is walked, so its size stays.
  #fillMap(map: ReadonlyMap<unknown, unknown>, ref: number): void {
    const count = mapSize.call(map) * 2;
    let at = this.#reserve(count >>> 1) * 2;
    this.#setKind(ref, layout.KIND_MAP);
    this.#setList(ref, at >>> 1, layout.ELEMENT_FOUR, count);
    mapForEach.call(map, (value, key) => {
      const keyRef = this.#add(key, undefined);
      const valueRef = this.#add(value, undefined);
      this.#words[at++] = keyRef;
      this.#words[at++] = valueRef;
    });
  }

  #fillSet(set: ReadonlySet<unknown>, ref: number): void {
    const count = setSize.call(set);
    let at = this.#reserveBytes(count * 4) * 2;
    this.#setKind(ref, layout.KIND_SET);
    this.#setList(ref, at >>> 1, layout.ELEMENT_FOUR, count);
    setForEach.call(set, (value) => {
      const item = this.#add(value, undefined);
      this.#words[at++] = item;
    });
  }

  #fillRegExp(regexp: RegExp, ref: number): void {
    let flags = "";
    for (let i = 0; i < REGEXP_GETTERS.length; i++) {
      if (REGEXP_GETTERS[i]!.call(regexp)) flags += layout.REGEXP_FLAGS[i];
    }
    const source = this.#addString(regexpSource.call(regexp));
    const text = this.#tryWriteAscii(flags);
    const start = this.#reserveStruct(2);
    this.#words[start * 2] = source;
    this.#pointFrom(start + 1, text, (flags.length + 1) << 3 | layout.ELEMENT_BYTE);
    this.#setKind(ref, layout.KIND_REGEXP);
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.REGEXP_SHAPE);
  }

  // ---- bytes ----

  #fillBuffer(buffer: ArrayBuffer, ref: number): void {
    if (isDetached(buffer)) throw dataCloneError("An ArrayBuffer is detached and could not be cloned.");
    const max = isResizable(buffer) ? bufferMaxByteLength.call(buffer) : -1;
    this.#setBuffer(ref, new Uint8Array(buffer), max);
  }

  #setBuffer(ref: number, content: Uint8Array, max: number): void {
    const size = content.byteLength;
    const bytes = this.#reserveBytes(size);
    this.#bytes.set(content, bytes * 8);
    const start = this.#reserveStruct(3);
    if (max >= 0) {
      this.#words[start * 2] = max % 2 ** 32;
      this.#words[start * 2 + 1] = Math.floor(max / 2 ** 32);
      this.#words[start * 2 + 2] = 1;
    }
    this.#pointFrom(start + 2, bytes, size << 3 | layout.ELEMENT_BYTE);
    this.#setKind(ref, layout.KIND_ARRAY_BUFFER);
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.ARRAY_BUFFER_SHAPE);
  }

  #fillView(view: ArrayBufferView, ref: number): void {
    const name = viewName.call(view);
    const kind = name === undefined ? layout.VIEW_DATA : layout.VIEW_NAMES.indexOf(name);
    if (kind < 0) throw uncloneable(view);
    const isData = kind === layout.VIEW_DATA;
    const buffer = isData ? dataViewBuffer.call(view) : viewBuffer.call(view);
    if (!types.isArrayBuffer(buffer)) throw uncloneable(buffer);
    if (isDetached(buffer)) throw dataCloneError("An ArrayBuffer is detached and could not be cloned.");
    const tracksLength = isResizable(buffer) && followsLength(view, buffer);
    let offset = isData ? dataViewOffset.call(view) : viewOffset.call(view);
    const size = isData ? dataViewByteLength.call(view) : viewByteLength.call(view);

    let bufferRef;
    if (size < bufferByteLength.call(buffer) && standsAlone(view, buffer)) {
      bufferRef = this.#node(layout.KIND_ARRAY_BUFFER);
      this.#setBuffer(bufferRef, new Uint8Array(buffer, offset, size), -1);
      offset = 0;
    } else {
      bufferRef = this.#addObject(buffer, undefined);
    }
    const start = this.#reserveStruct(3);
    this.#words[start * 2] = kind | (tracksLength ? 1 << 16 : 0);
    this.#words[start * 2 + 1] = bufferRef;
    this.#words[start * 2 + 2] = offset % 2 ** 32;
    this.#words[start * 2 + 3] = Math.floor(offset / 2 ** 32);
    if (!tracksLength) this.#words[start * 2 + 4] = size / layout.VIEW_ELEMENT_BYTES[kind]!;
    this.#setKind(ref, layout.KIND_VIEW);
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.VIEW_SHAPE);
  }

  // ---- errors ----

  #tryFillDomException(exception: DOMException, ref: number): boolean {
    let name, message;
    try {
      name = domExceptionName.call(exception);
      message = domExceptionMessage.call(exception);
    } catch {
      return false;   // It only inherits from one.
    }
    const messageRef = this.#addString(message);
    const text = name.toWellFormed();
    const size = Buffer.byteLength(text, "utf8");
    const bytes = this.#reserveBytes(size + 1);
    this.#bytes.write(text, bytes * 8, size, "utf8");
    const start = this.#reserveStruct(2);
    this.#words[start * 2] = messageRef;
    this.#pointFrom(start + 1, bytes, (size + 1) << 3 | layout.ELEMENT_BYTE);
    this.#setKind(ref, layout.KIND_DOM_EXCEPTION);
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.DOM_EXCEPTION_SHAPE);
    return true;
  }

  #fillError(error: Error & { errors?: unknown }, ref: number): void {
    const own = layout.ERROR_PROTOTYPES.indexOf(Object.getPrototypeOf(error));
    const name: unknown = error.name;
    const named = typeof name === "string" ? layout.ERROR_NAMES.indexOf(name) : -1;
    // A class of one's own is of the kind whose name it bears.
    const prototype = own >= 0 ? own : Math.max(named, layout.ERROR_PLAIN);

    const start = this.#reserveStruct(4);
    this.#words[start * 2] = prototype;
    this.#setKind(ref, layout.KIND_ERROR);
    this.#setPointer(ref, layout.POINTER_STRUCT, start, layout.ERROR_SHAPE);
    const set = (part: layout.ErrorPart, node: number): void => {
      this.#words[start * 2]! |= part.bit;
      this.#words[start * 2 + part.at / 4] = node;
    };

    if (typeof name === "string" && named !== prototype) set(layout.ERROR_NAME, this.#addString(name));
    if (Object.hasOwn(error, "message")) set(layout.ERROR_MESSAGE, this.#addString(toText(error.message)));
    if (this.#hooks!.withStacks !== false && Object.hasOwn(error, "stack")) {
      const stack: unknown = error.stack;
      if (typeof stack === "string") set(layout.ERROR_STACK, this.#addString(stack));
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
    this.#pointFrom(start + 3, properties, this.#written << 3 | layout.ELEMENT_STRUCT);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading
//
// Two passes: first every node becomes a JavaScript value (containers still empty), then the containers are filled.

// Each part of an honest message is read at most twice, once a pass. What is read more often is pointed to more often.
const READS_MAX = 2;
// Each costs a mapping of its own, of which a process has some 65,000.
const RESIZABLE_BUFFERS_MAX = 1024;
const HOLES_ALLOCATED_MAX = 16;           // Beyond, an array's or object's elements are kept in a hash table.
const SHORT_TEXT_MAX = 16;
const SHORT_TEXTS = 512;                  // power of two
const ASCII_LOOP_MAX = 64;
const TRANSCODED_TEXT_MIN = 4096;         // From here on two steps with vector instructions beat V8's one (four times, on Node 20).
// V8's hash of numbers and BigInts is no secret, so that keys can be chosen which all meet in one place, and adding n of
// them takes n * n steps. An honest one takes less than a microsecond.
const KEYS_BETWEEN_LOOKS = 256;
const KEYS_TIME_MS = 1000;
const KEY_TIME_MS = 0.005;

class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #externals: readonly { kind: number; id: number }[];
  #externalValues: Map<number, object> | undefined;
  readonly #hooks: CodecHooks;
  #budget: number;             // words that may still be read
  #resizableBuffers = 0;
  #keysAdded = 0;              // to maps and sets
  #keysSince = 0;

  #values: unknown[] = [];     // undefined: not made yet, or made and undefined
  #nodes = 0;                  // where the first stands
  #nodeBytes = 0;
  #nodeDataBytes = 0;
  #nodePointers = 0;

  // Where the latest pointer led to.
  #start = 0;
  #length = 0;                 // of a list
  #dataBytes = 0;              // of a struct, or of each in a list
  #pointers = 0;

  constructor(bytes: Uint8Array, externals: readonly { kind: number; id: number }[], hooks: CodecHooks) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#externals = externals;
    this.#hooks = hooks;
    this.#budget = READS_MAX * (bytes.byteLength >>> 3);
  }

  decode(): unknown {
    const size = this.#bytes.byteLength;
    if (size === 0 || size % 8 !== 0) throw malformed("it is no whole number of words");
    this.#followStruct(0);
    this.#followStructs(this.#pointerAt(0));
    const count = this.#length;
    if (count === 0) throw malformed("it has no nodes");
    this.#nodes = this.#start;
    this.#nodeDataBytes = this.#dataBytes;
    this.#nodePointers = this.#pointers;
    this.#nodeBytes = this.#dataBytes + this.#pointers * 8;
    // Elements may take no space on the wire, and each becomes a value.
    if (this.#nodeBytes < layout.NODE_WORDS * 8) throw malformed("its nodes are smaller than the schema says");

    const values = this.#values = filled(NOTHING, count);
    for (let ref = 0; ref < count; ref++) {
      if (values[ref] === undefined) values[ref] = this.#make(ref);
    }
    for (let ref = 0; ref < count; ref++) this.#fill(ref);
    return values[0];
  }

  // ---- pointers; a position of -1 is a pointer that the sender's schema did not have ----

  #charge(words: number): void {
    this.#budget -= words;
    if (this.#budget < 0) throw malformed("its parts overlap");
  }

  #target(pointer: number, low: number): number {
    return pointer + 8 + (low >> 2) * 8;
  }

  // Nothing but the root pointer stands in the first word, so 0 is free to mean "nowhere".
  #checkBounds(start: number, size: number): void {
    if (start < 8 || start + size > this.#bytes.byteLength) throw malformed("a pointer leads out of it");
  }

  // A null pointer is a struct without anything in it.
  #followStruct(pointer: number): void {
    const low = pointer < 0 ? 0 : this.#view.getUint32(pointer, true);
    const high = pointer < 0 ? 0 : this.#view.getUint32(pointer + 4, true);
    if ((low & 3) !== layout.POINTER_STRUCT) throw malformed("a pointer is not to a struct");
    this.#dataBytes = (high & 0xffff) * 8;
    this.#pointers = high >>> 16;
    if (high === 0) return;
    this.#start = this.#target(pointer, low);
    const size = this.#dataBytes + this.#pointers * 8;
    this.#checkBounds(this.#start, size);
    this.#charge(size / 8);
  }

  // Position of the first element; a null pointer is an empty list.
  #followList(pointer: number, element: number): number {
    const low = pointer < 0 ? 0 : this.#view.getUint32(pointer, true);
    const high = pointer < 0 ? 0 : this.#view.getUint32(pointer + 4, true);
    this.#length = 0;
    if (low === 0 && high === 0) return 0;
    if ((low & 3) !== layout.POINTER_LIST || (high & 7) !== element) throw malformed("a pointer is not to a list of its kind");
    const start = this.#target(pointer, low);
    this.#length = high >>> 3;
    const size = Math.ceil(this.#length * layout.ELEMENT_BITS[element]! / 8);
    this.#checkBounds(start, size);
    this.#charge(Math.ceil(size / 8));
    return start;
  }

  #followStructs(pointer: number): void {
    const tag = this.#followList(pointer, layout.ELEMENT_STRUCT);
    const words = this.#length;
    if (tag === 0) return;
    this.#checkBounds(tag, 8 + words * 8);
    const low = this.#view.getUint32(tag, true);
    const high = this.#view.getUint32(tag + 4, true);
    if ((low & 3) !== layout.POINTER_STRUCT) throw malformed("a list has an unknown tag");
    const count = low >>> 2;
    this.#dataBytes = (high & 0xffff) * 8;
    this.#pointers = high >>> 16;
    const elementWords = this.#dataBytes / 8 + this.#pointers;
    if (count * elementWords > words) throw malformed("a list is longer than its words");
    if (elementWords === 0) this.#charge(count);
    this.#start = tag + 8;
    this.#length = count;
  }

  // Of the struct just followed.
  #pointerAt(index: number): number {
    return index < this.#pointers ? this.#start + this.#dataBytes + index * 8 : -1;
  }

  #uint32(at: number): number {
    return at + 4 <= this.#dataBytes ? this.#view.getUint32(this.#start + at, true) : 0;
  }

  #uint64(at: number): number {
    return this.#uint32(at) + this.#uint32(at + 4) * 2 ** 32;
  }

  #nodeKind(ref: number): number {
    return this.#nodeDataBytes === 0 ? layout.KIND_UNDEFINED : this.#view.getUint16(this.#nodes + ref * this.#nodeBytes, true);
  }

  #nodeNumber(ref: number): number {
    return this.#nodeDataBytes < 16 ? 0 : this.#view.getFloat64(this.#nodes + ref * this.#nodeBytes + 8, true);
  }

  #nodeReference(ref: number): number {
    return this.#nodeDataBytes < 16 ? 0 : this.#view.getUint32(this.#nodes + ref * this.#nodeBytes + 8, true);
  }

  #nodePointer(ref: number): number {
    return this.#nodePointers === 0 ? -1 : this.#nodes + ref * this.#nodeBytes + this.#nodeDataBytes;
  }

  // ---- first pass ----

  // Nothing that is needed early needs another in turn but a string, a primitive or a buffer, so the recursion is one deep.
  #early(ref: number): unknown {
    let value = this.#values[ref];
    if (value === undefined) value = this.#values[ref] = this.#make(ref);
    return value;
  }

  #earlyString(ref: number): string {
    if (ref >= this.#values.length || !isString(this.#nodeKind(ref))) throw malformed("a reference to a string points elsewhere");
    return this.#early(ref) as string;
  }

  #make(ref: number): unknown {
    switch (this.#nodeKind(ref)) {
      case layout.KIND_UNDEFINED: return undefined;
      case layout.KIND_NULL: return null;
      case layout.KIND_BOOLEAN: return (this.#view.getUint8(this.#nodes + ref * this.#nodeBytes + 2) & 1) !== 0;
      case layout.KIND_NUMBER: return this.#nodeNumber(ref);
      case layout.KIND_TEXT: return this.#readText(this.#nodePointer(ref));
      case layout.KIND_UTF16: return this.#readUtf16(this.#nodePointer(ref));
      case layout.KIND_BIGINT: return this.#makeBigInt(ref);
      case layout.KIND_DATE: return new Date(this.#nodeNumber(ref));
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
      default: throw malformed("a node is of no known kind");
    }
  }

  #readText(pointer: number): string {
    const start = this.#followList(pointer, layout.ELEMENT_BYTE);
    if (start === 0) return "";
    const length = this.#length - 1;
    const bytes = this.#bytes;
    if (length < 0 || bytes[start + length] !== 0) throw malformed("a text does not end in NUL");
    const end = start + length;
    if (length <= SHORT_TEXT_MAX) {
      const text = tryShortText(bytes, start, end);
      if (text !== undefined) return text;
    } else if (length <= ASCII_LOOP_MAX) {
      let i = start;
      while (i < end && bytes[i]! < 128) i++;
      if (i === end) return latin1Slice.call(bytes, start, end);
    }
    const part = bytes.subarray(start, end);
    if (length > ASCII_LOOP_MAX && isAscii(part)) return latin1Slice.call(bytes, start, end);
    if (!isUtf8(part)) throw malformed("a text is not UTF-8");
    if (length < TRANSCODED_TEXT_MIN || transcode === undefined) return utf8Slice.call(bytes, start, end);
    const units = transcode(part, "utf8", "utf16le");
    return utf16Slice.call(units, 0, units.length);
  }

  #readUtf16(pointer: number): string {
    const start = this.#followList(pointer, layout.ELEMENT_BYTE);
    if (this.#length % 2 !== 0) throw malformed("a UTF-16 string has an odd number of bytes");
    return utf16Slice.call(this.#bytes, start, start + this.#length);
  }

  #makeBigInt(ref: number): bigint {
    this.#followStruct(this.#nodePointer(ref));
    const negative = (this.#uint32(0) & 1) !== 0;
    const start = this.#followList(this.#pointerAt(0), layout.ELEMENT_EIGHT);
    const count = this.#length;
    if (count > layout.BIGINT_WORDS_MAX) throw malformed("a BigInt is too long");
    let bigint = 0n;
    if (count === 1) {
      bigint = this.#view.getBigUint64(start, true);
    } else if (count > 1) {
      let digits = "0x";
      for (let at = start + count * 8 - 4; at >= start; at -= 4) {
        digits += this.#view.getUint32(at, true).toString(16).padStart(8, "0");
      }
      bigint = BigInt(digits);
    }
    return negative ? -bigint : bigint;
  }

  #makeBoxed(ref: number): object {
    const inner = this.#nodeReference(ref);
    if (inner >= this.#values.length) throw malformed("a boxed primitive points past its end");
    const kind = this.#nodeKind(inner);
    if (kind !== layout.KIND_NUMBER && kind !== layout.KIND_BOOLEAN && kind !== layout.KIND_BIGINT && !isString(kind)) {
      throw malformed("something other than a primitive is boxed");
    }
    return Object(this.#early(inner)) as object;
  }

  #makeRegExp(ref: number): RegExp {
    this.#followStruct(this.#nodePointer(ref));
    const sourceRef = this.#uint32(0);
    const flags = this.#readText(this.#pointerAt(0));
    for (let i = 0; i < flags.length; i++) {
      if (!layout.REGEXP_FLAGS.includes(flags[i]!) || flags.indexOf(flags[i]!) !== i) {
        throw malformed("a regular expression has unknown flags");
      }
    }
    const source = this.#earlyString(sourceRef);
    // It is compiled each time.
    this.#charge(source.length >>> 3);
    return new RegExp(source, flags);
  }

  #makeError(ref: number): Error {
    this.#followStruct(this.#nodePointer(ref));
    const prototype = this.#uint32(0) & 0xffff;
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
    this.#followStruct(this.#nodePointer(ref));
    const messageRef = this.#uint32(0);
    const name = this.#readText(this.#pointerAt(0));
    const message = this.#earlyString(messageRef);
    return withoutFrames(() => new DOMException(message, name));
  }

  #makeArray(ref: number): unknown[] {
    this.#followStruct(this.#nodePointer(ref));
    const length = this.#uint32(0);
    this.#followList(this.#pointerAt(0), layout.ELEMENT_FOUR);
    if (this.#length > length) throw malformed("an array is longer than it says");
    return filled(NOTHING, this.#length);
  }

  #makeNumbers(ref: number): number[] {
    const start = this.#followList(this.#nodePointer(ref), layout.ELEMENT_EIGHT);
    const count = this.#length;
    const view = this.#view;
    const array = filled(FRACTIONS, count);
    for (let i = 0; i < count; i++) array[i] = view.getFloat64(start + i * 8, true);
    return array;
  }

  #makeBuffer(ref: number): ArrayBuffer {
    this.#followStruct(this.#nodePointer(ref));
    const isResizable = (this.#uint32(8) & 1) !== 0;
    const maxByteLength = this.#uint64(0);
    const start = this.#followList(this.#pointerAt(0), layout.ELEMENT_BYTE);
    const size = this.#length;
    if (!isResizable) {
      const from = this.#bytes.byteOffset + start;
      return this.#bytes.buffer.slice(from, from + size) as ArrayBuffer;
    }
    if (maxByteLength < size || maxByteLength > Number.MAX_SAFE_INTEGER) {
      throw malformed("a resizable buffer is larger than its maximum");
    }
    if (++this.#resizableBuffers > RESIZABLE_BUFFERS_MAX) throw malformed("it has too many resizable buffers");
    const buffer = new ResizableBuffer(size, { __proto__: null, maxByteLength } as object);
    new Uint8Array(buffer).set(this.#bytes.subarray(start, start + size));
    return buffer;
  }

  #makeView(ref: number): ArrayBufferView {
    this.#followStruct(this.#nodePointer(ref));
    const head = this.#uint32(0);
    const kind = head & 0xffff;
    const tracksLength = (head & 1 << 16) !== 0;
    const bufferRef = this.#uint32(4);
    const offset = this.#uint64(8);
    const length = this.#uint64(16);
    if (kind >= layout.VIEW_CLASSES.length) throw malformed("a view is of no known kind");
    if (bufferRef >= this.#values.length || this.#nodeKind(bufferRef) !== layout.KIND_ARRAY_BUFFER) {
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
    const index = this.#nodeReference(ref);
    const external = index < this.#externals.length ? this.#externals[index] : undefined;
    if (external === undefined) throw malformed("it refers to an external that is not there");
    let value = this.#externalValues?.get(index);
    if (value === undefined) {
      value = this.#hooks.fromExternal(external.kind as ExternalKind, external.id);
      (this.#externalValues ??= new Map()).set(index, value);
    }
    return value;
  }

  // ---- second pass ----

  #fill(ref: number): void {
    switch (this.#nodeKind(ref)) {
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
    const object = this.#values[ref] as Record<string, unknown>;
    this.#followStructs(this.#nodePointer(ref));
    const step = this.#dataBytes + this.#pointers * 8;
    const count = this.#length;
    let mayHaveGaps = true;
    for (let i = 0; i < count; i++, this.#start += step) {
      const key = this.#string(this.#uint32(0));
      const value = this.#value(this.#uint32(4));
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
    const array = this.#values[ref] as unknown[];
    this.#followStruct(this.#nodePointer(ref));
    const length = this.#uint32(0);
    const properties = this.#pointerAt(1);
    const start = this.#followList(this.#pointerAt(0), layout.ELEMENT_FOUR);
    const count = this.#length;
    const view = this.#view;
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
    this.#followStructs(pointer);
    const step = this.#dataBytes + this.#pointers * 8;
    const count = this.#length;
    for (let i = 0; i < count; i++, this.#start += step) {
      const key = this.#string(this.#uint32(0));
      const value = this.#value(this.#uint32(4));
      if (mayHaveGaps && isFar(key, count)) {
        keepSparse(object);
        mayHaveGaps = false;
      }
      if (!define(object, key, value, enumerable)) throw malformed("a property cannot be defined");
    }
  }

  #fillError(ref: number): void {
    const error = this.#values[ref] as Error;
    this.#followStruct(this.#nodePointer(ref));
    const head = this.#uint32(0);
    const { ERROR_NAME, ERROR_MESSAGE, ERROR_STACK, ERROR_CAUSE, ERROR_ERRORS } = layout;
    if ((head & ERROR_NAME.bit) !== 0) define(error, "name", this.#string(this.#uint32(ERROR_NAME.at)), false);
    if ((head & ERROR_MESSAGE.bit) !== 0) define(error, "message", this.#string(this.#uint32(ERROR_MESSAGE.at)), false);
    if ((head & ERROR_STACK.bit) !== 0) define(error, "stack", this.#string(this.#uint32(ERROR_STACK.at)), false);
    if ((head & ERROR_CAUSE.bit) !== 0) define(error, "cause", this.#value(this.#uint32(ERROR_CAUSE.at)), false);
    if ((head & ERROR_ERRORS.bit) !== 0) {
      const errors = this.#value(this.#uint32(ERROR_ERRORS.at));
      if (!Array.isArray(errors)) throw malformed("the errors of an error are no array");
      define(error, "errors", errors, false);
    }
    this.#defineAll(error, this.#pointerAt(0), (head & 0xffff) !== layout.ERROR_SUPPRESSED, true);
  }

  #fillMap(ref: number): void {
    const map = this.#values[ref] as Map<unknown, unknown>;
    const start = this.#followList(this.#nodePointer(ref), layout.ELEMENT_FOUR);
    if (this.#length % 2 !== 0) throw malformed("a map has a key without a value");
    for (let at = start, end = start + this.#length * 4; at < end; at += 8) {
      map.set(this.#value(this.#view.getUint32(at, true)), this.#value(this.#view.getUint32(at + 4, true)));
      if (++this.#keysAdded % KEYS_BETWEEN_LOOKS === 0) this.#checkKeysTime();
    }
  }

  #fillSet(ref: number): void {
    const set = this.#values[ref] as Set<unknown>;
    const start = this.#followList(this.#nodePointer(ref), layout.ELEMENT_FOUR);
    for (let at = start, end = start + this.#length * 4; at < end; at += 4) {
      set.add(this.#value(this.#view.getUint32(at, true)));
      if (++this.#keysAdded % KEYS_BETWEEN_LOOKS === 0) this.#checkKeysTime();
    }
  }

  #checkKeysTime(): void {
    const now = performance.now();
    if (this.#keysSince === 0) this.#keysSince = now;
    else if (now - this.#keysSince > KEYS_TIME_MS + this.#keysAdded * KEY_TIME_MS) throw malformed("the keys of a map collide");
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// What the language and Node know of an object, asked so that the object itself has no say

const OBJECT_PROTOTYPE = Object.prototype;

function getterOf<Result>(prototype: object, name: PropertyKey): (this: unknown) => Result {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as (this: unknown) => Result;
}

const TYPED_ARRAY_PROTOTYPE = Object.getPrototypeOf(Uint8Array.prototype) as object;
const viewName = getterOf<string | undefined>(TYPED_ARRAY_PROTOTYPE, Symbol.toStringTag);
const viewBuffer = getterOf<unknown>(TYPED_ARRAY_PROTOTYPE, "buffer");
const viewOffset = getterOf<number>(TYPED_ARRAY_PROTOTYPE, "byteOffset");
const viewByteLength = getterOf<number>(TYPED_ARRAY_PROTOTYPE, "byteLength");
const dataViewBuffer = getterOf<unknown>(DataView.prototype, "buffer");
const dataViewOffset = getterOf<number>(DataView.prototype, "byteOffset");
const dataViewByteLength = getterOf<number>(DataView.prototype, "byteLength");
const bufferByteLength = getterOf<number>(ArrayBuffer.prototype, "byteLength");
const bufferMaxByteLength = getterOf<number>(ArrayBuffer.prototype, "maxByteLength");
const isResizableGetter = getterOf<boolean>(ArrayBuffer.prototype, "resizable");
const mapSize = getterOf<number>(Map.prototype, "size");
const setSize = getterOf<number>(Set.prototype, "size");
const mapForEach = Map.prototype.forEach;
const setForEach = Set.prototype.forEach;
const dateTime = Date.prototype.getTime;
const regexpSource = getterOf<string>(RegExp.prototype, "source");
// In the order of REGEXP_FLAGS.
const REGEXP_GETTERS = ["hasIndices", "global", "ignoreCase", "multiline", "dotAll", "unicode", "unicodeSets", "sticky"]
    .map((name) => getterOf<boolean>(RegExp.prototype, name));
const domExceptionName = getterOf<string>(DOMException.prototype, "name");
const domExceptionMessage = getterOf<string>(DOMException.prototype, "message");
const functionText = Function.prototype.toString;

const ResizableBuffer = ArrayBuffer as unknown as new (byteLength: number, options: object) => ArrayBuffer;

function isResizable(buffer: ArrayBuffer): boolean {
  return isResizableGetter.call(buffer);
}

// Node 20 has no `detached`.
function isDetached(buffer: ArrayBuffer): boolean {
  if (bufferByteLength.call(buffer) !== 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

// The language does not tell whether a view follows its buffer's length, but V8's serialiser writes it down: a view whose
// buffer is transferred (so that no content is copied) ends in a byte of flags.
function followsLength(view: ArrayBufferView, buffer: ArrayBuffer): boolean {
  try {
    const serializer = new Serializer();
    serializer.transferArrayBuffer(0, buffer);
    serializer.writeValue(view);
    const written = serializer.releaseBuffer();
    return (written[written.length - 1]! & 1) !== 0;
  } catch {
    throw dataCloneError("A view out of the bounds of its resizable ArrayBuffer could not be cloned.");
  }
}

const { isMarkedAsUntransferable } = workerThreads as { isMarkedAsUntransferable?: (buffer: ArrayBuffer) => boolean };

// Whether a view on a part of the buffer is sent with that part alone. So is every Buffer: whoever has one means its bytes,
// and around them may lie others of the program, as Node cuts small ones from a pool. So is anything else in that pool,
// which Node marks as not to be transferred (Node 20 does not tell; there it is known by its size). The price is that two
// such views on the same memory no longer share it at the receiver.
function standsAlone(view: ArrayBufferView, buffer: ArrayBuffer): boolean {
  if (view instanceof Buffer) return true;
  return isMarkedAsUntransferable !== undefined ? isMarkedAsUntransferable(buffer)
                                                : bufferByteLength.call(buffer) === Buffer.poolSize;
}

function primitiveOf(boxed: object): unknown {
  if (types.isNumberObject(boxed)) return Number.prototype.valueOf.call(boxed);
  if (types.isStringObject(boxed)) return String.prototype.valueOf.call(boxed);
  if (types.isBooleanObject(boxed)) return Boolean.prototype.valueOf.call(boxed);
  return BigInt.prototype.valueOf.call(boxed);
}

// Objects that are not plain whatever their prototype is (`Object.setPrototypeOf(new Map(), Object.prototype)`).
function isExotic(object: object): boolean {
  return types.isNativeError(object) || types.isMap(object) || types.isSet(object) || types.isDate(object) ||
      types.isAnyArrayBuffer(object) || ArrayBuffer.isView(object) || types.isRegExp(object) || types.isPromise(object) ||
      types.isBoxedPrimitive(object) || types.isWeakMap(object) || types.isWeakSet(object) || types.isGeneratorObject(object) ||
      types.isMapIterator(object) || types.isSetIterator(object);
}

// Not there if Node was told to do without (`--jitless`).
const WASM = (globalThis as unknown as { WebAssembly?: { Module: new () => object; Memory: new () => object } }).WebAssembly;

// Objects nothing can clone.
function isUncloneable(object: object): boolean {
  return types.isPromise(object) || types.isWeakMap(object) || types.isWeakSet(object) || object instanceof WeakRef ||
      types.isSymbolObject(object) || types.isSharedArrayBuffer(object) || types.isGeneratorObject(object) ||
      types.isMapIterator(object) || types.isSetIterator(object) || types.isModuleNamespaceObject(object) ||
      (WASM !== undefined && (object instanceof WASM.Module || object instanceof WASM.Memory));
}

// Whether it is the Object.prototype of another realm (`node:vm`).
function isForeignPlain(prototype: unknown): boolean {
  if (typeof prototype !== "object" || prototype === null || types.isProxy(prototype)) return false;
  if (Object.getPrototypeOf(prototype) !== null) return false;
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof constructor === "function" && !types.isProxy(constructor) &&
      Object.getOwnPropertyDescriptor(constructor, "prototype")?.value === prototype &&
      functionText.call(constructor) === "function Object() { [native code] }";
}

// As V8 finds it for its own messages: without running a getter.
function constructorName(object: object): string {
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

const NOT_CLONED = " could not be cloned.";

// V8 has a description of each value for this, and tells it when it is asked to clone one. All that come here are refused
// at once, before any of their properties is looked at, but for a few that V8 would clone or share.
function uncloneable(value: unknown): DOMException {
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

function dataCloneError(message: string): DOMException {
  return new DOMException(message, "DataCloneError");
}

function malformed(why: string): Error {
  return new Error(`Malformed value: ${why}.`);
}

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

// -1: not an index of an array.
function arrayIndex(key: string): number {
  const index = Number(key) >>> 0;
  return index !== 0xffffffff && String(index) === key ? index : -1;
}

// A plain array whose every index is there and which has no other enumerable property. Listing its keys would make a
// string of each index; `inspect`, told to show no element, names the other properties only, whatever the length. It reads
// none of them. If it ever says it in other words the answer is no, which costs nothing but time.
function hasOnlyElements(array: readonly unknown[]): boolean {
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

// The start of a text, cut between characters.
function firstBytes(text: string, size: number): string {
  if (text.length * 3 <= size) return text;
  return text.slice(0, textEncoder.encodeInto(text, scratch.subarray(0, size)).read);
}

const textEncoder = new TextEncoder();
const scratch = new Uint8Array(DESCRIPTION_BYTES_MAX);

// ---------------------------------------------------------------------------------------------------------------------
// Making objects out of what a stranger says

const NOTHING: readonly unknown[] = Array.from({ length: 64 }, () => undefined);
const FRACTIONS: readonly number[] = Array.from({ length: 64 }, () => 0.5);   // V8 keeps them as such, eight bytes each.

// An array that has each of its elements already, so that assigning one asks no prototype for a setter.
function filled<Item>(template: readonly Item[], length: number): Item[] {
  if (length <= template.length) return template.slice(0, length);
  let array = template.concat(template);
  while (array.length < length) array = array.concat(array);
  array.length = length;
  return array;
}

interface Slices {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
}
// Not there if Node was built without ICU.
const { transcode } = buffers as { transcode?: typeof buffers.transcode };
// Buffer's, which work on any bytes.
const { latin1Slice, utf8Slice, ucs2Slice: utf16Slice } = Buffer.prototype as unknown as Slices;

function isString(kind: number): boolean {
  return kind === layout.KIND_TEXT || kind === layout.KIND_UTF16;
}

// Most short strings are property names, and come again with the next message: a look into the table of the latest ones
// beats a call into C++ and gives V8 a string that it has met before. Undefined: not ASCII.
function tryShortText(bytes: Uint8Array, start: number, end: number): string | undefined {
  let hash = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > 127) return undefined;
    hash = (hash * 31 + byte) | 0;
  }
  const slot = (hash ^ hash >>> 9) & (SHORT_TEXTS - 1);
  const known = shortTexts[slot]!;
  if (known.length === end - start) {
    let i = 0;
    while (i < known.length && known.charCodeAt(i) === bytes[start + i]) i++;
    if (i === known.length) return known;
  }
  return shortTexts[slot] = latin1Slice.call(bytes, start, end);
}

const shortTexts: string[] = Array.from({ length: SHORT_TEXTS }, () => "");

// No prototype, so that no `get` is found on Object.prototype.
const descriptor = {
  __proto__: null, value: undefined as unknown, writable: true, enumerable: true, configurable: true,
} as unknown as { value: unknown; enumerable: boolean };

function define(object: object, key: PropertyKey, value: unknown, enumerable: boolean): boolean {
  descriptor.value = value;
  descriptor.enumerable = enumerable;
  const done = Reflect.defineProperty(object, key, descriptor as PropertyDescriptor);
  descriptor.value = undefined;
  return done;
}

// Whether the element so named would lie far behind as many as there are.
function isFar(key: string, count: number): boolean {
  const first = key.charCodeAt(0);
  return first >= 48 && first <= 57 && arrayIndex(key) > count * 2 + HOLES_ALLOCATED_MAX;
}

// V8 allocates the elements between the last one and a new one if they are not too many. A message that says so again and
// again in a few bytes would take hundreds of times its size; from an element at the very end on it uses a hash table.
function keepSparse(object: object): void {
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
function withoutFrames<Result>(make: () => Result): Result {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
