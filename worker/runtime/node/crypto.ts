// node:crypto: digests, HMAC, AES, randomness, what is derived of passwords, and the web's crypto. There are no signatures and key
// objects: crypto.webcrypto.subtle has those.

import { CIPHERS } from "./cipher.ts";
import { requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { nextTick } from "./ticks.ts";
import { PlainError, apply, defineProperty } from "../primordials.ts";

// No native call can be stopped half-way.
const PBKDF2_ITERATIONS_MAX = 100_000;     // as crypto.subtle
const SCRYPT_WORK_MAX = 1 << 20;           // N * r * p; half a second
const RANDOM_BYTES_MAX = 2 ** 31 - 1;
const RANDOM_INT_MAX = 2 ** 48;

const HASHES = ["blake2b512", "blake2s256", "md5", "ripemd160", "sha1", "sha224", "sha256", "sha3-224", "sha3-256", "sha3-384", "sha3-512",
                "sha384", "sha512", "sha512-224", "sha512-256", "shake128", "shake256"];
// The names of crypto.subtle's digests, which PBKDF2 and HKDF know.
const DERIVATION_HASHES: Record<string, HashId> = { md5: 0, sha1: 1, sha256: 2, sha384: 3, sha512: 4 };

const errors = () => requireInternal("internal/errors")["codes"];
const checks = () => requireInternal("internal/validators");
const BufferClass = () => requireInternal("buffer")["Buffer"];

function opensslName(name: string): string {
  const lower = name.toLowerCase();
  return lower.startsWith("rsa-") ? lower.slice(4) : lower;
}

function bytesOf(data: unknown, name: string, encoding: unknown = "utf8"): Uint8Array {
  if (typeof data === "string") return BufferClass().from(data, encoding === "buffer" ? "utf8" : encoding);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength) as Uint8Array;
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw new (errors()["ERR_INVALID_ARG_TYPE"])(name, ["string", "ArrayBuffer", "Buffer", "TypedArray", "DataView"], data);
}

function encoded(result: ArrayBuffer, encoding: unknown): unknown {
  const buffer = BufferClass().from(result);
  return encoding && encoding !== "buffer" ? buffer.toString(`${encoding}`) : buffer;
}

interface Digesting { update(data: Uint8Array): void; finish(): ArrayBuffer }

function openHash(algorithm: string): NodeHashHandle {
  const handle = native.hashOpen(opensslName(algorithm));
  if (handle === undefined) throw Object.assign(new PlainError("Digest method not supported"), { code: "ERR_OSSL_EVP_UNSUPPORTED" });
  return handle;
}

function finishHash(handle: NodeHashHandle, byteLength?: number): ArrayBuffer {
  const result = native.hashFinish(handle, byteLength);
  if (result === undefined) throw Object.assign(new PlainError("Unsupported state or unable to digest"), { code: "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH" });
  return result;
}

// RFC 2104.
function openHmac(algorithm: string, key: Uint8Array): Digesting {
  const sizes = native.hashInfo(opensslName(algorithm));
  if (sizes === undefined || sizes[1] <= 0) {
    throw Object.assign(new PlainError(`Invalid digest: ${algorithm}`), { code: "ERR_CRYPTO_INVALID_DIGEST" });
  }
  const block = new Uint8Array(sizes[1]);
  if (key.length > block.length) {
    const hash = openHash(algorithm);
    native.hashUpdate(hash, key);
    block.set(new Uint8Array(finishHash(hash)));
  } else {
    block.set(key);
  }
  const inner = openHash(algorithm);
  native.hashUpdate(inner, block.map((byte) => byte ^ 0x36));
  return {
    update: (data) => native.hashUpdate(inner, data),
    finish() {
      const outer = openHash(algorithm);
      native.hashUpdate(outer, block.map((byte) => byte ^ 0x5c));
      native.hashUpdate(outer, new Uint8Array(finishHash(inner)));
      return finishHash(outer);
    },
  };
}

// The two classes are streams as well; they become one when somebody treats them so.
interface State { digesting: Digesting; isFinished: boolean; handle: NodeHashHandle | undefined; byteLength: number | undefined }
const states = new WeakMap<object, State>();
const stateOf = (hash: object): State => {
  const state = states.get(hash);
  if (state === undefined) throw new (errors()["ERR_INVALID_THIS"])("Hash");
  return state;
};

