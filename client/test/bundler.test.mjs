// createWorker(): projects and their packages become workers that run.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { connect } from "glovebox";
import { BundleError, createBundler } from "glovebox/bundler";
import { failure } from "./failure.mjs";
import { PackageRegistry, sha512 } from "./package-registry.mjs";

const folder = mkdtempSync(path.join(tmpdir(), "glovebox-bundler-"));
const registry = await PackageRegistry.start();
const bundler = createBundler({ cacheFolder: path.join(folder, "cache") });
const glovebox = await connect({ console: "ignore" });
after(async () => {
  await bundler.close();
  await glovebox.close();
  await registry.stop();
  rmSync(folder, { recursive: true });
});

const dependencies = (dependencies, more = {}) => JSON.stringify({ dependencies, ...more });
const create = (files, options = {}) => bundler.createWorker({ files, registry: registry.url, ...options });
// What the default export's run() gives.
async function load(made) {
  const worker = glovebox.loader.load({ ...made, compatibilityDate: "2026-01-01", globalOutbound: null });
  try {
    return await worker.getEntrypoint().run(0);
  } finally {
    worker[Symbol.dispose]();
  }
}
const result = async (files, options) => load(await create(files, options));
const run = (expression) => `export default { run() { return ${expression}; } };`;

// -- Packages --------------------------------------------------------------------------------------------------------------------

test("the article's fourth step: hono through the configured registry and a cold cache, and from a warm one without any network", async () => {
  const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"]);
  const behind = await PackageRegistry.start(stdout.trim());
  const example = fileURLToPath(new URL("../../examples/bundled/main.mjs", import.meta.url));
  const env = { ...process.env, npm_config_registry: behind.url, XDG_CACHE_HOME: path.join(folder, "user") };
  const printed = async () => (await promisify(execFile)(process.execPath, [example], { env, timeout: 100_000 })).stdout;
  try {
    assert.equal(await printed(), '200 Hello from a sandboxed Hono app\n200 {"ok":true}\n');
    assert.equal(behind.requests.length, 2);
    assert.match(behind.requests[1], /^\/hono\/-\/hono-4\.\d+\.\d+\.tgz$/);
  } finally {
    await behind.stop();
  }
  assert.equal(await printed(), '200 Hello from a sandboxed Hono app\n200 {"ok":true}\n');
  assert.equal(behind.requests.length, 2);
});

test("ranges, tags, aliases and scopes choose as npm does: the latest if it will do, otherwise the highest that is not deprecated", async () => {
  for (const version of ["1.0.0", "1.2.0", "1.3.0", "2.0.0"]) {
    registry.add("picked", version, { "index.js": `export default "${version}";` }, { main: "index.js", ...(version === "1.3.0" ? { deprecated: "broken" } : {}) });
  }
  registry.add("picked", "3.0.0-beta.1", { "index.js": "export default 'beta';" }, { main: "index.js" }, { tags: { latest: "2.0.0", next: "3.0.0-beta.1" } });
  registry.add("@scope/name", "1.0.0", { "index.js": "export default 'scoped';" }, { exports: "./index.js" });
  const of = (range) => result({ "src/index.ts": `import it from "picked"; ${run("it")}`, "package.json": dependencies({ picked: range }) });
  assert.deepEqual(await Promise.all(["^1.0.0", "1.0.0", "*", ">=1", "next", "", "~1.3.0", "npm:@scope/name@1"].map(of)),
    ["1.2.0", "1.0.0", "2.0.0", "2.0.0", "beta", "2.0.0", "1.3.0", "scoped"]);
  assert.match((await failure(of("^9"))).message, /There is no version of "picked" for "\^9", which package\.json asks for\. There are 5, the latest is 2\.0\.0\./);
  assert.match((await failure(of("github:a/b"))).message, /The dependency "picked": "github:a\/b" of package\.json is none on a registry/);
});

