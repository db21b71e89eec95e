import { equal, ok, run, same, test, throws } from "./harness.js";

const bytes = (...values) => new Uint8Array(values);

test("TextEncoder writes UTF-8 and replaces lone surrogates", () => {
  const encoder = new TextEncoder();
  equal(encoder.encoding, "utf-8");
  same(encoder.encode("aä€😀"), bytes(97, 0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80));
  same(encoder.encode("\ud800x"), bytes(0xef, 0xbf, 0xbd, 120));
  equal(encoder.encode().length, 0);
  equal(encoder.encode(undefined).length, 0);
  equal(encoder.encode("\0").length, 1);
  throws(() => encoder.encode(Symbol()), "TypeError");
  throws(() => TextEncoder.prototype.encode.call({}, ""), "TypeError");
});

test("encodeInto never splits a character", () => {
  const into = new Uint8Array(5).fill(1);
  same(new TextEncoder().encodeInto("a€€", into), { read: 2, written: 4 });
  same(into, bytes(97, 0xe2, 0x82, 0xac, 1));
  same(new TextEncoder().encodeInto("😀x", new Uint8Array(4)), { read: 2, written: 4 });
  same(new TextEncoder().encodeInto("a", new Uint8Array(0)), { read: 0, written: 0 });
  throws(() => new TextEncoder().encodeInto("a", new Uint16Array(2)), "TypeError");
});

test("UTF-8 is decoded, the mark dropped and errors replaced", () => {
  equal(new TextDecoder().decode(bytes(0xef, 0xbb, 0xbf, 97)), "a");
  equal(new TextDecoder("utf8", { ignoreBOM: true }).decode(bytes(0xef, 0xbb, 0xbf, 97)), "\ufeffa");
  equal(new TextDecoder().decode(bytes(0xff, 97, 0xe2, 0x82)), "\ufffda\ufffd");
  equal(new TextDecoder().decode(), "");
  equal(new TextDecoder().decode(new DataView(bytes(1, 97, 98).buffer, 1)), "ab");
  equal(new TextDecoder().decode(new SharedArrayBuffer(2)), "\0\0");
  throws(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes(0xff)), "TypeError");
  throws(() => new TextDecoder().decode("x"), "TypeError");
  throws(() => new TextDecoder().decode({}), "TypeError");
});

test("A stream may be cut anywhere", () => {
  const text = "aä€😀\ufeffz";
  const all = new TextEncoder().encode(text);
  for (let size = 1; size < all.length; size++) {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let got = "";
    for (let at = 0; at < all.length; at += size) got += decoder.decode(all.subarray(at, at + size), { stream: true });
    equal(got + decoder.decode(), text);
  }
  const decoder = new TextDecoder();
  equal(decoder.decode(bytes(0xef, 0xbb), { stream: true }), "");
  equal(decoder.decode(bytes(0xbf, 97), { stream: true }), "a");
  equal(decoder.decode(bytes(0xf0, 0x9f), { stream: true }), "");
  equal(decoder.decode(), "\ufffd");
  equal(decoder.decode(bytes(0xef, 0xbb, 0xbf, 98)), "b");
});

test("Other encodings go by their labels", () => {
  const cases = [["latin1", "windows-1252", [0xe4, 0x80], "ä€"], ["utf-16", "utf-16le", [0xff, 0xfe, 0x3d, 0xd8, 0, 0xde], "😀"],
    ["utf-16be", "utf-16be", [0, 97], "a"], ["sjis", "shift_jis", [0x83, 0x65], "テ"], ["EUC-JP ", "euc-jp", [0xa4, 0xa2], "あ"],
    ["gbk", "gbk", [0xc4, 0xe3], "你"], ["big5", "big5", [0xa7, 0x41], "你"], ["ks_c_5601-1987", "euc-kr", [0xb0, 0xa1], "가"],
    ["koi8-r", "koi8-r", [0xc1], "а"], ["iso-8859-2", "iso-8859-2", [0xb1], "ą"], ["x-mac-cyrillic", "x-mac-cyrillic", [0x80], "А"],
    ["ibm866", "ibm866", [0x80], "А"], ["macintosh", "macintosh", [0x80], "Ä"], ["iso-8859-16", "iso-8859-16", [0xaa, 0xff, 65], "ȘÿA"], ["x-user-defined", "x-user-defined", [0x80, 0xff], "\uf780\uf7ff"],
    ["windows-1251", "windows-1251", [0xc0], "А"]];
  for (const [label, name, input, text] of cases) {
    const decoder = new TextDecoder(label);
    equal(decoder.encoding, name);
    equal(decoder.decode(bytes(...input)), text, label);
  }
  throws(() => new TextDecoder("nonsense"), "RangeError");
  throws(() => new TextDecoder("utf-8 utf-16"), "RangeError");
  throws(() => new TextDecoder("replacement"), "RangeError");
});

test("Every label opens a decoder", () => {
  for (const label of ["866", "l2", "l3", "l4", "cyrillic", "arabic", "greek", "hebrew", "logical", "l6", "iso8859-13", "iso8859-14", "l9", "iso-8859-16", "koi",
    "koi8-ru", "mac", "tis-620", "cp1250", "cp1253", "latin5", "cp1255", "cp1256", "cp1257", "cp1258", "gb18030", "csiso2022jp", "x-user-defined"]) {
    ok(new TextDecoder(label).decode(bytes(65)) === "A", label);
  }
});

test("Other encodings stream, and fatal ones refuse", () => {
  const decoder = new TextDecoder("utf-16le", { fatal: true });
  equal(decoder.decode(bytes(0x3d), { stream: true }) + decoder.decode(bytes(0xd8, 0), { stream: true }) + decoder.decode(bytes(0xde)), "😀");
  throws(() => decoder.decode(bytes(0, 0xdc)), "TypeError");
  throws(() => decoder.decode(bytes(1)), "TypeError");
  equal(decoder.decode(bytes(97, 0)), "a");
  equal(new TextDecoder("utf-16le").decode(bytes(0, 0xdc, 97, 0)), "\ufffda");
  equal(new TextDecoder("sjis").decode(bytes(0x83)), "\ufffd");
});

test("atob and btoa are inverse", () => {
  let all = "";
  for (let i = 0; i < 256; i++) all += String.fromCharCode(i);
  equal(atob(btoa(all)), all);
  equal(btoa(""), "");
  equal(btoa("a"), "YQ==");
  equal(atob(" Y Q\n=\t="), "a");
  equal(atob("YQ"), "a");
  equal(atob("YWE="), "aa");
  equal(btoa(null), "bnVsbA==");
  for (const bad of ["Y", "YQ=", "Y===", "=", "Y Q=", "YQ==a", "a-_b", "ä", "\u0100"]) throws(() => atob(bad), "InvalidCharacterError");
  throws(() => btoa("\u0100"), "InvalidCharacterError");
  throws(() => atob(), "TypeError");
});

run();
