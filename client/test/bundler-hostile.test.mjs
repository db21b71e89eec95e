// Packages and projects that mean harm: what they reach is an error in words, and the next project is made as ever.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import { connect } from "glovebox";
import { createBundler } from "glovebox/bundler";
import { failure } from "./failure.mjs";
import { PackageRegistry, packed, sha512, tar, tarball } from "./package-registry.mjs";

const folder = mkdtempSync(join(tmpdir(), "glovebox-bundler-"));
const registry = await PackageRegistry.start();
const bundler = createBundler({ cacheFolder: join(folder, "cache") });
after(async () => {
  await bundler.close();
  await registry.stop();
  rmSync(folder, { recursive: true });
});

const create = (files, options = {}) => bundler.createWorker({ files, registry: registry.url, ...options });
const using = (name) => create({ "src/index.ts": `import it from "${name}"; export default { run() { return it; } };`, "package.json": JSON.stringify({ dependencies: { [name]: "*" } }) });
// One with these bytes for a tarball.
function hostile(name, bytes, dist = {}) { registry.add(name, "1.0.0", {}, { main: "index.js" }, { bytes, dist }); }

const file = (name, body = "export default 'it';") => ({ name, body });

test("a tarball that leads out of its folder, is damaged or too large is refused in words; links in one are left out", async () => {
  const good = packed("x", "1.0.0", { "index.js": "export default 1;" });
  for (const [name, bytes, words] of [
    ["up", tarball([file("package/../../up.js")]), /The tarball of up@1\.0\.0 has an entry with the name "package\/\.\.\/\.\.\/up\.js", which leads out of the package's folder/],
    ["root", tarball([file("/etc/index.js")]), /an entry with the name "\/etc\/index\.js"/],
    ["backslash", tarball([file("package\\..\\index.js")]), /which leads out of/],
    ["long-up", tarball([{ name: "x", type: "L", body: "package/../../../up.js\0" }, file("short")]), /which leads out of/],
    ["pax-up", tarball([{ name: "x", type: "x", body: "19 path=p/../../up\n" }, file("short")]), /which leads out of/],
    ["no-gzip", Buffer.from("this is no gzip"), /The tarball of no-gzip@1\.0\.0 is no gzip, or it is damaged/],
    ["cut", good.subarray(0, good.length - 20), /is no gzip, or it is damaged/],
    ["no-tar", gzipSync("x".repeat(2000)), /The tarball of no-tar@1\.0\.0 is damaged: a header at byte 0 has another checksum/],
    ["short", gzipSync(tar([file("package/index.js", "x".repeat(5000))]).subarray(0, 1024)), /is damaged: an entry at byte 0 has no size, or ends behind the end/],
    ["empty", gzipSync(Buffer.alloc(1024)), /there is nothing in it/],
    ["bomb", gzipSync(Buffer.alloc(140 << 20)), /The tarball of bomb@1\.0\.0 has more than 128 MiB when it is unpacked/],
    ["many", tarball(Array.from({ length: 30_001 }, (_, i) => file(`package/${i}.js`, ""))), /has more than 30000 entries/],
  ]) {
    hostile(name, bytes);
    assert.match((await failure(using(name))).message, words, name);
  }
  hostile("links", tarball([
    file("package/index.js", 'import secret from "./link.txt"; export default secret;'), { name: "package/link.txt", type: "2", link: "/etc/passwd" }, { name: "package/hard.txt", type: "1", link: "/etc/passwd" },
    { name: "package/fifo", type: "6" }, { name: "package/device", type: "3" },
  ]));
  assert.match((await failure(using("links"))).message, /^node_modules\/links\/index\.js:1:20: Could not resolve "\.\/link\.txt"/);
  hostile("good", tarball([file("package/index.js", "export default 'good';"), { name: "x", type: "x", body: "27 path=package/renamed.js\n" }, file("short", "")]));
  assert.match((await using("good")).modules["bundle.js"], /"good"/);
});

test("what is not what was published is refused, and is not in the cache either", async () => {
  const bytes = packed("other", "1.0.0", { "index.js": "export default 1;" });
  hostile("other", bytes, { integrity: sha512("something else") });
  assert.match((await failure(using("other"))).message, /The tarball of other@1\.0\.0 is not what was published: its hash is not sha512-/);
  assert.match((await failure(using("other"))).message, /is not what was published/);
  hostile("none", bytes, { integrity: undefined });
  assert.match((await failure(using("none"))).message, /gives no integrity hash for none@1\.0\.0/);
  hostile("weak", bytes, { integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" });
  assert.match((await failure(using("weak"))).message, /is no integrity hash for weak@1\.0\.0; expected sha512-/);
  assert.match((await failure(using("nowhere-to-be-found"))).message, /The registry http:\/\/127\.0\.0\.1:\d+\/ has no package "nowhere-to-be-found"/);
});

test("documents that are no documents are told as that", async () => {
  for (const text of ["", "{", "[]", "null", '"x"', "{]", '{"versions":}', '{"versions":{"1.0.0":}}', '{"versions":{"1.0.0":{"dist":5]}}', '{"versions":{"1.0.0":{"a":"b}}', '{"versions":{"1.0.0":{}} "x":1}', '{"versions"', '{"versions":5 5}', "{1:2}"]) {
    const broken = createServer((_, response) => response.end(text)).listen(0, "127.0.0.1");
    await once(broken, "listening");
    const error = await failure(create({ "src/index.ts": "", "package.json": '{"dependencies":{"broken":"1"}}' }, { registry: `http://127.0.0.1:${broken.address().port}/` })).finally(() => broken.close());
    assert.match(error.message, /The registry's document of the package "broken" is no JSON|There is no version of "broken" for "1"/, text);
  }
  // Strings with everything that ends something else.
  registry.add("strings", "1.0.0", { "index.js": "export default 'strings';" }, { main: "index.js", description: '"}],{[\\"\\', keywords: ["\\\"", "}"] });
  assert.match((await using("strings")).modules["bundle.js"], /"strings"/);
});

test("documents, manifests and sources that are bombs end in words, and the next project is made", async () => {
  const deep = "[".repeat(2_000_000);
  registry.add("fine", "1.0.0", { "index.js": "export default 'fine';" }, { main: "index.js" });
  registry.add("deep-manifest", "1.0.0", {}, {}, { bytes: tarball([{ name: "package/package.json", body: `{"exports":${deep}` }, file("package/index.js")]) });
  registry.add("deep-source", "1.0.0", { "index.js": `export default ${"(".repeat(300_000)}` }, { main: "index.js" });
  registry.add("proto", "1.0.0", { "index.js": "export default 1;" }, { main: "index.js", dependencies: JSON.parse('{"__proto__":"1","constructor":"1"}') });
  registry.add("strange", "1.0.0", { "index.js": "export default 1;" }, { main: "index.js", dependencies: { "../../etc": "1" } });
  registry.add("of-itself", "1.0.0", { "index.js": "export default 0;" }, { main: "index.js", dependencies: { "of-itself": "npm:of-itself@1" } });
  const TOO_DEEP = /^The project could not be bundled: Something in it, or in a package that it needs, is nested too deeply or too large\.$/;
  for (const [name, words] of [["deep-manifest", TOO_DEEP], ["deep-source", TOO_DEEP], ["proto", /has no package "/], ["strange", /"\.\.\/\.\.\/etc" is no name of a package|is none on a registry/]]) {
    const error = await failure(using(name));
    assert.match(error.message, words, name);
    // Whatever came of it, the next one is made.
    assert.match((await using("fine")).modules["bundle.js"], /"fine"/);
  }
  const lock = await failure(create({ "src/index.ts": "", "package.json": "{}", "package-lock.json": deep }));
  assert.match(lock.message, TOO_DEEP);
  assert.match((await failure(create({ "src/index.ts": "", "package.json": '{"dependencies":{"../x":"1"}}' }))).message, /"\.\.\/x" is no name of a package/);
  assert.equal((await using("of-itself")).mainModule, "bundle.js");
});

test("sources reach no file of this machine", async () => {
  const reaching = (specifier, files = {}) => create({ "src/index.ts": `import it from ${JSON.stringify(specifier)}; console.log(it);`, ...files });
  for (const specifier of ["/etc/hosts.txt", "../../../../../../etc/hosts.txt", import.meta.filename, "file:///etc/hosts.txt", "/proc/self/environ"]) {
    assert.match((await failure(reaching(specifier))).message, /Could not resolve/);
  }
  // The project's own root is all that there is.
  assert.match((await reaching("/etc/hosts.txt", { "etc/hosts.txt": "the project's" })).modules["bundle.js"], /the project's/);
});

test("a bundler that meets a limit tells which, and the next project gets another", async () => {
  const glovebox = await connect({ console: "ignore", supervisor: { poolSize: 1, limits: { cpuMs: 20, startupCpuMs: 10_000, memoryMb: 768 } } });
  const tight = createBundler({ glovebox, cacheFolder: join(folder, "cache") });
  try {
    const error = await failure(tight.createWorker({ files: { "index.ts": "" } }));
    assert.equal(error.code, "exceededCpu");
    assert.match(error.message, /^The project could not be bundled: /);
    assert.equal((await failure(tight.createWorker({ files: { "index.ts": "" } }))).code, "exceededCpu");
  } finally {
    await tight.close();
    await glovebox.close();
  }
});