test("packages that need different versions of one get each its own; cycles, peers and optional ones are as with npm", async () => {
  const index = (text) => ({ "index.js": text });
  for (const version of ["1.0.0", "2.0.0"]) registry.add("shared", version, index(`export default ${version[0]};`), { main: "index.js" });
  registry.add("one", "1.0.0", index('import s from "shared"; export default ["one", s];'), { main: "index.js", dependencies: { shared: "1" } });
  registry.add("two", "1.0.0", index('import s from "shared"; import t from "three"; export default ["two", s, t];'), { main: "index.js", dependencies: { shared: "2", three: "1" } });
  registry.add("three", "1.0.0", index('import s from "shared"; import * as two from "two"; export default ["three", s, typeof two];'),
    { main: "index.js", dependencies: { shared: "2", two: "*" }, optionalDependencies: { nowhere: "1" }, peerDependencies: { peer: "1" } });
  registry.add("peer", "1.0.0", index("export default 'peer';"), { main: "index.js" });
  const made = await create({
    "src/index.ts": `import one from "one"; import two from "two"; import peer from "peer"; ${run("[one, two, peer]")}`, "package.json": dependencies({ one: "1", two: "1" }),
  });
  assert.deepEqual(await load(made), [["one", 1], ["two", 2, ["three", 2, "object"]], "peer"]);
  assert.equal(made.warnings.length, 1);
  assert.match(made.warnings[0], /The optional dependency "nowhere" of three@1\.0\.0 is left out: The registry .* has no package "nowhere"\./);
});

test("a lock file is what counts, and asks the registry for no document", async () => {
  registry.add("locked", "1.0.0", { "index.js": "export default 'old';" }, { main: "index.js" });
  const { integrity } = registry.document("locked").versions["1.0.0"].dist;
  registry.add("locked", "1.1.0", { "index.js": "export default 'new';" }, { main: "index.js" });
  const lock = (entry, root = { locked: "^1.0.0" }) => JSON.stringify({
    lockfileVersion: 3, packages: { "": { dependencies: root }, "node_modules/locked": { version: "1.0.0", integrity, ...entry }, "node_modules/tool": { version: "9.9.9", dev: true } },
  });
  const files = (lock) => ({ "src/index.ts": `import it from "locked"; ${run("it")}`, "package.json": dependencies({ locked: "^1.0.0" }), "package-lock.json": lock });
  registry.requests.length = 0;
  assert.equal(await result(files(lock({}))), "old");
  assert.deepEqual(registry.requests, ["/locked/-/locked-1.0.0.tgz"]);
  assert.equal(await result({ ...files(lock({})), "package-lock.json": JSON.stringify({ lockfileVersion: 3, packages: { "": { dependencies: { locked: "^1.0.0" } }, "node_modules/locked": { version: "1.1.0", integrity: registry.document("locked").versions["1.1.0"].dist.integrity } } }) }), "new");
  const other = await failure(create(files(lock({}, { locked: "^2.0.0" }))));
  assert.match(other.message, /^package-lock\.json: The lock file is of another package\.json: the dependency "locked" is "\^2\.0\.0" in it, and "\^1\.0\.0" there/);
  assert.match((await failure(create(files(lock({ integrity: undefined }))))).message, /has no integrity hash/);
  assert.match((await failure(create(files(lock({ version: "1.1.0", integrity: sha512("other") }))))).message, /The tarball of locked@1\.1\.0 is not what was published: its hash is not sha512-/);
  assert.match((await failure(create(files("")))).message, /^package-lock\.json:1:1: This is no JSON/);
  const { "package-lock.json": _, ...unlocked } = files("");
  const warned = await create({ ...unlocked, "yarn.lock": "", "package.json": dependencies({ locked: "^1.0.0" }, { overrides: {} }) });
  assert.match(warned.warnings[0], /^yarn\.lock is not read: versions are chosen by the ranges/);
  assert.match(warned.warnings[1], /^`overrides` in package\.json count only where/);
  assert.match((await failure(create(files("{ 1")))).message, /^package-lock\.json:1:3: This is no JSON: /);
  assert.match((await failure(create(files('{"lockfileVersion":1}')))).message, /The lock file has the version 1, expected 2 or 3/);
});

test("documents of tens of megabytes are read", async () => {
  registry.add("wordy", "1.0.0", { "index.js": "export default 'wordy';" }, { main: "index.js" });
  registry.document("wordy").readme = "é".repeat(20 << 20);
  assert.equal(await result({ "src/index.ts": `import it from "wordy"; ${run("it")}`, "package.json": dependencies({ wordy: "1" }) }), "wordy");
  registry.add("wordier", "1.0.0", {}, { main: "index.js" }).document("wordier").readme = "x".repeat(97 << 20);
  assert.match((await failure(create({ "src/index.ts": "", "package.json": dependencies({ wordier: "1" }) }))).message, /has more than 96 MiB, which is the most that is taken/);
});

