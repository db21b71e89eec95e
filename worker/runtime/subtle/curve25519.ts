// Ed25519 and X25519.

import { checkBytes } from "../buffer-source.ts";
import { bytesOf } from "../encoding.ts";
import { Bytes } from "../primordials.ts";
import { type Algorithm, type Format, dataError, register, succeeded } from "./algorithm.ts";
import { type Roles, checkHalfUsages, checkPairUsages, handleOf, makePair, partsOf, readDer, refuseFormat, valid, writeDer } from "./asymmetric.ts";
import { type CryptoKey, DERIVE_BITS, DERIVE_KEY, type Inside, type KeyType, SIGN, VERIFY, makeKey, requireType } from "./crypto-key.ts";
import { agree } from "./elliptic.ts";
import { type Jwk, checkRights, expectMember, numberMember, rightsOf, textMember, toBase64Url } from "./jwk.ts";

const ED25519 = 3, X25519 = 4;
const EDDSA = 3;
const NO_HASH = 0;

function keysOf(name: string, kind: KeyKind, roles: Roles, use: "sig" | "enc"): Pick<Algorithm, "name" | "generate" | "read" | "write"> {
  return {
    name,
    generate(_, extractable, usages) {
      checkPairUsages(usages, roles);
      return makePair(succeeded(native.keyGenerate(kind), "No key could be made."), { name }, extractable, usages, roles);
    },
    read(format, data, _, extractable, usages): CryptoKey {
      const jwk = data as Jwk;
      const type: KeyType = format === "pkcs8" || (format === "jwk" && jwk["d"] !== undefined) ? "private" : "public";
      checkHalfUsages(type, usages, roles);
      const handle = format === "jwk" ? readJwk(jwk, type, extractable, usages)
        : format === "raw" ? valid(native.keyFromParts(kind, data as Uint8Array, undefined), `The bytes are no public key of ${name}.`)
        : readDer(kind, format, data as Uint8Array);
      return makeKey(type, extractable, { name }, usages, handle);
    },
    write(format: Format, key: Inside) {
      if (format === "spki" || format === "pkcs8") return writeDer(format, key);
      if (format === "raw") requireType(key, "public");
      else if (format !== "jwk") refuseFormat(format);
      const parts = partsOf(kind, key);
      if (format === "raw") return parts[0]!;
      const written = { kty: "OKP", crv: name, x: toBase64Url(parts[0]!), ...(use === "sig" ? { alg: name } : {}) };
      return key.type === "private" ? { ...written, d: toBase64Url(parts[1]!), ...rightsOf(key) } : { ...written, ...rightsOf(key) };
    },
  };

  function readJwk(jwk: Jwk, type: KeyType, extractable: boolean, usages: number): KeyHandle {
    expectMember(jwk, "kty", "OKP");
    expectMember(jwk, "crv", name);
    const alg = textMember(jwk, "alg");
    if (use === "sig" && alg !== undefined && alg !== "Ed25519" && alg !== "EdDSA") {
      throw dataError('The "alg" of the JSON Web Key must be "Ed25519" or "EdDSA", or absent.');
    }
    checkRights(jwk, extractable, usages, use);
    return valid(native.keyFromParts(kind, numberMember(jwk, "x"), type === "private" ? numberMember(jwk, "d") : undefined), "The JSON Web Key is not a valid key.");
  }
}

// The points whose multiples are few, in each of their encodings, without the sign bit. A signature with one of them holds for
// almost any text; the standard refuses it, OpenSSL does not.
const SMALL_ORDER = [
  hex("0000000000000000000000000000000000000000000000000000000000000000"),
  hex("0100000000000000000000000000000000000000000000000000000000000000"),
  hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
  hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
  hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
  hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
  hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

function hex(text: string): Uint8Array {
  const bytes = new Bytes(32);
  for (let i = 0; i < 32; i++) bytes[i] = Number(`0x${text.slice(2 * i, 2 * i + 2)}`);
  return bytes;
}

// Of the first 32 bytes: a public key, or the point that a signature begins with.
function isOfSmallOrder(bytes: Uint8Array): boolean {
  for (let i = 0; i < SMALL_ORDER.length; i++) {
    const point = SMALL_ORDER[i]!;
    let different = (bytes[31]! & 0x7f) ^ point[31]!;
    for (let j = 0; j < 31; j++) different |= bytes[j]! ^ point[j]!;
    if (different === 0) return true;
  }
  return false;
}

export function registerCurve25519(): void {
  register(
    {
      ...keysOf("Ed25519", ED25519, { publicUsages: VERIFY, privateUsages: SIGN }, "sig"),
      sign(_, key, data) {
        requireType(key, "private");
        return succeeded(native.keySign(handleOf(key), EDDSA, NO_HASH, 0, checkBytes(data, "The data")), "The signature failed.");
      },
      verify(_, key, signature, data) {
        requireType(key, "public");
        const given = checkBytes(signature, "The signature");
        const valid = native.keyVerify(handleOf(key), EDDSA, NO_HASH, 0, given, checkBytes(data, "The data"));
        return valid && !isOfSmallOrder(new Bytes(partsOf(ED25519, key)[0]!)) && !isOfSmallOrder(bytesOf(given));
      },
    },
    { ...keysOf("X25519", X25519, { publicUsages: 0, privateUsages: DERIVE_KEY | DERIVE_BITS }, "enc"), derive: agree },
  );
}
