// What `glovebox types` writes is what TypeScript and @cloudflare/workers-types understand, and says what env is.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "glovebox-types-"));
after(() => rmSync(folder, { recursive: true }));

const TSCONFIG = {
  compilerOptions: {
    target: "es2024", lib: ["esnext"], module: "esnext", moduleResolution: "bundler", noEmit: true, strict: true, skipLibCheck: false,
    types: [join(ROOT, "node_modules/@cloudflare/workers-types")],
  },
  include: ["**/*.ts"],
};

// What the compiler says of a project; "" if nothing.
function check(project) {
  execFileSync(process.env.GLOVEBOX_COMMAND, ["types", project], { encoding: "utf8" });
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(TSCONFIG));
  return spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "--project", project], { encoding: "utf8" }).stdout;
}

test("the example is sound with the types that are written for it", () => {
  const project = join(folder, "agent-sandbox");
  cpSync(join(ROOT, "examples/agent-sandbox"), project, { recursive: true });
  assert.equal(check(project), "");
  // And those that stand beside it are they.
  const types = (where) => readFileSync(join(where, "worker-configuration.d.ts"), "utf8");
  assert.equal(types(project), types(join(ROOT, "examples/agent-sandbox")));
});

test("each binding has its type, whatever it is called, and no other", () => {
  const project = join(folder, "bindings");
  mkdirSync(project);
  writeFileSync(join(project, "wrangler.toml"), `name = "bindings"\nmain = "index.ts"\ncompatibility_date = "2026-04-15"
    [vars]\nTEXT = "a\\"b\\u2028"\nPORT = 8080\n"not a name" = true\nNESTED = { list = [1, "x"], deep = { on = false } }
    [[worker_loaders]]\nbinding = "LOADER"\n[[services]]\nbinding = "AUTH"\nservice = "auth"`);
  writeFileSync(join(project, "index.ts"), `
    type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
    function is<T extends true>(): void {}
    is<Same<Env["LOADER"], WorkerLoader>>(); is<Same<Env["AUTH"], Fetcher>>(); is<Same<Env["TEXT"], "a\\"b\\u2028">>(); is<Same<Env["PORT"], 8080>>();
    is<Same<Env["not a name"], true>>(); is<Same<Env["NESTED"], { list: [1, "x"]; deep: { on: false } }>>();
    is<Same<keyof Env, "LOADER" | "AUTH" | "TEXT" | "PORT" | "not a name" | "NESTED">>();
    export default { fetch(req, env) { return env.AUTH.fetch(req); } } satisfies ExportedHandler<Env>;`);
  assert.equal(check(project), "");
  // The compiler does look.
  writeFileSync(join(project, "wrong.ts"), "export const port = (env: Env): string => env.PORT;");
  assert.match(check(project), /wrong\.ts\(1,\d+\): error TS2322: Type 'number' is not assignable to type 'string'/);
});
