// Loads, each with a first call. `run` gets what good.mjs tells, but no agent.

import { RpcTarget } from "glovebox";
import { endingOf, expect } from "./world.mjs";

const HANDLER = "export default { async run(input, env, ctx) { return { doubled: input.value * 2 }; } };";

// (module (func (export "answer") (result i32) i32.const N))
const wasm = (n) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 10, 1, 6, 97, 110, 115, 119, 101, 114, 0, 0, 10, 6, 1, 4, 0, 65, n, 11]);

class Tools extends RpcTarget {
  #by;
  constructor(by) { super(); this.#by = by; }
  add(n) { return n + this.#by; }
}

async function firstCall({ world, random, timed }) {
  const [value] = random.numbers(1);
  const worker = world.load(HANDLER);
  expect("first call", await timed("fresh", () => worker.getEntrypoint().run({ value })), { doubled: 2 * value });
  return worker;
}

export const FRESH = [
  { name: "load, call, dispose", weight: 8, async run(context) { (await firstCall(context))[Symbol.dispose](); } },
  { name: "load, call, leave it to the collector", weight: 1, async run(context) { await firstCall(context); } },
  { name: "several loads at once", weight: 2, async run(context) {
    for (const worker of await Promise.all(context.random.list(3, () => firstCall(context)))) worker[Symbol.dispose]();
  } },
  { name: "modules of every kind", weight: 2, async run({ world, random }) {
    const text = random.text(100), n = random.below(64), list = random.numbers(5);
    const worker = world.loader.load({
      compatibilityDate: "2026-03-01",
      mainModule: "src/main.js",
      modules: {
        "src/main.js": `
          import text from "../text.txt";
          import data from "../data.bin";
          import json from "../list.json";
          import common from "../common.js";
          import module from "../answer.wasm";
          import { twice } from "./twice.js";
          export default { run: (n) => [text, new Uint8Array(data).length, json, common.name, new WebAssembly.Instance(module).exports.answer(), twice(n)] };`,
        "src/twice.js": "export const twice = (n) => 2 * n;",
        "text.txt": { text },
        "data.bin": { data: new Uint8Array(n) },
        "list.json": { json: list },
        "common.js": { cjs: "module.exports = { name: 'common' };" },
        "answer.wasm": { wasm: wasm(n & 63) },
      },
    });
    expect("modules", await worker.getEntrypoint().run(n), [text, n, list, "common", n, 2 * n]);
    worker[Symbol.dispose]();
  } },
  { name: "tools in the env", weight: 3, async run({ world, random }) {
    const [by, n] = random.numbers(2), data = random.value(2);
    const worker = world.load("export default { run: async (n, env) => [await env.TOOLS.add(n), await env.square(n), env.DATA, Object.keys(env)] };", {
      env: { TOOLS: new Tools(by), square: (x) => x * x, DATA: data },
    });
    expect("env", await worker.getEntrypoint().run(n), [n + by, n * n, data, ["TOOLS", "square", "DATA"]]);
    worker[Symbol.dispose]();
  } },
  { name: "code that comes later", weight: 2, async run({ world, random }) {
    const [value] = random.numbers(1), ms = random.below(10);
    const worker = world.loader.get(null, async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": HANDLER } };
    });
    expect("get", await worker.getEntrypoint().run({ value }), { doubled: 2 * value });
    worker[Symbol.dispose]();
  } },
  { name: "what is logged arrives", weight: 2, async run({ world, random }) {
    const text = `soak ${random.text(20)} ${random.below(2 ** 32)}`;
    const logged = world.logOf(text);
    const worker = world.load("export default { run(text) { console.log(text); return text.length; } };");
    expect("run", await worker.getEntrypoint().run(text), text.length);
    await logged;
    worker[Symbol.dispose]();
  } },
  { name: "a warm worker is renewed", weight: 2, async run({ world, lane, random, timed }) {
    const numbers = random.numbers(3);
    const { agent } = world.renew(lane, random);
    expect("sum", await timed("fresh", () => agent.sum(numbers)), numbers[0] + numbers[1] + numbers[2]);
  } },
  { name: "a named worker is aborted, and comes back", weight: 1, async run({ world, lane, random }) {
    const { name, worker } = world.named(lane, random);
    const entry = worker.getEntrypoint();
    await entry.square(1);   // somebody is there to be aborted, unless it is evicted just then
    await world.loader.abort(name);
    const [n] = random.numbers(1);
    expect("square", await entry.square(n), n * n);
  } },
  { name: "a bundle that was loaded before", weight: 1, async run({ world, random }) {
    const n = random.below(4);   // of four, each large enough for the code cache
    const part = (i) => `export function f${i}(x) { const parts = String(x).split("").map((c) => c.padStart(${i % 7}, "${n}")); return parts.length + ${i}; }\n`;
    const worker = world.load(Array.from({ length: 600 }, (_, i) => part(i)).join("") + "export default { run: (x) => f7(x) + f599(x) };");
    expect("run", await worker.getEntrypoint().run(12), 2 + 7 + 2 + 599);
    worker[Symbol.dispose]();
  } },
  { name: "code that cannot start", weight: 1, async run({ world, random }) {
    const text = random.pick(["export default {", "throw new RangeError('no')", "import x from './nowhere.js'"]);
    const worker = world.load(text);
    for (let i = 0; i < 2; i++) expect(`a call of '${text}'`, await endingOf(worker.getEntrypoint().run(0)), "thrown Error");
    worker[Symbol.dispose]();
  } },
];
