// Types out of the modules of a load(). It is done by a worker (worker/typescript/), because TypeScript that nobody has reviewed is not
// to be parsed in a program that is trusted. Each loader has one of its own, under no name that others could use: it is warm between
// loads, made again when it died, and evicted like any named worker.
//
// Whoever took that worker over could change what later loads of the same loader are made of, and nothing else: it has no capability,
// and answers with texts for modules whose names and kinds are known here.

import { readFileSync } from "node:fs";
import { checkLimits } from "../../ipc/js/limits.ts";
import { WorkerLoader } from "../../ipc/js/loader.ts";
import type { GivenCode, GivenModule, Strip } from "../../ipc/js/loader.ts";
import type { WorkerCode } from "../../ipc/js/wire.ts";
import { typescriptFile } from "./addon-file.ts";
import { GloveboxError } from "./errors.ts";
import type { ClientLine } from "./line.ts";

// Sucrase does 2 to 3 MB/s, and needs some 30 times a text's size: what is larger meets the limit of memory.
const TYPESCRIPT_BYTES_MAX = 4 << 20;
const STRIP_CPU_MS = 5_000;
const STRIP_WALL_MS = 30_000;

const NAME = "typescript";

export function typeStripper(line: ClientLine): Strip {
  let stripper: WorkerLoader | undefined;
  // One after the other: calls that overlap in a worker would end together at a limit, one load for the fault of another.
  let last: Promise<unknown> = Promise.resolve();
  return (code) => {
    stripper ??= new WorkerLoader(line.session.hold(line.loader(checkLimits({ cpuMs: STRIP_CPU_MS, wallMs: STRIP_WALL_MS }, "LoaderOptions")), undefined));
    const loader = stripper;
    const stripped = last.then(() => strip(loader, code));
    last = stripped.catch(() => {});
    return stripped;
  };
}

async function strip(loader: WorkerLoader, code: GivenCode): Promise<WorkerCode> {
  const typed = code.modules.filter(({ kind }) => kind === "ts");
  const bytes = typed.reduce((sum, { body }) => sum + Buffer.byteLength(body as string), 0);
  if (bytes > TYPESCRIPT_BYTES_MAX) {
    throw new RangeError(`The TypeScript of a worker may have ${TYPESCRIPT_BYTES_MAX >> 20} MiB, this has ${bytes} bytes. Strip its types before, or bundle it.`);
  }
  const worker = loader.get(NAME, () => ({
    compatibilityDate: "2026-03-01",
    mainModule: "typescript.js",
    modules: { "typescript.js": readFileSync(typescriptFile(), "utf8") },
  }));
  const others = code.modules.filter(({ kind }) => kind !== "ts").map(({ name }) => name);
  let answer: unknown;
  try {
    const entrypoint = worker.getEntrypoint() as { strip(request: object): Promise<unknown> };
    answer = await entrypoint.strip({ sources: typed.map(({ name, body }) => [name, body]), others, main: null });
  } catch (error) {
    // Whatever state it is in: the next load gets another.
    if (error instanceof GloveboxError && error.code !== "disconnected") await loader.abort(NAME).catch(() => {});
    throw failed(error, typed);
  }
  const texts = textsOf(answer, typed.length);
  let next = 0;
  return { ...code, modules: code.modules.map(({ name, kind, body }) => kind === "ts" ? { name, kind: "js", body: texts[next++]! } : { name, kind, body }) };
}

function failed(error: unknown, typed: GivenModule[]): unknown {
  const what = `The types of ${typed.length === 1 ? `"${typed[0]!.name}"` : `${typed.length} modules ("${typed[0]!.name}", ...)`} could not be stripped: `;
  if (error instanceof GloveboxError) return new GloveboxError(error.code, what + error.message);
  return new Error(what + (error instanceof Error ? error.message : "the worker that does it threw something."));
}

// What it says is checked: texts, and as many as were asked for.
function textsOf(answer: unknown, count: number): string[] {
  const { code, problem } = (answer ?? {}) as { code?: unknown; problem?: unknown };
  if (problem !== undefined) throw syntaxError((problem ?? {}) as Record<string, unknown>);
  if (!Array.isArray(code) || code.length !== count || !code.every((text) => typeof text === "string")) throw unusable();
  return code as string[];
}

// "agent.ts:3:15: Unexpected token." and the line with a mark below.
function syntaxError({ module, line, column, message, text }: Record<string, unknown>): Error {
  if (typeof module !== "string" || typeof line !== "number" || typeof column !== "number" || typeof message !== "string" || typeof text !== "string") return unusable();
  const place = line > 0 ? `${module}:${line}:${column}` : module;
  const shown = text === "" ? "" : `\n    ${text}\n    ${text.slice(0, Math.max(0, column - 1)).replace(/[^\t]/g, " ")}^`;
  return new SyntaxError(`${place}: ${message}${shown}`);
}

function unusable(): GloveboxError { return new GloveboxError("protocolViolation", "The worker that strips types gave no usable answer."); }
