// What a module imports, and under which of the worker's names that is there. A worker imports by exact names; TypeScript is written
// with names that a compiler resolves: without an ending, with that of the JavaScript to be, or of a folder.

import { parse } from "sucrase/dist/esm/parser/index.js";
import type { Token } from "sucrase/dist/esm/parser/index.js";
import { TokenType as tt } from "sucrase/dist/esm/parser/tokenizer/types.js";

import { findFile, joinPath, relativeTo } from "./module-paths.ts";

export interface Import {
  readonly specifier: string;
  // Of what is between the quotes.
  readonly start: number;
  readonly end: number;
}

// Of JavaScript. What is not a literal, in import(), is not looked at, nor what has escapes.
export function importsOf(code: string): Import[] {
  const { tokens } = parse(code, false, false, false);
  const found: Import[] = [];
  const is = (at: number, word: string) => {
    const token = tokens[at];
    return token !== undefined && token.type === tt.name && code.slice(token.start, token.end) === word;
  };
  const add = (at: number) => {
    const token = tokens[at];
    if (token?.type !== tt.string) return;
    const specifier = code.slice(token.start + 1, token.end - 1);
    if (!specifier.includes("\\")) found.push({ specifier, start: token.start + 1, end: token.end - 1 });
  };
  for (let i = 0; i < tokens.length; i++) {
    const { type } = tokens[i]!;
    const next = tokens[i + 1]?.type;
    if (type === tt._import) {
      if (next === tt.string) add(i + 1);
      else if (next === tt.parenL && [tt.parenR, tt.comma].includes(tokens[i + 3]?.type ?? tt.eof)) add(i + 2);
      else if (next !== tt.dot && next !== tt.parenL) add(afterFrom(tokens, i + 1, is));
    } else if (type === tt._export && (next === tt.star || next === tt.braceL)) {
      add(afterFrom(tokens, i + 1, is));
    }
  }
  return found;
}

// A clause has braces, names, `as`, commas and strings in braces; the first `from` with a string behind it ends it.
function afterFrom(tokens: readonly Token[], at: number, is: (at: number, word: string) => boolean): number {
  for (let depth = 0; at < tokens.length; at++) {
    const { type } = tokens[at]!;
    if (type === tt.braceL) depth++;
    else if (type === tt.braceR) depth--;
    else if (type === tt.semi || type === tt._import || type === tt._export) return -1;
    else if (depth === 0 && is(at, "from") && tokens[at + 1]?.type === tt.string) return at + 1;
    // `export { a }` ends here, unless there is a `from`.
    if (type === tt.braceR && depth === 0 && !is(at + 1, "from")) return -1;
  }
  return -1;
}

// The module that `specifier` means in `importer`: its name, and the specifier that leads to exactly that. Undefined: there is none.
export function resolve(specifier: string, importer: string, names: ReadonlySet<string>): { name: string; specifier: string } | undefined {
  const relative = /^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..";
  if (!relative) return names.has(specifier) ? { name: specifier, specifier } : undefined;
  const path = joinPath(specifier, importer);
  const name = path === undefined ? undefined : findFile(path, (candidate) => names.has(candidate));
  if (name === undefined) return undefined;
  return { name, specifier: name === path ? specifier : relativeTo(name, importer) };
}
