// ECDSA and ECDH on the curves of NIST.

import { checkBytes } from "../buffer-source.ts";
import { makeDomException } from "../dom-exception.ts";
import { Bytes, setBytes, slice, typedArrayBuffer } from "../primordials.ts";
import { toDOMString } from "../webidl.ts";
import {
  type Algorithm, type Format, type Given, dataError, hashId, hashMember, notSupported, operationError, register, requireMember, succeeded,
} from "./algorithm.ts";
import {
  type Roles, checkHalfUsages, checkPairUsages, handleOf, makePair, partsOf, readDer, refuseFormat, valid, writeDer,
} from "./asymmetric.ts";
import { type CryptoKey, DERIVE_BITS, DERIVE_KEY, type Inside, type KeyType, SIGN, VERIFY, makeKey, requireType, toInside } from "./crypto-key.ts";
import { type Jwk, checkRights, expectMember, expectOptional, numberMember, rightsOf, toBase64Url } from "./jwk.ts";

const CURVES = ["P-256", "P-384", "P-521"];   // in the order of `KeyKind`
const SIGNATURES = ["ES256", "ES384", "ES512"];
const ECDSA = 2;
const UNCOMPRESSED = 4;

function kindOf(curve: string): KeyKind {
  for (let i = 0; i < CURVES.length; i++) if (CURVES[i] === curve) return i as KeyKind;
  throw notSupported(`"${slice(curve, 0, 64)}" is not a curve that is known here.`);
}

function fieldBytes(kind: KeyKind): number { return kind === 0 ? 32 : kind === 1 ? 48 : 66; }

function curveMember(given: Given): string { return toDOMString(requireMember(given, "namedCurve")); }

function keysOf(name: string, roles: Roles, use: "sig" | "enc"): Pick<Algorithm, "name" | "generate" | "read" | "write"> {
  return {
    name,
    generate(given, extractable, usages) {
      const namedCurve = curveMember(given);
      const kind = kindOf(namedCurve);
      checkPairUsages(usages, roles);
      return makePair(succeeded(native.keyGenerate(kind), "No key could be made."), { name, namedCurve }, extractable, usages, roles);
    },
    read(format, data, given, extractable, usages): CryptoKey {
      const namedCurve = curveMember(given);
      const kind = kindOf(namedCurve);
      const jwk = data as Jwk;
      const type: KeyType = format === "pkcs8" || (format === "jwk" && jwk["d"] !== undefined) ? "private" : "public";
      checkHalfUsages(type, usages, roles);
      const handle = format === "jwk" ? readJwk(jwk, kind, type, extractable, usages)
        : format === "raw" ? valid(native.keyFromParts(kind, data as Uint8Array, undefined), `The bytes are no uncompressed point of ${namedCurve}.`)
        : readDer(kind, format, data as Uint8Array);
      return makeKey(type, extractable, { name, namedCurve }, usages, handle);
    },
    write,
  };

  function readJwk(jwk: Jwk, kind: KeyKind, type: KeyType, extractable: boolean, usages: number): KeyHandle {
    expectMember(jwk, "kty", "EC");
    expectMember(jwk, "crv", CURVES[kind]!);
    if (use === "sig") expectOptional(jwk, "alg", SIGNATURES[kind]!);
    checkRights(jwk, extractable, usages, use);
    const size = fieldBytes(kind);
    const x = numberMember(jwk, "x"), y = numberMember(jwk, "y");
    if (x.length !== size || y.length !== size) throw dataError(`A coordinate of ${CURVES[kind]!} has ${size} bytes.`);
    const point = new Bytes(1 + 2 * size);
    point[0] = UNCOMPRESSED;
    setBytes(point, x, 1);
    setBytes(point, y, 1 + size);
    return valid(native.keyFromParts(kind, point, type === "private" ? numberMember(jwk, "d") : undefined), "The JSON Web Key is not a valid key.");
  }
}

function write(format: Format, key: Inside): ArrayBuffer | Jwk {
  const curve = key.algorithm.namedCurve!;
  const kind = kindOf(curve);
  if (format === "spki" || format === "pkcs8") return writeDer(format, key);
  if (format === "raw") requireType(key, "public");
  else if (format !== "jwk") refuseFormat(format);
  const parts = partsOf(kind, key);
  if (format === "raw") return parts[0]!;
  const point = new Bytes(parts[0]!);
  const size = fieldBytes(kind);
  const x = new Bytes(size), y = new Bytes(size);
  for (let i = 0; i < size; i++) {
    x[i] = point[1 + i]!;
    y[i] = point[1 + size + i]!;
  }
  const jwk = { kty: "EC", crv: curve, x: toBase64Url(x), y: toBase64Url(y) };
  return key.type === "private" ? { ...jwk, d: toBase64Url(parts[1]!), ...rightsOf(key) } : { ...jwk, ...rightsOf(key) };
}

// ECDH and X25519: the other side's key is a member, and of the secret comes as much as is asked for.
export function agree(given: Given, key: Inside, bits: number | null): ArrayBuffer {
  const peer = toInside(requireMember(given, "public"), 'The algorithm\'s "public"');
  requireType(key, "private");
  requireType(peer, "public");
  if (peer.algorithm.name !== key.algorithm.name || peer.algorithm.namedCurve !== key.algorithm.namedCurve) {
    throw makeDomException("The two keys are not of one algorithm and curve.", "InvalidAccessError");
  }
  const secret = succeeded(native.keyAgree(handleOf(key), handleOf(peer)), "The two keys do not lead to a secret.");
  if (bits === null) return secret;
  const bytes = new Bytes(secret);
  if (bits > bytes.length * 8) throw operationError(`The secret has ${bytes.length * 8} bits, and ${bits} are wanted.`);
  const part = new Bytes((bits + 7) >> 3);
  for (let i = 0; i < part.length; i++) part[i] = bytes[i]!;
  if (bits % 8 !== 0) part[part.length - 1]! &= 0xff << (8 - bits % 8);
  return typedArrayBuffer(part) as ArrayBuffer;
}

export function registerElliptic(): void {
  register(
    {
      ...keysOf("ECDSA", { publicUsages: VERIFY, privateUsages: SIGN }, "sig"),
      sign(given, key, data) {
        const hash = hashId(hashMember(given));
        requireType(key, "private");
        return succeeded(native.keySign(handleOf(key), ECDSA, hash, 0, checkBytes(data, "The data")), "The signature failed.");
      },
      verify(given, key, signature, data) {
        const hash = hashId(hashMember(given));
        requireType(key, "public");
        return native.keyVerify(handleOf(key), ECDSA, hash, 0, checkBytes(signature, "The signature"), checkBytes(data, "The data"));
      },
    },
    { ...keysOf("ECDH", { publicUsages: 0, privateUsages: DERIVE_KEY | DERIVE_BITS }, "enc"), derive: agree },
  );
}

