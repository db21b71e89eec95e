// RSASSA-PKCS1-v1_5, RSA-PSS and RSA-OAEP.

import { checkBytes, copyBytes } from "../buffer-source.ts";
import { Bytes, PlainTypeError, clz32, typedArrayName } from "../primordials.ts";
import {
  type Algorithm, type Format, type Given, hashId, hashMember, integerMember, notSupported, operationError, optionalBytes, register, requireMember, succeeded,
} from "./algorithm.ts";
import {
  type Roles, checkHalfUsages, checkPairUsages, handleOf, makePair, readDer, partsOf, refuseFormat, valid, writeDer,
} from "./asymmetric.ts";
import {
  type CryptoKey, DECRYPT, ENCRYPT, type Inside, type KeyAlgorithm, type KeyType, SIGN, UNWRAP_KEY, VERIFY, WRAP_KEY, makeKey, requireType,
} from "./crypto-key.ts";
import { type Jwk, checkRights, expectMember, expectOptional, numberMember, rightsOf, toBase64Url } from "./jwk.ts";

const RSA = 5;
const PKCS1 = 0, PSS = 1;
const NO_BYTES = new Bytes(0);

// Nothing can stop the search for primes half-way; of 4096 bits it takes a second or several.
const GENERATED_BITS_MIN = 512, GENERATED_BITS_MAX = 4096;
const SALT_BYTES_MAX = 2048;   // the largest modulus that is read

const PRIVATE_PARTS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];   // in the order of keyFromRsaParts()

function hashSuffix(hash: string): string { return hash === "SHA-1" ? "1" : hash === "SHA-256" ? "256" : hash === "SHA-384" ? "384" : "512"; }

function jwkName(name: string, hash: string): string {
  if (name === "RSA-OAEP") return hash === "SHA-1" ? name : `${name}-${hashSuffix(hash)}`;
  return `${name === "RSA-PSS" ? "PS" : "RS"}${hashSuffix(hash)}`;
}

function describe(name: string, hash: string, handle: KeyHandle): KeyAlgorithm {
  const parts = succeeded(native.keyToParts(RSA, handle, false), "The key cannot be read.");
  const modulus = new Bytes(parts[0]!);
  return { name, hash, modulusLength: modulus.length * 8 - (clz32(modulus[0]!) - 24), publicExponent: new Bytes(parts[1]!) };
}

function exponentMember(given: Given): Uint8Array<ArrayBuffer> {
  const value = requireMember(given, "publicExponent");
  if (typedArrayName(value) !== "Uint8Array") throw new PlainTypeError('The algorithm\'s "publicExponent" must be a Uint8Array.');
  return copyBytes(value, 'The algorithm\'s "publicExponent"');
}

function checkSizes(bits: number, exponent: Uint8Array): void {
  if (bits < GENERATED_BITS_MIN || bits > GENERATED_BITS_MAX || bits % 8 !== 0) {
    throw operationError(`An RSA key that is made here has ${GENERATED_BITS_MIN} to ${GENERATED_BITS_MAX} bits, in whole bytes, not ${bits}.`);
  }
  const e = numberOf(exponent);
  if (e !== 3 && e !== 65_537) throw operationError("The public exponent of an RSA key that is made here is 3 or 65537.");
}

function numberOf(bytes: Uint8Array): number {
  let number = 0;
  for (let i = 0; i < bytes.length; i++) number = number * 256 + bytes[i]!;
  return number;
}

