// multipart/form-data as bytes (RFC 7578, in the form that the HTML and Fetch standards give it), there and back; and what a
// media type is made of.

import { Bytes, PlainTypeError, dateNow, indexOf, push, slice, subarray, toLowerCase } from "./primordials.ts";
import { blobBytes, fileParts, joinChunks, makeFile, typeOf } from "./blob.ts";
import type { FormEntry } from "./form-data.ts";

type OwnBytes = Uint8Array<ArrayBuffer>;

// Each entry costs a hundred times what it takes on the wire.
const ENTRIES_MAX = 10_000;
const BOUNDARY_RANDOM_BYTES = 16;

export function encodeMultipart(entries: FormEntry[]): { bytes: OwnBytes; type: string } {
  const random = new Bytes(BOUNDARY_RANDOM_BYTES);
  native.fillRandomBytes(random);   // who supplies a value must not be able to write the boundary into it
  let boundary = "----formdata-";
  for (let i = 0; i < random.length; i++) boundary += HEX[random[i]! >> 4]! + HEX[random[i]! & 15]!;
  const chunks: OwnBytes[] = [];
  for (let i = 0; i < entries.length; i += 2) {
    const value = entries[i + 1]!;
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(withLineBreaks(entries[i] as string))}"`;
    if (typeof value === "string") {
      push(chunks, native.utf8Encode(`${head}\r\n\r\n${withLineBreaks(value)}\r\n`));
      continue;
    }
    const type = typeOf(value);
    push(chunks, native.utf8Encode(
      `${head}; filename="${escapeName(fileParts(value)!.name)}"\r\nContent-Type: ${type === "" ? "application/octet-stream" : type}\r\n\r\n`));
    push(chunks, blobBytes(value)!, CRLF);
  }
  push(chunks, native.utf8Encode(`--${boundary}--\r\n`));
  return { bytes: joinChunks(chunks), type: `multipart/form-data; boundary=${boundary}` };
}

// Throws a TypeError for what is not such a body.
export function decodeMultipart(bytes: OwnBytes, boundary: string): FormEntry[] {
  const delimiter = native.utf8Encode(`--${boundary}`);
  const inner = native.utf8Encode(`\r\n--${boundary}`);
  const entries: FormEntry[] = [];
  let at = find(bytes, delimiter, 0);
  if (at < 0) throw malformed("its boundary does not occur in it");
  at += delimiter.length;
  for (;;) {
    if (bytes[at] === 45 && bytes[at + 1] === 45) return entries;   // "--": the last one
    while (bytes[at] === 32 || bytes[at] === 9) at++;
    if (bytes[at] !== 13 || bytes[at + 1] !== 10) throw malformed("a boundary is not followed by a line break");
    at += 2;
    const { name, filename, type, end } = readPartHead(bytes, at);
    const close = find(bytes, inner, end - 2);   // an empty part's line break is that of its head
    if (close < 0) throw malformed("its last part does not end");
    const content = subarray(bytes, end, close < end ? end : close);
    if (entries.length >= 2 * ENTRIES_MAX) throw malformed(`it has more than ${ENTRIES_MAX} entries`);
    push<FormEntry>(entries, name, filename === undefined ? native.utf8Decode(content, false)!
      : makeFile(new Bytes(content), type, filename, dateNow()));
    at = close + inner.length;
  }
}

interface PartHead { name: string; filename: string | undefined; type: string; end: number }

function readPartHead(bytes: OwnBytes, start: number): PartHead {
  let name: string | undefined;
  let filename: string | undefined;
  let type = "text/plain";
  for (let at = start;;) {
    const lineEnd = find(bytes, CRLF, at);
    if (lineEnd < 0) throw malformed("the headers of a part do not end");
    if (lineEnd === at) {
      if (name === undefined) throw malformed("a part has no name");
      return { name, filename, type, end: at + 2 };
    }
    const line = native.utf8Decode(subarray(bytes, at, lineEnd), false)!;
    const colon = indexOf(line, ":");
    if (colon < 0) throw malformed("a part has a header without a colon");
    const header = toLowerCase(slice(line, 0, colon));
    const value = trim(slice(line, colon + 1));
    if (header === "content-disposition") {
      const parsed = parseParameters(value);
      if (parsed.essence !== "form-data") throw malformed("a part is no form-data");
      name = unescapeName(parsed.get("name"));
      filename = unescapeName(parsed.get("filename"));
    } else if (header === "content-type") {
      type = value;
    }
    at = lineEnd + 2;
  }
}

