// What README.md shows, and examples/: run as a reader would, and compared with what is printed there.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = realpathSync(path.join(HERE, "../.."));
const README = readFileSync(path.join(ROOT, "README.md"), "utf8");
const REGISTERED = ["--import", "glovebox/register"];

// What a program prints that comes on standard input.
function program(text, args = []) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args, "--input-type=module", "-"], { cwd: HERE, stdio: ["pipe", "pipe", "inherit"], timeout: 60_000 });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => { printed += chunk; });
    child.once("error", reject);
    child.once("close", (code, signal) => code === 0 ? resolve(printed) : reject(new Error(`ended with ${code ?? signal} after printing: ${printed}`)));
    child.stdin.end(text);
  });
}

const masked = (text) => text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID");

test("the program in README.md prints what stands there", async () => {
  const text = /^## Give it tools\n.*?^```js\n(.*?)^```$/ms.exec(README)[1];
  const expected = /^<!-- output: tools -->\n```\n(.*?)^```\n<!-- \/output -->$/ms.exec(README)[1];
  assert.equal(masked(await program(text)), masked(expected));
});

test("and the one about limits and accounts", async () => {
  const text = /^## Bound it, .*?^```js\n(.*?)^```$/ms.exec(README)[1];
  const expected = /^<!-- output: account -->\n```\n(.*?)^```\n<!-- \/output -->$/ms.exec(README)[1];
  assert.equal(await program(text), expected);
});

test("the codemode example prints its three lines", async () => {
  const { stdout } = await run(process.execPath, [...REGISTERED, path.join(ROOT, "examples/codemode/main.mjs")], { cwd: ROOT, timeout: 60_000 });
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 3);
  const output = JSON.parse(lines[0]);
  assert.deepEqual(output.result, { coldest: { city: "Oslo", degrees: -3 }, mail: { sent: true, to: "ann@example.com", length: 19 } });
  assert.deepEqual(output.logs, ["coldest is Oslo"]);
  assert.equal(lines[1], "I wrote to Ann.");
  const failed = JSON.parse(lines[2]);
  assert.equal(failed.error, "no such city");
  assert.deepEqual(failed.logs, ["[warn] about to fail"]);
});

for (const how of ["{}", "{ inProcess: true }"]) {
  test(`codemode executes again and again, with three tool calls each: connect(${how})`, async () => {
    const printed = await program(`
      import { DynamicWorkerExecutor } from "@cloudflare/codemode";
      import { connect } from "glovebox";
      const glovebox = await connect(${how});
      const executor = new DynamicWorkerExecutor({ loader: glovebox.loader });
      let calls = 0;
      const tools = { add: async ({ a, b }) => { calls++; return a + b; } };
      for (let i = 0; i < 30; i++) {
        const { result, error } = await executor.execute(\`async () => {
          const first = await codemode.add({ a: \${i}, b: 1 });
          const [second, third] = await Promise.all([codemode.add({ a: first, b: 1 }), codemode.add({ a: first, b: 2 })]);
          return [first, second, third];
        }\`, [{ name: "codemode", fns: tools }]);
        if (error !== undefined || JSON.stringify(result) !== JSON.stringify([i + 1, i + 2, i + 3])) console.log(i, error, result);
      }
      // Nothing is left of them, without a garbage collection.
      const left = async () => [(await glovebox.status()).liveWorkers, glovebox.counts().exports].join();
      for (let i = 0; i < 100 && await left() !== "0,0"; i++) await new Promise((resolve) => setTimeout(resolve, 10));
      console.log(calls, await left());
      await glovebox.close();`, REGISTERED);
    assert.equal(printed, "90 0,0\n");
  });
}

test("the line for esbuild in README.md makes a program that runs", async () => {
  const line = /^esbuild app\.js (.*)$/m.exec(README)[1];
  const folder = mkdtempSync(path.join(tmpdir(), "glovebox-bundle-"));
  try {
    symlinkSync(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
    writeFileSync(path.join(folder, "app.js"), `
      import { DynamicWorkerExecutor } from "@cloudflare/codemode";
      import { RpcTarget } from "cloudflare:workers";
      import { RpcTarget as Same, connect } from "glovebox";
      const glovebox = await connect();
      const { result } = await new DynamicWorkerExecutor({ loader: glovebox.loader }).execute("async () => 6 * 7", []);
      console.log(RpcTarget === Same, result);
      await glovebox.close();`);
    const { stdout: bundle } = await run(process.execPath, [path.join(ROOT, "node_modules/esbuild/bin/esbuild"), "app.js", ...line.split(" ")], { cwd: folder });
    writeFileSync(path.join(folder, "bundle.mjs"), bundle);
    const { stdout } = await run(process.execPath, [path.join(folder, "bundle.mjs")], { timeout: 60_000 });
    assert.equal(stdout, "true 42\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
