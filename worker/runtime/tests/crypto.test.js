// crypto.subtle: digests, HMAC, AES, PBKDF2, HKDF, and what all algorithms have in common.
import { equal, ok, run, same, test, throws } from "./harness.js";
import { rejects } from "./rejects.js";

const { subtle } = crypto;
const hex = (bytes) => new Uint8Array(bytes).toHex();
const unhex = (digits) => Uint8Array.fromHex(digits.replaceAll(" ", ""));
const utf8 = (text) => new TextEncoder().encode(text);
const importRaw = (digits, algorithm, ...usages) => subtle.importKey("raw", unhex(digits), algorithm, true, usages);

test("Digests of known texts are right", async () => {
  const known = {
    "MD5": "900150983cd24fb0d6963f7d28e17f72",
    "SHA-1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "SHA-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "SHA-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    "SHA-512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  };
  for (const [name, digest] of Object.entries(known)) {
    equal(hex(await subtle.digest(name, utf8("abc"))), digest, name);
    equal(hex(await subtle.digest({ name: name.toLowerCase() }, new DataView(utf8("_abc_").buffer, 1, 3))), digest, name);
    const stream = new crypto.DigestStream(name);
    const writer = stream.getWriter();
    await writer.write("a");
    await writer.write(utf8("bc").buffer);
    await writer.close();
    equal(hex(await stream.digest), digest, name);
    equal(stream.bytesWritten, 3n);
  }
  equal(hex(await subtle.digest("SHA-256", new ArrayBuffer(0))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("digest() refuses what it does not know", async () => {
  await rejects(subtle.digest("SHA-3", utf8("")), "NotSupportedError", '"SHA-3" is not an algorithm that is known here.');
  await rejects(subtle.digest("AES-GCM", utf8("")), "NotSupportedError", "AES-GCM does not support this operation.");
  await rejects(subtle.digest({}, utf8("")), "TypeError");
  await rejects(subtle.digest("SHA-1"), "TypeError");
  await rejects(subtle.digest("SHA-1", "text"), "TypeError");
  await rejects(subtle.digest("SHA-1", new SharedArrayBuffer(1)), "TypeError");
  await rejects(SubtleCrypto.prototype.digest.call({}, "SHA-1", utf8("")), "TypeError");
  throws(() => new SubtleCrypto(), "TypeError");
  throws(() => new CryptoKey(), "TypeError");
});

test("A DigestStream that fails says so in its digest", async () => {
  const stream = new crypto.DigestStream("SHA-256");
  await rejects(stream.getWriter().write(1), "TypeError");
  await rejects(stream.digest, "TypeError");
  const aborted = new crypto.DigestStream("SHA-256");
  await aborted.abort(new RangeError("enough"));
  await rejects(aborted.digest, "RangeError", "enough");
  throws(() => new crypto.DigestStream("HMAC"), "NotSupportedError");
});

test("HMAC signs as in RFC 4231 and RFC 2202", async () => {
  const known = {
    "SHA-1": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    "SHA-256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "SHA-384": "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    "SHA-512": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
  };
  const data = utf8("what do ya want for nothing?");
  for (const [hash, signature] of Object.entries(known)) {
    const key = await subtle.importKey("raw", utf8("Jefe"), { name: "HMAC", hash }, false, ["sign", "verify"]);
    equal(hex(await subtle.sign("HMAC", key, data)), signature, hash);
    equal(await subtle.verify("HMAC", key, unhex(signature), data), true);
    const wrong = unhex(signature);
    wrong[5] ^= 1;
    equal(await subtle.verify("HMAC", key, wrong, data), false);
    equal(await subtle.verify("HMAC", key, unhex(signature).subarray(1), data), false);
    equal(await subtle.verify("HMAC", key, new Uint8Array(0), data), false);
    equal(await subtle.verify("HMAC", key, unhex(signature), utf8("what do ya want for nothing!")), false);
  }
});

test("An HMAC key has the length of its hash's block, or the one that is asked for", async () => {
  for (const [hash, bytes] of [["SHA-1", 64], ["SHA-256", 64], ["SHA-384", 128], ["SHA-512", 128]]) {
    const key = await subtle.generateKey({ name: "HMAC", hash }, true, ["sign"]);
    equal((await subtle.exportKey("raw", key)).byteLength, bytes);
    same(key.algorithm, { name: "HMAC", length: bytes * 8, hash: { name: hash } });
  }
  const odd = await subtle.importKey("raw", unhex("ffffff"), { name: "HMAC", hash: "SHA-256", length: 21 }, true, ["sign"]);
  equal(hex(await subtle.exportKey("raw", odd)), "fffff8");
  const bad = (bytes, length) => subtle.importKey("raw", new Uint8Array(bytes), { name: "HMAC", hash: "SHA-256", length }, true, ["sign"]);
  await rejects(bad(0), "DataError");
  await rejects(bad(3, 25), "DataError");
  await rejects(bad(3, 16), "DataError");
  await rejects(subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 0 }, true, ["sign"]), "OperationError");
  await rejects(subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 2 ** 31 }, true, ["sign"]), "OperationError");
  await rejects(subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: -1 }, true, ["sign"]), "TypeError");
  await rejects(subtle.generateKey({ name: "HMAC" }, true, ["sign"]), "TypeError");
  await rejects(subtle.generateKey({ name: "HMAC", hash: "MD5" }, true, ["sign"]), "NotSupportedError");
});