test("exports are resolved for workers, and what is not used is left out", async () => {
  registry.add("conditional", "1.0.0", {
    "worker.js": "export default 'workerd'; export const unused = 'NOT USED';", "node.js": "export default 'node';", "custom.js": "export default 'custom';",
  }, { exports: { ".": { custom: "./custom.js", node: "./node.js", workerd: "./worker.js", default: "./node.js" } }, sideEffects: false });
  const files = { "src/index.ts": `import it from "conditional"; ${run("it")}`, "package.json": dependencies({ conditional: "1" }) };
  const made = await create(files);
  assert.equal(await load(made), "workerd");
  assert.doesNotMatch(made.modules["bundle.js"], /NOT USED/);
  assert.equal(await result(files, { conditions: ["custom"] }), "custom");
  const missing = await failure(create({ ...files, "src/index.ts": 'import "conditional/inner"; import "not-there";' }));
  assert.equal(missing.errors.length, 2, missing.message);
  assert.match(missing.errors[0].text, /Could not resolve "conditional\/inner"/);
  assert.match(missing.errors[1].text, /the package "not-there" is not among the dependencies in package\.json/);
});

test("packages that came along as files are taken as they are", async () => {
  registry.requests.length = 0;
  assert.equal(await result({
    "src/index.ts": `import it from "along"; ${run("it")}`, "package.json": dependencies({ along: "^1.0.0" }),
    "node_modules/along/package.json": '{"main":"a.cjs"}', "node_modules/along/a.cjs": "module.exports = 'along';",
  }), "along");
  assert.deepEqual(registry.requests, []);
});

test("what is in the cache is checked when it is read, and fetched again if it was changed", async () => {
  registry.add("cached", "1.0.0", { "index.js": "export default 'right';" }, { main: "index.js" });
  const files = { "src/index.ts": `import it from "cached"; ${run("it")}`, "package.json": dependencies({ cached: "1" }) };
  const cacheFolder = path.join(folder, "changed");
  // A Bundler each, because a warm worker has unpacked it already.
  const fresh = async () => {
    const bundler = createBundler({ cacheFolder });
    try {
      return await load(await bundler.createWorker({ files, registry: registry.url }));
    } finally {
      await bundler.close();
    }
  };
  const kept = () => readdirSync(cacheFolder, { recursive: true }).map((file) => path.join(cacheFolder, file)).filter((file) => statSync(file).isFile());
  registry.requests.length = 0;
  assert.equal(await fresh(), "right");
  assert.equal(await fresh(), "right");
  assert.equal(registry.requests.length, 2);
  assert.equal(kept().length, 2);
  for (const file of kept()) writeFileSync(file, "changed");
  assert.equal(await fresh(), "right");
  assert.equal(registry.requests.length, 4);
  assert.equal(kept().length, 2);
});

test("the cache has a bound, and what was not used for longest goes first", async () => {
  const cacheFolder = path.join(folder, "bounded");
  const small = createBundler({ cacheFolder, cacheMbMax: 1 });
  const size = () => readdirSync(cacheFolder, { recursive: true }).map((file) => statSync(path.join(cacheFolder, file))).reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
  try {
    for (let i = 0; i < 6; i++) {
      registry.add(`bulky-${i}`, "1.0.0", { "index.js": `export default ${i};`, "noise.txt": randomBytes(300_000).toString("base64") }, { main: "index.js" });
      await small.createWorker({ files: { "src/index.ts": `import "bulky-${i}";`, "package.json": dependencies({ [`bulky-${i}`]: "1" }) }, registry: registry.url });
      assert.ok(size() <= 1 << 20, `${size()}`);
    }
    assert.ok(size() > 300_000);
    registry.requests.length = 0;
    const again = createBundler({ cacheFolder, cacheMbMax: 1 });
    await again.createWorker({ files: { "src/index.ts": "", "package.json": dependencies({ "bulky-5": "1" }) }, registry: registry.url }).finally(() => again.close());
    assert.deepEqual(registry.requests, []);
  } finally {
    await small.close();
  }
});

// -- Sources ---------------------------------------------------------------------------------------------------------------------

