// A BufferSource argument of Web IDL: bytes that user code can change, detach or resize, so what is kept of them is a copy.

import { bytesOf, isBufferSource } from "./encoding.ts";
import { Bytes, PlainTypeError, bufferByteLength, dataViewBuffer, isArrayBufferView, typedArrayBuffer, typedArrayName } from "./primordials.ts";

export function copyBytes(source: unknown, what: string): Uint8Array<ArrayBuffer> {
  if (!isBufferSource(source) || isShared(source)) throw new PlainTypeError(`${what} must be an ArrayBuffer or a view of one.`);
  return new Bytes(bytesOf(source));
}

// [AllowShared] stands nowhere in what the runtime implements with this.
function isShared(source: BufferSource): boolean {
  try {
    bufferByteLength(!isArrayBufferView(source) ? source : typedArrayName(source) === undefined ? dataViewBuffer(source) : typedArrayBuffer(source));
    return false;
  } catch {
    return true;
  }
}
