// Digests, and HMAC.

import { checkBytes } from "../buffer-source.ts";
import { Bytes, typedArrayBuffer } from "../primordials.ts";
import {
  type Algorithm, type Given, dataError, hashBlockBytes, hashId, hashMember, notSupported, operationError, optionalInteger, register, succeeded,
} from "./algorithm.ts";
import { SIGN, VERIFY, checkUsages, makeKey, requireSomeUsage } from "./crypto-key.ts";
import { type Jwk, checkRights, expectMember, expectOptional, numberMember, rightsOf, toBase64Url } from "./jwk.ts";

function digestOf(name: string): Algorithm {
  const id = hashId(name);
  return { name, digest: (data) => succeeded(native.digest(id, checkBytes(data, "The data")), "The digest failed.") };
}

// "HS256" for SHA-256.
function jwkName(hash: string): string { return `HS${hash === "SHA-1" ? "1" : hash === "SHA-256" ? "256" : hash === "SHA-384" ? "384" : "512"}`; }

// A length that ends within a byte leaves the rest of that byte unused.
function cutTo(bits: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bits % 8 !== 0) bytes[bytes.length - 1]! &= 0xff << (8 - bits % 8);
  return bytes;
}

const LENGTH_BITS_MAX = 1 << 20;   // far above every hash's block

const hmac: Algorithm = {
  name: "HMAC",
  generate(given, extractable, usages) {
    const hash = hashMember(given);
    const length = optionalInteger(given, "length") ?? hashBlockBytes(hash) * 8;
    checkUsages(usages, SIGN | VERIFY, "secret");
    requireSomeUsage(usages, "secret");
    if (length === 0 || length > LENGTH_BITS_MAX) throw operationError(`An HMAC key cannot have ${length} bits.`);
    const bytes = new Bytes((length + 7) >> 3);
    native.fillRandomBytes(bytes);
    return makeKey("secret", extractable, { name: "HMAC", hash, length }, usages, cutTo(length, bytes));
  },
  read(format, data, given, extractable, usages) {
    const hash = hashMember(given);
    const wanted = optionalInteger(given, "length");
    checkUsages(usages, SIGN | VERIFY, "secret");
    requireSomeUsage(usages, "secret");
    let bytes: Uint8Array<ArrayBuffer>;
    if (format === "raw") {
      bytes = data as Uint8Array<ArrayBuffer>;
    } else if (format === "jwk") {
      const jwk = data as Jwk;
      expectMember(jwk, "kty", "oct");
      bytes = numberMember(jwk, "k");
      expectOptional(jwk, "alg", jwkName(hash));
      checkRights(jwk, extractable, usages, "sig");
    } else {
      throw notSupported("An HMAC key is imported as raw or jwk.");
    }
    if (bytes.length === 0) throw dataError("An HMAC key must not be empty.");
    const length = wanted ?? bytes.length * 8;
    if (length > bytes.length * 8 || length <= bytes.length * 8 - 8) throw dataError(`The key's ${bytes.length} bytes do not match the length of ${length} bits.`);
    return makeKey("secret", extractable, { name: "HMAC", hash, length }, usages, cutTo(length, bytes));
  },
  write(format, key) {
    const bytes = key.material as Uint8Array<ArrayBuffer>;
    if (format === "raw") return typedArrayBuffer(new Bytes(bytes)) as ArrayBuffer;
    if (format !== "jwk") throw notSupported("An HMAC key is exported as raw or jwk.");
    return { kty: "oct", k: toBase64Url(bytes), alg: jwkName(key.algorithm.hash!), ...rightsOf(key) };
  },
  sign(_, key, data) {
    return succeeded(native.hmac(hashId(key.algorithm.hash!), key.material as Uint8Array, checkBytes(data, "The data")), "The signature failed.");
  },
  verify(given, key, signature, data) {
    const checked = checkBytes(signature, "The signature");
    return native.equalInConstantTime(hmac.sign!(given, key, data), checked);
  },
  keyLength(given: Given) {
    const hash = hashMember(given);
    const length = optionalInteger(given, "length") ?? hashBlockBytes(hash) * 8;
    if (length === 0 || length > LENGTH_BITS_MAX) throw operationError(`An HMAC key cannot have ${length} bits.`);
    return length;
  },
};

export function registerHashes(): void {
  register(digestOf("SHA-1"), digestOf("SHA-256"), digestOf("SHA-384"), digestOf("SHA-512"), digestOf("MD5"), hmac);
}
