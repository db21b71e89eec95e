// A Value (ipc/value.capnp) while it is being read: pointers, structs, lists, nodes and text. What they become is
// value-reader.ts's to say.
//
// The message was written by sandboxed code. Every pointer is checked here, where it is followed, and whatever it leads to is
// counted, so that the time to read is bounded by the size of the message.

import { Buffer, isAscii, isUtf8 } from "node:buffer";
import * as buffers from "node:buffer";

import * as layout from "./value-layout.ts";

// Each part of an honest message is read at most twice, once a pass. What is read more often is pointed to more often.
const READS_MAX = 2;

const SHORT_TEXT_MAX = 16;
const SHORT_TEXTS = 512;            // power of two
const ASCII_LOOP_MAX = 64;
const TRANSCODED_TEXT_MIN = 4096;   // From here on two steps with vector instructions beat V8's one (four times, on Node 20).

export class ValueCursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #budget: number;             // words that may still be read

  #nodes = 0;                  // where the first stands
  #nodeBytes = 0;
  #nodeDataBytes = 0;
  #nodePointers = 0;

  // Where the latest pointer led to; whoever walks a list of structs moves `start` on.
  start = 0;
  length = 0;                  // of a list
  dataBytes = 0;               // of a struct, or of each in a list
  pointers = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#budget = READS_MAX * (bytes.byteLength >>> 3);
  }

  // Finds the nodes and tells how many there are.
  open(): number {
    const size = this.bytes.byteLength;
    if (size === 0 || size % 8 !== 0) throw malformed("it is no whole number of words");
    this.followStruct(0);
    this.followStructs(this.pointerAt(0));
    const count = this.length;
    if (count === 0) throw malformed("it has no nodes");
    this.#nodes = this.start;
    this.#nodeDataBytes = this.dataBytes;
    this.#nodePointers = this.pointers;
    this.#nodeBytes = this.dataBytes + this.pointers * 8;
    // Elements may take no space on the wire, and each becomes a value.
    if (this.#nodeBytes < layout.NODE_WORDS * 8) throw malformed("its nodes are smaller than the schema says");
    return count;
  }

  // ---- pointers; a position of -1 is a pointer that the sender's schema did not have ----

  charge(words: number): void {
    this.#budget -= words;
    if (this.#budget < 0) throw malformed("its parts overlap");
  }

  #target(pointer: number, low: number): number {
    return pointer + 8 + (low >> 2) * 8;
  }

  // Nothing but the root pointer stands in the first word, so 0 is free to mean "nowhere".
  #checkBounds(start: number, size: number): void {
    if (start < 8 || start + size > this.bytes.byteLength) throw malformed("a pointer leads out of it");
  }

  // A null pointer is a struct without anything in it.
  followStruct(pointer: number): void {
    const low = pointer < 0 ? 0 : this.view.getUint32(pointer, true);
    const high = pointer < 0 ? 0 : this.view.getUint32(pointer + 4, true);
    if ((low & 3) !== layout.POINTER_STRUCT) throw malformed("a pointer is not to a struct");
    this.dataBytes = (high & 0xffff) * 8;
    this.pointers = high >>> 16;
    if (high === 0) return;
    this.start = this.#target(pointer, low);
    const size = this.dataBytes + this.pointers * 8;
    this.#checkBounds(this.start, size);
    this.charge(size / 8);
  }

  // Position of the first element; a null pointer is an empty list.
  followList(pointer: number, element: number): number {
    const low = pointer < 0 ? 0 : this.view.getUint32(pointer, true);
    const high = pointer < 0 ? 0 : this.view.getUint32(pointer + 4, true);
    this.length = 0;
    if (low === 0 && high === 0) return 0;
    if ((low & 3) !== layout.POINTER_LIST || (high & 7) !== element) throw malformed("a pointer is not to a list of its kind");
    const start = this.#target(pointer, low);
    this.length = high >>> 3;
    const size = Math.ceil(this.length * layout.ELEMENT_BITS[element]! / 8);
    this.#checkBounds(start, size);
    this.charge(Math.ceil(size / 8));
    return start;
  }

  followStructs(pointer: number): void {
    const tag = this.followList(pointer, layout.ELEMENT_STRUCT);
    const words = this.length;
    if (tag === 0) return;
    this.#checkBounds(tag, 8 + words * 8);
    const low = this.view.getUint32(tag, true);
    const high = this.view.getUint32(tag + 4, true);
    if ((low & 3) !== layout.POINTER_STRUCT) throw malformed("a list has an unknown tag");
    const count = low >>> 2;
    this.dataBytes = (high & 0xffff) * 8;
    this.pointers = high >>> 16;
    const elementWords = this.dataBytes / 8 + this.pointers;
    if (count * elementWords > words) throw malformed("a list is longer than its words");
    if (elementWords === 0) this.charge(count);
    this.start = tag + 8;
    this.length = count;
  }

  // Of the struct just followed.
  pointerAt(index: number): number {
    return index < this.pointers ? this.start + this.dataBytes + index * 8 : -1;
  }

  uint32(at: number): number {
    return at + 4 <= this.dataBytes ? this.view.getUint32(this.start + at, true) : 0;
  }

  uint64(at: number): number {
    return this.uint32(at) + this.uint32(at + 4) * 2 ** 32;
  }

  nodeKind(ref: number): number {
    return this.#nodeDataBytes === 0 ? layout.KIND_UNDEFINED : this.view.getUint16(this.#nodes + ref * this.#nodeBytes, true);
  }

  nodeBoolean(ref: number): boolean {
    return (this.view.getUint8(this.#nodes + ref * this.#nodeBytes + 2) & 1) !== 0;
  }

  nodeNumber(ref: number): number {
    return this.#nodeDataBytes < 16 ? 0 : this.view.getFloat64(this.#nodes + ref * this.#nodeBytes + 8, true);
  }

  nodeReference(ref: number): number {
    return this.#nodeDataBytes < 16 ? 0 : this.view.getUint32(this.#nodes + ref * this.#nodeBytes + 8, true);
  }

  nodePointer(ref: number): number {
    return this.#nodePointers === 0 ? -1 : this.#nodes + ref * this.#nodeBytes + this.#nodeDataBytes;
  }

  // ---- text ----

  readText(pointer: number): string {
    const start = this.followList(pointer, layout.ELEMENT_BYTE);
    if (start === 0) return "";
    const length = this.length - 1;
    const bytes = this.bytes;
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

  readUtf16(pointer: number): string {
    const start = this.followList(pointer, layout.ELEMENT_BYTE);
    if (this.length % 2 !== 0) throw malformed("a UTF-16 string has an odd number of bytes");
    return utf16Slice.call(this.bytes, start, start + this.length);
  }
}

export function isString(kind: number): boolean {
  return kind === layout.KIND_TEXT || kind === layout.KIND_UTF16;
}

export function malformed(why: string): Error {
  return new Error(`Malformed value: ${why}.`);
}

// ---------------------------------------------------------------------------------------------------------------------

interface Slices {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
}
// Not there if Node was built without ICU.
const { transcode } = buffers as { transcode?: typeof buffers.transcode };
// Buffer's, which work on any bytes.
const { latin1Slice, utf8Slice, ucs2Slice: utf16Slice } = Buffer.prototype as unknown as Slices;

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
