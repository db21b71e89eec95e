// The Worker that strips types: loaded and jailed like any other, with no capability but its argument. Whoever loads TypeScript has it
// done here (client/src/typescript.ts, tools/project/typescript.h), so that no trusted process parses what nobody has reviewed.
//
// What it answers is as good as the code it was given: whoever controls the one controls the other. So the caller decides by itself
// which modules there are and of what kind they are.

import { importsOf, resolve } from "./imports.ts";
import { Origins } from "./origins.ts";
import type { PlacesAnswer, PlacesRequest } from "./origins.ts";
import { IS_TYPESCRIPT, Problem, strip, sucrase } from "./strip.ts";

// Objects of the language are as they were for every module to come, whatever a text makes sucrase do.
for (const intrinsic of [Object, Function, Array, String, RegExp, Map, Set, Error, RangeError, SyntaxError]) {
  Object.freeze(intrinsic);
  Object.freeze(intrinsic.prototype);
}

interface Request {
  // Texts by name: TypeScript or JSX by its ending, JavaScript otherwise. An array, so that no name means anything else.
  sources: [name: string, text: string][];
  // Other modules there are, for imports to be resolved.
  others: string[];
  // A project, from this module on: what it reaches is given back, the rest is not; and each import has to lead somewhere. Null: each
  // of the sources is given back, and imports that lead nowhere are left alone.
  main: string | null;
}

// `code` in the order of the sources; null: not reached. Or what is wrong, and where: line and column from 1, 0 if that is not known.
// `isPackage`: it is an import of one, which takes a bundler.
type Answer = { code: (string | null)[]; others: string[] } | { problem: { module: string; line: number; column: number; message: string; text: string; isPackage: boolean } };

export default {
  strip({ sources, others, main }: Request): Answer {
    const texts = new Map(sources);
    const names = new Set([...texts.keys(), ...others]);
    const done = new Map<string, string>();
    const reached = new Set<string>();
    const pending = main === null ? [...texts.keys()] : [main];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (reached.has(name)) continue;
      reached.add(name);
      const source = texts.get(name);
      if (source === undefined) continue;
      let code = source;
      try {
        const typed = IS_TYPESCRIPT.test(name);
        if (typed) code = strip(source, name);
        // JavaScript of a load() is as its author wants it; in a project it is resolved like the rest.
        if (typed || main !== null) code = link(code, source, name, names, main === null ? undefined : pending);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return { problem: describe(name, source, error) };
      }
      done.set(name, code);
    }
    return { code: sources.map(([name]) => done.get(name) ?? null), others: others.filter((name) => reached.has(name)) };
  },

  // Where places of a stack were written. Callers ask another worker than the one that strips: what runs decides what is asked here.
  places(request: PlacesRequest): PlacesAnswer { return origins.find(request); },
};

const origins = new Origins((code, { source, name, names, made }) => links(code, source, name, new Set(names), made === "linked" ? [] : undefined));

// What the runtime has.
const BUILT_IN = /^(?:cloudflare|node):/;

// A specifier that leads to a module there is, in another's place.
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

// The code with specifiers that lead to modules there are. `pending`: of a project; gets those that are imported.
function link(code: string, source: string, name: string, names: ReadonlySet<string>, pending: string[] | undefined): string {
  let linked = "";
  let done = 0;
  for (const { start, end, text } of links(code, source, name, names, pending)) {
    linked += code.slice(done, start) + text;
    done = end;
  }
  return linked + code.slice(done);
}

function links(code: string, source: string, name: string, names: ReadonlySet<string>, pending: string[] | undefined): Edit[] {
  let imports;
  try {
    imports = sucrase(() => importsOf(code));
  } catch (error) {
    // V8 knows better what is JavaScript, and says it with the place.
    if (error instanceof Problem) return [];
    throw error;
  }
  const edits: Edit[] = [];
  for (const { specifier, start, end } of imports) {
    const found = resolve(specifier, name, names);
    if (found === undefined) {
      if (pending !== undefined && !BUILT_IN.test(specifier)) throw new Problem(unresolved(specifier), offsetIn(source, code, start, specifier), !IS_PATH.test(specifier));
      continue;
    }
    pending?.push(found.name);
    edits.push({ start, end, text: found.specifier });
  }
  return edits;
}

const IS_PATH = /^\.{0,2}\//;

function unresolved(specifier: string): string {
  if (IS_PATH.test(specifier)) return `"${specifier}" leads to no module of the project: no such file, or no rule makes files of its name modules.`;
  return `"${specifier}" is a package, and the project's folder has no node_modules. Install what it needs: npm install`;
}

// Types leave lines where they are, and move columns.
function offsetIn(source: string, code: string, start: number, specifier: string): number {
  const lines = code.slice(0, start).split("\n").length;
  let begin = 0;
  for (let line = 1; line < lines; line++) begin = source.indexOf("\n", begin) + 1;
  return Math.max(begin, source.indexOf(specifier, begin) - 1);
}

const TEXT_SHOWN_MAX = 160;

function describe(module: string, source: string, { message, offset, isPackage }: Problem) {
  if (offset === undefined) return { module, line: 0, column: 0, message, text: "", isPackage };
  const before = source.slice(0, offset).split("\n");
  const column = before.at(-1)!.length + 1;
  const text = source.split("\n", before.length)[before.length - 1]!.replace(/\r$/, "");
  return { module, line: before.length, column, message, text: text.length > TEXT_SHOWN_MAX ? "" : text, isPackage };
}