function makeClasses(): { Hash: any; Hmac: any } {
  const LazyTransform = requireInternal("internal/streams/lazy_transform") as unknown as { prototype: object };

  function Hash(this: Exports | undefined, algorithm: unknown, options?: { outputLength?: number }, copied?: NodeHashHandle): unknown {
    if (!new.target) return new (Hash as any)(algorithm, options);
    if (copied === undefined) checks()["validateString"](algorithm, "algorithm");
    if (options?.outputLength !== undefined) checks()["validateUint32"](options.outputLength, "options.outputLength");
    const handle = copied ?? openHash(algorithm as string);
    const byteLength = options?.outputLength;
    states.set(this!, { handle, byteLength, isFinished: false,
                        digesting: { update: (data) => native.hashUpdate(handle, data), finish: () => finishHash(handle, byteLength) } });
    apply(LazyTransform as unknown as Function, this, [options]);
    return undefined;
  }
  function Hmac(this: Exports | undefined, algorithm: unknown, key: unknown, options?: object): unknown {
    if (!new.target) return new (Hmac as any)(algorithm, key, options);
    checks()["validateString"](algorithm, "hmac");
    states.set(this!, { handle: undefined, byteLength: undefined, isFinished: false, digesting: openHmac(algorithm as string, bytesOf(key, "key")) });
    apply(LazyTransform as unknown as Function, this, [options]);
    return undefined;
  }
  const update = function (this: object, data: unknown, encoding?: unknown): object {
    const state = stateOf(this);
    if (state.isFinished) throw new (errors()["ERR_CRYPTO_HASH_FINALIZED"])();
    if (typeof data === "string") checks()["validateEncoding"](data, encoding);
    else if (!ArrayBuffer.isView(data)) throw new (errors()["ERR_INVALID_ARG_TYPE"])("data", ["string", "Buffer", "TypedArray", "DataView"], data);
    state.digesting.update(bytesOf(data, "data", encoding ?? "utf8"));
    return this;
  };
  for (const of of [Hash, Hmac] as { prototype: object }[]) {
    Object.setPrototypeOf(of.prototype, LazyTransform.prototype);
    Object.setPrototypeOf(of, LazyTransform);
  }
  const method = (of: Function, name: string, value: Function) => defineProperty(of.prototype, name, { value, writable: true, configurable: true, enumerable: true });
  method(Hash, "update", update);
  method(Hmac, "update", update);
  method(Hash, "copy", function copy(this: object, options?: object): object {
    const state = stateOf(this);
    if (state.isFinished) throw new (errors()["ERR_CRYPTO_HASH_FINALIZED"])();
    return new (Hash as any)(undefined, { outputLength: state.byteLength, ...options }, native.hashCopy(state.handle!));
  });
  method(Hash, "digest", function digest(this: object, encoding?: unknown): unknown {
    const state = stateOf(this);
    if (state.isFinished) throw new (errors()["ERR_CRYPTO_HASH_FINALIZED"])();
    state.isFinished = true;
    return encoded(state.digesting.finish(), encoding);
  });
  method(Hmac, "digest", function digest(this: object, encoding?: unknown): unknown {
    const state = stateOf(this);
    if (state.isFinished) return encoded(new ArrayBuffer(0), encoding);
    state.isFinished = true;
    return encoded(state.digesting.finish(), encoding);
  });
  const transform = function (this: Exports, chunk: unknown, encoding: string, done: (error?: Error) => void): void {
    try {
      stateOf(this).digesting.update(bytesOf(chunk, "chunk", encoding));
    } catch (error) {
      return done(error as Error);
    }
    done();
  };
  const flush = function (this: Exports, done: () => void): void {
    this["push"](encoded(stateOf(this).digesting.finish(), undefined));
    stateOf(this).isFinished = true;
    done();
  };
  for (const of of [Hash, Hmac]) {
    method(of, "_transform", transform);
    method(of, "_flush", flush);
  }
  return { Hash, Hmac };
}

// -- Randomness ------------------------------------------------------------------------------------------------------------------

function fill(view: Uint8Array): void {
  native.refuseAtTopLevel();
  native.fillRandomBytes(view);
}

// Does it at once, tells later.
function later<T>(callback: unknown, make: () => T): T | undefined {
  if (callback === undefined) return make();
  checks()["validateFunction"](callback, "callback");
  const value = make();
  nextTick(callback, null, value);
  return undefined;
}

function randomBytes(size: number, callback?: Function): unknown {
  checks()["validateNumber"](size, "size", 0, RANDOM_BYTES_MAX);
  return later(callback, () => {
    const buffer = BufferClass().alloc(size);
    fill(buffer);
    return buffer;
  });
}

