// Where the parts of ipc/value.capnp stand on the wire (`capnp compile -ocapnp` prints it), and which JavaScript class each
// of its numbers means. Both directions of codec.ts read from here.
//
// A message is one segment of 8-byte words. A pointer is one word, low half first:
//   struct  offset << 2      | words of data, words of pointers << 16
//   list    offset << 2 | 1  | element size, count << 3
// The offset counts words from the end of the pointer. A list of structs counts its words instead, and begins with a tag word
// that has the shape of a struct pointer with the number of elements for its offset.

export const POINTER_STRUCT = 0;
export const POINTER_LIST = 1;

export const ELEMENT_BYTE = 2;
export const ELEMENT_FOUR = 4;
export const ELEMENT_EIGHT = 5;
export const ELEMENT_STRUCT = 7;

// By element size; a pointer's and a struct list's are words.
export const ELEMENT_BITS: readonly number[] = [0, 1, 8, 16, 32, 64, 64, 64];

// Node: its tag is the first half-word.
export const KIND_UNDEFINED = 0;
export const KIND_NULL = 1;
export const KIND_BOOLEAN = 2;        // bit 16
export const KIND_NUMBER = 3;         // byte 8
export const KIND_TEXT = 4;           // pointer, as all that follow unless they say otherwise
export const KIND_UTF16 = 5;
export const KIND_BIGINT = 6;
export const KIND_DATE = 7;           // byte 8
export const KIND_BOXED = 8;          // byte 8
export const KIND_REGEXP = 9;
export const KIND_ERROR = 10;
export const KIND_ARRAY = 11;
export const KIND_NUMBERS = 12;
export const KIND_OBJECT = 13;
export const KIND_MAP = 14;
export const KIND_SET = 15;
export const KIND_ARRAY_BUFFER = 16;
export const KIND_VIEW = 17;
export const KIND_DOM_EXCEPTION = 18;
export const KIND_EXTERNAL = 19;      // byte 8
export const KIND_PLATFORM = 20;

export const NODE_DATA_WORDS = 2;
export const NODE_POINTERS = 1;
export const NODE_WORDS = NODE_DATA_WORDS + NODE_POINTERS;

export const HOLE = 0xffffffff;

// From wherever the struct stands: words of data, pointers.
export const BIGINT_SHAPE = 1 | 1 << 16;          // bit 0 negative; pointer 0 magnitude
export const REGEXP_SHAPE = 1 | 1 << 16;          // byte 0 source; pointer 0 flags
export const ARRAY_SHAPE = 1 | 2 << 16;           // byte 0 length; pointers 0 items, 1 properties
export const ARRAY_BUFFER_SHAPE = 2 | 1 << 16;    // byte 0 maxByteLength, bit 64 resizable; pointer 0 bytes
export const VIEW_SHAPE = 3;                      // byte 0 kind, bit 16 tracksLength, bytes 4 buffer, 8 byteOffset, 16 length
export const DOM_EXCEPTION_SHAPE = 1 | 1 << 16;   // byte 0 message; pointer 0 name
export const PLATFORM_SHAPE = 1 | 1 << 16;        // byte 0 state; pointer 0 interface
export const ERROR_SHAPE = 3 | 1 << 16;           // byte 0 prototype, bits 16..20 what is there, bytes below; pointer 0 properties
export const PROPERTY_SHAPE = 1;                  // bytes 0 key, 4 value
export const NODE_SHAPE = NODE_DATA_WORDS | NODE_POINTERS << 16;
export const VALUE_SHAPE = 1 << 16;               // pointer 0 nodes

// Error: the bit (from 16) that says it is there, and the byte where it stands.
export const ERROR_NAME = { bit: 1 << 16, at: 4 } as const;
export const ERROR_MESSAGE = { bit: 1 << 17, at: 8 } as const;
export const ERROR_STACK = { bit: 1 << 18, at: 12 } as const;
export const ERROR_CAUSE = { bit: 1 << 19, at: 16 } as const;
export const ERROR_ERRORS = { bit: 1 << 20, at: 20 } as const;
export interface ErrorPart { readonly bit: number; readonly at: number }

// 2^20 bits, as V8 in a worker has it.
export const BIGINT_WORDS_MAX = 16_384;

export const REGEXP_FLAGS = "dgimsuvy";

type ErrorClass = new (...args: unknown[]) => Error;
export type View = ArrayBufferView<ArrayBuffer>;
type ViewClass = new (buffer: ArrayBuffer, byteOffset?: number, length?: number) => View;

// What Node 20 and 22 lack. Absent: an error arrives as an Error, and an array is refused.
const newest = globalThis as unknown as { SuppressedError?: ErrorClass; Float16Array?: ViewClass };

export const ERROR_CLASSES = [
  Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError, newest.SuppressedError,
] as readonly (ErrorClass | undefined)[];
export const ERROR_NAMES: readonly string[] = [
  "Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError", "SuppressedError",
];
export const ERROR_PLAIN = 0;
export const ERROR_AGGREGATE = 7;
export const ERROR_SUPPRESSED = 8;
export const ERROR_PROTOTYPES: readonly unknown[] = ERROR_CLASSES.map((constructor) => constructor?.prototype);

export const VIEW_CLASSES = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, newest.Float16Array, Float32Array,
  Float64Array, BigInt64Array, BigUint64Array, DataView,
] as readonly (ViewClass | undefined)[];
// The name that a typed array cannot hide; a DataView has none.
export const VIEW_NAMES: readonly string[] = [
  "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "Float16Array",
  "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
];
export const VIEW_DATA = 12;
export const VIEW_ELEMENT_BYTES: readonly number[] = [1, 1, 1, 2, 2, 4, 4, 2, 4, 8, 8, 8, 1];
