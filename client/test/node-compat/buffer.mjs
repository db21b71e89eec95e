import { Buffer, constants, isAscii, isUtf8, atob, btoa, kMaxLength } from "node:buffer";

// A generator of numbers that is the same on both sides.
function* numbers(seed) {
  for (;;) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    yield seed >>> 8;
  }
}

const ENCODINGS = ["utf8", "utf16le", "latin1", "ascii", "base64", "base64url", "hex"];
const PIECES = ["a", "é", "漢", "😀", "\ud800", "\udfff", "\0", "=", "-", "_", "+", "/", "0", "f", "G", " ", "\n", "\x80", "\xff"];

export const cases = {
  "text to bytes and back, fuzzed": () => {
    const random = numbers(42), found = [];
    for (let i = 0; i < 400; i++) {
      let text = "";
      for (let n = random.next().value % 24; n > 0; n--) text += PIECES[random.next().value % PIECES.length];
      for (const encoding of ENCODINGS) {
        const bytes = Buffer.from(text, encoding);
        found.push(bytes.toString("hex"), bytes.toString(encoding), Buffer.byteLength(text, encoding));
      }
    }
    return found.join("|").length + ":" + digest(found.join("|"));
  },
  "bytes to text, fuzzed": () => {
    const random = numbers(7);
    let all = "";
    for (let i = 0; i < 400; i++) {
      const bytes = Buffer.alloc(random.next().value % 40);
      for (let n = 0; n < bytes.length; n++) bytes[n] = random.next().value;
      for (const encoding of ENCODINGS) all += JSON.stringify(bytes.toString(encoding, i % 5, 35 - i % 9));
    }
    return all.length + ":" + digest(all);
  },
  "searches, fuzzed": () => {
    const random = numbers(99), found = [];
    for (let i = 0; i < 600; i++) {
      const hay = Buffer.alloc(random.next().value % 30, "abcab"), needle = "abcabcab".slice(random.next().value % 5, random.next().value % 8);
      const at = random.next().value % 40 - 20;
      for (const encoding of ["utf8", "latin1", "utf16le", "hex"]) {
        found.push(hay.indexOf(needle, at, encoding), hay.lastIndexOf(needle, at, encoding), hay.includes(needle, at, encoding));
      }
      found.push(hay.indexOf(Buffer.from(needle), at), hay.lastIndexOf(Buffer.from(needle), at), hay.indexOf(97, at), hay.lastIndexOf(98, at));
    }
    return found.length + ":" + digest(found.join());
  },
  "long needles from behind": () => {
    const hay = Buffer.alloc(5000, "ab"), needle = Buffer.alloc(200, "ab");
    return [hay.lastIndexOf(needle), hay.lastIndexOf(needle, 1001), hay.lastIndexOf(needle, 100), hay.lastIndexOf(needle, -4990), hay.lastIndexOf(Buffer.alloc(200, "ac"))];
  },
  "fill": () => [Buffer.alloc(7, "abc"), Buffer.alloc(7, "YWI=", "base64"), Buffer.alloc(5).fill(300), Buffer.alloc(6).fill("é", 1, 4), Buffer.alloc(4).fill(Buffer.from([1, 2])), Buffer.alloc(3).fill("")],
  "fill with nothing of an encoding": () => Buffer.alloc(3).fill("zz", "hex"),
  "fill out of bounds": () => Buffer.alloc(3).fill("a", 0, 9),
  "compare": () => [Buffer.compare(Buffer.from("a"), Buffer.from("b")), Buffer.from("abc").compare(Buffer.from("xabcx"), 1, 4), Buffer.from("abc").compare(Buffer.from("abd"), 0, 2, 0, 2), Buffer.from("a").equals(new Uint8Array([97]))],
  "compare out of range": () => Buffer.from("abc").compare(Buffer.from("abd"), 9),
  "copy": () => {
    const to = Buffer.alloc(8, "."), from = Buffer.from("abcdef");
    return [from.copy(to, 2, 1, 4), from.copy(to, 7), from.copy(to, 20), to.copyWithin(0, 2, 4), to.toString()];
  },
  "swaps": () => [Buffer.from("0102030405060708", "hex").swap16(), Buffer.from("0102030405060708", "hex").swap32(), Buffer.from("0102030405060708", "hex").swap64()],
  "swap of an odd size": () => Buffer.alloc(3).swap16(),
  "numbers": () => {
    const b = Buffer.alloc(32);
    b.writeDoubleBE(1.5, 0); b.writeFloatLE(-2.25, 8); b.writeInt32BE(-5, 12); b.writeBigUInt64LE(2n ** 60n, 16); b.writeIntLE(-123456, 24, 6);
    return [b, b.readDoubleBE(0), b.readFloatLE(8), b.readInt32BE(12), b.readBigUInt64LE(16), b.readIntLE(24, 6), b.readUInt16BE(1)];
  },
  "a number that does not fit": () => Buffer.alloc(4).writeUInt8(256, 0),
  "reading beyond the end": () => Buffer.alloc(4).readUInt32LE(1),
  "writes": () => {
    const b = Buffer.alloc(12, ".");
    return [b.write("é漢😀", 1), b.write("ffzz", 8, "hex"), b.write("ab", 11, 5, "latin1"), b.write("x", 12), b];
  },
  "a write beyond the end": () => Buffer.alloc(3).write("a", 4),
  "utf8Write with what is none": () => Buffer.alloc(3).utf8Write(5),
  "slices by name": () => [Buffer.from("abc").utf8Slice(1), Buffer.from("abc").hexSlice(0, 2), Buffer.from("abc").latin1Slice(5), Buffer.from("abc").utf8Slice(1.5, "x")],
  "a slice beyond the end": () => Buffer.from("abc").utf8Slice(0, 10),
  "a slice of what is none": () => Buffer.prototype.utf8Slice.call("abc"),
  "concat, subarray, JSON": () => [Buffer.concat([Buffer.from("a"), new Uint8Array([98])], 5), Buffer.from("abcdef").subarray(1, -1).slice(1), JSON.stringify(Buffer.from("hi")), Buffer.from({ type: "Buffer", data: [1, 2] })],
  "from what it is": () => [Buffer.from([1, 300, -1, "5"]), Buffer.from(new Uint16Array([1, 258]).buffer), Buffer.from(new String("x")), Buffer.of(1, 2), Buffer.copyBytesFrom(new Uint16Array([1, 2]), 1)],
  "from a number": () => Buffer.from(5),
  "from undefined": () => Buffer.from(undefined),
  "of a bad size": () => Buffer.alloc(-1),
  "of an unknown encoding": () => Buffer.from("a", "utf-9"),
  "isUtf8, isAscii": () => [isUtf8(Buffer.from("é")), isUtf8(Buffer.from([0xff])), isAscii(Buffer.from("a")), isAscii(Buffer.from("é")), isUtf8(new ArrayBuffer(2))],
  "limits": () => [constants.MAX_LENGTH, constants.MAX_STRING_LENGTH, kMaxLength],
  "a global": () => [globalThis.Buffer === Buffer, Buffer.from("x") instanceof Uint8Array, Buffer.isBuffer(new Uint8Array(1)), Buffer.isEncoding("UTF-8"), Buffer.isEncoding("x")],
  "iteration": () => [[...Buffer.from("ab").entries()], [...Buffer.from("ab")]],
  "atob and btoa": () => [atob("aGk="), btoa("hi")],
  "inspection": () => [Buffer.alloc(60), new Map([[Buffer.from("k"), 1]])],
};

// FNV-1a: what was found is long.
function digest(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
