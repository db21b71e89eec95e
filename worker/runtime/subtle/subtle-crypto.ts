// SubtleCrypto: what is the same for all algorithms. Each method does its work in the call itself and answers by a promise; so nothing of
// the caller's can change between a check and its use.

import { checkBytes, copyBytes } from "../buffer-source.ts";
import { makeDomException } from "../dom-exception.ts";
import { Bytes, PlainTypeError, isArrayBufferView, jsonParse, jsonStringify, setPrototypeOf } from "../primordials.ts";
import { exposeInterface, illegalConstructor, isObject, requireArguments, toDOMString } from "../webidl.ts";
import { registerAes } from "./aes.ts";
import { type Algorithm, type Format, type Given, dataError, notSupported, resolve, toRanged } from "./algorithm.ts";
import {
  type CryptoKey, type CryptoKeyPair, DECRYPT, DERIVE_BITS, DERIVE_KEY, ENCRYPT, type Inside, SIGN, UNWRAP_KEY, VERIFY, WRAP_KEY,
  installCryptoKey, requireUsage, toInside, toUsages,
} from "./crypto-key.ts";
import { registerCurve25519 } from "./curve25519.ts";
import { registerDerivation } from "./derivation.ts";
import { registerElliptic } from "./elliptic.ts";
import { registerHashes } from "./hash.ts";
import type { Jwk } from "./jwk.ts";
import { registerRsa } from "./rsa.ts";

const TOKEN = {};

export class SubtleCrypto {
  #brand = true;
  constructor(token: unknown = undefined) { if (token !== TOKEN) illegalConstructor(); }

  async digest(algorithm: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#brand;
    requireArguments(arguments.length, 2, "'digest' on 'SubtleCrypto'");
    return resolve(algorithm, "digest").found.digest(data);
  }

