// crypto.subtle: keys with two halves.
import { equal, ok, run, same, test } from "./harness.js";
import { CURVES, EXPLICIT, OTHER_CURVE, RSA } from "./known-keys.js";
import { rejects } from "./rejects.js";

const { subtle } = crypto;
const hex = (bytes) => new Uint8Array(bytes).toHex();
const unhex = (digits) => Uint8Array.fromHex(digits);
const utf8 = (text) => new TextEncoder().encode(text);
const base64url = (digits) => unhex(digits).toBase64({ alphabet: "base64url", omitPadding: true });
const changed = (bytes, at = 3) => {
  const copy = new Uint8Array(bytes).slice();
  copy[at < 0 ? copy.length + at : at] ^= 1;
  return copy;
};
const SAMPLE = utf8("sample");

// -- elliptic curves ------------------------------------------------------------------------------------------------------

test("ECDSA verifies the signature of RFC 6979, and of nothing else", async () => {
  const key = await subtle.importKey("jwk", {
    kty: "EC", crv: "P-256", x: base64url("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
    y: base64url("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
  }, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
  const signature = unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
  const verify = (signature, data = SAMPLE, hash = "SHA-256") => subtle.verify({ name: "ECDSA", hash }, key, signature, data);
  equal(await verify(signature), true);
  equal(await verify(signature, utf8("Sample")), false);
  equal(await verify(signature, SAMPLE, "SHA-1"), false);
  for (let at = 0; at < 64; at++) equal(await verify(changed(signature, at)), false);
  for (const size of [0, 1, 63]) equal(await verify(signature.subarray(0, size)), false);
  equal(await verify(new Uint8Array(65)), false);
  equal(await verify(new Uint8Array(64)), false);
  equal(await verify(new Uint8Array(64).fill(0xff)), false);
});

test("Keys, signatures and secrets of another program are understood, on each curve", async () => {
  for (const [namedCurve, known] of Object.entries(CURVES)) {
    const ecdsa = { name: "ECDSA", namedCurve }, ecdh = { name: "ECDH", namedCurve }, how = { name: "ECDSA", hash: "SHA-512" };
    const publicKey = await subtle.importKey("spki", unhex(known.spki), ecdsa, true, ["verify"]);
    equal(await subtle.verify(how, publicKey, unhex(known.signature), SAMPLE), true, namedCurve);
    equal(await subtle.verify(how, publicKey, changed(unhex(known.signature)), SAMPLE), false, namedCurve);
    const privateKey = await subtle.importKey("pkcs8", unhex(known.pkcs8), ecdsa, true, ["sign"]);
    const signature = await subtle.sign(how, privateKey, SAMPLE);
    equal(signature.byteLength, known.signature.length / 2);
    equal(await subtle.verify(how, publicKey, signature, SAMPLE), true, namedCurve);
    equal(hex(await subtle.exportKey("spki", publicKey)), known.spki);
    equal(hex(await subtle.exportKey("pkcs8", privateKey)), known.pkcs8);
    const compressed = await subtle.importKey("spki", unhex(known.compressed), ecdsa, true, ["verify"]);
    equal(hex(await subtle.exportKey("spki", compressed)), known.spki);
    const mine = await subtle.importKey("pkcs8", unhex(known.pkcs8), ecdh, false, ["deriveBits"]);
    const theirs = await subtle.importKey("spki", unhex(known.otherSpki), ecdh, false, []);
    const derive = (bits) => subtle.deriveBits({ name: "ECDH", public: theirs }, mine, bits);
    equal(hex(await derive(null)), known.secret, namedCurve);
    equal(hex(await derive(16)), known.secret.slice(0, 4));
    equal(new Uint8Array(await derive(11))[1] & 0x1f, 0);
    await rejects(derive(known.secret.length * 4 + 8), "OperationError");
  }
});

test("What is made on a curve survives each format", async () => {
  for (const namedCurve of Object.keys(CURVES)) {
    const algorithm = { name: "ECDSA", namedCurve }, how = { name: "ECDSA", hash: "SHA-256" };
    const { privateKey, publicKey } = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
    same(privateKey.algorithm, algorithm);
    same([privateKey.type, privateKey.usages, publicKey.type, publicKey.usages], ["private", ["sign"], "public", ["verify"]]);
    const signature = await subtle.sign(how, privateKey, SAMPLE);
    for (const format of ["raw", "spki", "jwk"]) {
      const back = await subtle.importKey(format, await subtle.exportKey(format, publicKey), algorithm, true, ["verify"]);
      equal(await subtle.verify(how, back, signature, SAMPLE), true, `${namedCurve} ${format}`);
    }
    for (const format of ["pkcs8", "jwk"]) {
      const back = await subtle.importKey(format, await subtle.exportKey(format, privateKey), algorithm, true, ["sign"]);
      equal(await subtle.verify(how, publicKey, await subtle.sign(how, back, SAMPLE), SAMPLE), true, `${namedCurve} ${format}`);
    }
    for (const [format, key] of [["raw", privateKey], ["spki", privateKey], ["pkcs8", publicKey]]) {
      await rejects(subtle.exportKey(format, key), "InvalidAccessError");
    }
  }
});

test("Points that are not on the curve, and halves that do not belong together, are refused", async () => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const { privateKey, publicKey } = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const other = await subtle.exportKey("jwk", (await subtle.generateKey(algorithm, true, ["sign", "verify"])).privateKey);
  const raw = new Uint8Array(await subtle.exportKey("raw", publicKey));
  const importRaw = (bytes) => subtle.importKey("raw", bytes, algorithm, true, ["verify"]);
  await importRaw(raw);
  for (const bytes of [changed(raw, 20), changed(raw, 0), changed(raw, 64), raw.subarray(0, 64), new Uint8Array(65), new Uint8Array(0), new Uint8Array(1), new Uint8Array([2, ...raw.subarray(1, 33)])]) {
    await rejects(importRaw(bytes), "DataError");
  }
  const jwk = await subtle.exportKey("jwk", privateKey);
  const importJwk = (changes) => subtle.importKey("jwk", { ...jwk, ...changes }, algorithm, true, ["sign"]);
  await importJwk({});
  const n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  for (const changes of [{ d: other.d }, { x: other.x, y: other.y }, { x: other.x }, { d: base64url("00".repeat(32)) }, { d: base64url(n) }, { d: "AA" }, { x: undefined },
    { crv: "P-384" }, { kty: "OKP" }, { alg: "ES384" }, { use: "enc" }, { key_ops: ["verify"] }, { x: `${jwk.x}AA` }]) {
    await rejects(importJwk(changes), "DataError");
  }
  await importJwk({ alg: "ES256", use: "sig", key_ops: undefined });
});

test("DER that is cut, longer, of another kind or curve is refused", async () => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const { spki, pkcs8 } = CURVES["P-256"];
  const publicly = (digits, how = algorithm) => subtle.importKey("spki", unhex(digits), how, true, ["verify"]);
  const privately = (digits, how = algorithm) => subtle.importKey("pkcs8", unhex(digits), how, true, ["sign"]);
  await publicly(spki);
  await privately(pkcs8);
  for (let size = 0; size < spki.length; size += 2) await rejects(publicly(spki.slice(0, size)), "DataError");
  for (let size = 0; size < pkcs8.length; size += 2) await rejects(privately(pkcs8.slice(0, size)), "DataError");
  for (const digits of [`${spki}00`, pkcs8, CURVES["P-384"].spki, RSA.spki, OTHER_CURVE, EXPLICIT.spki, "00".repeat(100_000)]) await rejects(publicly(digits), "DataError");
  for (const digits of [`${pkcs8}00`, spki, CURVES["P-384"].pkcs8, RSA.pkcs8, EXPLICIT.pkcs8]) await rejects(privately(digits), "DataError");
  await rejects(publicly(spki, { name: "ECDSA", namedCurve: "P-521" }), "DataError");
  await rejects(publicly(spki, { name: "ECDSA", namedCurve: "secp256k1" }), "NotSupportedError");
  await rejects(publicly(spki, "ECDSA"), "TypeError");
  await rejects(publicly(spki, "Ed25519"), "DataError");
  await rejects(publicly(spki, { name: "RSA-PSS", hash: "SHA-256" }), "DataError");
});

test("ECDH wants two keys of one curve, each in its place", async () => {
  const pair = (namedCurve) => subtle.generateKey({ name: "ECDH", namedCurve }, false, ["deriveKey", "deriveBits"]);
  const [a, b, larger] = [await pair("P-256"), await pair("P-256"), await pair("P-384")];
  const derive = (theirs, mine) => subtle.deriveBits({ name: "ECDH", public: theirs }, mine, 256);
  equal(hex(await derive(a.publicKey, b.privateKey)), hex(await derive(b.publicKey, a.privateKey)));
  await rejects(derive(larger.publicKey, a.privateKey), "InvalidAccessError");
  await rejects(derive(a.privateKey, b.privateKey), "InvalidAccessError");
  await rejects(derive(a.publicKey, b.publicKey), "InvalidAccessError");
  await rejects(derive(undefined, a.privateKey), "TypeError");
  await rejects(derive({}, a.privateKey), "TypeError");
  const ecdsa = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  await rejects(derive(ecdsa.publicKey, a.privateKey), "InvalidAccessError");
  await rejects(subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["sign"]), "SyntaxError");
  await rejects(subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, []), "SyntaxError");
  await rejects(subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]), "SyntaxError");
  const aes = await subtle.deriveKey({ name: "ECDH", public: a.publicKey }, b.privateKey, { name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  equal(hex(await subtle.exportKey("raw", aes)), hex(await derive(b.publicKey, a.privateKey)).slice(0, 32));
  const hkdf = await subtle.deriveKey({ name: "ECDH", public: a.publicKey }, b.privateKey, "HKDF", false, ["deriveBits"]);
  equal((await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: new Uint8Array(0) }, hkdf, 256)).byteLength, 32);
});

