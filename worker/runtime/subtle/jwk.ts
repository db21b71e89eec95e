// JSON Web Keys (RFC 7517): base64url, and what every kind of key checks in them.

import { Bytes, PlainTypeError, codeUnitAt, symbolIterator } from "../primordials.ts";
import { isObject, toDOMString, toSequence } from "../webidl.ts";
import { dataError } from "./algorithm.ts";
import { type Inside, usageNames, usageOf } from "./crypto-key.ts";

export type Jwk = { readonly [member: string]: unknown };

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES: number[] = [];
for (let i = 0; i < 128; i++) VALUES[i] = DIGITS.indexOf(String.fromCharCode(i));

export function toBase64Url(source: ArrayBuffer | Uint8Array<ArrayBuffer>): string {
  const bytes = new Bytes(source as ArrayBuffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i]!, b = bytes[i + 1], c = bytes[i + 2];
    text += DIGITS[a >> 2]! + DIGITS[(a & 3) << 4 | (b ?? 0) >> 4]!;
    if (b !== undefined) text += DIGITS[(b & 15) << 2 | (c ?? 0) >> 6]!;
    if (c !== undefined) text += DIGITS[c & 63]!;
  }
  return text;
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Bytes((text.length * 3) >> 2);
  let bits = 0, have = 0, at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = codeUnitAt(text, i);
    const value = unit < 128 ? VALUES[unit]! : -1;
    if (value < 0) return undefined;
    bits = (bits << 6 | value) & 0xffff;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes[at++] = bits >> have;
  }
  return (bits & ((1 << have) - 1)) === 0 ? bytes : undefined;
}

export function textMember(jwk: Jwk, member: string): string | undefined {
  const value = jwk[member];
  return value === undefined ? undefined : toDOMString(value);
}

export function numberMember(jwk: Jwk, member: string): Uint8Array<ArrayBuffer> {
  const text = textMember(jwk, member);
  if (text === undefined) throw dataError(`The JSON Web Key has no "${member}".`);
  const bytes = fromBase64Url(text);
  if (bytes === undefined) throw dataError(`The "${member}" of the JSON Web Key is not base64url.`);
  return bytes;
}

export function expectMember(jwk: Jwk, member: string, expected: string): void {
  if (textMember(jwk, member) !== expected) throw dataError(`The "${member}" of the JSON Web Key must be "${expected}".`);
}

export function expectOptional(jwk: Jwk, member: string, expected: string): void {
  const value = textMember(jwk, member);
  if (value !== undefined && value !== expected) throw dataError(`The "${member}" of the JSON Web Key must be "${expected}", or absent.`);
}

// `use`, `key_ops` and `ext` must allow what the key is wanted for.
export function checkRights(jwk: Jwk, extractable: boolean, usages: number, use: "sig" | "enc" | undefined): void {
  if (usages !== 0 && use !== undefined) expectOptional(jwk, "use", use);
  const operations = jwk["key_ops"];
  if (operations !== undefined) {
    if (!isObject(operations)) throw new PlainTypeError('The "key_ops" of the JSON Web Key must be a sequence.');
    const names = toSequence(operations, (operations as { [symbolIterator]?: unknown })[symbolIterator]);
    let allowed = 0;
    for (let i = 0; i < names.length; i++) {
      const name = toDOMString(names[i]);
      for (let j = 0; j < i; j++) if (names[j] === name) throw dataError('The "key_ops" of the JSON Web Key name one twice.');
      names[i] = name;
      allowed |= usageOf(name);   // 0: others may know that operation
    }
    if (usages & ~allowed) throw dataError('The "key_ops" of the JSON Web Key do not include all usages that the key is to have.');
  }
  if (jwk["ext"] !== undefined && !jwk["ext"] && extractable) throw dataError('The JSON Web Key says that it is not extractable ("ext").');
}

// The end of every JSON Web Key that is exported.
export function rightsOf(key: Inside): Jwk {
  return { key_ops: usageNames(key.usages), ext: key.extractable };
}