test("AES-GCM gives the answers of its specification", async () => {
  const key = await importRaw("feffe9928665731c6d6a8f9467308308", "AES-GCM", "encrypt", "decrypt");
  const iv = unhex("cafebabefacedbaddecaf888");
  const plain = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  const additionalData = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const cipher = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091";
  const tag = "5bc94fbc3221a5db94fae95ae7121a47";
  equal(hex(await subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, plain)), cipher + tag);
  equal(hex(await subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, unhex(cipher + tag))), hex(plain));
  equal(hex(await subtle.encrypt({ name: "AES-GCM", iv, additionalData, tagLength: 96 }, key, plain)), cipher + tag.slice(0, 24));
  equal(hex(await subtle.decrypt({ name: "AES-GCM", iv, additionalData, tagLength: 96 }, key, unhex(cipher + tag.slice(0, 24)))), hex(plain));
  const zero = await importRaw("00".repeat(32), "AES-GCM", "encrypt", "decrypt");
  equal(hex(await subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, zero, new Uint8Array(0))), "530f8afbc74536b9a963b4f1c4cb738b");
  const medium = await importRaw("00".repeat(24), "AES-GCM", "encrypt");
  equal(hex(await subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, medium, new Uint8Array(16))), "98e7247c07f0fe411c267e4384b0f6002ff58d80033927ab8ef4d4587514f0fb");
});

test("AES-GCM refuses each bit that was changed, and sizes that it does not have", async () => {
  const key = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const how = { name: "AES-GCM", iv: crypto.getRandomValues(new Uint8Array(12)), additionalData: utf8("header") };
  const sealed = new Uint8Array(await subtle.encrypt(how, key, utf8("secret")));
  equal(sealed.length, 22);
  for (let at = 0; at < sealed.length * 8; at++) {
    const changed = sealed.slice();
    changed[at >> 3] ^= 1 << (at & 7);
    await rejects(subtle.decrypt(how, key, changed), "OperationError");
  }
  await rejects(subtle.decrypt({ ...how, additionalData: utf8("Header") }, key, sealed), "OperationError");
  await rejects(subtle.decrypt({ ...how, iv: new Uint8Array(12) }, key, sealed), "OperationError");
  await rejects(subtle.decrypt({ ...how, tagLength: 32 }, key, sealed), "OperationError");
  await rejects(subtle.decrypt(how, key, sealed.subarray(0, 15)), "OperationError");
  await rejects(subtle.decrypt(how, key, new Uint8Array(0)), "OperationError");
  await rejects(subtle.encrypt({ ...how, tagLength: 100 }, key, sealed), "OperationError");
  await rejects(subtle.encrypt({ ...how, tagLength: 256 }, key, sealed), "TypeError");
  await rejects(subtle.encrypt({ name: "AES-GCM" }, key, sealed), "TypeError");
  await rejects(subtle.encrypt({ ...how, iv: new Uint8Array(0) }, key, sealed), "OperationError");
  await rejects(subtle.encrypt({ ...how, iv: new Uint8Array(100_000) }, key, sealed), "OperationError");
  equal(new TextDecoder().decode(await subtle.decrypt(how, key, sealed)), "secret");
});

