// The worker that strips types reads hostile text; this package has one that was taken over by it.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { failure } from "./failure.mjs";

test("a stripper that somebody took over adds no module, and what it says is text or nothing", async () => {
  // The package with a stripper of another mind, which answers what the first line of the text says.
  const folder = mkdtempSync(join(tmpdir(), "glovebox-stripper-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const file of ["glovebox.cjs", "glovebox.node"]) cpSync(join(process.env.GLOVEBOX_BUILD_DIR, "client", file), join(folder, file));
  writeFileSync(join(folder, "typescript.js"), `import { RpcTarget } from "cloudflare:workers";
    class Trap extends RpcTarget { toString() { return "trap"; } }
    const ANSWERS = {
      nothing: () => undefined, number: () => 5, empty: () => ({}), many: () => ({ code: ["a", "b"] }), none: () => ({ code: [] }), other: () => ({ code: [{}] }),
      stub: () => ({ code: [new Trap()] }), problem: () => ({ problem: { module: new Trap(), line: 1, column: 1, message: "m", text: "t" } }), lines: () => ({ problem: { line: "1" } }), null: () => ({ problem: null }),
      good: () => ({ code: ["export default { run() { return 'taken'; } }"], extra: ["evil.js"] }), far: () => ({ problem: { module: "m", line: 1, column: 1e308, message: "far", text: "t" } }),
      thrown: () => { throw new TypeError("mine"); },
    };
    export default { strip({ sources: [[, text]] }) { return ANSWERS[text.slice(2).trim()](); } };`);
  const { connect: connectHere } = createRequire(join(folder, "glovebox.cjs"))("./glovebox.cjs");
  const other = await connectHere({ console: "ignore" });
  try {
    const said = (what) => {
      const worker = other.loader.load({ compatibilityDate: "2026-03-01", mainModule: "a.ts", modules: { "a.ts": `//${what}\n` }, typescript: true });
      return worker.getEntrypoint().run(0).finally(() => worker[Symbol.dispose]());
    };
    for (const what of ["nothing", "number", "empty", "many", "none", "other", "stub", "problem", "lines", "null"]) {
      const error = await failure(said(what));
      assert.equal(error.code, "protocolViolation", what);
      assert.equal(error.message, "The worker that strips types gave no usable answer.");
    }
    assert.equal(await said("good"), "taken");
    assert.equal((await failure(said("far"))).message, "m:1:1e+308: far\n    t\n     ^");
    assert.equal((await failure(said("thrown"))).message, 'The types of "a.ts" could not be stripped: mine');
  } finally {
    await other.close();
  }
});
