// Packages that a project's node_modules has not: the command has them bundled from a registry, through the cache of createWorker().

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";

import { createBundler } from "glovebox/bundler";
import { startCommand, temporaryFolder } from "./command-world.mjs";
import { PackageRegistry, sha512 } from "./package-registry.mjs";

const registry = await PackageRegistry.start();
after(() => registry.stop());
registry.add("inner", "1.0.0", { "index.js": "export const inner = 'inner 1';" });
registry.add("inner", "2.0.0", { "index.js": "export const inner = 'inner 2';" });
registry.add("outer", "1.0.0", { "index.js": "import { inner } from 'inner'; export const outer = 'outer with ' + inner;" }, { dependencies: { inner: "^1.0.0" } });
registry.add("@scope/large", "1.0.0", { "index.js": `export const size = ${JSON.stringify("x".repeat(300_000))}.length;`, "noise.bin": "y" });

const OUTER = "import { outer } from 'outer'; export default { run() { return outer; } };";

function project(files, manifest) {
  const folder = temporaryFolder("command-packages");
  const all = { "wrangler.jsonc": '{ "name": "app", "main": "src/index.ts", "compatibility_date": "2026-04-15" }', ...manifest === undefined ? {} : { "package.json": JSON.stringify(manifest) }, ...files };
  for (const [name, body] of Object.entries(all)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), body);
  }
  return folder;
}

// { code, result, words }; `cache`: the user's cache folder.
function run(folder, cache, more = ["--registry", registry.url], environment = {}) {
  const { npm_config_registry: _, NPM_CONFIG_REGISTRY: __, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(process.env.GLOVEBOX_COMMAND, ["run", folder, "--call", "run", ...more], { env: { ...inherited, XDG_CACHE_HOME: cache, ...environment } },
      (error, stdout, words) => resolve({ code: error?.code ?? 0, result: stdout === "" ? undefined : JSON.parse(stdout), words }));
  });
}

test("a dependency that is not installed comes from the registry, and the next time without it", async () => {
  const cache = temporaryFolder("cache");
  const other = await PackageRegistry.start();
  other.add("outer", "1.0.0", { "index.js": "export const outer = 'from the other';" });
  const folder = project({ "src/index.ts": OUTER }, { dependencies: { outer: "^1.0.0" } });
  const cold = await run(folder, cache, ["--registry", other.url]);
  assert.deepEqual([cold.code, cold.result], [0, "from the other"], cold.words);
  assert.deepEqual(other.requests, ["/outer", "/outer/-/outer-1.0.0.tgz"]);
  // Fresh: nobody is asked.
  assert.equal((await run(folder, cache, ["--registry", other.url])).result, "from the other");
  assert.equal(other.requests.length, 2);
  await other.stop();
  assert.equal((await run(folder, cache, ["--registry", other.url])).result, "from the other");
  assert.equal((await run(folder, cache, ["--registry", other.url, "--offline"])).result, "from the other");
  // Each registry answers for its own.
  assert.equal((await run(folder, cache)).result, "outer with inner 1");
  for (const mode of [0o700, 0o600].entries()) {
    const at = path.join(cache, "glovebox", "packages", mode[0] === 0 ? "tarballs" : path.join("tarballs", ...firstFile(path.join(cache, "glovebox", "packages", "tarballs"))));
    assert.equal(statSync(at).mode & 0o777, mode[1]);
  }
});

function firstFile(folder) {
  const [name] = readdirSync(folder);
  return statSync(path.join(folder, name)).isDirectory() ? [name, ...firstFile(path.join(folder, name))] : [name];
}

test("the cache is the Node package's", async () => {
  const own = await PackageRegistry.start();
  own.add("shared", "1.0.0", { "index.js": "export const shared = 'shared';" });
  own.add("later", "1.0.0", { "index.js": "export const later = 'later';" });
  const cache = temporaryFolder("cache");
  const source = (name) => `import { ${name} } from '${name}'; export default { run() { return ${name}; } };`;
  const manifest = (name) => ({ dependencies: { [name]: "1.0.0" } });
  const bundler = createBundler({ cacheFolder: path.join(cache, "glovebox", "packages") });
  const create = (name) => bundler.createWorker({ files: { "src/index.ts": source(name), "package.json": JSON.stringify(manifest(name)) }, registry: own.url });
  try {
    await create("shared");
    assert.equal((await run(project({ "src/index.ts": source("later") }, manifest("later")), cache, ["--registry", own.url])).result, "later");
    await own.stop();
    assert.equal((await run(project({ "src/index.ts": source("shared") }, manifest("shared")), cache, ["--registry", own.url, "--offline"])).result, "shared");
    assert.match(JSON.stringify(await create("later")), /'later'|\\"later\\"/);
  } finally {
    await bundler.close();
    await own.stop();
  }
});