test("AES-CBC gives the answers of SP 800-38A, padded", async () => {
  const iv = unhex("000102030405060708090a0b0c0d0e0f");
  const plain = unhex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51");
  const known = {
    "2b7e151628aed2a6abf7158809cf4f3c": "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b": "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4": "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
  };
  for (const [digits, cipher] of Object.entries(known)) {
    const key = await importRaw(digits, "AES-CBC", "encrypt", "decrypt");
    const sealed = await subtle.encrypt({ name: "AES-CBC", iv }, key, plain);
    equal(sealed.byteLength, 48);
    equal(hex(sealed).slice(0, 64), cipher);
    equal(hex(await subtle.decrypt({ name: "AES-CBC", iv }, key, sealed)), hex(plain));
    for (let size = 0; size < 34; size++) {
      const part = plain.subarray(0, size);
      equal(hex(await subtle.decrypt({ name: "AES-CBC", iv }, key, await subtle.encrypt({ name: "AES-CBC", iv }, key, part))), hex(part));
    }
    await rejects(subtle.decrypt({ name: "AES-CBC", iv }, key, new Uint8Array(sealed).subarray(0, 47)), "OperationError");
    await rejects(subtle.decrypt({ name: "AES-CBC", iv }, key, new Uint8Array(0)), "OperationError");
    await rejects(subtle.decrypt({ name: "AES-CBC", iv }, key, unhex(cipher)), "OperationError");
    await rejects(subtle.encrypt({ name: "AES-CBC", iv: iv.subarray(1) }, key, plain), "OperationError");
  }
});

test("AES-CTR gives the answers of SP 800-38A, and its counter wraps within its bits", async () => {
  const key = await importRaw("2b7e151628aed2a6abf7158809cf4f3c", "AES-CTR", "encrypt", "decrypt");
  const counter = unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  const plain = unhex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51");
  const cipher = "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff";
  equal(hex(await subtle.encrypt({ name: "AES-CTR", counter, length: 128 }, key, plain)), cipher);
  equal(hex(await subtle.decrypt({ name: "AES-CTR", counter, length: 64 }, key, unhex(cipher))), hex(plain));
  // With one bit that counts (it is 1) the second block's counter ends in ...fe.
  const block = async (counter) => hex(await subtle.encrypt({ name: "AES-CTR", counter, length: 128 }, key, new Uint8Array(16)));
  const before = counter.slice();
  before[15] = 0xfe;
  equal(hex(await subtle.encrypt({ name: "AES-CTR", counter, length: 1 }, key, new Uint8Array(32))), await block(counter) + await block(before));
  await rejects(subtle.encrypt({ name: "AES-CTR", counter, length: 1 }, key, new Uint8Array(33)), "OperationError");
  const ones = new Uint8Array(16).fill(0xff);
  equal(hex(await subtle.encrypt({ name: "AES-CTR", counter: ones, length: 128 }, key, new Uint8Array(32))), await block(ones) + await block(new Uint8Array(16)));
  const wrapped = ones.slice();
  wrapped.fill(0, 8);
  equal(hex(await subtle.encrypt({ name: "AES-CTR", counter: ones, length: 64 }, key, new Uint8Array(20))), (await block(ones) + await block(wrapped)).slice(0, 40));
  equal((await subtle.encrypt({ name: "AES-CTR", counter, length: 8 }, key, new Uint8Array(4096))).byteLength, 4096);
  await rejects(subtle.encrypt({ name: "AES-CTR", counter, length: 8 }, key, new Uint8Array(4097)), "OperationError");
  equal((await subtle.encrypt({ name: "AES-CTR", counter, length: 8 }, key, new Uint8Array(0))).byteLength, 0);
  for (const length of [0, 129]) await rejects(subtle.encrypt({ name: "AES-CTR", counter, length }, key, plain), "OperationError");
  await rejects(subtle.encrypt({ name: "AES-CTR", counter: counter.subarray(1), length: 8 }, key, plain), "OperationError");
});

