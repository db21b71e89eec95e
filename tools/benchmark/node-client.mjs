// What a Node.js program sees: loads, calls, tool calls and bulk data through the package. `tools/bench node` runs it.
//
//   node tools/benchmark/node-client.mjs [--samples N] [--socket PATH]

import { parseArgs } from "node:util";
import { connect, RpcTarget } from "glovebox";

const { values } = parseArgs({ options: { samples: { type: "string", default: "1000" }, socket: { type: "string" } } });
const SAMPLES = Number(values.samples);

const AGENT = `
import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  nothing() {}
  length(value) { return value.length ?? value.byteLength; }
  async useTool(tool, count) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (await tool.call({ value: i })).doubled;
    return sum;
  }
  async useToolAtOnce(tool, count) {
    const results = await Promise.all(Array.from({ length: count }, (_, i) => tool.call({ value: i })));
    return results.length;
  }
}`;

class Tool extends RpcTarget {
  call({ value }) { return { doubled: value * 2 }; }
}

const glovebox = await connect({ socket: values.socket, console: "ignore" });

function load() {
  return glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "agent.js", modules: { "agent.js": AGENT } });
}

async function measure(name, count, body, unit = "us", scale = 1e3) {
  const samples = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await body();
    samples.push((performance.now() - start) * scale);
  }
  samples.sort((a, b) => a - b);
  const at = (p) => samples[Math.min(samples.length - 1, Math.floor(samples.length * p))];
  const show = (v) => (v >= 100 ? v.toFixed(0) : v.toFixed(1)).padStart(8);
  console.log(`${name.padEnd(46)}${show(samples[0])} ${show(at(0.5))} ${show(at(0.95))} ${show(at(0.99))}   ${unit} (n = ${count})`);
  return at(0.5);
}

console.log(`${"".padEnd(46)}     min      p50      p95      p99`);
for (let i = 0; i < 50; i++) { const w = load(); await w.getEntrypoint().nothing(); w[Symbol.dispose](); }

await measure("load + first call", SAMPLES, async () => {
  const worker = load();
  await worker.getEntrypoint().nothing();
  worker[Symbol.dispose]();
});
const worker = load();
const agent = worker.getEntrypoint();
for (let i = 0; i < 200; i++) await agent.nothing();
await measure("warm call", SAMPLES, () => agent.nothing());
const tool = new Tool();
await agent.useTool(tool, 500);
await measure("tool call, from the agent and back", Math.ceil(SAMPLES / 5), () => agent.useTool(tool, 20), "us", 1e3 / 20);
await measure("1,000 tool calls in one run", 10, () => agent.useTool(tool, 1000), "ms", 1);
await measure("1,000 tool calls at once", 10, () => agent.useToolAtOnce(tool, 1000), "ms", 1);
const text = "x".repeat(1 << 20);
await measure("1 MiB string argument", 100, () => agent.length(text), "ms", 1);
const buffer = new ArrayBuffer(16 << 20);
const ms = await measure("16 MiB ArrayBuffer argument", 20, () => agent.length(buffer), "ms", 1);
console.log(`${"".padEnd(46)}${(16.777 / ms * 1e3).toFixed(0).padStart(17)}   MB/s`);
worker[Symbol.dispose]();
await glovebox.close();
