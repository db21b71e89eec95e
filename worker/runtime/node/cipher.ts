// The half of node:crypto's ciphers that Node.js has in C++: AES in three modes. What Node.js's own part of them requires of its key
// objects and of OpenSSL's other ciphers is not here.

import { provideBinding, provideModule, requireInternal } from "./library.ts";
import { PlainError } from "../primordials.ts";

const MODES: Record<string, AesMode> = { gcm: 0, cbc: 1, ctr: 2 };
const GCM = 0, CBC = 1;
const BLOCK = 16;
const NIDS: Record<string, number> = { "aes-128-cbc": 419, "aes-192-cbc": 423, "aes-256-cbc": 427, "aes-128-gcm": 895, "aes-192-gcm": 898, "aes-256-gcm": 901,
                                       "aes-128-ctr": 904, "aes-192-ctr": 905, "aes-256-ctr": 906 };
export const CIPHERS = ["aes-128-cbc", "aes-128-ctr", "aes-128-gcm", "aes-192-cbc", "aes-192-ctr", "aes-192-gcm", "aes-256-cbc", "aes-256-ctr", "aes-256-gcm",
                        "aes128", "aes192", "aes256", "id-aes128-gcm", "id-aes192-gcm", "id-aes256-gcm"];

const errors = () => requireInternal("internal/errors")["codes"];
const BufferClass = () => requireInternal("buffer")["Buffer"];

interface Cipher { name: string; mode: AesMode; keyBytes: number }

function cipherOf(name: string): Cipher | undefined {
  const found = /^(?:aes-(128|192|256)-(gcm|cbc|ctr)|(?:id-)?aes(128|192|256)(-gcm)?)$/.exec(name.toLowerCase());
  if (found === null || !CIPHERS.includes(found[0])) return undefined;
  const bits = found[1] ?? found[3]!, mode = found[2] ?? (found[4] === undefined ? "cbc" : "gcm");
  return { name: `aes-${bits}-${mode}`, mode: MODES[mode]!, keyBytes: Number(bits) / 8 };
}

const failure = (make: typeof PlainError, message: string, code: string) => Object.assign(new make(message), { code });
const isTagLength = (size: number) => size === 4 || size === 8 || (size >= 12 && size <= 16);
const wrongTag = (size: number) => failure(TypeError as typeof PlainError, `Invalid authentication tag length: ${size}`, "ERR_CRYPTO_INVALID_AUTH_TAG");

class CipherBase {
  readonly #encrypt: boolean;
  readonly #mode: AesMode;
  #cipher: NodeCipherHandle | undefined;   // until it has finished
  #tag: Uint8Array | undefined;
  #tagBytes: number | undefined;
  #isTagPassed = false;