test("AES-KW wraps as in RFC 3394, and unwraps nothing that was changed", async () => {
  const by = await importRaw("000102030405060708090a0b0c0d0e0f", "AES-KW", "wrapKey", "unwrapKey");
  const key = await importRaw("00112233445566778899aabbccddeeff", "AES-GCM", "encrypt");
  const wrapped = await subtle.wrapKey("raw", key, by, "AES-KW");
  equal(hex(wrapped), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
  const back = await subtle.unwrapKey("raw", wrapped, by, "AES-KW", "AES-GCM", true, ["decrypt"]);
  equal(hex(await subtle.exportKey("raw", back)), "00112233445566778899aabbccddeeff");
  const changed = new Uint8Array(wrapped);
  changed[3] ^= 1;
  await rejects(subtle.unwrapKey("raw", changed, by, "AES-KW", "AES-GCM", true, ["decrypt"]), "OperationError");
  await rejects(subtle.unwrapKey("raw", changed.subarray(0, 16), by, "AES-KW", "AES-GCM", true, ["decrypt"]), "OperationError");
  const short = await subtle.importKey("raw", new Uint8Array(9), { name: "HMAC", hash: "SHA-1" }, true, ["sign"]);
  await rejects(subtle.wrapKey("raw", short, by, "AES-KW"), "OperationError");
  await rejects(subtle.encrypt("AES-KW", by, new Uint8Array(16)), "NotSupportedError");
});

test("Any cipher wraps, any format", async () => {
  const by = await subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["wrapKey", "unwrapKey"]);
  const how = { name: "AES-GCM", iv: new Uint8Array(12) };
  const key = await subtle.generateKey({ name: "HMAC", hash: "SHA-384" }, true, ["sign", "verify"]);
  const wrapped = await subtle.wrapKey("jwk", key, by, how);
  const back = await subtle.unwrapKey("jwk", wrapped, by, how, { name: "HMAC", hash: "SHA-384" }, true, ["sign"]);
  same(await subtle.exportKey("raw", back), await subtle.exportKey("raw", key));
  const reader = await importRaw("00".repeat(16), "AES-CBC", "encrypt", "unwrapKey");
  const cbc = { name: "AES-CBC", iv: new Uint8Array(16) };
  const bad = async (text) => subtle.unwrapKey("jwk", await subtle.encrypt(cbc, reader, utf8(text)), reader, cbc, "AES-GCM", true, ["encrypt"]);
  await rejects(bad("no json"), "DataError");
  await rejects(bad("1"), "DataError");
  await rejects(bad("{}"), "DataError");
  const locked = await subtle.importKey("raw", new Uint8Array(16), "AES-GCM", false, ["encrypt"]);
  await rejects(subtle.wrapKey("raw", locked, by, how), "InvalidAccessError");
  await rejects(subtle.wrapKey("raw", key, reader, cbc), "InvalidAccessError", `The key's usages do not include "wrapKey".`);
});

test("PBKDF2 derives as in RFC 6070, and not for ever", async () => {
  const key = await subtle.importKey("raw", utf8("password"), "PBKDF2", false, ["deriveBits", "deriveKey"]);
  const derive = (iterations, bits, more) => subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: utf8("salt"), iterations, ...more }, key, bits);
  equal(hex(await derive(1, 160)), "0c60c80f961f0e71f3a9b524af6012062fe037a6");
  equal(hex(await derive(4096, 160)), "4b007901b765489abead49d926f721d065a429c1");
  equal(hex(await derive(1, 256, { hash: "SHA-256" })), "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b");
  equal((await derive(1, 0)).byteLength, 0);
  await rejects(derive(0, 160), "OperationError");
  await rejects(derive(1, 161), "OperationError");
  await rejects(derive(1, null), "OperationError");
  await rejects(derive(100_001, 160), "NotSupportedError", "Pbkdf2 failed: iteration counts above 100000 are not supported (requested 100001).");
  await rejects(derive(100_000, 1 << 20), "OperationError");
  const aes = await subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt: utf8("salt"), iterations: 1 }, key, { name: "AES-GCM", length: 256 }, true, ["encrypt"]);
  equal(hex(await subtle.exportKey("raw", aes)), "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b");
  const empty = await subtle.importKey("raw", new Uint8Array(0), "PBKDF2", false, ["deriveBits"]);
  equal((await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: new Uint8Array(0), iterations: 1 }, empty, 64)).byteLength, 8);
  await rejects(subtle.importKey("raw", utf8("x"), "PBKDF2", true, ["deriveBits"]), "SyntaxError");
  await rejects(subtle.exportKey("raw", key), "NotSupportedError");
});