// -- Ed25519 and X25519 ---------------------------------------------------------------------------------------------------

test("Ed25519 signs as in RFC 8032", async () => {
  const secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
  const point = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
  const signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
  const jwk = { kty: "OKP", crv: "Ed25519", d: base64url(secret), x: base64url(point) };
  const privateKey = await subtle.importKey("jwk", jwk, "Ed25519", true, ["sign"]);
  const publicKey = await subtle.importKey("raw", unhex(point), { name: "ed25519" }, true, ["verify"]);
  const nothing = new Uint8Array(0);
  equal(hex(await subtle.sign("Ed25519", privateKey, nothing)), signature);
  equal(await subtle.verify("Ed25519", publicKey, unhex(signature), nothing), true);
  equal(await subtle.verify("Ed25519", publicKey, unhex(signature), new Uint8Array(1)), false);
  for (let at = 0; at < 64; at++) equal(await subtle.verify("Ed25519", publicKey, changed(unhex(signature), at), nothing), false);
  for (const size of [0, 63]) equal(await subtle.verify("Ed25519", publicKey, unhex(signature).subarray(0, size), nothing), false);
  const pkcs8 = `302e020100300506032b657004220420${secret}`, spki = `302a300506032b6570032100${point}`;
  equal(hex(await subtle.exportKey("pkcs8", privateKey)), pkcs8);
  equal(hex(await subtle.exportKey("spki", publicKey)), spki);
  equal(hex(await subtle.exportKey("raw", publicKey)), point);
  same(await subtle.exportKey("jwk", privateKey), { kty: "OKP", crv: "Ed25519", x: jwk.x, alg: "Ed25519", d: jwk.d, key_ops: ["sign"], ext: true });
  const back = await subtle.importKey("pkcs8", unhex(pkcs8), "Ed25519", false, ["sign"]);
  equal(hex(await subtle.sign("Ed25519", back, nothing)), signature);
  same(back.algorithm, { name: "Ed25519" });
  const bad = (changes) => subtle.importKey("jwk", { ...jwk, ...changes }, "Ed25519", true, ["sign"]);
  for (const changes of [{ x: base64url("00".repeat(32)) }, { x: undefined }, { d: "AA" }, { crv: "X25519" }, { kty: "EC" }, { alg: "ES256" }, { use: "enc" }]) await rejects(bad(changes), "DataError");
  await bad({ alg: "EdDSA" });
  await rejects(subtle.importKey("raw", unhex(point).subarray(1), "Ed25519", true, ["verify"]), "DataError");
  await rejects(subtle.importKey("spki", unhex(spki.replace("6570", "656e")), "Ed25519", true, ["verify"]), "DataError");
  await rejects(subtle.sign("Ed25519", publicKey, nothing), "InvalidAccessError");
  await rejects(subtle.importKey("raw", unhex(point), "Ed25519", true, ["sign"]), "SyntaxError");
});