test("an error in a source is told with its file, line and column, as data too", async () => {
  const error = await failure(create({ "src/index.ts": 'import { a } from "./a.ts";\nexport default a;', "src/a.ts": "const ok: number = 1;\n\tconst ä: string = ;" }));
  assert.ok(error instanceof BundleError && error.name === "BundleError");
  assert.deepEqual(error.errors, [{ text: 'Unexpected ";"', file: "src/a.ts", line: 2, column: 20, lineText: "\tconst ä: string = ;" }]);
  assert.equal(error.message, 'src/a.ts:2:20: Unexpected ";"\n    \tconst ä: string = ;\n    \t                  ^');
  const json = await failure(create({ "src/index.ts": "", "package.json": '{\n  "dependencies": {,}\n}' }));
  assert.deepEqual([json.errors[0].file, json.errors[0].line], ["package.json", 2]);
});

test("JSX, TypeScript, JSON, text, CSS, bytes and WebAssembly become what a worker can import", async () => {
  registry.add("ui", "1.0.0", { "runtime.js": "export const jsx = (tag, props) => [tag, props]; export const jsxs = jsx;" }, { exports: { "./jsx-runtime": "./runtime.js" } });
  const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]);
  const files = {
    "src/index.tsx": `import data from "./data.json"; import text from "./a.txt"; import css from "./a.css"; import bytes from "./a.bin"; import module from "./a.wasm";
      import { Level } from "./level"; const view = <p title="t">{data.n}</p>;
      ${run("[view, text, css, [...new Uint8Array(bytes)], new WebAssembly.Instance(module).exports.f(), Level.High]")}`,
    "src/level.ts": "export enum Level { Low, High }", "src/data.json": '{"n":5}', "src/a.txt": "text", "src/a.css": "p { color: red }", "src/a.bin": new Uint8Array([1, 2]), "src/a.wasm": wasm,
    "package.json": dependencies({ ui: "1" }),
  };
  assert.deepEqual(await result(files, { jsx: "automatic", jsxImportSource: "ui" }), [["p", { title: "t", children: 5 }], "text", "p { color: red }", [1, 2], 42, 1]);
});

test("modules of the runtime and what `externals` names stay imports", async () => {
  const made = await create({ "index.ts": 'import { WorkerEntrypoint } from "cloudflare:workers"; import fs from "node:fs"; import path from "path"; import { x } from "given"; import y from "also/inner"; console.log(WorkerEntrypoint, fs, path, x, y);' },
    { externals: ["given", "also/*"] });
  const text = made.modules["bundle.js"];
  for (const name of ["cloudflare:workers", "node:fs", "node:path", "given", "also/inner"]) assert.match(text, new RegExp(`from "${name}"`));
});

test("define, minify, target, source maps and virtual modules do what they say", async () => {
  const files = { "index.ts": `import config from "virtual:app/config"; declare const DEBUG: boolean; ${run("[config, DEBUG, process.env.NODE_ENV, (globalThis as any).nothing?.x]")}` };
  const virtualModules = { "virtual:app/config": "export default { mode: 'virtual' as string };" };
  const options = { virtualModules, define: { DEBUG: "false" } };
  assert.deepEqual(await result(files, options), [{ mode: "virtual" }, false, "production", undefined]);
  const plain = (await create(files, options)).modules["bundle.js"];
  assert.match(plain, /\?\.x/);
  assert.doesNotMatch((await create(files, { ...options, target: "es2019" })).modules["bundle.js"], /\?\.x/);
  assert.ok((await create(files, { ...options, minify: true })).modules["bundle.js"].length < plain.length / 2);
  const mapped = (await create(files, { ...options, sourcemap: true })).modules["bundle.js"];
  const map = JSON.parse(Buffer.from(/sourceMappingURL=data:application\/json;base64,(\S+)/.exec(mapped)[1], "base64"));
  assert.ok(map.sources.some((source) => source.endsWith("index.ts")) && map.sourcesContent.includes(files["index.ts"]));
});

test("bundle: false makes a module of each file that is reached, with imports led to them", async () => {
  const files = {
    "src/index.ts": 'import { a } from "./lib"; import data from "./data.json"; import text from "../t.txt"; import("./late.ts"); export default { run(): unknown { return [a, data, text]; } };',
    "src/lib/index.ts": 'export { a } from "../a.js";', "src/a.ts": "export const a: number = 1;", "src/late.ts": "", "src/data.json": '{"__proto__":2}', "t.txt": "t", "src/broken.ts": "not reached (",
  };
  const made = await create(files, { bundle: false });
  assert.deepEqual(Object.keys(made.modules), ["src/a.js", "src/data.json", "src/index.js", "src/late.js", "src/lib/index.js", "t.txt"]);
  assert.equal(made.mainModule, "src/index.js");
  const [a, data, text] = await load(made);
  assert.deepEqual([a, Object.keys(data), text], [1, ["__proto__"], "t"]);
  assert.match((await failure(create({ "index.ts": 'import "hono";' }, { bundle: false }))).message, /^index\.ts:1:8: "hono" is a package, and with `bundle: false` only files become modules/);
  assert.match((await failure(create({ "index.ts": 'import "./no";' }, { bundle: false }))).message, /^index\.ts:1:8: Could not resolve "\.\/no"/);
});

