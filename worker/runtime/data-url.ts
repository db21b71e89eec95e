// What a data: URL holds, by the rules of the Fetch standard.

import { Bytes, codeUnitAt, indexOf, lastIndexOf, slice, subarray, toLowerCase } from "./primordials.ts";

// Undefined: it holds nothing. `url` is as URL's href has it.
export function tryDecodeDataUrl(url: string): { type: string; bytes: Uint8Array<ArrayBuffer> } | undefined {
  const hash = indexOf(url, "#");
  const whole = hash < 0 ? url : slice(url, 0, hash);
  const comma = indexOf(whole, ",");
  if (comma < 0) return undefined;
  let type = trimSpaces(slice(whole, 5, comma));
  let bytes = percentDecode(slice(whole, comma + 1));
  const semicolon = lastIndexOf(type, ";");
  if (semicolon >= 0 && toLowerCase(trimSpaces(slice(type, semicolon + 1))) === "base64") {
    type = trimSpaces(slice(type, 0, semicolon));
    const text = native.base64Decode(native.utf8Decode(bytes, false)!);
    if (text === undefined) return undefined;
    bytes = new Bytes(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = codeUnitAt(text, i);
  }
  if (type[0] === ";") type = `text/plain${type}`;
  if (indexOf(type, "/") <= 0) type = "text/plain;charset=US-ASCII";
  return { type, bytes };
}

function percentDecode(text: string): Uint8Array<ArrayBuffer> {
  const from = native.utf8Encode(text);
  const to = new Bytes(from.length);
  let size = 0;
  for (let i = 0; i < from.length; i++) {
    const high = from[i] === 37 ? digit(from[i + 1]) : -1;
    const low = high < 0 ? -1 : digit(from[i + 2]);
    if (low < 0) {
      to[size++] = from[i]!;
      continue;
    }
    to[size++] = high * 16 + low;
    i += 2;
  }
  return new Bytes(subarray(to, 0, size));
}

// -1: not a hexadecimal digit.
function digit(unit: number | undefined): number {
  if (unit === undefined) return -1;
  if (unit >= 48 && unit <= 57) return unit - 48;
  const letter = unit | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function trimSpaces(text: string): string {
  let start = 0, end = text.length;
  while (start < end && text[start] === " ") start++;
  while (end > start && text[end - 1] === " ") end--;
  return slice(text, start, end);
}