test("what lies in node_modules stays, and nobody is asked when all does", async () => {
  const cache = temporaryFolder("cache");
  const installed = { "node_modules/outer/package.json": '{ "name": "outer", "version": "1.0.0", "main": "index.js", "dependencies": { "inner": "*" } }', "node_modules/outer/index.js": "import { inner } from 'inner'; export const outer = 'installed, ' + inner;",
    "node_modules/inner/package.json": '{ "name": "inner", "version": "3.0.0", "main": "index.js" }', "node_modules/inner/index.js": "export const inner = 'inner 3';" };
  const asked = registry.requests.length;
  // Also not npm.
  const whole = await run(project({ "src/index.ts": OUTER, ...installed }, { dependencies: { outer: "1.0.0", "@scope/large": "1.0.0", absent: "1.0.0" } }), cache, [], { PATH: "/nowhere" });
  assert.deepEqual([whole.code, whole.result], [0, "installed, inner 3"], whole.words);
  assert.equal(registry.requests.length, asked);
  assert.deepEqual(readdirSync(cache), []);

  registry.add("third", "1.0.0", { "index.js": "import { inner } from 'inner'; import { size } from '@scope/large'; export const third = inner + ' ' + size;" }, { dependencies: { inner: "^2.0.0", "@scope/large": "*" } });
  const mixed = await run(project({ "src/index.ts": "import { outer } from 'outer'; import { third } from 'third'; export default { run() { return [outer, third]; } };", ...installed },
    { dependencies: { outer: "1.0.0", third: "1.0.0", absent: "1.0.0" } }), cache);
  assert.deepEqual([mixed.code, mixed.result], [0, ["installed, inner 3", "inner 2 300000"]], mixed.words);
});

const locked = (dependencies, packages) => JSON.stringify({ name: "app", lockfileVersion: 3, packages: { "": { dependencies }, ...packages } });

test("the lock file counts", async () => {
  const cache = temporaryFolder("cache");
  const entry = (name, version) => ({ version, integrity: registry.document(name).versions[version].dist.integrity });
  const source = "import { inner } from 'inner'; export default { run() { return inner; } };";
  const dependencies = { inner: ">=1" };
  const lock = locked(dependencies, { "node_modules/inner": entry("inner", "1.0.0"), "node_modules/unused": { version: "1.0.0", integrity: sha512("unused") } });
  assert.equal((await run(project({ "src/index.ts": source }, { dependencies }), cache)).result, "inner 2");
  assert.equal((await run(project({ "src/index.ts": source, "package-lock.json": lock }, { dependencies }), cache)).result, "inner 1");
  const other = await run(project({ "src/index.ts": source, "package-lock.json": lock }, { dependencies: { inner: ">=2" } }), cache);
  assert.equal(other.code, 65);
  assert.match(other.words, /package-lock\.json: The lock file is of another package\.json: the dependency "inner" is ">=1" in it, and ">=2" there/);
  // What is there and what the lock file says of it.
  const outer = locked({ outer: "1.0.0", inner: ">=1" }, { "node_modules/inner": entry("inner", "1.0.0"), "node_modules/outer": { ...entry("outer", "1.0.0"), dependencies: { inner: "^1.0.0" } } });
  const stale = await run(project({ "src/index.ts": "import { inner } from 'inner'; import { outer } from 'outer'; export default { run() { return [inner, outer]; } };", "package-lock.json": outer,
    "node_modules/inner/package.json": '{ "name": "inner", "version": "2.0.0", "main": "index.js" }', "node_modules/inner/index.js": "export const inner = 'old';" }, { dependencies: { outer: "1.0.0", inner: ">=1" } }), cache);
  assert.match(stale.words, /node_modules has inner@2\.0\.0, and 1\.0\.0 in the lock file/);
});

test("what is not what was published is not used, and not kept", async () => {
  const cache = temporaryFolder("cache");
  registry.add("forged", "1.0.0", { "index.js": "export default 1;" }, {}, { dist: { integrity: sha512("another") } });
  const folder = project({ "src/index.ts": "import forged from 'forged'; export default { run() { return forged; } };" }, { dependencies: { forged: "1.0.0" } });
  const end = await run(folder, cache);
  assert.equal(end.code, 65);
  assert.match(end.words, /The tarball of forged@1\.0\.0 is not what was published: its hash is not sha512-/);
  assert.throws(() => readdirSync(path.join(cache, "glovebox", "packages", "tarballs")), { code: "ENOENT" });

  // Nor what was changed in the cache.
  const good = project({ "src/index.ts": OUTER }, { dependencies: { outer: "1.0.0" } });
  assert.equal((await run(good, cache)).result, "outer with inner 1");
  const tarballs = path.join(cache, "glovebox", "packages", "tarballs", "sha512");
  for (const file of readdirSync(tarballs, { recursive: true })) if (statSync(path.join(tarballs, file)).isFile()) writeFileSync(path.join(tarballs, file), "damaged");
  const offline = await run(good, cache, ["--registry", registry.url, "--offline"]);
  assert.match(offline.words, /The tarball of (outer|inner)@1\.0\.0 is not in the cache \(.*\), and --offline asks nobody\./);
  assert.equal((await run(good, cache)).result, "outer with inner 1");
});

