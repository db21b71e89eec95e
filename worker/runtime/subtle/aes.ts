// AES in its four modes. The keys are alike.

import { checkBytes } from "../buffer-source.ts";
import { Bytes, typedArrayBuffer } from "../primordials.ts";
import {
  type Algorithm, type Given, bytesMember, dataError, integerMember, notSupported, operationError, optionalBytes, optionalInteger, register, succeeded,
} from "./algorithm.ts";
import { DECRYPT, ENCRYPT, type Inside, UNWRAP_KEY, WRAP_KEY, checkUsages, makeKey, requireSomeUsage } from "./crypto-key.ts";
import { type Jwk, checkRights, expectMember, expectOptional, numberMember, rightsOf, toBase64Url } from "./jwk.ts";

const DATA = "The data";
const NO_BYTES = new Bytes(0);

function secret(key: Inside): Uint8Array { return key.material as Uint8Array; }

function lengthMember(given: Given): number {
  const length = integerMember(given, "length", 0xffff);
  if (length !== 128 && length !== 192 && length !== 256) throw operationError(`An AES key has 128, 192 or 256 bits, not ${length}.`);
  return length;
}

function keysOf(name: string, mode: string, allowed: number): Pick<Algorithm, "name" | "generate" | "read" | "write" | "keyLength"> {
  return {
    name,
    generate(given, extractable, usages) {
      const length = lengthMember(given);
      checkUsages(usages, allowed, "secret");
      requireSomeUsage(usages, "secret");
      const bytes = new Bytes(length / 8);
      native.fillRandomBytes(bytes);
      return makeKey("secret", extractable, { name, length }, usages, bytes);
    },
    read(format, data, _, extractable, usages) {
      checkUsages(usages, allowed, "secret");
      requireSomeUsage(usages, "secret");
      let bytes: Uint8Array<ArrayBuffer>;
      if (format === "raw") {
        bytes = data as Uint8Array<ArrayBuffer>;
      } else if (format === "jwk") {
        expectMember(data as Jwk, "kty", "oct");
        bytes = numberMember(data as Jwk, "k");
      } else {
        throw notSupported("An AES key is imported as raw or jwk.");
      }
      const length = bytes.length * 8;
      if (length !== 128 && length !== 192 && length !== 256) throw dataError(`An AES key has 128, 192 or 256 bits, not ${length}.`);
      if (format === "jwk") {
        expectOptional(data as Jwk, "alg", `A${length}${mode}`);
        checkRights(data as Jwk, extractable, usages, "enc");
      }
      return makeKey("secret", extractable, { name, length }, usages, bytes);
    },
    write(format, key) {
      const bytes = key.material as Uint8Array<ArrayBuffer>;
      if (format === "raw") return typedArrayBuffer(new Bytes(bytes)) as ArrayBuffer;
      if (format !== "jwk") throw notSupported("An AES key is exported as raw or jwk.");
      return { kty: "oct", k: toBase64Url(bytes), alg: `A${key.algorithm.length}${mode}`, ...rightsOf(key) };
    },
    keyLength: lengthMember,
  };
}

// -- modes --------------------------------------------------------------------------------------------------------------

const ALL = ENCRYPT | DECRYPT | WRAP_KEY | UNWRAP_KEY;

function gcm(encrypt: boolean, given: Given, key: Inside, data: unknown): ArrayBuffer {
  const iv = bytesMember(given, "iv");
  const additional = optionalBytes(given, "additionalData") ?? NO_BYTES;
  const tagBits = optionalInteger(given, "tagLength", 255) ?? 128;
  const source = checkBytes(data, DATA);
  if (tagBits !== 32 && tagBits !== 64 && !(tagBits >= 96 && tagBits <= 128 && tagBits % 8 === 0)) {
    throw operationError(`An AES-GCM tag has 32, 64, 96, 104, 112, 120 or 128 bits, not ${tagBits}.`);
  }
  if (iv.length === 0) throw operationError("An AES-GCM IV must not be empty.");
  return succeeded(native.aesGcm(encrypt, secret(key), iv, source, additional, tagBits / 8),
    encrypt ? "The encryption failed." : "The decryption failed: the data, the tag or a parameter is not right.");
}

function cbc(encrypt: boolean, given: Given, key: Inside, data: unknown): ArrayBuffer {
  const iv = bytesMember(given, "iv");
  const source = checkBytes(data, DATA);
  if (iv.length !== 16) throw operationError(`An AES-CBC IV has 16 bytes, not ${iv.length}.`);
  return succeeded(native.aesCbc(encrypt, secret(key), iv, source), encrypt ? "The encryption failed." : "The decryption failed.");
}

function ctr(given: Given, key: Inside, data: unknown): ArrayBuffer {
  const counter = bytesMember(given, "counter");
  const bits = integerMember(given, "length", 255);
  const source = checkBytes(data, DATA);
  if (counter.length !== 16) throw operationError(`An AES-CTR counter block has 16 bytes, not ${counter.length}.`);
  if (bits === 0 || bits > 128) throw operationError(`An AES-CTR counter has 1 to 128 bits, not ${bits}.`);
  return succeeded(native.aesCtr(secret(key), counter, bits, source), "There is more data than the counter can count.");
}

export function registerAes(): void {
  register(
    {
      ...keysOf("AES-GCM", "GCM", ALL),
      encrypt: (given, key, data) => gcm(true, given, key, data),
      decrypt: (given, key, data) => gcm(false, given, key, data),
    },
    {
      ...keysOf("AES-CBC", "CBC", ALL),
      encrypt: (given, key, data) => cbc(true, given, key, data),
      decrypt: (given, key, data) => cbc(false, given, key, data),
    },
    { ...keysOf("AES-CTR", "CTR", ALL), encrypt: ctr, decrypt: ctr },
    {
      ...keysOf("AES-KW", "KW", WRAP_KEY | UNWRAP_KEY),
      wrap: (_, key, data) => succeeded(native.aesKw(true, secret(key), checkBytes(data, DATA)), "AES-KW wraps whole blocks of 8 bytes, two or more."),
      unwrap: (_, key, data) => succeeded(native.aesKw(false, secret(key), checkBytes(data, DATA)), "The unwrapping failed."),
    },
  );
}