test("HKDF derives as in RFC 5869", async () => {
  const secret = await subtle.importKey("raw", new Uint8Array(22).fill(0x0b), "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: unhex("000102030405060708090a0b0c"), info: unhex("f0f1f2f3f4f5f6f7f8f9") };
  equal(hex(await subtle.deriveBits(how, secret, 42 * 8)), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  const bare = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: new Uint8Array(0) };
  equal(hex(await subtle.deriveBits(bare, secret, 42 * 8)), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  equal((await subtle.deriveBits(bare, secret, 255 * 32 * 8)).byteLength, 255 * 32);
  await rejects(subtle.deriveBits(bare, secret, 255 * 32 * 8 + 8), "OperationError");
  await rejects(subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0) }, secret, 8), "TypeError");
  await rejects(subtle.deriveKey(bare, secret, { name: "AES-GCM", length: 128 }, true, ["encrypt"]), "InvalidAccessError");
});

test("A key may be used for what it was made for, and for nothing else", async () => {
  const key = await subtle.importKey("raw", new Uint8Array(16), "AES-GCM", false, ["encrypt"]);
  const how = { name: "AES-GCM", iv: new Uint8Array(12) };
  await subtle.encrypt(how, key, new Uint8Array(1));
  await rejects(subtle.decrypt(how, key, new Uint8Array(20)), "InvalidAccessError", `The key's usages do not include "decrypt".`);
  await rejects(subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(16) }, key, new Uint8Array(1)), "InvalidAccessError", "The key is for AES-GCM and not for AES-CBC.");
  await rejects(subtle.exportKey("raw", key), "InvalidAccessError", "The key is not extractable.");
  await rejects(subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, ["sign"]), "SyntaxError");
  await rejects(subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, []), "SyntaxError");
  await rejects(subtle.importKey("raw", new Uint8Array(16), "AES-GCM", true, ["eat"]), "TypeError");
  await rejects(subtle.importKey("raw", new Uint8Array(15), "AES-GCM", true, ["encrypt"]), "DataError");
  await rejects(subtle.importKey("spki", new Uint8Array(16), "AES-GCM", true, ["encrypt"]), "NotSupportedError");
  await rejects(subtle.importKey("der", new Uint8Array(16), "AES-GCM", true, ["encrypt"]), "TypeError");
  await rejects(subtle.importKey("raw", { kty: "oct" }, "AES-GCM", true, ["encrypt"]), "TypeError");
  await rejects(subtle.importKey("jwk", new Uint8Array(16), "AES-GCM", true, ["encrypt"]), "TypeError");
  await rejects(subtle.generateKey({ name: "AES-GCM", length: 100 }, true, ["encrypt"]), "OperationError");
  await rejects(subtle.generateKey({ name: "AES-GCM", length: 128 }, true, []), "SyntaxError");
  await rejects(subtle.encrypt(how, { type: "secret", algorithm: { name: "AES-GCM" }, usages: ["encrypt"] }, new Uint8Array(1)), "TypeError");
});

