// Paths of modules as TypeScript writes imports: without an ending, with JavaScript's for a file of TypeScript's, or a folder for its index.

const ENDINGS = [".ts", ".tsx", ".mts", ".jsx", ".js", ".mjs", ".json"];
const OF_JAVASCRIPT: Record<string, string[]> = { ".js": [".ts", ".tsx", ".jsx"], ".mjs": [".mts"], ".jsx": [".tsx"] };

// Where a specifier with a path leads from `importer`, without a slash in front. Undefined: out of everything.
export function joinPath(specifier: string, importer: string): string | undefined {
  const parts = specifier.startsWith("/") ? [] : importer.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

// The file that a path means, of those that are there: exactly, with the ending of TypeScript, without one, or as a folder.
export function findFile(path: string, isThere: (candidate: string) => boolean): string | undefined {
  for (const candidate of candidates(path)) if (isThere(candidate)) return candidate;
  return undefined;
}

function* candidates(path: string): Iterable<string> {
  yield path;
  const ending = /\.[a-z]+$/.exec(path)?.[0] ?? "";
  for (const other of Object.hasOwn(OF_JAVASCRIPT, ending) ? OF_JAVASCRIPT[ending]! : []) yield path.slice(0, -ending.length) + other;
  for (const other of ENDINGS) yield path + other;
  for (const other of ENDINGS) yield (path === "" ? "" : path + "/") + "index" + other;
}

// The specifier that leads from `importer` to exactly `name`.
export function relativeTo(name: string, importer: string): string {
  const to = name.split("/");
  const from = importer.split("/").slice(0, -1);
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++;
  const up = "../".repeat(from.length - shared);
  return (up === "" ? "./" : up) + to.slice(shared).join("/");
}
