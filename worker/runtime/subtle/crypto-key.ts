// CryptoKey: what user code holds of a key, and what only the runtime sees of it.

import { Bytes, PlainTypeError, freeze, push, symbolIterator } from "../primordials.ts";
import { exposeInterface, illegalConstructor, isObject, toDOMString, toSequence } from "../webidl.ts";
import { makeDomException } from "../dom-exception.ts";

export type KeyType = "secret" | "private" | "public";
export type Material = Uint8Array<ArrayBuffer> | KeyHandle;

// What the algorithm of a key says of it. User code sees a copy, so that what it writes there changes no key.
export interface KeyAlgorithm {
  readonly name: string;
  readonly hash?: string;
  readonly length?: number;
  readonly namedCurve?: string;
  readonly modulusLength?: number;
  readonly publicExponent?: Uint8Array<ArrayBuffer>;
}

export interface Inside {
  readonly type: KeyType;
  readonly extractable: boolean;
  readonly algorithm: KeyAlgorithm;
  readonly usages: number;   // bits, in the order of USAGES
  readonly material: Material;
}

export interface CryptoKeyPair { publicKey: CryptoKey; privateKey: CryptoKey }

const TOKEN = {};
let inside: (key: CryptoKey) => Inside;
let fill: (key: CryptoKey, content: Inside) => void;
let isCryptoKey: (value: unknown) => value is CryptoKey;

export class CryptoKey {
  #inside: Inside;
  #algorithm: object | undefined = undefined;
  #usages: string[] | undefined = undefined;
  constructor(token: unknown = undefined, content: unknown = undefined) {
    if (token !== TOKEN) illegalConstructor();
    this.#inside = content as Inside;
  }
  get type(): KeyType { return this.#inside.type; }
  get extractable(): boolean { return this.#inside.extractable; }
  get algorithm(): object { return this.#algorithm ??= showAlgorithm(this.#inside.algorithm); }
  get usages(): string[] { return this.#usages ??= usageNames(this.#inside.usages); }
  static {
    inside = (key) => key.#inside;
    fill = (key, content) => { key.#inside = content; };
    isCryptoKey = (value): value is CryptoKey => isObject(value) && #inside in value;
  }
}

export { inside, isCryptoKey };

export function makeKey(type: KeyType, extractable: boolean, algorithm: KeyAlgorithm, usages: number, material: Material): CryptoKey {
  // A null prototype: what is absent is not looked up on Object.prototype.
  return new CryptoKey(TOKEN, freeze({ __proto__: null, type, extractable, algorithm: { __proto__: null, ...algorithm }, usages, material }));
}

// For clones: a key that is filled before anybody sees it.
export function emptyKey(): CryptoKey { return new CryptoKey(TOKEN); }
export { fill as fillKey };

// An argument that must be a key.
export function toInside(value: unknown, what: string): Inside {
  if (!isCryptoKey(value)) throw new PlainTypeError(`${what} must be a CryptoKey.`);
  return inside(value);
}

function showAlgorithm(algorithm: KeyAlgorithm): object {
  const shown = { __proto__: null, name: algorithm.name } as unknown as Record<string, unknown>;
  if (algorithm.length !== undefined) shown["length"] = algorithm.length;
  if (algorithm.namedCurve !== undefined) shown["namedCurve"] = algorithm.namedCurve;
  if (algorithm.modulusLength !== undefined) shown["modulusLength"] = algorithm.modulusLength;
  if (algorithm.publicExponent !== undefined) shown["publicExponent"] = new Bytes(algorithm.publicExponent);
  if (algorithm.hash !== undefined) shown["hash"] = { name: algorithm.hash };
  return { ...shown };
}

// -- usages -------------------------------------------------------------------------------------------------------------

export const ENCRYPT = 1, DECRYPT = 2, SIGN = 4, VERIFY = 8, DERIVE_KEY = 16, DERIVE_BITS = 32, WRAP_KEY = 64, UNWRAP_KEY = 128;
// The last four are of no algorithm here: who asks for them is told so, as for any other usage that a key cannot have.
const USAGES = [
  "encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey",
  "encapsulateKey", "encapsulateBits", "decapsulateKey", "decapsulateBits",
];

export function usageNames(usages: number): string[] {
  const names: string[] = [];
  for (let i = 0; i < USAGES.length; i++) if (usages & (1 << i)) push(names, USAGES[i]!);
  return names;
}

// 0: there is none of that name.
export function usageOf(name: string): number {
  for (let i = 0; i < USAGES.length; i++) if (USAGES[i] === name) return 1 << i;
  return 0;
}

export function toUsages(value: unknown): number {
  if (!isObject(value)) throw new PlainTypeError("The usages of a key must be a sequence.");
  const list = toSequence(value, (value as { [symbolIterator]?: unknown })[symbolIterator]);
  let usages = 0;
  for (let i = 0; i < list.length; i++) {
    const name = toDOMString(list[i]);
    const bit = usageOf(name);
    if (bit === 0) throw new PlainTypeError(`"${name}" is not a usage of keys.`);
    usages |= bit;
  }
  return usages;
}

export function requireUsage(key: Inside, usage: number): void {
  if ((key.usages & usage) === 0) {
    throw makeDomException(`The key's usages do not include "${usageNames(usage)[0]}".`, "InvalidAccessError");
  }
}

export function requireType(key: Inside, type: KeyType): void {
  if (key.type !== type) throw makeDomException(`The operation needs a ${type} key; this one is ${key.type}.`, "InvalidAccessError");
}

export function checkUsages(usages: number, allowed: number, type: string): void {
  if (usages & ~allowed) {
    throw makeDomException(`A ${type} key of this algorithm cannot be used for "${usageNames(usages & ~allowed)[0]}".`, "SyntaxError");
  }
}

export function requireSomeUsage(usages: number, type: string): void {
  if (usages === 0) throw makeDomException(`A ${type} key must have at least one usage.`, "SyntaxError");
}

export function installCryptoKey(): void {
  exposeInterface("CryptoKey", CryptoKey);
}
