// PBKDF2 and HKDF: secrets from which others are derived.

import { type Algorithm, bytesMember, hashBytes, hashId, hashMember, integerMember, notSupported, operationError, register, succeeded } from "./algorithm.ts";
import { DERIVE_BITS, DERIVE_KEY, checkUsages, makeKey, requireSomeUsage } from "./crypto-key.ts";
import { makeDomException } from "../dom-exception.ts";

// Nothing can stop a native function half-way; Cloudflare has the same bound.
const ITERATIONS_MAX = 100_000;
const BLOCKS_MAX = 10 * ITERATIONS_MAX;   // of the hash's size, each the result of an iteration; half a second

function secretsOf(name: string): Pick<Algorithm, "name" | "read" | "keyLength"> {
  return {
    name,
    read(format, data, _, extractable, usages) {
      if (format !== "raw") throw notSupported(`A key for ${name} is imported as raw.`);
      checkUsages(usages, DERIVE_KEY | DERIVE_BITS, "secret");
      if (extractable) throw makeDomException(`A key for ${name} cannot be extractable.`, "SyntaxError");
      requireSomeUsage(usages, "secret");
      return makeKey("secret", false, { name }, usages, data as Uint8Array<ArrayBuffer>);
    },
    keyLength: () => null,
  };
}

function toByteLength(bits: number | null): number {
  if (bits === null || bits % 8 !== 0) throw operationError("The length in bits must be given, and whole bytes.");
  return bits / 8;
}

export function registerDerivation(): void {
  register(
    {
      ...secretsOf("PBKDF2"),
      derive(given, key, bits) {
        const hash = hashMember(given);
        const iterations = integerMember(given, "iterations");
        const salt = bytesMember(given, "salt");
        const size = toByteLength(bits);
        if (iterations === 0) throw operationError("PBKDF2 needs at least one iteration.");
        if (iterations > ITERATIONS_MAX) {
          throw notSupported(`Pbkdf2 failed: iteration counts above ${ITERATIONS_MAX} are not supported (requested ${iterations}).`);
        }
        if (size / hashBytes(hash) * iterations > BLOCKS_MAX) throw operationError("So many bytes by so many iterations take too long here.");
        return succeeded(native.pbkdf2(hashId(hash), key.material as Uint8Array, salt, iterations, size), "The derivation failed.");
      },
    },
    {
      ...secretsOf("HKDF"),
      derive(given, key, bits) {
        const hash = hashMember(given);
        const salt = bytesMember(given, "salt");
        const info = bytesMember(given, "info");
        const size = toByteLength(bits);
        if (size > 255 * hashBytes(hash)) throw operationError(`HKDF with ${hash} gives at most ${255 * hashBytes(hash)} bytes.`);
        return succeeded(native.hkdf(hashId(hash), key.material as Uint8Array, salt, info, size), "The derivation failed.");
      },
    },
  );
}