  async generateKey(algorithm: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey | CryptoKeyPair> {
    this.#brand;
    requireArguments(arguments.length, 3, "'generateKey' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "generate");
    native.refuseAtTopLevel();
    return found.generate(given, !!extractable, toUsages(usages));
  }

  async importKey(format: unknown, keyData: unknown, algorithm: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey> {
    this.#brand;
    requireArguments(arguments.length, 5, "'importKey' on 'SubtleCrypto'");
    const kind = toFormat(format);
    checkKeyData(kind, keyData);
    const wanted = toUsages(usages);
    const { found, given } = resolve(algorithm, "read");
    return found.read(kind, kind === "jwk" ? keyData as Jwk : copyBytes(keyData, `The ${kind} of a key`), given, !!extractable, wanted);
  }

  async exportKey(format: unknown, key: unknown): Promise<ArrayBuffer | Jwk> {
    this.#brand;
    requireArguments(arguments.length, 2, "'exportKey' on 'SubtleCrypto'");
    return write(toFormat(format), toInside(key, "The key"));
  }

  async encrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#brand;
    requireArguments(arguments.length, 3, "'encrypt' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "encrypt");
    return found.encrypt(given, keyFor(found, key, ENCRYPT), data);
  }

  async decrypt(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#brand;
    requireArguments(arguments.length, 3, "'decrypt' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "decrypt");
    return found.decrypt(given, keyFor(found, key, DECRYPT), data);
  }

  async sign(algorithm: unknown, key: unknown, data: unknown): Promise<ArrayBuffer> {
    this.#brand;
    requireArguments(arguments.length, 3, "'sign' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "sign");
    return found.sign(given, keyFor(found, key, SIGN), data);
  }

  async verify(algorithm: unknown, key: unknown, signature: unknown, data: unknown): Promise<boolean> {
    this.#brand;
    requireArguments(arguments.length, 4, "'verify' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "verify");
    return found.verify(given, keyFor(found, key, VERIFY), signature, data);
  }

  async deriveBits(algorithm: unknown, baseKey: unknown, length: unknown = null): Promise<ArrayBuffer> {
    this.#brand;
    requireArguments(arguments.length, 2, "'deriveBits' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "derive");
    const bits = length === null ? null : toRanged(length, "The length");
    return found.derive(given, keyFor(found, baseKey, DERIVE_BITS), bits);
  }

  async deriveKey(algorithm: unknown, baseKey: unknown, derivedKeyType: unknown, extractable: unknown, usages: unknown): Promise<CryptoKey> {
    this.#brand;
    requireArguments(arguments.length, 5, "'deriveKey' on 'SubtleCrypto'");
    const { found, given } = resolve(algorithm, "derive");
    const { found: derived, given: derivedGiven } = resolve(derivedKeyType, "keyLength");
    const wanted = toUsages(usages);
    const bits = derived.keyLength(derivedGiven);
    const secret = new Bytes(found.derive(given, keyFor(found, baseKey, DERIVE_KEY), bits));
    return derived.read!("raw", secret, derivedGiven, !!extractable, wanted);
  }

  async wrapKey(format: unknown, key: unknown, wrappingKey: unknown, algorithm: unknown): Promise<ArrayBuffer> {
    this.#brand;
    requireArguments(arguments.length, 4, "'wrapKey' on 'SubtleCrypto'");
    const kind = toFormat(format);
    const content = toInside(key, "The key");
    const { found, given, wrap } = resolveWrap(algorithm, "wrap", "encrypt");
    const by = keyFor(found, wrappingKey, WRAP_KEY);
    const exported = write(kind, content);
    return wrap(given, by, kind === "jwk" ? native.utf8Encode(jsonStringify(setPrototypeOf(exported, null))) : exported);
  }

  async unwrapKey(
    format: unknown, wrappedKey: unknown, unwrappingKey: unknown, unwrapAlgorithm: unknown, unwrappedKeyAlgorithm: unknown, extractable: unknown,
    usages: unknown): Promise<CryptoKey> {
    this.#brand;
    requireArguments(arguments.length, 7, "'unwrapKey' on 'SubtleCrypto'");
    const kind = toFormat(format);
    const wrapped = copyBytes(wrappedKey, "The wrapped key");
    const { found, given, wrap: unwrap } = resolveWrap(unwrapAlgorithm, "unwrap", "decrypt");
    const { found: read, given: readGiven } = resolve(unwrappedKeyAlgorithm, "read");
    const wanted = toUsages(usages);
    const bytes = new Bytes(unwrap(given, keyFor(found, unwrappingKey, UNWRAP_KEY), wrapped));
    return read.read(kind, kind === "jwk" ? parseJwk(bytes) : bytes, readGiven, !!extractable, wanted);
  }

  // Cloudflare's.
  timingSafeEqual(a: unknown, b: unknown): boolean {
    this.#brand;
    requireArguments(arguments.length, 2, "'timingSafeEqual' on 'SubtleCrypto'");
    const first = checkBytes(a, "The first value"), second = checkBytes(b, "The second value");
    if (native.byteLength(first) !== native.byteLength(second)) throw new PlainTypeError("Input buffers must have the same byte length.");
    return native.equalInConstantTime(first, second);
  }
}

// The one there is, for the global `crypto`.
export function installSubtle(): SubtleCrypto {
  registerHashes();
  registerAes();
  registerDerivation();
  registerElliptic();
  registerCurve25519();
  registerRsa();
  installCryptoKey();
  exposeInterface("SubtleCrypto", SubtleCrypto);
  const subtle = new SubtleCrypto(TOKEN);
  void rehearse(subtle);
  return subtle;
}

// Runs while the snapshot is built, so that the first use in a worker finds the functions compiled.
async function rehearse(subtle: SubtleCrypto): Promise<void> {
  const data = new Bytes(16);
  await subtle.digest("SHA-256", data);
  const hmac = await subtle.importKey("raw", data, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  await subtle.verify("HMAC", hmac, await subtle.sign("HMAC", hmac, data), data);
  const aes = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]) as CryptoKey;
  await subtle.importKey("jwk", await subtle.exportKey("jwk", aes), "AES-GCM", true, ["encrypt"]);
  const how = { name: "AES-GCM", iv: new Bytes(12) };
  await subtle.decrypt(how, aes, await subtle.encrypt(how, aes, data));
}

// ---------------------------------------------------------------------------------------------------------------------

function toFormat(value: unknown): Format {
  const format = toDOMString(value);
  if (format !== "raw" && format !== "spki" && format !== "pkcs8" && format !== "jwk") {
    throw new PlainTypeError('The format of a key is "raw", "spki", "pkcs8" or "jwk".');
  }
  return format;
}

function checkKeyData(format: Format, data: unknown): void {
  if (format !== "jwk") checkBytes(data, `The ${format} of a key`);
  else if (!isObject(data) || isArrayBufferView(data) || native.classify(data) === 12) throw new PlainTypeError("A JSON Web Key must be an object.");
}

function keyFor(algorithm: Algorithm, value: unknown, usage: number): Inside {
  const key = toInside(value, "The key");
  if (key.algorithm.name !== algorithm.name) {
    throw makeDomException(`The key is for ${key.algorithm.name} and not for ${algorithm.name}.`, "InvalidAccessError");
  }
  requireUsage(key, usage);
  return key;
}

function write(format: Format, key: Inside): ArrayBuffer | Jwk {
  const { found: algorithm } = resolve(key.algorithm.name, "read");
  if (algorithm.write === undefined) throw notSupported(`A key for ${algorithm.name} cannot be exported.`);
  if (!key.extractable) throw makeDomException("The key is not extractable.", "InvalidAccessError");
  return algorithm.write(format, key);
}

type Wrap = (given: Given, key: Inside, data: unknown) => ArrayBuffer;

// An algorithm that does not wrap encrypts.
function resolveWrap(identifier: unknown, operation: "wrap" | "unwrap", instead: "encrypt" | "decrypt"): { found: Algorithm; given: Given; wrap: Wrap } {
  const { found, given } = resolve(identifier, "name");
  const wrap = found[operation] ?? found[instead];
  if (wrap === undefined) throw notSupported(`${found.name} does not support this operation.`);
  return { found, given, wrap };
}

function parseJwk(bytes: Uint8Array<ArrayBuffer>): Jwk {
  const text = native.utf8Decode(bytes, false)!;
  let value: unknown;
  try {
    value = jsonParse(text);
  } catch {
    throw dataError("What was wrapped is not JSON.");
  }
  if (!isObject(value)) throw dataError("What was wrapped is not a JSON Web Key.");
  return setPrototypeOf(value, null) as Jwk;
}