function keysOf(name: string, roles: Roles, use: "sig" | "enc"): Pick<Algorithm, "name" | "generate" | "read" | "write"> {
  return {
    name,
    generate(given, extractable, usages) {
      const bits = integerMember(given, "modulusLength");
      const exponent = exponentMember(given);
      const hash = hashMember(given);
      checkPairUsages(usages, roles, () => checkSizes(bits, exponent));
      const handle = succeeded(native.keyGenerateRsa(bits, exponent), "No key could be made.");
      return makePair(handle, describe(name, hash, handle), extractable, usages, roles);
    },
    read(format, data, given, extractable, usages): CryptoKey {
      const hash = hashMember(given);
      const jwk = data as Jwk;
      if (format === "raw") refuseFormat(format);
      const type: KeyType = format === "pkcs8" || (format === "jwk" && jwk["d"] !== undefined) ? "private" : "public";
      checkHalfUsages(type, usages, roles);
      const handle = format === "jwk" ? readJwk(jwk, hash, type, extractable, usages) : readDer(RSA, format, data as Uint8Array);
      return makeKey(type, extractable, describe(name, hash, handle), usages, handle);
    },
    write(format: Format, key: Inside) {
      if (format === "spki" || format === "pkcs8") return writeDer(format, key);
      if (format !== "jwk") refuseFormat(format);
      const parts = partsOf(RSA, key);
      const written = { __proto__: null, kty: "RSA", alg: jwkName(name, key.algorithm.hash!) } as unknown as Record<string, unknown>;
      for (let i = 0; i < parts.length; i++) written[PRIVATE_PARTS[i]!] = toBase64Url(parts[i]!);
      return { ...written, ...rightsOf(key) };
    },
  };

  function readJwk(jwk: Jwk, hash: string, type: KeyType, extractable: boolean, usages: number): KeyHandle {
    expectMember(jwk, "kty", "RSA");
    expectOptional(jwk, "alg", jwkName(name, hash));
    checkRights(jwk, extractable, usages, use);
    if (jwk["oth"] !== undefined) throw notSupported("RSA keys of more than two primes are not supported.");
    const n = numberMember(jwk, "n"), e = numberMember(jwk, "e");
    const handle = type === "public" ? native.keyFromRsaParts(n, e)
      : native.keyFromRsaParts(n, e, numberMember(jwk, "d"), numberMember(jwk, "p"), numberMember(jwk, "q"), numberMember(jwk, "dp"), numberMember(jwk, "dq"),
        numberMember(jwk, "qi"));
    return valid(handle, "The JSON Web Key is not a valid key.");
  }
}

// -- operations -----------------------------------------------------------------------------------------------------------

const SIGNER = { publicUsages: VERIFY, privateUsages: SIGN };

function sign(scheme: SignatureScheme, key: Inside, salt: number, data: unknown): ArrayBuffer {
  requireType(key, "private");
  return succeeded(native.keySign(handleOf(key), scheme, hashId(key.algorithm.hash!), salt, checkBytes(data, "The data")),
    "The signature failed: the key is too small for the hash or the salt.");
}

function verify(scheme: SignatureScheme, key: Inside, salt: number, signature: unknown, data: unknown): boolean {
  requireType(key, "public");
  return native.keyVerify(handleOf(key), scheme, hashId(key.algorithm.hash!), salt, checkBytes(signature, "The signature"), checkBytes(data, "The data"));
}

function saltMember(given: Given): number {
  const salt = integerMember(given, "saltLength");
  if (salt > SALT_BYTES_MAX) throw operationError(`A salt of ${salt} bytes fits into no key.`);
  return salt;
}

function oaep(encrypt: boolean, given: Given, key: Inside, data: unknown): ArrayBuffer {
  const label = optionalBytes(given, "label") ?? NO_BYTES;
  requireType(key, encrypt ? "public" : "private");
  return succeeded(native.rsaOaep(encrypt, handleOf(key), hashId(key.algorithm.hash!), label, checkBytes(data, "The data")),
    encrypt ? "The encryption failed: the data is too long for the key." : "The decryption failed.");
}

export function registerRsa(): void {
  register(
    {
      ...keysOf("RSASSA-PKCS1-v1_5", SIGNER, "sig"),
      sign: (_, key, data) => sign(PKCS1, key, 0, data),
      verify: (_, key, signature, data) => verify(PKCS1, key, 0, signature, data),
    },
    {
      ...keysOf("RSA-PSS", SIGNER, "sig"),
      sign: (given, key, data) => sign(PSS, key, saltMember(given), data),
      verify: (given, key, signature, data) => verify(PSS, key, saltMember(given), signature, data),
    },
    {
      ...keysOf("RSA-OAEP", { publicUsages: ENCRYPT | WRAP_KEY, privateUsages: DECRYPT | UNWRAP_KEY }, "enc"),
      encrypt: (given, key, data) => oaep(true, given, key, data),
      decrypt: (given, key, data) => oaep(false, given, key, data),
    },
  );
}