  constructor(encrypt: boolean, name: string, key: BufferSource, iv: BufferSource | null, tagBytes: number, ...other: unknown[]) {
    const cipher = cipherOf(name);
    if (cipher === undefined || other.length > 0) {
      throw failure(PlainError, `Unknown cipher: "${name.slice(0, 64)}". In a worker there are aes-128, aes-192 and aes-256, each with -cbc, -ctr and -gcm.`, "ERR_CRYPTO_UNKNOWN_CIPHER");
    }
    this.#encrypt = encrypt;
    this.#mode = cipher.mode;
    const isGcm = cipher.mode === GCM;
    if (iv === null || (isGcm ? iv.byteLength === 0 : iv.byteLength !== BLOCK)) throw failure(TypeError as typeof PlainError, "Invalid initialization vector", "ERR_CRYPTO_INVALID_IV");
    if (isGcm && tagBytes !== -1) {
      if (!isTagLength(tagBytes)) throw wrongTag(tagBytes);
      this.#tagBytes = tagBytes;
    }
    if (key.byteLength !== cipher.keyBytes) throw failure(RangeError as typeof PlainError, "Invalid key length", "ERR_CRYPTO_INVALID_KEYLEN");
    this.#cipher = native.cipherOpen(encrypt, cipher.mode, key, iv);
    if (this.#cipher === undefined) throw failure(TypeError as typeof PlainError, "Invalid initialization vector", "ERR_CRYPTO_INVALID_IV");   // too long
  }

  update(data: string | ArrayBufferView, encoding?: string): unknown {
    const bytes = typeof data === "string" ? BufferClass().from(data, encoding === "buffer" ? "utf8" : encoding) : data;
    if (this.#cipher !== undefined) this.#passTag();
    const result = this.#cipher === undefined ? undefined : native.cipherUpdate(this.#cipher, bytes);
    if (result === undefined) throw new PlainError("Trying to add data in unsupported state");
    return BufferClass().from(result);
  }

  final(): unknown {
    const cipher = this.#cipher;
    if (cipher === undefined) throw failure(PlainError, "Invalid state", "ERR_CRYPTO_INVALID_STATE");
    this.#passTag();
    this.#cipher = undefined;
    const isGcm = this.#mode === GCM;
    const result = native.cipherFinish(cipher);
    if (result === undefined) throw new PlainError(isGcm ? "Unsupported state or unable to authenticate data" : "Unsupported state");
    if (!(result instanceof ArrayBuffer)) {
      const [text, reason, library] = result;
      throw Object.assign(new PlainError(text), { library, reason, code: `ERR_OSSL_${reason.toUpperCase().replaceAll(" ", "_")}` });
    }
    if (isGcm && this.#encrypt) this.#tag = new Uint8Array(native.cipherGetTag(cipher, this.#tagBytes ?? BLOCK)!);
    return BufferClass().from(result);
  }

  setAutoPadding(on: boolean): boolean {
    if (this.#cipher === undefined) return false;
    if (this.#mode === CBC) native.cipherPadding(this.#cipher, on);
    return true;
  }

  getAuthTag(): unknown {
    return this.#cipher !== undefined || !this.#encrypt || this.#tag === undefined ? undefined : BufferClass().from(this.#tag);
  }

  setAuthTag(tag: BufferSource): boolean {
    if (this.#cipher === undefined || this.#mode !== GCM || this.#encrypt || this.#tag !== undefined) return false;
    const size = tag.byteLength;
    if (size !== (this.#tagBytes ?? BLOCK)) throw wrongTag(size);
    this.#tag = (ArrayBuffer.isView(tag) ? new Uint8Array(tag.buffer, tag.byteOffset, size) : new Uint8Array(tag)).slice();
    return true;
  }

  setAAD(data: BufferSource): boolean {
    if (this.#cipher === undefined || this.#mode !== GCM) return false;
    this.#passTag();
    return native.cipherAdditional(this.#cipher, data);
  }

  #passTag(): void {
    if (this.#encrypt || this.#tag === undefined || this.#isTagPassed) return;
    this.#isTagPassed = native.cipherSetTag(this.#cipher!, this.#tag);
  }
}

function info(nameOrNid: string | number, keyBytes?: number, ivBytes?: number): object | undefined {
  const cipher = cipherOf(typeof nameOrNid === "string" ? nameOrNid : Object.keys(NIDS).find((name) => NIDS[name] === nameOrNid) ?? "");
  if (cipher === undefined || (keyBytes ?? cipher.keyBytes) !== cipher.keyBytes) return undefined;
  const isGcm = cipher.mode === GCM;
  if (ivBytes !== undefined && (isGcm ? ivBytes === 0 : ivBytes !== BLOCK)) return undefined;
  return { __proto__: null, mode: cipher.name.slice(8), name: isGcm ? `id-aes${cipher.keyBytes * 8}-gcm` : cipher.name, nid: NIDS[cipher.name],
           keyLength: cipher.keyBytes, blockSize: cipher.mode === CBC ? BLOCK : 1, ivLength: ivBytes ?? (isGcm ? 12 : BLOCK) } as object;
}

const bytesOrView = (value: unknown, name: string, encoding?: string): unknown => {
  if (typeof value === "string") return BufferClass().from(value, encoding === "buffer" ? "utf8" : encoding);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return value;
  throw new (errors()["ERR_INVALID_ARG_TYPE"])(name, ["string", "ArrayBuffer", "Buffer", "TypedArray", "DataView"], value);
};
const stringOption = (options: Record<string, unknown> | null | undefined, key: string): unknown => {
  const value = options?.[key];
  if (value != null) requireInternal("internal/validators")["validateString"](value, `options.${key}`);
  return value ?? undefined;
};

function prepareSecretKey(key: unknown, encoding?: string): unknown {
  if (typeof key === "string" || ArrayBuffer.isView(key) || key instanceof ArrayBuffer || key instanceof SharedArrayBuffer) return bytesOrView(key, "key", encoding);
  throw new (errors()["ERR_INVALID_ARG_TYPE"])("key", ["ArrayBuffer", "Buffer", "TypedArray", "DataView", "string", "KeyObject", "CryptoKey"], key);
}

provideBinding("crypto", () => ({ CipherBase, getCipherInfo: info }));
provideModule("internal/crypto/keys", () => ({ prepareSecretKey }));
provideModule("internal/crypto/util", () => ({ getArrayBufferOrView: bytesOrView, getStringOption: stringOption, kHandle: Symbol("kHandle") }));