test("the entry is the option's, wrangler's, package.json's or one of the usual ones; wrangler's configuration is told", async () => {
  const files = { "a.ts": run("'a'"), "b.ts": run("'b'"), "src/index.ts": run("'index'") };
  assert.equal(await result(files), "index");
  assert.equal(await result({ ...files, "package.json": '{"main":"./b.ts"}' }), "b");
  assert.equal(await result({ ...files, "package.json": '{"main":"./b.ts","exports":{".":{"import":"./a.ts"}}}' }), "a");
  const jsonc = await create({ ...files, "package.json": '{"main":"./b.ts"}', "wrangler.jsonc": '{ // so\n "main": "a.ts", "compatibility_date": "2026-01-01", "compatibility_flags": ["nodejs_compat"], }' });
  assert.deepEqual(jsonc.wranglerConfig, { main: "a.ts", compatibilityDate: "2026-01-01", compatibilityFlags: ["nodejs_compat"] });
  assert.equal(await load({ mainModule: jsonc.mainModule, modules: jsonc.modules }), "a");
  const { wranglerConfig, ...toml } = await create({ ...files, "wrangler.toml": 'main = "b.ts"\ncompatibility_date = "2026-01-02"' });
  assert.deepEqual(wranglerConfig, { main: "b.ts", compatibilityDate: "2026-01-02" });
  assert.equal(await load(toml), "b");
  assert.equal(await result({ ...files, "wrangler.toml": 'main = "b.ts"' }, { entryPoint: "./a.ts" }), "a");
  assert.match((await failure(create({ ...files, "wrangler.toml": 'main = "b.ts"\nx = = 1' }))).message, /^wrangler\.toml:2:5: This is no TOML: /);
  assert.match((await failure(create({ "x.ts": "" }))).message, /There is nothing to begin with/);
  assert.match((await failure(create(files, { entryPoint: "c.ts" }))).message, /`entryPoint` is "c\.ts", and there is no such file/);
});

test("the same project gives the same bundle, and two at once do not mix", async () => {
  const project = (letter) => ({ "src/index.ts": `import { value } from "./value.ts"; ${run("value")}`, "src/value.ts": `export const value = "${letter}";`, ...(letter === "b" ? { "src/only-b.ts": "" } : {}) });
  const [a, b, again] = await Promise.all([create(project("a")), create(project("b")), create(project("a"))]);
  assert.deepEqual(again, a);
  assert.deepEqual([await load(a), await load(b)], ["a", "b"]);
  assert.match((await failure(create({ "src/index.ts": 'import "./only-b.ts";' }))).message, /Could not resolve "\.\/only-b\.ts"/);
});

test("what createWorker() does not understand is refused in words", async () => {
  const files = { "index.ts": "" };
  for (const [options, words] of [
    [undefined, /expects an object such as/], [{}, /`files` is undefined, expected an object of texts by path/], [{ files: { "../a": "" } }, /"\.\.\/a" is no path of a file in a project/],
    [{ files: { a: 1 } }, /the file "a" is number/], [{ files: { "a.ts": "", "./a.ts": "" } }, /"a\.ts" is there twice/], [{ files, minify: 1 }, /`minify` is 1, expected true or false/],
    [{ files, minfy: true }, /knows no option `minfy`/], [{ files, loader: { ".svg": "file" } }, /`loader` is "\.svg: file"/], [{ files, registry: "x" }, /`registry` is "x", expected an address/],
    [{ files, __dangerouslyUseEsBuildPluginsDoNotUseOrYouWillBeFired: [] }, /plugins are functions of this program/], [{ files: { "a.ts": "x".repeat(31 << 20) } }, /may have 30 MiB, these have/],
  ]) assert.match((await failure(bundler.createWorker(options))).message, words);
  assert.throws(() => createBundler({ glovebox: {} }), /`glovebox` is an object, expected what connect\(\) gives/);
  const target = await failure(create(files, { target: "es1" }));
  assert.match(target.message, /es1/);
});