test("A key of Ed25519 or X25519 has 32 bytes, of which the first may be zeros", async () => {
  for (const [name, oid, usages, point] of [
    ["Ed25519", "70", ["verify"], "00009314998a59a276e35cac5d39d9cf642b5add8fc428baca5d18a7b30cda40"],
    ["X25519", "6e", [], "00a3785afdc7bb07fa13a4b075f00576cba6946a70cd6ad20b25c949eae6f636"],
  ]) {
    const spki = (point) => unhex(`30${(point.length / 2 + 10).toString(16)}300506032b65${oid}03${(point.length / 2 + 1).toString(16)}00${point}`);
    const read = (point) => subtle.importKey("spki", spki(point), name, true, usages);
    const key = await read(point);
    equal(hex(await subtle.exportKey("raw", key)), point);
    equal(hex(await subtle.exportKey("spki", key)), hex(spki(point)));
    for (const wrong of [point.slice(2), `${point}01`, `00${point}`]) {
      await rejects(read(wrong), "DataError");
      await rejects(subtle.importKey("raw", unhex(wrong), name, true, usages), "DataError");
    }
    const secret = await subtle.importKey("pkcs8", unhex(`302e020100300506032b65${oid}04220420${"00".repeat(32)}`), name, true, [name === "X25519" ? "deriveBits" : "sign"]);
    equal((await subtle.exportKey("jwk", secret)).d, "A".repeat(43));
  }
});

