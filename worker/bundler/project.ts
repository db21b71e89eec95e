// What a project's own files say about it: where it begins, what it depends on, what its wrangler.jsonc, .json or .toml asks for.

import { parse as parseJsonc, printParseErrorCode } from "jsonc-parser";
import type { ParseError } from "jsonc-parser";
import { parse as parseToml, TomlError } from "smol-toml";
import type { Manifest } from "./install.ts";
import { fields, texts } from "./packages.ts";
import { placed, problem } from "./problem.ts";

export interface WranglerConfig {
  main?: string;
  compatibilityDate?: string;
  compatibilityFlags?: string[];
}

export interface Project {
  readonly entry: string;
  readonly manifest: Manifest;
  readonly lock: unknown;   // undefined: there is none
  readonly wrangler: WranglerConfig | undefined;
  readonly warnings: string[];
}

type Read = (name: string) => string | undefined;

export function readProject(read: Read, entryPoint: string | null): Project {
  const wrangler = readWrangler(read);
  const text = read("package.json");
  const json = text === undefined ? {} : fields(parseJson(text, "package.json"));
  const dependencies = texts(json.dependencies);
  const optional = texts(json.optionalDependencies);
  for (const [name, range] of optional) dependencies.set(name, range);
  for (const name of dependencies.keys()) {
    if (!/^(?:@[\w.~-]+\/)?[\w.~-]+$/.test(name) || /(?:^|\/)\.{1,2}$/.test(name)) throw problem(`${JSON.stringify(name)} is no name of a package.`, "package.json");
  }
  const warnings: string[] = [];
  const lockText = read("npm-shrinkwrap.json") ?? read("package-lock.json");
  if (lockText === undefined && dependencies.size > 0) {
    const other = OTHER_LOCKS.find((name) => read(name) !== undefined);
    if (other !== undefined) warnings.push(`${other} is not read: versions are chosen by the ranges in package.json, unless there is a package-lock.json.`);
    if (json.overrides !== undefined) warnings.push("`overrides` in package.json count only where a package-lock.json was made by them.");
  }
  return {
    entry: findEntry(read, entryPoint, wrangler, json),
    manifest: { dependencies, optional: new Set(optional.keys()) },
    lock: lockText === undefined ? undefined : parseJson(lockText, "package-lock.json"),
    wrangler,
    warnings,
  };
}

const OTHER_LOCKS = ["pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"];
const DEFAULT_ENTRIES = ["src/index.ts", "src/index.tsx", "src/index.js", "src/index.mjs", "src/worker.ts", "src/worker.js", "index.ts", "index.js"];

function findEntry(read: Read, entryPoint: string | null, wrangler: WranglerConfig | undefined, manifest: Record<string, unknown>): string {
  for (const [from, said] of [["`entryPoint`", entryPoint], ["`main` of the wrangler configuration", wrangler?.main]] as const) {
    if (said === null || said === undefined) continue;
    const name = normal(said);
    if (name === undefined || read(name) === undefined) throw problem(`${from} is ${JSON.stringify(said)}, and there is no such file in \`files\`.`);
    return name;
  }
  for (const said of [entryOf(manifest.exports), manifest.module, manifest.main]) {
    const name = typeof said === "string" ? normal(said) : undefined;
    if (name !== undefined && read(name) !== undefined) return name;
  }
  const found = DEFAULT_ENTRIES.find((name) => read(name) !== undefined);
  if (found === undefined) {
    throw problem(`There is nothing to begin with: no \`entryPoint\`, no \`main\` in a wrangler configuration or package.json, and none of ${DEFAULT_ENTRIES.join(", ")}.`);
  }
  return found;
}

// "exports" of a package.json: of the package itself, for an import.
function entryOf(value: unknown, depth = 0): unknown {
  if (typeof value === "string" || depth > 8) return value;
  const conditions = fields(value);
  for (const key of [".", "workerd", "worker", "browser", "import", "default"]) {
    if (Object.hasOwn(conditions, key)) return entryOf(conditions[key], depth + 1);
  }
  return undefined;
}

export function normal(path: string): string | undefined {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 || parts.includes("..") ? undefined : parts.join("/");
}

function readWrangler(read: Read): WranglerConfig | undefined {
  for (const name of ["wrangler.json", "wrangler.jsonc", "wrangler.toml"]) {
    const text = read(name);
    if (text === undefined) continue;
    const config = fields(name.endsWith(".toml") ? readToml(text, name) : readJsonc(text, name));
    const { main, compatibility_date: date, compatibility_flags: flags } = config;
    return {
      ...(typeof main === "string" ? { main } : {}),
      ...(typeof date === "string" ? { compatibilityDate: date } : {}),
      ...(Array.isArray(flags) ? { compatibilityFlags: flags.filter((flag) => typeof flag === "string") } : {}),
    };
  }
  return undefined;
}

function readJsonc(text: string, name: string): unknown {
  const errors: ParseError[] = [];
  const value: unknown = parseJsonc(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) throw placed(`This is no JSON with comments: ${printParseErrorCode(first.error)}.`, name, text, first.offset);
  return value;
}

function readToml(text: string, name: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const begin = text.split("\n").slice(0, error.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
    throw placed(`This is no TOML: ${error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "")}.`, name, text, begin + error.column - 1);
  }
}

// JSON.parse says what is wrong and jsonc-parser where.
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const errors: ParseError[] = [];
    parseJsonc(text, errors, { disallowComments: true, allowTrailingComma: false });
    throw placed(`This is no JSON: ${(error as Error).message}.`, name, text, errors[0]?.offset ?? 0);
  }
}
