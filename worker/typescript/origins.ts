// From a place in the code that a worker runs to the place in the file that somebody wrote: asked for when a stack is shown, and not before. What was
// done to the module is done once more, with a map; a map that came with it (a bundler's, or a data: URL in its last lines) leads further.
//
// Maps and sources are whoever's code it is. Of a stack only numbers come here, and where this cannot tell, the place is shown as it was.

import { AnyMap, TraceMap, originalPositionFor, traceSegment } from "@jridgewell/trace-mapping";

import type { Edit } from "./main.ts";
import { stripWithMap } from "./strip.ts";

export interface Origin {
  // The caller's; each module is sent once to each worker.
  id: number;
  name: string;
  // As it is shown; sources of a map are relative to it.
  file: string;
  made: "asIs" | "stripped" | "linked";
  // What it was made of. Empty: nothing is known but the map.
  source: string;
  // Of a project: all of its modules.
  names: string[];
  // JSON, or empty.
  map: string;
}

// Lines and columns from 1, as V8 has them.
export type Place = [file: string, line: number, column: number];

export interface PlacesRequest {
  origins: Origin[];
  places: [id: number, line: number, column: number][];
}

// Null: not known. `unknown`: of a module that this worker has not been given, or not any more.
export type PlacesAnswer = { places: (Place | null)[] } | { unknown: true };

// Links of the module's imports, as the stripper made them.
type EditsOf = (code: string, origin: Origin) => Edit[];

type Step = (line: number, column: number) => [line: number, column: number] | undefined;   // from 0

interface Traced {
  // Undefined: the map alone knows where anything was written.
  readonly file: string | undefined;
  readonly base: string;
  readonly unmade: Step;
  readonly map: TraceMap | undefined;
}

const ORIGINS_KEPT = 256;

export class Origins {
  readonly #editsOf: EditsOf;
  readonly #given = new Map<number, Origin>();
  readonly #traced = new Map<number, Traced>();

  constructor(editsOf: EditsOf) { this.#editsOf = editsOf; }

  find({ origins, places }: PlacesRequest): PlacesAnswer {
    if (this.#given.size + origins.length > ORIGINS_KEPT) {
      this.#given.clear();
      this.#traced.clear();
    }
    for (const origin of origins) this.#given.set(origin.id, origin);
    if (places.some(([id]) => !this.#given.has(id))) return { unknown: true };
    return { places: places.map(([id, line, column]) => this.#find(id, line - 1, Math.max(0, column - 1))) };
  }

  #find(id: number, line: number, column: number): Place | null {
    let traced = this.#traced.get(id);
    if (traced === undefined) this.#traced.set(id, traced = this.#trace(this.#given.get(id)!));
    try {
      const written = traced.unmade(line, column);
      if (written === undefined) return null;
      const { map } = traced;
      if (map !== undefined) {
        const { source, line, column } = originalPositionFor(map, { line: written[0] + 1, column: written[1] });
        // A source without a name is the folder.
        if (source !== null && !source.endsWith("/")) return [shown(source, traced.base), line, column + 1];
      }
      return traced.file === undefined ? null : [traced.file, written[0] + 1, written[1] + 1];
    } catch {
      return null;
    }
  }

  #trace(origin: Origin): Traced {
    const { file, made } = origin;
    return { file: made === "asIs" ? undefined : file, base: file, unmade: attempt(() => unmake(origin, this.#editsOf)) ?? (() => undefined), map: attempt(() => mapOf(origin)) };
  }
}

// Somebody's text is wrong; then there is nothing.
function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function unmake(origin: Origin, editsOf: EditsOf): Step {
  if (origin.made === "asIs") return (line, column) => [line, column];
  const stripped = stripWithMap(origin.source, origin.name);
  const edits = editsOf(stripped.code, origin);
  const lines = beginningsOf(stripped.code);
  const map = stripped.map === undefined ? undefined : new TraceMap(stripped.map as ConstructorParameters<typeof TraceMap>[0]);
  return (line, column) => {
    const begin = lines[line];
    if (begin === undefined) return undefined;
    column = unlink(edits, begin, lines[line + 1] ?? Infinity, column);
    if (map === undefined) return [line, column];
    const segment = traceSegment(map, line, column);
    // Within a token nothing has moved.
    return segment === null || segment.length === 1 ? undefined : [segment[2], segment[3] + column - segment[0]];
  };
}

function beginningsOf(text: string): number[] {
  const beginnings = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) beginnings.push(at + 1);
  return beginnings;
}

// A column of the linked line, in the line before.
function unlink(edits: readonly Edit[], begin: number, end: number, column: number): number {
  let shift = 0;
  for (const { start, end: after, text } of edits) {
    if (start < begin || start >= end) continue;
    const from = start - begin + shift;
    if (column < from) break;
    if (column < from + text.length) return start - begin;
    shift += text.length - (after - start);
  }
  return column - shift;
}

function mapOf({ source, file, map }: Origin): TraceMap | undefined {
  const text = map === "" ? inlineMap(source) : map;
  // Maps of maps, too.
  return text === undefined ? undefined : new AnyMap(JSON.parse(text), "/" + file.replace(/^\/+/, "")) as TraceMap;
}

const BEGIN = "//# sourceMappingURL=data:";

function inlineMap(source: string): string | undefined {
  const at = source.lastIndexOf(BEGIN);
  if (at === -1) return undefined;
  const line = source.slice(at + BEGIN.length).split("\n", 1)[0]!.trimEnd();
  const comma = line.indexOf(",");
  if (comma === -1 || !/^application\/json\b/.test(line)) return undefined;
  const data = line.slice(comma + 1);
  if (!line.slice(0, comma).endsWith(";base64")) return decodeURIComponent(data);
  return new TextDecoder().decode(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
}

// A path beside the file, as that one's; whatever else the map says (`webpack://...`).
function shown(source: string, file: string): string { return source.startsWith("/") && !file.startsWith("/") ? source.slice(1) : source; }
