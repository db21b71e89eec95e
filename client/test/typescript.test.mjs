// load({ typescript: true }): types are stripped in a worker, whatever the text is, and what is wrong with it is told with its place.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
const { loader } = glovebox;
after(() => glovebox.close());

const code = (modules, options = {}) => ({
  compatibilityDate: "2026-03-01", mainModule: Object.keys(modules)[0], modules, typescript: true, globalOutbound: null, ...options,
});
// What the method `run` gives of a worker with these modules.
async function result(modules, argument, options) {
  const worker = loader.load(code(modules, options));
  try {
    return await worker.getEntrypoint().run(argument);
  } finally {
    worker[Symbol.dispose]();
  }
}
const run = (body) => `export default { run(input: any, env: any) { ${body} } };`;

async function stripping() { return (await glovebox.status()).workers.filter(({ name }) => name === "typescript"); }

test("TypeScript without JavaScript of its own is stripped: annotations, interfaces, satisfies, assertions, types that are imported", async () => {
  const modules = {
    "agent.ts": `import type { Shape } from "./shape.ts";
      import { type Other, area } from "./shape.ts";
      interface Input<T extends number = number> { value: T }
      declare namespace Nothing { const here: number }
      abstract class Base { declare left: string; protected abstract twice(n: number): number; go(this: Base, n: number) { return this.twice(n); } }
      class Agent extends Base { readonly #n!: number; override twice(n: number): number { return n * 2; } }
      export default { async run({ value }: Input, env: unknown): Promise<{ doubled: number; area: number }> {
        const shape = { side: 3 } satisfies Shape as Other;
        const same = <T,>(x: T): T => x;
        return { doubled: new Agent().go(same<number>(value)!), area: area(shape) };
      } } satisfies object;`,
    "shape.ts": "export type Shape = { side: number };\nexport type Other = Shape;\nexport const area = ({ side }: Shape): number => side ** 2;",
  };
  assert.deepEqual(await result(modules, { value: 21 }), { doubled: 42, area: 9 });
});

test("enums and parameter properties become JavaScript", async () => {
  const text = `enum Level { Low, High = 10, Text = "t" } const enum Bits { One = 1 << 0, Two = 1 << 1 }
    class P { constructor(private readonly a: number, public b = 2) {} sum() { return this.a + this.b; } }
    ${run("return [Level.High, Level[0], Level.Text, Bits.Two, new P(1).sum()];")}`;
  assert.deepEqual(await result({ "a.ts": text }), [10, "Low", "t", 2, 3]);
});

test("JSX calls what its pragma names", async () => {
  const text = `/** @jsx h */\nconst h = (tag: string, props: object | null, ...children: unknown[]) => [tag, props, children];
    ${run("return <p title={input}>hi {<b/>}</p>;")}`;
  assert.deepEqual(await result({ "a.tsx": text }, "T"), ["p", { title: "T" }, ["hi ", ["b", null, []]]]);
  assert.deepEqual(await result({ "a.jsx": text.replace(/: string|: object \| null|: unknown\[\]|: any/g, "") }, "T"), ["p", { title: "T" }, ["hi ", ["b", null, []]]]);
});

test("imports without an ending, with that of JavaScript, or of a folder lead to the module there is", async () => {
  const modules = {
    "src/main.ts": `import { a } from "./a"; import { b } from "./b.js"; import { c } from "../lib"; import json from "./data.json"; import js from "./plain";
      ${run("return import('./late').then(({ late }) => [a, b, c, json.x, js, late]);")}`,
    "src/a.ts": "export const a: number = 1;", "src/b.ts": "export const b: number = 2;", "lib/index.ts": "export { c } from './c';", "lib/c.mts": "export const c = 3 as const;",
    "src/data.json": { json: { x: 4 } }, "src/plain.js": "export default 5;", "src/late.ts": "export const late = 6;",
  };
  assert.deepEqual(await result(modules), [1, 2, 3, 4, 5, 6]);
});

test("lines stay where they are", async () => {
  const error = await failure(result({ "agent.ts": "type A = {\n  a: number;\n};\n\nexport default { run(): never { throw new Error('here'); } };" }));
  assert.match(error.message, /here/);
  const worker = loader.load(code({ "agent.ts": "interface A {\n  a: number;\n}\nexport default { run(input: unknown): string { return new Error().stack!; } };" }));
  assert.match(await worker.getEntrypoint().run(0), /agent\.ts:4:/);
});

test("what is wrong is a SyntaxError with module, line and column, on every call, and the stripper goes on", async () => {
  const worker = loader.load(code({ "main.ts": "import './b.ts'; export default {};", "b.ts": "const fine = 1;\nconst broken: = 2;\n" }));
  for (let i = 0; i < 2; i++) {
    const error = await failure(worker.getEntrypoint().run());
    assert.equal(error.name, "SyntaxError");
    assert.equal(error.message, "b.ts:2:15: Unexpected token.\n    const broken: = 2;\n                  ^");
  }
  assert.equal(await result({ "a.ts": run("return 1 as number") }), 1);
});

