// ArrayBuffers and views: what of their memory is written, and what never is.

import { Buffer } from "node:buffer";
import { types } from "node:util";
import { Serializer } from "node:v8";
import * as workerThreads from "node:worker_threads";

import type { ValueBuilder } from "./value-builder.ts";
import * as layout from "./value-layout.ts";
import { bufferByteLength, bufferMaxByteLength, getterOf, isResizable } from "./value-objects.ts";
import { dataCloneError, uncloneable } from "./value-refusals.ts";

export function writeBuffer(builder: ValueBuilder, buffer: ArrayBuffer, ref: number): void {
  if (isDetached(buffer)) throw dataCloneError("An ArrayBuffer is detached and could not be cloned.");
  const max = isResizable(buffer) ? bufferMaxByteLength.call(buffer) : -1;
  setBuffer(builder, ref, new Uint8Array(buffer), max);
}

// `add` makes the node of a buffer that is sent as a whole.
export function writeView(builder: ValueBuilder, view: ArrayBufferView, ref: number, add: (buffer: ArrayBuffer) => number): void {
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
    bufferRef = builder.node(layout.KIND_ARRAY_BUFFER);
    setBuffer(builder, bufferRef, new Uint8Array(buffer, offset, size), -1);
    offset = 0;
  } else {
    bufferRef = add(buffer);
  }
  const start = builder.reserveStruct(3);
  builder.words[start * 2] = kind | (tracksLength ? 1 << 16 : 0);
  builder.words[start * 2 + 1] = bufferRef;
  builder.words[start * 2 + 2] = offset % 2 ** 32;
  builder.words[start * 2 + 3] = Math.floor(offset / 2 ** 32);
  if (!tracksLength) builder.words[start * 2 + 4] = size / layout.VIEW_ELEMENT_BYTES[kind]!;
  builder.setKind(ref, layout.KIND_VIEW);
  builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.VIEW_SHAPE);
}

function setBuffer(builder: ValueBuilder, ref: number, content: Uint8Array, max: number): void {
  const size = content.byteLength;
  const bytes = builder.reserveBytes(size);
  builder.bytes.set(content, bytes * 8);
  const start = builder.reserveStruct(3);
  if (max >= 0) {
    builder.words[start * 2] = max % 2 ** 32;
    builder.words[start * 2 + 1] = Math.floor(max / 2 ** 32);
    builder.words[start * 2 + 2] = 1;
  }
  builder.pointFrom(start + 2, bytes, size << 3 | layout.ELEMENT_BYTE);
  builder.setKind(ref, layout.KIND_ARRAY_BUFFER);
  builder.setPointer(ref, layout.POINTER_STRUCT, start, layout.ARRAY_BUFFER_SHAPE);
}

// ---------------------------------------------------------------------------------------------------------------------

const TYPED_ARRAY_PROTOTYPE = Object.getPrototypeOf(Uint8Array.prototype) as object;
const viewName = getterOf<string | undefined>(TYPED_ARRAY_PROTOTYPE, Symbol.toStringTag);
const viewBuffer = getterOf<unknown>(TYPED_ARRAY_PROTOTYPE, "buffer");
const viewOffset = getterOf<number>(TYPED_ARRAY_PROTOTYPE, "byteOffset");
const viewByteLength = getterOf<number>(TYPED_ARRAY_PROTOTYPE, "byteLength");
const dataViewBuffer = getterOf<unknown>(DataView.prototype, "buffer");
const dataViewOffset = getterOf<number>(DataView.prototype, "byteOffset");
const dataViewByteLength = getterOf<number>(DataView.prototype, "byteLength");

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
