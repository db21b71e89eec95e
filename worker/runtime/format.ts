// The text of one console call: format specifiers of the Console standard, then the rest, separated by spaces.

import { bigintToString, includes, indexOf, jsonStringify, slice, symbolToString, toNumberOf, trunc } from "./primordials.ts";
import { display, inspect } from "./inspect.ts";

const parseLeadingFloat = parseFloat;

export function formatArguments(args: unknown[]): string {
  const first = args[0];
  let text = "";
  let next = 0;
  if (typeof first === "string" && args.length > 1 && includes(first, "%")) {
    next = 1;
    let from = 0;
    for (let at = indexOf(first, "%"); at >= 0; at = indexOf(first, "%", from)) {
      const specifier = at + 1 < first.length ? first[at + 1]! : "";
      text += slice(first, from, at);
      from = at + 2;
      if (specifier === "%") {
        text += "%";
        continue;
      }
      if (specifier === "" || !includes("sdifjoOc", specifier) || next >= args.length) {
        text += `%${specifier}`;
        continue;
      }
      text += formatOne(specifier, args[next++]);
    }
    text += slice(first, from);
  }
  for (; next < args.length; next++) text += `${next === 0 ? "" : " "}${display(args[next])}`;
  return text;
}

function formatOne(specifier: string, value: unknown): string {
  switch (specifier) {
    case "s": return typeof value === "string" ? value : typeof value === "bigint" ? `${bigintToString(value)}n`
        : typeof value === "symbol" ? symbolToString(value) : inspect(value, 0);
    case "d": return typeof value === "bigint" ? `${bigintToString(value)}n` : inspect(toNumber(value));
    case "i": return typeof value === "bigint" ? `${bigintToString(value)}n` : inspect(trunc(toFloat(value)));
    case "f": return inspect(toFloat(value));
    case "j":
      try {
        const json: string | undefined = jsonStringify(value);
        return json ?? "undefined";
      } catch {
        return inspect(value);
      }
    case "c": return "";
    default: return inspect(value, 4);
  }
}

// Of primitives only: an object would be asked for its value.
function toNumber(value: unknown): number {
  return typeof value === "object" || typeof value === "function" || typeof value === "symbol" ? NaN : toNumberOf(value);
}
function toFloat(value: unknown): number {
  return typeof value === "number" ? value : typeof value === "string" ? parseLeadingFloat(value) : NaN;
}