test("what would be dropped or could not run is refused with its place", async () => {
  for (const [text, words] of [
    ["\nnamespace N { export const x = 1; }", /^a\.ts:2:1: `namespace N` is not supported/],
    ["export namespace N.M { }", /^a\.ts:1:8: `namespace N` is not supported/],
    ["class A {\n  @logged() run() {}\n}", /^a\.ts:2:3: Decorators are not supported/],
    ["export = 1;", /^a\.ts:1:1: `export =` is not supported/],
    ["import fs = require('node:fs');", /^a\.ts:1:1: `import fs =` is not supported/],
    ["const s = `${", /^a\.ts:1:14: Unexpected token/],
    ["const x = 1; /* and so on", /^a\.ts:1:25: Unterminated comment/],
  ]) {
    const error = await failure(result({ "a.ts": text }));
    assert.equal(error.name, "SyntaxError", text);
    assert.match(error.message, words);
  }
});

test("what is TypeScript but no JavaScript either is V8's to refuse", async () => {
  const error = await failure(result({ "a.ts": "let x: number = 1;\nlet x: number = 2;" }));
  assert.match(error.message, /SyntaxError: Identifier 'x' has already been declared[^]*a\.ts:2:/);
});

test("without the option, or with another ending, Cloudflare's error stands", () => {
  assert.throws(() => loader.load(code({ "a.ts": "" }, { typescript: undefined })), /Module name must end with '\.js'.*Got: a\.ts\. If you're trying to load TypeScript/);
  assert.throws(() => loader.load(code({ "a.cts": "" })), /Module name must end with '\.js'.*Got: a\.cts$/);
  assert.throws(() => loader.load(code({ "a.ts": "" }, { typescript: "yes" })), /Incorrect type for the 'typescript' field on 'WorkerCode'/);
});

test("a worker that loads workers is told that it cannot have types stripped", async () => {
  const host = `export default { run(input: any, { LOADER }: any) {
    try { LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "a.ts", modules: { "a.ts": "" }, typescript: true }); } catch (error: any) { return error.message; } } };`;
  assert.match(await result({ "host.ts": host }, undefined, { env: { LOADER: loader } }), /'typescript' is an option of programs that load workers/);
});

test("a named worker may be TypeScript, and one whose types are wrong is asked for again", async () => {
  let text = "export default { run(: };";
  const get = () => loader.get("typed", () => code({ "a.ts": text })).getEntrypoint();
  assert.match((await failure(get().run())).message, /a\.ts:1:22: Unexpected token/);
  text = run("return input * 2");
  assert.equal(await get().run(21), 42);
  assert.equal(await loader.get(null, () => code({ "a.ts": text })).getEntrypoint().run(2), 4);
});

test("a stripper is warm between loads, belongs to one loader, and is no name of that loader's", async () => {
  await result({ "a.ts": run("return 1") });
  const pids = (await stripping()).map(({ pid }) => pid);
  assert.equal(pids.length, 1);
  await result({ "a.ts": run("return 2") });
  assert.deepEqual((await stripping()).map(({ pid }) => pid), pids);
  assert.ok(!(await loader.list()).some(({ name }) => name === "typescript"));
  const other = glovebox.createLoader().load(code({ "a.ts": run("return 3") }));
  assert.equal(await other.getEntrypoint().run(0), 3);
  assert.equal((await stripping()).length, 2);
});

test("text that is nested without end, never done with, or huge costs its own load and nobody else's", async () => {
  const nested = await failure(result({ "a.ts": "(".repeat(1_000_000) }));
  assert.match(`${nested.name}: ${nested.message}`, /SyntaxError: a\.ts: The code is nested too deeply/);
  // Each bracket is tried as types and as values, which doubles the work.
  const endless = failure(result({ "a.ts": "let a = " + "<x>(".repeat(60) + ")".repeat(60) }));
  const bystander = result({ "a.ts": run("return 'fine' as string") });
  const error = await endless;
  assert.equal(error.code, "exceededCpu");
  assert.match(error.message, /^The types of "a\.ts" could not be stripped: /);
  assert.equal(await bystander, "fine");
  const huge = await failure(result({ "a.ts": "/".repeat(5 << 20) }));
  assert.match(huge.message, /The TypeScript of a worker may have 4 MiB, this has 5242880 bytes/);
  const large = "export const o: object = {" + Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i} as number`).join(",\n") + "};\n" + run("return Object.keys(o).length");
  assert.equal(await result({ "a.ts": large }), 20_000);
  const tokens = await failure(result({ "a.ts": `[${"1,".repeat(2_000_000)}]` }));
  assert.equal(tokens.code, "exceededMemory");
  assert.equal(await result({ "a.ts": run("return 1") }), 1);
});

test("what one text does to the stripper is not seen by the next: names of the language's own objects", async () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "prototype"];
  const text = `import { ${names.map((name) => `${name} as a_${name}`).join(", ")} } from "./o.ts"; enum E { ${names.join(", ")} }
    ${names.map((name) => `export type T_${name} = typeof a_${name};`).join("\n")} type __proto__ = 1; ${run("return E.toString as number")}`;
  assert.equal(await result({ "a.ts": text, "o.ts": "" }), 3);
  assert.deepEqual(await result({ "a.ts": run("return Object.keys({ a: 1 } as object)") }), ["a"]);
});
