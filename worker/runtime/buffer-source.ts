// A BufferSource argument of Web IDL: bytes that user code can change, detach or resize, so what is kept of them is a copy.

import { bytesOf, isBufferSource } from "./encoding.ts";
import { Bytes, PlainTypeError, bufferByteLength, dataViewBuffer, isArrayBufferView, typedArrayBuffer, typedArrayName } from "./primordials.ts";

// For a native that is called before user code runs again.
export function checkBytes(source: unknown, what: string): BufferSource {
  if (!isBufferSource(source) || isShared(source)) throw new PlainTypeError(`${what} must be an ArrayBuffer or a view of one.`);
  return source;
}

export function copyBytes(source: unknown, what: string): Uint8Array<ArrayBuffer> {
  return new Bytes(bytesOf(checkBytes(source, what)));
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