test("What user code writes into a key's description changes no key", async () => {
  const key = await subtle.importKey("raw", new Uint8Array(16), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  equal(key.algorithm, key.algorithm);
  equal(key.usages, key.usages);
  key.usages.push("sign");
  key.algorithm.name = "AES-GCM";
  key.algorithm.hash.name = "SHA-1";
  await rejects(subtle.sign("HMAC", key, new Uint8Array(1)), "InvalidAccessError");
  equal(await subtle.verify("HMAC", key, unhex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"), new Uint8Array(0)), true);
  equal(key.type, "secret");
  equal(key.extractable, false);
  equal(Object.prototype.toString.call(key), "[object CryptoKey]");
  const clone = structuredClone(key);
  ok(clone !== key && clone.algorithm !== key.algorithm);
  same([clone.type, clone.extractable, clone.algorithm.name, clone.usages], ["secret", false, "HMAC", ["verify"]]);
});

test("JSON Web Keys are read and written", async () => {
  const jwk = { kty: "oct", k: "AAECAwQFBgcICQoLDA0ODw", alg: "A128GCM", key_ops: ["encrypt", "decrypt", "other"], ext: true, use: "enc" };
  const key = await subtle.importKey("jwk", jwk, "AES-GCM", true, ["decrypt", "encrypt"]);
  equal(hex(await subtle.exportKey("raw", key)), "000102030405060708090a0b0c0d0e0f");
  same(await subtle.exportKey("jwk", key), { kty: "oct", k: jwk.k, alg: "A128GCM", key_ops: ["encrypt", "decrypt"], ext: true });
  const bad = (changes, extractable = true) => subtle.importKey("jwk", { ...jwk, ...changes }, "AES-GCM", extractable, ["encrypt"]);
  for (const changes of [{ kty: "RSA" }, { kty: undefined }, { k: undefined }, { k: "A" }, { k: "AAECAwQFBgcICQoLDA0OD+" }, { k: "AAECAwQFBgcICQoLDA0ODx" }, { k: "AAECAwQFBgcICQoLDA0O" },
    { alg: "A256GCM" }, { alg: "A128CBC" }, { use: "sig" }, { key_ops: ["decrypt"] }, { key_ops: ["encrypt", "encrypt"] }, { ext: false }]) {
    await rejects(bad(changes), "DataError");
  }
  await bad({ ext: false }, false);
  await bad({ alg: undefined, key_ops: undefined, ext: undefined, use: undefined });
  await rejects(bad({ key_ops: 1 }), "TypeError");
  for (let size = 1; size < 20; size++) {
    const bytes = crypto.getRandomValues(new Uint8Array(size));
    const hmac = await subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-512" }, true, ["sign"]);
    const exported = await subtle.exportKey("jwk", hmac);
    equal(exported.k, bytes.toBase64({ alphabet: "base64url", omitPadding: true }));
    equal(exported.alg, "HS512");
    const back = await subtle.importKey("jwk", exported, { name: "HMAC", hash: "SHA-512" }, true, ["sign"]);
    equal(hex(await subtle.exportKey("raw", back)), hex(bytes));
  }
});

test("timingSafeEqual compares bytes of one size", () => {
  equal(subtle.timingSafeEqual(utf8("same"), utf8("same").buffer), true);
  equal(subtle.timingSafeEqual(utf8("same"), utf8("Same")), false);
  equal(subtle.timingSafeEqual(new Uint8Array(0), new Uint8Array(0)), true);
  throws(() => subtle.timingSafeEqual(utf8("a"), utf8("ab")), "TypeError", "Input buffers must have the same byte length.");
  throws(() => subtle.timingSafeEqual("a", "a"), "TypeError");
});

test("Patched prototypes see no key and change no result", async () => {
  const stolen = [];
  const saved = [];
  const patch = (object, name) => {
    saved[saved.length] = [object, name, Object.getOwnPropertyDescriptor(object, name)];
    Object.defineProperty(object, name, { configurable: true, get() { stolen[stolen.length] = name; return undefined; }, set() { stolen[stolen.length] = name; } });
  };
  let signature, count;
  try {
    for (const name of ["slice", "set", "subarray", "fill"]) patch(Object.getPrototypeOf(Uint8Array.prototype), name);
    for (const name of ["type", "material", "extractable", "k", "alg", "length", "hash", "toJSON", "format"]) patch(Object.prototype, name);
    const key = await subtle.importKey("raw", utf8("Jefe"), { __proto__: null, name: "HMAC", hash: "SHA-256" }, true, { [Symbol.iterator]: function* () { yield "sign"; } });
    for (const name of ["push", "map", "includes", "indexOf", Symbol.iterator]) patch(Array.prototype, name);
    signature = await subtle.sign("HMAC", key, utf8("what do ya want for nothing?"));
    await subtle.exportKey("jwk", key);
    count = stolen.length;
  } finally {
    for (let i = saved.length - 1; i >= 0; i--) restore(saved[i]);
  }
  function restore(entry) {
    const object = entry[0], name = entry[1], descriptor = entry[2];
    descriptor === undefined ? delete object[name] : Object.defineProperty(object, name, descriptor);
  }
  equal(count, 0, `${stolen.map(String)}`);
  equal(hex(signature), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

test("The interfaces look like those of the platform", () => {
  equal(crypto.subtle, crypto.subtle);
  for (const name of ["Crypto", "CryptoKey", "SubtleCrypto"]) {
    equal(globalThis[name].name, name);
    equal(Object.getOwnPropertyDescriptor(globalThis, name).enumerable, false);
  }
  equal(crypto.DigestStream.name, "DigestStream");
  equal(SubtleCrypto.prototype.deriveBits.length, 2);
  equal(SubtleCrypto.prototype.unwrapKey.length, 7);
  ok(Object.getOwnPropertyDescriptor(SubtleCrypto.prototype, "digest").enumerable);
});

run();
