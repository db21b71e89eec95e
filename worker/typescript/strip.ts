// Types out of one module: TypeScript (and JSX) in, JavaScript out, with what stays on the line where it was. Sucrase does the work;
// what it would drop or let through without a word is refused here, with its place.

import { transform } from "sucrase";
import type { Options } from "sucrase";
import { parse } from "sucrase/dist/esm/parser/index.js";
import type { Token } from "sucrase/dist/esm/parser/index.js";
import { TokenType as tt } from "sucrase/dist/esm/parser/tokenizer/types.js";

// What is wrong with a module, at an offset of its text; undefined if the place is not known.
export class Problem extends Error {
  readonly offset: number | undefined;
  readonly isPackage: boolean;
  constructor(message: string, offset: number | undefined, isPackage = false) {
    super(message);
    this.offset = offset;
    this.isPackage = isPackage;
  }
}

export const IS_TYPESCRIPT = /\.(?:ts|mts|tsx|jsx)$/;

export function strip(source: string, name: string): string {
  const jsx = name.endsWith("x");
  return sucrase(() => {
    if (MAY_BE_UNSUPPORTED.test(source)) refuseUnsupported(source, parse(source, jsx, true, false).tokens);
    return transform(source, optionsFor(source, jsx)).code;
  });
}

// The same of what was stripped before, with a source map (version 3). None: it is JavaScript, as it was.
export function stripWithMap(source: string, name: string): { code: string; map: object | undefined } {
  if (!IS_TYPESCRIPT.test(name)) return { code: source, map: undefined };
  const { code, sourceMap } = transform(source, { ...optionsFor(source, name.endsWith("x")), filePath: name, sourceMapOptions: { compiledFilename: name } });
  return { code, map: sourceMap };
}

function optionsFor(source: string, jsx: boolean): Options {
  return {
    transforms: jsx ? ["typescript", "jsx"] : ["typescript"],
    disableESTransforms: true,
    preserveDynamicImport: true,
    production: true,
    ...(jsx ? jsxOptions(source) : {}),
  };
}

// Runs it, and makes Problems of what sucrase throws.
export function sucrase<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (error instanceof RangeError) throw new Problem("The code is nested too deeply.", undefined);
    if (!(error instanceof Error)) throw error;
    const { pos } = error as { pos?: unknown };
    // It appends the place to its words.
    throw new Problem(error.message.replace(/ \(\d+:\d+\)$/, "") + ".", typeof pos === "number" ? pos : undefined);
  }
}

// As TypeScript's and esbuild's pragmas say. Without any: React.createElement, as they do.
function jsxOptions(source: string): object {
  const pragma = (what: string) => new RegExp(`@${what}\\s+([\\w$./@-]+)`).exec(source)?.[1];
  const importSource = pragma("jsxImportSource");
  if (importSource !== undefined) return { jsxRuntime: "automatic", jsxImportSource: importSource };
  const factory = pragma("jsx");
  const fragment = pragma("jsxFrag");
  return {
    jsxRuntime: "classic",
    ...(factory === undefined ? {} : { jsxPragma: factory }),
    ...(fragment === undefined ? {} : { jsxFragmentPragma: fragment }),
  };
}

// -- What is not supported ---------------------------------------------------------------------------------------------------

// Most modules have none of it, and are not parsed once more to find out.
const MAY_BE_UNSUPPORTED = /@[\w$(]|\b(?:namespace|module)\s+[\w$]|\bexport\s*=|\bimport\s+[\w$]+\s*=/;

function refuseUnsupported(source: string, tokens: readonly Token[]): void {
  const text = (at: number) => {
    const token = tokens[at];
    return token === undefined ? "" : source.slice(token.start, token.end);
  };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const next = tokens[i + 1];
    if (token.type === tt.at) {
      throw new Problem("Decorators are not supported: JavaScript has none yet. Call the function that the decorator is instead.", token.start);
    }
    if (token.type === tt._export && next?.type === tt.eq) {
      throw new Problem("`export =` is not supported: modules here are ES modules. Write `export default` or name what is exported.", token.start);
    }
    if (token.type === tt._import && tokens[i + 2]?.type === tt.eq && next?.type === tt.name) {
      throw new Problem(`\`import ${text(i + 1)} =\` is not supported: modules here are ES modules. Write \`import ${text(i + 1)} from "..."\`.`, token.start);
    }
    if (!token.isType) continue;
    const word = text(i);
    if (word === "declare" && /^(?:namespace|module|global)$/.test(text(i + 1))) {
      i = endOfBlock(tokens, i);
    } else if ((word === "namespace" || word === "module") && next?.type === tt.name && beginsBlock(tokens, i + 2)) {
      throw new Problem(`\`${word} ${text(i + 1)}\` is not supported: it is code that TypeScript generates. Make it a module of its own, or, if it has only types, ` +
        `\`declare ${word}\`.`, token.start);
    }
  }
}

// Behind the name of a namespace: `.Name` any number of times, then a brace.
function beginsBlock(tokens: readonly Token[], at: number): boolean {
  while (tokens[at]?.type === tt.dot) at += 2;
  return tokens[at]?.type === tt.braceL;
}

// The index of the brace that ends the block beginning after `at`; `at` if there is none.
function endOfBlock(tokens: readonly Token[], at: number): number {
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    const { type } = tokens[i]!;
    if (type === tt.braceL) depth++;
    else if (type === tt.braceR && --depth === 0) return i;
    else if (depth === 0 && type === tt.semi) return at;
  }
  return at;
}
