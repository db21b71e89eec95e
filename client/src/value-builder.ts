// A Value (ipc/value.capnp) while it is being written: memory, pointers, nodes and text. What a JavaScript value becomes is
// value-writer.ts's to say.
//
// Nodes and what they point to grow at the same time, so each has a buffer; at the end the nodes are put behind the rest.
// Until then a node's pointer holds the position in the segment rather than the distance.
//
// Positions and sizes are in words unless a name says otherwise; a `ref` is the number of a node.

import { Buffer } from "node:buffer";

import * as layout from "./value-layout.ts";

// The most that pointers of one segment reach.
const SEGMENT_BYTES_MAX = 2 ** 29 - 8;

const HEADER_WORDS = 2;       // the root pointer and the Value
const SMALL_WORDS = 8192;     // Up to so much is copied out and the buffer kept; above, it is handed over.
const GROWTH_WORDS = 4096;
const LOOPED_TEXT_MAX = 24;   // Up to so many characters a loop beats a call into C++.

export class ValueBuilder {
  // A call that reserves may replace them: whoever writes asks for them anew.
  bytes!: Buffer;
  words!: Uint32Array;         // half-words of the same memory
  floats!: Float64Array;
  #capacity = 0;               // all in words from here
  #end = 0;
  #limit = 0;
  #maxBytes = 0;

  #table!: Uint32Array;
  #tableFloats!: Float64Array;
  #nodes = 0;

  constructor() {
    this.#allocate(SMALL_WORDS);
    this.#allocateTable(SMALL_WORDS);
  }

  // Starts a message; forget() ends it, however far it came.
  begin(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#limit = Math.min(maxBytes, SEGMENT_BYTES_MAX) >>> 3;
    this.#end = HEADER_WORDS;
  }

  forget(): void {
    this.#nodes = 0;
    if (this.#capacity > SMALL_WORDS) this.#allocate(SMALL_WORDS);
    if (this.#table.length > 2 * SMALL_WORDS) this.#allocateTable(SMALL_WORDS);
  }

  // ---- memory: neither buffer is cleared, so whoever reserves words writes each of them ----

  #allocate(words: number): void {
    this.bytes = Buffer.allocUnsafeSlow(words * 8);
    this.words = new Uint32Array(this.bytes.buffer, 0, words * 2);
    this.floats = new Float64Array(this.bytes.buffer, 0, words);
    this.#capacity = words;
  }

  #allocateTable(words: number): void {
    this.#tableFloats = new Float64Array(words);
    this.#table = new Uint32Array(this.#tableFloats.buffer);
  }

  reserve(words: number): number {
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
    const old = this.bytes.subarray(0, this.#end * 8);
    // The second is for a single large part, behind which the nodes shall fit without another move.
    this.#allocate(Math.max(this.#capacity * 2, words + GROWTH_WORDS));
    this.bytes.set(old);
  }

  // Gives back what was reserved last, from `word` on.
  endAt(word: number): void {
    this.#end = word;
  }

  reserveBytes(size: number): number {
    const words = (size + 7) >>> 3;
    const start = this.reserve(words);
    if (words > 0) this.clear(start + words - 1, 1);
    return start;
  }

  clear(start: number, words: number): void {
    this.words.fill(0, start * 2, (start + words) * 2);
  }

  reserveStruct(words: number): number {
    const start = this.reserve(words);
    for (let i = start * 2; i < (start + words) * 2; i++) this.words[i] = 0;
    return start;
  }

  // A pointer inside the body of a node.
  pointFrom(word: number, target: number, size: number): void {
    this.words[word * 2] = (target - word - 1) << 2 | layout.POINTER_LIST;
    this.words[word * 2 + 1] = size;
  }

  // ---- nodes ----

  node(kind: number): number {
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

  setKind(ref: number, kind: number): void {
    this.#table[ref * layout.NODE_WORDS * 2] = kind;
  }

  setNumber(ref: number, number: number): void {
    this.#tableFloats[ref * layout.NODE_WORDS + 1] = number;
  }

  setReference(ref: number, to: number): void {
    this.#table[ref * layout.NODE_WORDS * 2 + 2] = to;
  }

  setPointer(ref: number, kind: number, target: number, size: number): void {
    const at = ref * layout.NODE_WORDS * 2 + 4;
    this.#table[at] = target << 2 | kind;
    this.#table[at + 1] = size;
  }

  setList(ref: number, target: number, element: number, count: number): void {
    this.setPointer(ref, layout.POINTER_LIST, target, count << 3 | element);
  }

  finish(): Uint8Array {
    const nodeWords = this.#nodes * layout.NODE_WORDS;
    const start = this.reserve(1 + nodeWords);
    const words = this.words;
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

    const bytes = this.bytes;
    const size = this.#end * 8;
    if (this.#end > SMALL_WORDS) {
      this.#capacity = Infinity;   // forget() takes a new buffer
      return new Uint8Array(bytes.buffer, 0, size);
    }
    const result = Buffer.allocUnsafe(size);
    bytes.copy(result, 0, 0, size);
    return result;
  }

  // ---- text ----

  addString(text: string): number {
    const ref = this.node(layout.KIND_TEXT);
    this.#setText(ref, text);
    return ref;
  }

  #setText(ref: number, text: string): void {
    const length = text.length;
    if (length <= LOOPED_TEXT_MAX) {
      const start = this.tryWriteAscii(text);
      if (start >= 0) return this.setList(ref, start, layout.ELEMENT_BYTE, length + 1);
    }
    const size = Buffer.byteLength(text, "utf8");
    if (size !== length && !text.isWellFormed()) {
      const start = this.reserveBytes(length * 2);
      this.bytes.write(text, start * 8, length * 2, "utf16le");
      this.setKind(ref, layout.KIND_UTF16);
      this.setList(ref, start, layout.ELEMENT_BYTE, length * 2);
      return;
    }
    const start = this.reserveBytes(size + 1);
    // As many bytes as characters: all of them are ASCII.
    this.bytes.write(text, start * 8, size, size === length ? "latin1" : "utf8");
    this.setList(ref, start, layout.ELEMENT_BYTE, size + 1);
  }

  // Short text with its NUL; -1 if it is not ASCII.
  tryWriteAscii(text: string): number {
    const length = text.length;
    const before = this.#end;
    const start = this.reserve((length >>> 3) + 1);
    const bytes = this.bytes;
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
}