test("what cannot be had is said", async () => {
  const cache = temporaryFolder("cache");
  const of = (name) => project({ "src/index.ts": `import x from '${name}'; export default { run() { return x; } };` }, { dependencies: { absent: "1.0.0", outer: "^9.0.0" } });
  const absent = await run(of("absent"), cache);
  assert.equal(absent.code, 65);
  assert.match(absent.words, /The registry http:\/\/127\.0\.0\.1:\d+\/ has no package "absent"\./);
  assert.match((await run(of("outer"), cache)).words, /There is no version of "outer" for "\^9\.0\.0", which package\.json asks for\. There are 1, the latest is 1\.0\.0\./);
  assert.match((await run(of("undeclared"), cache)).words, /the package "undeclared" is in no node_modules folder of the project\. Install it there: npm install undeclared/);
  assert.match((await run(of("absent"), cache, ["--registry", registry.url, "--offline"])).words, /The package "absent" of the registry http:\/\/127\.0\.0\.1:\d+\/ is not in the cache \(.*\), and --offline asks nobody\./);
  const stopped = await PackageRegistry.start();
  await stopped.stop();
  assert.match((await run(of("absent"), cache, ["--registry", stopped.url])).words, /http:\/\/127\.0\.0\.1:\d+\/absent could not be fetched: .*127\.0\.0\.1/);
  for (const url of ["ftp://a.example", "https://user:word@a.example/", "https://a.example/?x", "text"]) {
    const wrong = await run(of("absent"), cache, ["--registry", url]);
    assert.deepEqual([wrong.code, /--registry is ".*", expected an address of a package registry/.test(wrong.words)], [64, true], wrong.words);
  }
  assert.match((await run(of("absent"), cache, [], { PATH: "/nowhere" })).words, /which package registry to use is not known: npm, which has that configured, could not be asked .*--registry URL/);
  assert.match((await run(of("absent"), cache, [], { npm_config_registry: registry.url })).words, /has no package "absent"/);
});

test("a registry that sends on to elsewhere is refused, and elsewhere is not asked", async () => {
  const server = createServer((request, response) => response.writeHead(302, { location: registry.url + request.url.slice(1) }).end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const asked = registry.requests.length;
    const end = await run(project({ "src/index.ts": OUTER }, { dependencies: { outer: "1.0.0" } }), temporaryFolder("cache"), ["--registry", `http://127.0.0.1:${server.address().port}`]);
    assert.equal(end.code, 65);
    assert.match(end.words, /The registry http:\/\/127\.0\.0\.1:\d+\/ sends http:\/\/127\.0\.0\.1:\d+\/outer on to "http:\/\/127\.0\.0\.1:\d+\/outer", and redirects of a registry are not followed/);
    assert.equal(registry.requests.length, asked);
  } finally {
    server.close();
  }
});

test("a project that is served has its packages from there too", async () => {
  const folder = project({ "src/index.ts": "import { outer } from 'outer'; export default { fetch() { return new Response(outer); } };" }, { dependencies: { outer: "1.0.0" } });
  process.env.XDG_CACHE_HOME = temporaryFolder("cache");
  for (const words of [["dev", folder], ["serve", "--config", folder]]) {
    const server = await startCommand([...words, "--listen", "127.0.0.1:0", "--registry", registry.url], /^Ready on /m);
    assert.equal(await (await fetch(server.url)).text(), "outer with inner 1", server.words);
    server.child.kill("SIGTERM");
    await server.ended;
  }
});

test("a document that is larger than a call comes as a stream", async () => {
  const large = await PackageRegistry.start();
  large.add("many", "1.0.0", { "index.js": "export default 'many';" }, { description: "x".repeat(20 << 20) }, {});
  try {
    const end = await run(project({ "src/index.ts": "import many from 'many'; export default { run() { return many; } };" }, { dependencies: { many: "1.0.0" } }), temporaryFolder("cache"), ["--registry", large.url]);
    assert.deepEqual([end.code, end.result], [0, "many"], end.words);
  } finally {
    await large.stop();
  }
});