function randomFillSync(view: ArrayBufferView, offset = 0, size?: number): ArrayBufferView {
  if (!ArrayBuffer.isView(view) && !((view as unknown) instanceof ArrayBuffer)) throw new (errors()["ERR_INVALID_ARG_TYPE"])("buf", ["ArrayBuffer", "ArrayBufferView"], view);
  const bytes = bytesOf(view, "buf");
  const unit = (view as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  const start = offset * unit, count = size === undefined ? bytes.length - start : size * unit;
  if (!(start >= 0 && start <= bytes.length)) throw new (errors()["ERR_OUT_OF_RANGE"])("offset", `>= 0 && <= ${bytes.length / unit}`, offset);
  if (!(count >= 0 && start + count <= bytes.length)) throw new (errors()["ERR_OUT_OF_RANGE"])("size + offset", `<= ${bytes.length / unit}`, (start + count) / unit);
  fill(bytes.subarray(start, start + count));
  return view;
}

function randomFill(view: ArrayBufferView, offset: unknown, size: unknown, callback?: unknown): void {
  const rest = [offset, size, callback];
  const at = rest.findIndex((item) => typeof item === "function");
  if (at < 0) throw new (errors()["ERR_INVALID_ARG_TYPE"])("callback", "Function", callback);
  later(rest[at], () => randomFillSync(view, at > 0 ? offset as number : 0, at > 1 ? size as number : undefined));
}

function randomInt(min: unknown, max?: unknown, callback?: unknown): number | undefined {
  if (max === undefined || typeof max === "function") {
    callback = max;
    max = min;
    min = 0;
  }
  if (!Number.isSafeInteger(min)) throw new (errors()["ERR_INVALID_ARG_TYPE"])("min", "a safe integer", min);
  if (!Number.isSafeInteger(max)) throw new (errors()["ERR_INVALID_ARG_TYPE"])("max", "a safe integer", max);
  const low = min as number, range = (max as number) - low;
  if (!(range > 0)) throw new (errors()["ERR_OUT_OF_RANGE"])("max", `greater than the value of "min" (${low})`, max);
  if (!(range <= RANDOM_INT_MAX - 1)) throw new (errors()["ERR_OUT_OF_RANGE"])("max - min", `<= ${RANDOM_INT_MAX - 1}`, range);
  return later(callback, () => {
    // Numbers that would make some results likelier than others are thrown away.
    const limit = RANDOM_INT_MAX - RANDOM_INT_MAX % range;
    for (;;) {
      const bytes = new Uint8Array(6);
      fill(bytes);
      let number = 0;
      for (let i = 0; i < 6; i++) number = number * 256 + bytes[i]!;
      if (number < limit) return number % range + low;
    }
  });
}

function timingSafeEqual(a: unknown, b: unknown): boolean {
  const isBytes = (value: unknown): value is BufferSource => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
  if (!isBytes(a)) throw new (errors()["ERR_INVALID_ARG_TYPE"])("buf1", ["ArrayBuffer", "Buffer", "TypedArray", "DataView"], a);
  if (!isBytes(b)) throw new (errors()["ERR_INVALID_ARG_TYPE"])("buf2", ["ArrayBuffer", "Buffer", "TypedArray", "DataView"], b);
  if (a.byteLength !== b.byteLength) throw Object.assign(new RangeError("Input buffers must have the same byte length"), { code: "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH" });
  return native.equalInConstantTime(a, b);
}

// -- Derivation ------------------------------------------------------------------------------------------------------------------

function derivationHash(digest: unknown): HashId {
  checks()["validateString"](digest, "digest");
  const id = DERIVATION_HASHES[(digest as string).toLowerCase().replace("-", "")];
  if (id === undefined) throw Object.assign(new TypeError(`Invalid digest: ${digest}`), { code: "ERR_CRYPTO_INVALID_DIGEST" });
  return id;
}

function pbkdf2Sync(password: unknown, salt: unknown, iterations: number, size: number, digest: unknown): unknown {
  const hash = derivationHash(digest);
  const secret = bytesOf(password, "password"), grains = bytesOf(salt, "salt");
  checks()["validateInteger"](iterations, "iterations", 1, 2 ** 31 - 1);
  checks()["validateInteger"](size, "keylen", 0, 2 ** 31 - 1);
  if (iterations > PBKDF2_ITERATIONS_MAX) {
    throw new PlainError(`Pbkdf2 failed: iteration counts above ${PBKDF2_ITERATIONS_MAX} are not supported (requested ${iterations}).`);
  }
  return encoded(native.pbkdf2(hash, secret, grains, iterations, size)!, undefined);
}

function hkdfSync(digest: unknown, key: unknown, salt: unknown, info: unknown, size: number): ArrayBuffer {
  const hash = derivationHash(digest);
  checks()["validateInteger"](size, "length", 0, 2 ** 31 - 1);
  const result = native.hkdf(hash, bytesOf(key, "ikm"), bytesOf(salt, "salt"), bytesOf(info, "info"), size);
  if (result === undefined) throw Object.assign(new RangeError("Invalid key length"), { code: "ERR_CRYPTO_INVALID_KEYLEN" });
  return result;
}

interface ScryptOptions { N?: number; cost?: number; r?: number; blockSize?: number; p?: number; parallelization?: number; maxmem?: number }

function scryptSync(password: unknown, salt: unknown, size: number, options: ScryptOptions = {}): unknown {
  const secret = bytesOf(password, "password"), grains = bytesOf(salt, "salt");
  checks()["validateInteger"](size, "keylen", 0, 2 ** 31 - 1);
  const { N = options.cost ?? 16_384, r = options.blockSize ?? 8, p = options.parallelization ?? 1, maxmem = 32 << 20 } = options;
  for (const [name, value] of [["N", N], ["r", r], ["p", p]] as const) checks()["validateUint32"](value, name);
  if (N * r * p > SCRYPT_WORK_MAX) throw new PlainError(`Scrypt failed: N * r * p above ${SCRYPT_WORK_MAX} is not supported (requested ${N * r * p}).`);
  const result = native.scrypt(secret, grains, N, r, p, maxmem, size);
  if (result === undefined) throw Object.assign(new RangeError("Invalid scrypt params"), { code: "ERR_CRYPTO_INVALID_SCRYPT_PARAMS" });
  return encoded(result, undefined);
}

// The last argument is the callback.
const withCallback = (name: string, sync: (...args: any[]) => unknown) => defineProperty((...args: unknown[]): void => {
  const callback = args.pop();
  checks()["validateFunction"](callback, "callback");
  const value = sync(...args);
  nextTick(callback, null, value);
}, "name", { value: name }) as Function;

const UNAVAILABLE = ["createSign", "createVerify", "createDiffieHellman", "createDiffieHellmanGroup", "createECDH", "createSecretKey", "createPublicKey",
                     "createPrivateKey", "diffieHellman", "generateKey", "generateKeySync", "generateKeyPair", "generateKeyPairSync", "generatePrime",
                     "generatePrimeSync", "checkPrime", "checkPrimeSync", "getDiffieHellman", "privateDecrypt", "privateEncrypt", "publicDecrypt",
                     "publicEncrypt", "sign", "verify", "X509Certificate", "KeyObject"];

export function nodeCrypto(): Exports {
  const { Hash, Hmac } = makeClasses();
  const { Cipheriv, Decipheriv, getCipherInfo } = requireInternal("internal/crypto/cipher");
  const webcrypto = (globalThis as Exports)["crypto"];
  const exports: Exports = {
    Hash, Hmac, Cipheriv, Decipheriv, getCipherInfo,
    createCipheriv: (cipher: unknown, key: unknown, iv: unknown, options?: object) => new Cipheriv(cipher, key, iv, options),
    createDecipheriv: (cipher: unknown, key: unknown, iv: unknown, options?: object) => new Decipheriv(cipher, key, iv, options),
    createHash: (algorithm: unknown, options?: object) => new Hash(algorithm, options),
    createHmac: (algorithm: unknown, key: unknown, options?: object) => new Hmac(algorithm, key, options),
    hash(algorithm: unknown, data: unknown, options: unknown = "hex"): unknown {
      const encoding = typeof options === "string" ? options : (options as { outputEncoding?: string }).outputEncoding ?? "hex";
      return new Hash(algorithm).update(data).digest(encoding);
    },
    getHashes: () => [...HASHES],
    getCiphers: () => [...CIPHERS],
    getCurves: () => [],
    getFips: () => 0,
    constants: {},
    randomBytes,
    pseudoRandomBytes: randomBytes,
    randomFill, randomFillSync, randomInt,
    randomUUID: () => webcrypto.randomUUID(),
    getRandomValues: (view: unknown) => webcrypto.getRandomValues(view),
    timingSafeEqual,
    pbkdf2Sync, hkdfSync, scryptSync,
    pbkdf2: withCallback("pbkdf2", pbkdf2Sync),
    hkdf: withCallback("hkdf", hkdfSync),
    scrypt: withCallback("scrypt", scryptSync),
    webcrypto,
    subtle: webcrypto.subtle,
  };
  for (const name of UNAVAILABLE) {
    exports[name] = function () {
      throw new (errors()["ERR_METHOD_NOT_IMPLEMENTED"])(`crypto.${name}`);
    };
    defineProperty(exports[name], "name", { value: name, configurable: true });
  }
  return exports;
}
