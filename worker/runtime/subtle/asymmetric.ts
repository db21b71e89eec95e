// What keys with two halves have in common.

import { type Format, dataError, notSupported, succeeded } from "./algorithm.ts";
import { type CryptoKeyPair, type Inside, type KeyAlgorithm, type KeyType, checkUsages, makeKey, requireSomeUsage, requireType } from "./crypto-key.ts";

// What either half may be used for.
export interface Roles { readonly publicUsages: number; readonly privateUsages: number }

export function handleOf(key: Inside): KeyHandle { return key.material as KeyHandle; }

// Before the pair is made, which takes long. The standard looks for a usage only after the algorithm's members.
export function checkPairUsages(usages: number, roles: Roles, members: () => void = () => {}): void {
  checkUsages(usages, roles.publicUsages | roles.privateUsages, "private or public");
  members();
  requireSomeUsage(usages & roles.privateUsages, "private");
}

export function makePair(handle: KeyHandle, algorithm: KeyAlgorithm, extractable: boolean, usages: number, roles: Roles): CryptoKeyPair {
  return {
    publicKey: makeKey("public", true, algorithm, usages & roles.publicUsages, handle),
    privateKey: makeKey("private", extractable, algorithm, usages & roles.privateUsages, handle),
  };
}

export function checkHalfUsages(type: KeyType, usages: number, roles: Roles): void {
  checkUsages(usages, type === "private" ? roles.privateUsages : roles.publicUsages, type);
  if (type === "private") requireSomeUsage(usages, type);
}

// spki or pkcs8
export function readDer(kind: KeyKind, format: Format, der: Uint8Array): KeyHandle {
  return valid(native.keyFromDer(kind, format === "pkcs8", der), `The ${format} is not a valid key of this algorithm.`);
}

export function writeDer(format: Format, key: Inside): ArrayBuffer {
  requireType(key, format === "pkcs8" ? "private" : "public");
  return succeeded(native.keyToDer(handleOf(key), format === "pkcs8"), "The export failed.");
}

export function valid(handle: KeyHandle | undefined, message: string): KeyHandle {
  if (handle === undefined) throw dataError(message);
  return handle;
}

export function partsOf(kind: KeyKind, key: Inside): ArrayBuffer[] {
  return succeeded(native.keyToParts(kind, handleOf(key), key.type === "private"), "The export failed.");
}

export function refuseFormat(format: Format): never {
  throw notSupported(`This algorithm's keys do not come as ${format}.`);
}