test("X25519 agrees as in RFC 7748, and not on nothing", async () => {
  const secret = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
  const mine = await subtle.importKey("pkcs8", unhex(`302e020100300506032b656e04220420${secret}`), "X25519", true, ["deriveBits"]);
  const theirs = (digits) => subtle.importKey("raw", unhex(digits), "X25519", true, []);
  const derive = async (digits, bits = 256) => hex(await subtle.deriveBits({ name: "X25519", public: await theirs(digits) }, mine, bits));
  equal(await derive("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  equal((await subtle.exportKey("jwk", mine)).x, base64url("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
  await rejects(derive("00".repeat(32)), "OperationError");
  await rejects(derive("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "OperationError");
  await rejects(derive("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", 264), "OperationError");
  const made = await subtle.generateKey("X25519", true, ["deriveKey", "deriveBits"]);
  same([made.publicKey.usages, made.privateKey.usages], [[], ["deriveKey", "deriveBits"]]);
  const forth = await subtle.deriveBits({ name: "X25519", public: made.publicKey }, mine, null);
  const publicMine = await theirs("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  equal(hex(await subtle.deriveBits({ name: "X25519", public: publicMine }, made.privateKey, null)), hex(forth));
});

// -- RSA ------------------------------------------------------------------------------------------------------------------

const rsa = (name, hash = "SHA-256") => ({ name, hash });
const OAEP = { name: "RSA-OAEP", label: utf8("label") };
const PSS = { name: "RSA-PSS", saltLength: 32 };

test("RSA keys, signatures and ciphertexts of another program are understood", async () => {
  const pkcs1Public = await subtle.importKey("spki", unhex(RSA.spki), rsa("RSASSA-PKCS1-v1_5"), true, ["verify"]);
  const pkcs1Private = await subtle.importKey("pkcs8", unhex(RSA.pkcs8), rsa("RSASSA-PKCS1-v1_5"), true, ["sign"]);
  equal(hex(await subtle.sign("RSASSA-PKCS1-v1_5", pkcs1Private, SAMPLE)), RSA.pkcs1);
  equal(await subtle.verify("RSASSA-PKCS1-v1_5", pkcs1Public, unhex(RSA.pkcs1), SAMPLE), true);
  const pssPublic = await subtle.importKey("spki", unhex(RSA.spki), rsa("RSA-PSS"), true, ["verify"]);
  equal(await subtle.verify(PSS, pssPublic, unhex(RSA.pss), SAMPLE), true);
  equal(await subtle.verify({ ...PSS, saltLength: 31 }, pssPublic, unhex(RSA.pss), SAMPLE), false);
  const oaepPrivate = await subtle.importKey("pkcs8", unhex(RSA.pkcs8), rsa("RSA-OAEP"), true, ["decrypt"]);
  equal(new TextDecoder().decode(await subtle.decrypt(OAEP, oaepPrivate, unhex(RSA.oaep))), "sample");
  await rejects(subtle.decrypt({ ...OAEP, label: utf8("Label") }, oaepPrivate, unhex(RSA.oaep)), "OperationError");
  await rejects(subtle.decrypt(OAEP, oaepPrivate, changed(unhex(RSA.oaep))), "OperationError");
  await rejects(subtle.decrypt(OAEP, oaepPrivate, new Uint8Array(0)), "OperationError");
  equal(hex(await subtle.exportKey("spki", pssPublic)), RSA.spki);
  equal(hex(await subtle.exportKey("pkcs8", oaepPrivate)), RSA.pkcs8);
  same(pssPublic.algorithm, { name: "RSA-PSS", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: { name: "SHA-256" } });
  for (let at = 0; at < 128; at += 7) {
    equal(await subtle.verify("RSASSA-PKCS1-v1_5", pkcs1Public, changed(unhex(RSA.pkcs1), at), SAMPLE), false);
    equal(await subtle.verify(PSS, pssPublic, changed(unhex(RSA.pss), at), SAMPLE), false);
  }
  equal(await subtle.verify("RSASSA-PKCS1-v1_5", pkcs1Public, unhex(RSA.pkcs1).subarray(1), SAMPLE), false);
  equal(await subtle.verify("RSASSA-PKCS1-v1_5", pkcs1Public, new Uint8Array(0), SAMPLE), false);
});

test("RSA signs and encrypts with what it made, for each hash", async () => {
  const algorithm = { name: "RSA-PSS", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-384" };
  const { privateKey, publicKey } = await subtle.generateKey(algorithm, true, ["sign", "verify"]);
  equal(privateKey.algorithm.modulusLength, 2048);
  const [jwk, pkcs8] = [await subtle.exportKey("jwk", privateKey), await subtle.exportKey("pkcs8", privateKey)];
  const spki = await subtle.exportKey("spki", publicKey);
  equal(jwk.alg, "PS384");
  for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
    const suffix = hash.slice(4);
    for (const [name, how, alg] of [["RSASSA-PKCS1-v1_5", "RSASSA-PKCS1-v1_5", `RS${suffix}`], ["RSA-PSS", { name: "RSA-PSS", saltLength: 20 }, `PS${suffix}`]]) {
      const signer = await subtle.importKey("jwk", { ...jwk, alg }, rsa(name, hash), true, ["sign"]);
      const verifier = await subtle.importKey("spki", spki, rsa(name, hash), true, ["verify"]);
      const signature = await subtle.sign(how, signer, SAMPLE);
      equal(signature.byteLength, 256);
      equal(await subtle.verify(how, verifier, signature, SAMPLE), true, `${name} ${hash}`);
      equal(await subtle.verify(how, verifier, changed(signature), SAMPLE), false);
      equal((await subtle.exportKey("jwk", signer)).alg, alg);
    }
    const encryptor = await subtle.importKey("spki", spki, rsa("RSA-OAEP", hash), true, ["encrypt", "wrapKey"]);
    const decryptor = await subtle.importKey("pkcs8", pkcs8, rsa("RSA-OAEP", hash), true, ["decrypt", "unwrapKey"]);
    equal((await subtle.exportKey("jwk", encryptor)).alg, hash === "SHA-1" ? "RSA-OAEP" : `RSA-OAEP-${suffix}`);
    const room = 256 - 2 * ({ "SHA-1": 20, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 })[hash] - 2;
    for (const data of [new Uint8Array(0), SAMPLE, new Uint8Array(room)]) {
      equal(hex(await subtle.decrypt("RSA-OAEP", decryptor, await subtle.encrypt("RSA-OAEP", encryptor, data))), hex(data));
    }
    await rejects(subtle.encrypt("RSA-OAEP", encryptor, new Uint8Array(room + 1)), "OperationError");
    const secret = await subtle.importKey("raw", new Uint8Array(16).fill(7), "AES-GCM", true, ["encrypt"]);
    const wrapped = await subtle.wrapKey("raw", secret, encryptor, OAEP);
    const back = await subtle.unwrapKey("raw", wrapped, decryptor, OAEP, "AES-GCM", true, ["encrypt"]);
    equal(hex(await subtle.exportKey("raw", back)), "07".repeat(16));
  }
  await rejects(subtle.sign({ name: "RSA-PSS", saltLength: 300 }, privateKey, SAMPLE), "OperationError");
  await rejects(subtle.sign({ name: "RSA-PSS", saltLength: 3000 }, privateKey, SAMPLE), "OperationError");
  await rejects(subtle.sign("RSA-PSS", privateKey, SAMPLE), "TypeError");
  const bad = (changes) => subtle.importKey("jwk", { ...jwk, alg: undefined, ...changes }, rsa("RSA-PSS"), true, ["sign"]);
  await bad({});
  for (const changes of [{ p: jwk.q }, { q: undefined }, { n: "AQAB" }, { n: "" }, { e: "" }, { e: "Ag" }, { e: "AQ" }, { e: jwk.n }, { alg: "RS256" }, { kty: "EC" }, { p: "AQ", q: jwk.n }, { n: `A${jwk.n.repeat(10)}` }]) {
    await rejects(bad(changes), "DataError");
  }
  await rejects(bad({ oth: [] }), "NotSupportedError");
});

test("RSA keys are made in reasonable sizes, for reasonable exponents", async () => {
  const make = (changes) => subtle.generateKey({ name: "RSA-OAEP", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-1", ...changes }, false, ["encrypt", "decrypt"]);
  const { privateKey } = await make({ publicExponent: new Uint8Array([0, 0, 3]) });
  same(privateKey.algorithm.publicExponent, new Uint8Array([3]));
  await rejects(subtle.exportKey("pkcs8", privateKey), "InvalidAccessError");
  for (const modulusLength of [0, 256, 1025, 4104, 16384]) await rejects(make({ modulusLength }), "OperationError");
  for (const exponent of [[], [1], [2], [5], [1, 0, 0, 0, 1]]) await rejects(make({ publicExponent: new Uint8Array(exponent) }), "OperationError");
  const unused = (name, publicExponent) => subtle.generateKey({ name, modulusLength: 1024, publicExponent: new Uint8Array(publicExponent), hash: "SHA-1" }, true, []);
  await rejects(unused("RSA-PSS", [1]), "OperationError");
  await rejects(unused("RSA-PSS", [1, 0, 1]), "SyntaxError");
  await rejects(make({ publicExponent: [1, 0, 1] }), "TypeError");
  await rejects(make({ publicExponent: new Int8Array(3) }), "TypeError");
  await rejects(make({ hash: undefined }), "TypeError");
  const small = await subtle.importKey("pkcs8", unhex(RSA.pkcs8), rsa("RSA-PSS", "SHA-512"), true, ["sign"]);
  await rejects(subtle.sign({ name: "RSA-PSS", saltLength: 64 }, small, SAMPLE), "OperationError");
});

test("RSA has no raw form, and DER is read to its end", async () => {
  const how = rsa("RSA-PSS");
  await rejects(subtle.importKey("raw", unhex(RSA.spki), how, true, ["verify"]), "NotSupportedError");
  const key = await subtle.importKey("spki", unhex(RSA.spki), how, true, ["verify"]);
  await rejects(subtle.exportKey("raw", key), "NotSupportedError");
  await rejects(subtle.importKey("spki", unhex(`${RSA.spki}00`), how, true, ["verify"]), "DataError");
  for (let size = 0; size < RSA.spki.length; size += 2) await rejects(subtle.importKey("spki", unhex(RSA.spki.slice(0, size)), how, true, ["verify"]), "DataError");
  for (let size = 0; size < RSA.pkcs8.length; size += 10) await rejects(subtle.importKey("pkcs8", unhex(RSA.pkcs8.slice(0, size)), how, true, ["sign"]), "DataError");
  await rejects(subtle.importKey("spki", unhex(CURVES["P-256"].spki), how, true, ["verify"]), "DataError");
});

test("Keys that are made differ, and so do their signatures", async () => {
  const seen = new Set();
  for (let i = 0; i < 20; i++) {
    const { publicKey, privateKey } = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    seen.add(hex(await subtle.exportKey("raw", publicKey)));
    seen.add(hex(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, SAMPLE)));
    seen.add(hex(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, SAMPLE)));
  }
  equal(seen.size, 60);
  ok(!seen.has(""));
});

run();
