import crypto, { createHash, createHmac, randomBytes, randomInt, randomUUID, timingSafeEqual, pbkdf2, pbkdf2Sync, scryptSync, scrypt, hkdfSync, hkdf, getRandomValues, webcrypto, hash } from "node:crypto";
import { promisify } from "node:util";
import { Readable } from "node:stream";

const failure = (run) => { try { run(); return "nothing"; } catch (e) { return [e.name, e.code]; } };
const HASHES = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512-256", "sha3-256", "RSA-SHA256", "ripemd160", "blake2b512"];

export const cases = {
  "digests": () => HASHES.map((name) => [name, createHash(name).update("héllo").update(Buffer.from([0, 255])).digest("hex")]),
  "digests in encodings": () => [createHash("sha1").update("616263", "hex").digest("base64"), createHash("sha1").update("a").digest("base64url"), createHash("sha1").digest()],
  "extendable digests": () => [createHash("shake128", { outputLength: 20 }).update("x").digest("hex"), createHash("shake256", { outputLength: 0 }).digest("hex")],
  "a digest copied": () => { const a = createHash("sha256").update("a"), b = a.copy(); a.update("b"); return [a.digest("hex"), b.digest("hex")]; },
  "a digest of an unknown name": () => failure(() => createHash("nope"))[0],
  "a digest twice": () => failure(() => { const h = createHash("md5"); h.digest(); h.digest(); }),
  "a digest updated late": () => failure(() => { const h = createHash("md5"); h.digest(); h.update("x"); }),
  "a digest of a number": () => failure(() => createHash("md5").update(5)),
  "a digest as a stream": async () => { const h = createHash("sha256"); Readable.from(["a", "b"], { objectMode: false }).pipe(h); for await (const chunk of h) return chunk.toString("hex"); },
  "hash at once": () => [hash("sha1", "abc"), hash("sha1", Buffer.from("abc"), "base64")],
  "hmac": () => HASHES.filter((name) => name !== "RSA-SHA256").map((name) => [name, createHmac(name, "key").update("data").digest("hex"), createHmac(name, Buffer.alloc(300, 7)).update("data").digest("base64")]),
  "hmac twice": () => { const h = createHmac("sha1", "k"); return [h.digest("hex"), h.digest("hex")]; },
  "randomness": async () => [randomBytes(8).length, (await promisify(randomBytes)(4)).length, /^[0-9a-f-]{36}$/.test(randomUUID()), getRandomValues(new Uint8Array(3)).length, crypto.randomFillSync(Buffer.alloc(4)).length, new Set(Array.from({ length: 500 }, () => randomInt(3, 6))).size, Array.from({ length: 300 }, () => randomInt(10)).every((x) => x >= 0 && x < 10)],
  "randomness refused": () => [failure(() => randomBytes(-1)), failure(() => randomInt(5, 5)), failure(() => randomInt("x")), failure(() => randomBytes("x"))],
  "equal": () => [timingSafeEqual(Buffer.from("a"), Buffer.from("a")), timingSafeEqual(Buffer.from("a"), Buffer.from("b")), failure(() => timingSafeEqual(Buffer.from("a"), Buffer.from("ab"))), failure(() => timingSafeEqual("a", "a"))],
  "pbkdf2": async () => [pbkdf2Sync("secret", "salt", 1000, 32, "sha512").toString("hex"), (await promisify(pbkdf2)("secret", "salt", 10, 20, "sha1")).toString("hex"), failure(() => pbkdf2Sync("a", "b", 0, 1, "sha1")), failure(() => pbkdf2Sync("a", "b", 1, 1, "nope"))],
  "scrypt": async () => [scryptSync("password", "salt", 32).toString("hex"), (await promisify(scrypt)("p", "s", 16, { N: 1024, r: 1, p: 2 })).toString("hex"), failure(() => scryptSync("p", "s", 8, { N: 3 }))],
  "hkdf": async () => [Buffer.from(hkdfSync("sha512", "key", "salt", "info", 64)).toString("hex"), Buffer.from(await promisify(hkdf)("sha256", "key", "", "", 5)).toString("hex"), failure(() => hkdfSync("sha256", "k", "s", "i", 99999))],
  "the web's": async () => Buffer.from(await webcrypto.subtle.digest("SHA-256", Buffer.from("abc"))).toString("hex"),
};
