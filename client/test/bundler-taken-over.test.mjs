// The worker that bundles reads hostile text; this package has one that was taken over by it.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { failure } from "./failure.mjs";
import { PackageRegistry } from "./package-registry.mjs";

// The package, whose bundler each test writes.
const here = mkdtempSync(join(tmpdir(), "glovebox-bundler-"));
for (const name of ["glovebox.cjs", "glovebox.node", "esbuild.wasm"]) cpSync(join(process.env.GLOVEBOX_BUILD_DIR, "client", name), join(here, name));
const { createBundler } = createRequire(join(here, "glovebox.cjs"))("./glovebox.cjs");
const registry = await PackageRegistry.start();
after(async () => {
  await registry.stop();
  rmSync(here, { recursive: true });
});

test("a bundler that somebody took over reaches no file, no host but the registry, and of that names and versions only", async () => {
  const elsewhere = createServer((_, response) => response.end("reached")).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  const address = `http://127.0.0.1:${elsewhere.address().port}/`;
  assert.equal(await (await fetch(address)).text(), "reached");
  writeFileSync(join(here, "bundler.js"), `
    const tried = async (act) => { try { const got = await act(); return "got " + (got?.body?.length ?? got?.length ?? got); } catch (error) { return "refused: " + error.message; } };
    export default { async create({ registry, files }) {
      const [[, address]] = files;
      const outcomes = {
        fetch: await tried(() => fetch(address).then((response) => response.text())),
        file: await tried(async () => (await import("node:fs")).readFileSync("/etc/passwd", "utf8")),
        good: await tried(() => registry.packument("good", null)),
        packument: [], tarball: [],
      };
      for (const name of ["../../etc", "a/b/c", "good?x=1", "good#", "%2e%2e", address, "", ".", "..", 5, null, "x".repeat(300), "@/x"]) outcomes.packument.push(await tried(() => registry.packument(name, null)));
      const hash = "sha512-" + "A".repeat(86) + "==";
      for (const version of ["../1.0.0", "1.0.0/../../x", "latest", "1.0.0?x", "", 1, "1.0.0-a/b"]) outcomes.tarball.push(await tried(() => registry.tarball("good", version, hash, null)));
      for (const url of [address, "file:///etc/passwd", "/etc/passwd"]) outcomes.tarball.push(await tried(() => registry.tarball("good", "1.0.0", hash, url)));
      for (const integrity of ["", "sha1-AAAA", "sha512-AAAA", null, "../../x"]) outcomes.tarball.push(await tried(() => registry.tarball("good", "1.0.0", integrity, null)));
      for (const name of ["constructor", "then", "document", "_registry", "#registry", "url"]) outcomes.tarball.push(await tried(() => registry[name]("good")));
      return { mainModule: "bundle.js", modules: [["bundle.js", "js", JSON.stringify(outcomes)]], warnings: [], wrangler: null };
    } };`);
  const cacheFolder = join(here, "cache");
  const taken = createBundler({ cacheFolder });
  registry.requests.length = 0;
  registry.add("good", "1.0.0", { "index.js": "" }, { main: "index.js" });
  try {
    const { modules } = await taken.createWorker({ files: { address }, registry: registry.url });
    const { fetch: fetched, file: read, good, packument, tarball } = JSON.parse(modules["bundle.js"]);
    assert.match(fetched, /^refused: This worker is not permitted to access the internet/);
    assert.match(read, /^refused: /);
    assert.match(good, /^got [1-9]/);
    for (const [i, outcome] of [...packument, ...tarball].entries()) assert.match(outcome, /^refused: /, `attempt ${i}: ${outcome}`);
    assert.deepEqual([...new Set(registry.requests)].sort(), ["/good", "/good/-/good-1.0.0.tgz"]);
    assert.deepEqual(readdirSync(cacheFolder), ["documents"]);
  } finally {
    await taken.close();
    elsewhere.close();
  }
});

test("what a bundler that was taken over answers is modules in the right form, or no answer", async () => {
  writeFileSync(join(here, "bundler.js"), `import { RpcTarget } from "cloudflare:workers";
    class Trap extends RpcTarget { toString() { return "trap"; } }
    const js = ["a.js", "js", ""], answer = { mainModule: "a.js", modules: [js], warnings: [], wrangler: null };
    const message = { text: "t", file: "f", line: 1, column: 2, lineText: "l" };
    const ANSWERS = {
      nothing: undefined, number: 5, empty: {}, none: { ...answer, modules: [] }, stub: { ...answer, modules: [["a.js", "js", new Trap()]] }, kind: { ...answer, modules: [["a.js", "cjs", ""]] },
      twice: { ...answer, modules: [js, js] }, main: { ...answer, mainModule: "b.js" }, proto: { ...answer, mainModule: "toString" }, bytes: { ...answer, modules: [["a.js", "wasm", "text"]] },
      warnings: { ...answer, warnings: [5] }, problems: { problems: [] }, trap: { problems: [{ ...message, text: new Trap() }] }, line: { problems: [{ ...message, line: 1e308 }] }, name: { ...answer, modules: [[new Trap(), "js", ""]] },
    };
    export default { create({ files: [[, what]] }) {
      if (what === "good") return { ...answer, modules: [js, ["__proto__", "text", "p"]], wrangler: { main: 5, compatibilityFlags: [new Trap()], extra: 1 } };
      if (what === "wrong") return { problems: [message] };
      if (what === "thrown") throw new TypeError("mine");
      return ANSWERS[what];
    } };`);
  const taken = createBundler({ cacheFolder: join(here, "cache") });
  const said = (what) => taken.createWorker({ files: { what }, registry: registry.url });
  try {
    for (const what of ["nothing", "number", "empty", "none", "stub", "kind", "twice", "main", "proto", "bytes", "warnings", "problems", "trap", "line", "name"]) {
      const error = await failure(said(what));
      assert.deepEqual([error.code, error.message], ["protocolViolation", "The worker that bundles gave no usable answer."], what);
    }
    const good = await said("good");
    assert.deepEqual([good.mainModule, Object.entries(good.modules), good.wranglerConfig], ["a.js", [["a.js", ""], ["__proto__", { text: "p" }]], {}]);
    assert.equal((await failure(said("wrong"))).message, "f:1:2: t\n    l\n     ^");
    assert.equal((await failure(said("thrown"))).message, "The project could not be bundled: mine");
  } finally {
    await taken.close();
  }
});
