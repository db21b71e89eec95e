// Algorithm arguments (AlgorithmIdentifier of the Web Cryptography standard), their members, and what each algorithm can do.

import { copyBytes } from "../buffer-source.ts";
import { makeDomException } from "../dom-exception.ts";
import { PlainTypeError, matches, slice, toLowerCase, toNumberOf, trunc } from "../primordials.ts";
import { isObject, toDOMString } from "../webidl.ts";
import type { CryptoKey, CryptoKeyPair, Inside } from "./crypto-key.ts";
import type { Jwk } from "./jwk.ts";

export type Format = "raw" | "spki" | "pkcs8" | "jwk";
// The object that the caller gave: each member is read once.
export type Given = { readonly [member: string]: unknown };

// One algorithm. What it lacks, it does not support. `data` is checked, and native functions read it before user code runs again.
export interface Algorithm {
  readonly name: string;
  generate?(given: Given, extractable: boolean, usages: number): CryptoKey | CryptoKeyPair;
  read?(format: Format, data: Uint8Array<ArrayBuffer> | Jwk, given: Given, extractable: boolean, usages: number): CryptoKey;
  write?(format: Format, key: Inside): ArrayBuffer | Jwk;
  digest?(data: unknown): ArrayBuffer;
  sign?(given: Given, key: Inside, data: unknown): ArrayBuffer;
  verify?(given: Given, key: Inside, signature: unknown, data: unknown): boolean;
  encrypt?(given: Given, key: Inside, data: unknown): ArrayBuffer;
  decrypt?(given: Given, key: Inside, data: unknown): ArrayBuffer;
  wrap?(given: Given, key: Inside, data: unknown): ArrayBuffer;
  unwrap?(given: Given, key: Inside, data: unknown): ArrayBuffer;
  derive?(given: Given, key: Inside, bits: number | null): ArrayBuffer;
  // Of a key that is to be derived for it, in bits; null: as long as it comes.
  keyLength?(given: Given): number | null;
}

const algorithms: Algorithm[] = [];   // filled while the snapshot is made

export function register(...more: Algorithm[]): void {
  for (let i = 0; i < more.length; i++) algorithms[algorithms.length] = more[i]!;
}

// The algorithm of that name which can do `operation`, and the members of what was given.
export function resolve<K extends keyof Algorithm>(identifier: unknown, operation: K): { found: Algorithm & Required<Pick<Algorithm, K>>; given: Given } {
  const { name, given } = split(identifier, "The algorithm");
  const algorithm = find(name);
  if (algorithm === undefined) throw notSupported(`"${slice(name, 0, 64)}" is not an algorithm that is known here.`);
  if (algorithm[operation] === undefined) throw notSupported(`${algorithm.name} does not support this operation.`);
  return { found: algorithm as Algorithm & Required<Pick<Algorithm, K>>, given };
}

function split(identifier: unknown, what: string): { name: string; given: Given } {
  if (!isObject(identifier)) return { name: toDOMString(identifier), given: { __proto__: null } as unknown as Given };
  const { name } = identifier as { name?: unknown };
  if (name === undefined) throw new PlainTypeError(`${what} has no name.`);
  return { name: toDOMString(name), given: identifier as Given };
}

function find(name: string): Algorithm | undefined {
  for (let i = 0; i < algorithms.length; i++) if (equalsIgnoringCase(algorithms[i]!.name, name)) return algorithms[i];
  return undefined;
}

// Of ASCII alone: the sign for kelvin is no k.
function equalsIgnoringCase(own: string, given: string): boolean {
  return given.length === own.length && matches(/[^\0-\x7f]/, given) === null && toLowerCase(given) === toLowerCase(own);
}

// -- errors -------------------------------------------------------------------------------------------------------------

export function notSupported(message: string): unknown { return makeDomException(message, "NotSupportedError"); }
export function dataError(message: string): unknown { return makeDomException(message, "DataError"); }
export function operationError(message: string): unknown { return makeDomException(message, "OperationError"); }

export function succeeded<T>(result: T | undefined, message: string): T {
  if (result === undefined) throw operationError(message);
  return result;
}

// -- members ------------------------------------------------------------------------------------------------------------

export function bytesMember(given: Given, member: string): Uint8Array<ArrayBuffer> {
  return copyBytes(requireMember(given, member), `The algorithm's "${member}"`);
}

export function optionalBytes(given: Given, member: string): Uint8Array<ArrayBuffer> | undefined {
  const value = given[member];
  return value === undefined ? undefined : copyBytes(value, `The algorithm's "${member}"`);
}

// [EnforceRange], up to `max`.
export function integerMember(given: Given, member: string, max = 0xffff_ffff): number {
  return toRanged(requireMember(given, member), `The algorithm's "${member}"`, max);
}

export function optionalInteger(given: Given, member: string, max = 0xffff_ffff): number | undefined {
  const value = given[member];
  return value === undefined ? undefined : toRanged(value, `The algorithm's "${member}"`, max);
}

export function toRanged(value: unknown, what: string, max = 0xffff_ffff): number {
  const number = trunc(toNumberOf(value));
  if (!(number >= 0 && number <= max)) throw new PlainTypeError(`${what} must be an integer between 0 and ${max}.`);
  return number;
}

export function requireMember(given: Given, member: string): unknown {
  const value = given[member];
  if (value === undefined) throw new PlainTypeError(`The algorithm's "${member}" is missing.`);
  return value;
}

// -- hashes -------------------------------------------------------------------------------------------------------------

const HASHES = ["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"];   // in the order of `HashId`
const MD5 = 0;

export function hashId(name: string): HashId {
  for (let i = 0; i < HASHES.length; i++) if (HASHES[i] === name) return i as HashId;
  throw notSupported(`"${slice(name, 0, 64)}" is not a hash that is known here.`);
}

// The member `hash` of an algorithm. MD5 is for digest() alone.
export function hashMember(given: Given): string {
  const { name } = split(requireMember(given, "hash"), 'The algorithm\'s "hash"');
  for (let i = 0; i < HASHES.length; i++) if (i !== MD5 && equalsIgnoringCase(HASHES[i]!, name)) return HASHES[i]!;
  throw notSupported(`"${slice(name, 0, 64)}" is not a hash that is known here.`);
}

export function hashBlockBytes(hash: string): number {
  return hash === "SHA-384" || hash === "SHA-512" ? 128 : 64;
}

export function hashBytes(hash: string): number {
  return hash === "SHA-1" ? 20 : hash === "SHA-256" ? 32 : hash === "SHA-384" ? 48 : 64;
}
