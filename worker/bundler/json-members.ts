// The members of an object in a JSON text, found without reading what is in them: a registry's document may have 50 MB, of which each version's
// few lines are of interest, and JSON.parse() would make ten times that of it.

const QUOTE = 0x22, BACKSLASH = 0x5c, COMMA = 0x2c, COLON = 0x3a;
const OPEN_BRACE = 0x7b, CLOSE_BRACE = 0x7d, OPEN_BRACKET = 0x5b, CLOSE_BRACKET = 0x5d;

const decoder = new TextDecoder();

// Names, and the bytes of values, of the object at the beginning of `json`. Throws a SyntaxError where it is none. What is in the
// values is not looked at further than to find their end.
export function* membersOf(json: Uint8Array): Iterable<[name: string, value: Uint8Array]> {
  let at = skipBlanks(json, 0);
  if (json[at] !== OPEN_BRACE) throw new SyntaxError("Expected an object.");
  at = skipBlanks(json, at + 1);
  if (json[at] === CLOSE_BRACE) return;
  for (;;) {
    if (json[at] !== QUOTE) throw new SyntaxError("Expected a name.");
    const nameEnd = endOfString(json, at);
    const name = JSON.parse(decoder.decode(json.subarray(at, nameEnd))) as string;
    at = skipBlanks(json, nameEnd);
    if (json[at] !== COLON) throw new SyntaxError("Expected a colon.");
    const begin = skipBlanks(json, at + 1);
    const end = endOfValue(json, begin);
    yield [name, json.subarray(begin, end)];
    at = skipBlanks(json, end);
    if (json[at] === CLOSE_BRACE) return;
    if (json[at] !== COMMA) throw new SyntaxError("Expected a comma.");
    at = skipBlanks(json, at + 1);
  }
}

export function parse(json: Uint8Array): unknown { return JSON.parse(decoder.decode(json)); }

function skipBlanks(json: Uint8Array, at: number): number {
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at++;
  return at;
}

function endOfString(json: Uint8Array, at: number): number {
  for (let end = at + 1; ; end++) {
    end = json.indexOf(QUOTE, end);
    if (end === -1) throw new SyntaxError("A string has no end.");
    let backslashes = 0;
    while (json[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

function endOfValue(json: Uint8Array, at: number): number {
  if (json[at] === QUOTE) return endOfString(json, at);
  let depth = 0;
  while (at < json.length) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      at = endOfString(json, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at;   // of what is around a number, say
      if (--depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) {
      return at;
    }
    at++;
  }
  throw new SyntaxError("A value has no end.");
}