// What stands before the first ";", in lower case, and parameters by their names in lower case. Quoted ones may hold anything;
// \" and \\ are an escape in media types but not in a Content-Disposition of a form, where browsers write %22.
interface Parameters { essence: string; get(name: string): string | undefined }

export function parseParameters(text: string): Parameters {
  const names: string[] = [];
  const values: string[] = [];
  let at = indexOf(text, ";");
  const essence = toLowerCase(trim(at < 0 ? text : slice(text, 0, at)));
  while (at >= 0 && at < text.length) {
    const equals = indexOf(text, "=", at);
    const next = indexOf(text, ";", at + 1);
    if (equals < 0) break;
    if (next >= 0 && next < equals) {
      at = next;
      continue;
    }
    const name = toLowerCase(trim(slice(text, at + 1, equals)));
    let value = "";
    let end = equals + 1;
    while (text[end] === " " || text[end] === "\t") end++;
    if (text[end] === "\"") {
      for (end++; end < text.length && text[end] !== "\""; end++) {
        if (text[end] === "\\" && (text[end + 1] === "\"" || text[end + 1] === "\\")) end++;
        value += text[end]!;
      }
      end++;
    } else {
      const stop = indexOf(text, ";", end);
      value = trim(slice(text, end, stop < 0 ? undefined : stop));
    }
    push(names, name);
    push(values, value);
    at = indexOf(text, ";", end);
  }
  return {
    essence,
    get(name: string): string | undefined {
      for (let i = 0; i < names.length; i++) if (names[i] === name) return values[i];
      return undefined;
    },
  };
}

// ---------------------------------------------------------------------------------------------------------------------

const HEX = "0123456789abcdef";
const CRLF = new Bytes([13, 10]);

function malformed(why: string): Error {
  return new PlainTypeError(`The body is not valid multipart/form-data: ${why}.`);
}

// The first place of `what` at or after `from`; -1: none.
function find(bytes: OwnBytes, what: OwnBytes, from: number): number {
  const last = bytes.length - what.length;
  const first = what[0];
  for (let i = from < 0 ? 0 : from; i <= last; i++) {
    if (bytes[i] !== first) continue;
    let j = 1;
    while (j < what.length && bytes[i + j] === what[j]) j++;
    if (j === what.length) return i;
  }
  return -1;
}

function trim(text: string): string {
  let start = 0, end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return slice(text, start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\r" || character === "\n";
}

// Each line break as CRLF.
function withLineBreaks(text: string): string {
  if (indexOf(text, "\n") < 0 && indexOf(text, "\r") < 0) return text;
  let result = "";
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === "\r") {
      result += "\r\n";
      if (text[i + 1] === "\n") i++;
    } else result += character === "\n" ? "\r\n" : character;
  }
  return result;
}

function escapeName(name: string): string {
  let result = "";
  for (let i = 0; i < name.length; i++) {
    const character = name[i]!;
    result += character === "\n" ? "%0A" : character === "\r" ? "%0D" : character === "\"" ? "%22" : character;
  }
  return result;
}

function unescapeName(name: string | undefined): string | undefined {
  if (name === undefined || indexOf(name, "%") < 0) return name;
  let result = "";
  for (let i = 0; i < name.length; i++) {
    const code = name[i] === "%" ? slice(name, i + 1, i + 3) : "";
    if (code === "0A" || code === "0D" || code === "22") {
      result += code === "0A" ? "\n" : code === "0D" ? "\r" : "\"";
      i += 2;
    } else result += name[i]!;
  }
  return result;
}
