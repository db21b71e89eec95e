#include "tests/hostile-programs/program.h"

namespace glovebox::test {

HostilePrograms nativeWork() {
  return {
      burns("RegExpWithNestedQuantifiers", "return /^(a+)+$/.test('a'.repeat(60) + 'b')"),
      burns("RegExpWithOverlappingAlternatives", "return /^(a|aa|a.)*$/.test('a'.repeat(100) + '\\n')"),
      burns("RegExpWithABackReference", "return /^(.*)*\\1x$/.test('a'.repeat(60))"),
      burns("RegExpWithALookbehind", "return /(?<=c(a+)+)x/.test('a'.repeat(60) + 'x')"),
      burns("RegExpWithUnicodeSets", "return /^([\\p{L}--[z]]+)+$/v.test('\\u00e4'.repeat(60) + '1')"),
      burns("RegExpThatIsOnlyQuadratic", "return /\\s+$/.test(' '.repeat(1e6) + 'x')"),
      burns("RegExpThatCountsRepeats", "return new RegExp('^(?:a{0,1000}){0,1000}$').test('a'.repeat(5000) + 'b')"),
      burns("RegExpInSplit", "return ('a'.repeat(60) + 'b').split(/(?:a+)+c/)"),
      burns("RegExpInMatchAll", "return [...('a'.repeat(60) + 'b').matchAll(/(a+)+c/g)]"),
      burns("BigIntMultiplied", "let n = 3n ** 100000n; for (;;) n *= 1n + n % 7n"),
      burns("BigIntInDecimal", "const big = 3n ** 4000000n; return (big * big * big).toString().length"),
      burns("BigIntParsed", "return BigInt('9'.repeat(5e6))"),
      burns("BigIntDivided", "const a = 1n << 30000000n, b = (1n << 15000000n) + 1n; return a / b"),
      comesTo("BigIntTooLarge", "return 2n ** (2n ** 40n)", "thrown RangeError", "Maximum BigInt size exceeded"),
      burns("SortWithASlowComparator", "return [...Array(1e6).keys()].sort((a, b) => { for (let i = 0; i < 1e4; i++); return b - a })"),
      burns("SortOfMuch", "const a = new Float64Array(5e6); for (let i = 0; i < a.length; i++) a[i] = Math.sin(i); return a.sort().length"),
      burns("SortOfObjects", "return Array.from({ length: 3e5 }, (_, i) => ({ toString: () => String(i * 7919 % 3e5) })).sort().length"),
      burns("JsonOfEverythingTwice", "let o = {}; for (let i = 0; i < 24; i++) o = [o, o]; return JSON.stringify(o).length"),
      burns("JsonOfANumberOfNumbers", "const a = new Array(1e6).fill(0.1); for (;;) JSON.parse(JSON.stringify(a))"),
      burns("FillOfAnArrayWithoutAnEnd", "return Array(2 ** 32 - 2).fill(0)"),
      burns("IndexOfInAnArrayWithoutAnEnd", "return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)"),
      burns("ReverseOfAnArrayWithoutAnEnd", "return Array.prototype.reverse.call({ length: 2 ** 53 - 1 })"),
      burns("LastIndexOfAText", "const s = 'a'.repeat(1e6); for (;;) s.indexOf('a'.repeat(5e5) + 'b')"),
      burns("NormalizeOfMuch", "const s = 'e\\u0301\\u0323'.repeat(1e6); for (;;) s.normalize('NFC')"),
      burns("LocaleCompareOfMuch", "const s = 'e\\u0301'.repeat(1e6); for (;;) s.localeCompare(s + 'a')"),
      burns("SegmentsOfMuch", "return [...new Intl.Segmenter('th', { granularity: 'word' }).segment('\\u0e01'.repeat(1e7))].length"),
      burns("ReplaceAllOfMuch", "for (;;) 'a'.repeat(1e6).replaceAll('a', 'bb')"),
      burns("CopiesWithin", "const a = new Uint8Array(3e7); for (;;) a.copyWithin(1, 0)"),
      burns("DigestsOfMuch", "const a = new Uint8Array(8e6); for (;;) await crypto.subtle.digest('SHA-512', a)"),
      burns("SecretsDerivedSlowly", R"(const key = await crypto.subtle.importKey('raw', new Uint8Array(9), 'PBKDF2', false, ['deriveBits']);
          for (;;) await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-512', salt: new Uint8Array(9), iterations: 1e5 }, key, 512))"),
      burns("LargeRsaKeys", R"(for (;;) await crypto.subtle.generateKey({ name: 'RSA-PSS', modulusLength: 4096,
          publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-1' }, true, ['sign']))"),
      burns("CompressedWithoutAnEnd", R"(const stream = new CompressionStream('gzip'), writer = stream.writable.getWriter();
          (async () => { for (const chunk = new Uint8Array(4e6);;) await writer.write(chunk) })();
          for await (const _ of stream.readable);)"),
      burns("DecompressionBombs", R"(const zeros = new CompressionStream('deflate'), writer = zeros.writable.getWriter();
          writer.write(new Uint8Array(8e6)); writer.close();
          const bomb = [];
          for await (const chunk of zeros.readable) bomb.push(chunk);
          for (;;) {
            const stream = new DecompressionStream('deflate'), writer = stream.writable.getWriter();
            for (const chunk of bomb) writer.write(chunk);
            writer.close();
            for await (const _ of stream.readable);
          })"),
      comesTo("TextTooLongByRepeat", "return 'x'.repeat(2 ** 29)", "thrown RangeError", "Invalid string length"),
      comesTo("TextTooLongByConcatenation", "let s = 'x'; for (;;) s += s", "thrown RangeError", "Invalid string length"),
      comesTo("TextTooLongByPadding", "return 'x'.padStart(2 ** 30)", "thrown RangeError", "Invalid string length"),
      comesTo("TextTooLongByReplacement", "return 'a'.repeat(1e5).replaceAll('a', 'b'.repeat(1e5))", "thrown RangeError", "Invalid string length"),
      comesTo("TextTooLongByJoin", "return Array(1e5).join('b'.repeat(1e5))", "thrown RangeError", "Invalid string length"),
  };
}

}  // namespace glovebox::test
