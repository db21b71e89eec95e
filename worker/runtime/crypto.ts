// crypto.getRandomValues and crypto.randomUUID; crypto.subtle is in subtle/.

import { Bytes, PlainTypeError, defineProperty, isArrayBufferView, typedArrayByteLength, typedArrayName } from "./primordials.ts";
import { DigestStream } from "./subtle/digest-stream.ts";
import { type SubtleCrypto, installSubtle } from "./subtle/subtle-crypto.ts";
import { exposeInterface, exposeValue, illegalConstructor, makeInterface, requireArguments } from "./webidl.ts";
import { makeDomException } from "./dom-exception.ts";

const QUOTA_BYTES = 65_536;
const TOKEN = {};
const HEX = "0123456789abcdef";

export class Crypto {
  #brand = true;
  readonly #subtle: SubtleCrypto;
  constructor(token: unknown = undefined, subtle: unknown = undefined) {
    if (token !== TOKEN) illegalConstructor();
    this.#subtle = subtle as SubtleCrypto;
  }

  get subtle(): SubtleCrypto { return this.#subtle; }

  getRandomValues<T>(array: T): T {
    this.#brand;
    requireArguments(arguments.length, 1, "'getRandomValues' on 'Crypto'");
    const name = typedArrayName(array);
    if (name === undefined && !isArrayBufferView(array)) {
      throw new PlainTypeError("Failed to execute 'getRandomValues' on 'Crypto': parameter 1 is not of type 'ArrayBufferView'.");
    }
    if (name === undefined || name === "Float16Array" || name === "Float32Array" || name === "Float64Array") {
      throw makeDomException("The data provided must be an integer-typed TypedArray", "TypeMismatchError");
    }
    const size = typedArrayByteLength(array);
    if (size > QUOTA_BYTES) {
      throw makeDomException(`getRandomValues() only accepts buffers of size <= 64K but provided ${size} bytes.`, "QuotaExceededError");
    }
    native.refuseAtTopLevel();
    native.fillRandomBytes(array as ArrayBufferView);
    return array;
  }

  randomUUID(): string {
    this.#brand;
    native.refuseAtTopLevel();
    const bytes = new Bytes(16);
    native.fillRandomBytes(bytes);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    let text = "";
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
      text += HEX[bytes[i]! >> 4]! + HEX[bytes[i]! & 15]!;
    }
    return text;
  }
}

export function installCrypto(): void {
  exposeInterface("Crypto", Crypto);
  makeInterface("DigestStream", DigestStream);
  defineProperty(Crypto.prototype, "DigestStream", { value: DigestStream, writable: true, configurable: true, enumerable: false });
  exposeValue("crypto", new Crypto(TOKEN, installSubtle()));
}
