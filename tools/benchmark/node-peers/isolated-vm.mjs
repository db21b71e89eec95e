// isolated-vm as a peer: an isolate in the process of the program. That process is a child, so that the figures beside it are
// taken from a Node.js without it; it is asked over Node's channel to run one loop at a time.

import { fork } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const FRESH = `export async function myAgent(input) { return { doubled: input.value * 2, ts: Date.now() }; }`;
const AGENT = `
export function nothing() {}
export function length(value) { return value.length ?? value.byteLength; }
const use = { arguments: { copy: true }, result: { copy: true, promise: true } };
export async function useTool(tool, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (await tool.apply(undefined, [{ value: i }], use)).doubled;
  return sum;
}
export async function useToolAtOnce(tool, count) {
  const results = await Promise.all(Array.from({ length: count }, (_, i) => tool.apply(undefined, [{ value: i }], use)));
  return results.reduce((sum, { doubled }) => sum + doubled, 0);
}`;

// The side that measures. `folder` is where tools/bench has installed package.json.
export async function startIsolatedVm(folder) {
  const { version } = createRequire(path.join(folder, "package.json"))("isolated-vm/package.json");
  const child = fork(fileURLToPath(import.meta.url), [folder], { execArgv: ["--no-node-snapshot"] });
  let settle;
  child.on("message", (message) => settle.resolve(message));
  child.on("exit", (code) => settle.reject(new Error(`the process of isolated-vm ended with ${code}`)));
  const answer = () => new Promise((resolve, reject) => { settle = { resolve, reject }; });
  const parts = await answer();
  return {
    key: "isolatedVm",
    title: `isolated-vm ${version}, same process`,
    can: (part) => parts.includes(part),
    async run(part, count) {
      child.send({ part, count });
      await answer();
    },
    close: () => child.disconnect(),
  };
}

// The side that is measured.
async function serve(folder) {
  const { TEXT, BUFFER, RUN, expect } = await import("../workload-data.mjs");
  const ivm = createRequire(path.join(folder, "package.json"))("isolated-vm");
  const tool = new ivm.Reference(async ({ value }) => ({ doubled: value * 2 }));

  async function load(source) {
    const isolate = new ivm.Isolate();
    const context = await isolate.createContext();
    const module = await isolate.compileModule(source);
    await module.instantiate(context, () => { throw new Error("the agent imports nothing"); });
    await module.evaluate();
    return { isolate, get: (name) => module.namespace.get(name, { reference: true }) };
  }
  const agent = await load(AGENT);
  const [nothing, length, useTool, useToolAtOnce] = await Promise.all(["nothing", "length", "useTool", "useToolAtOnce"].map(agent.get));
  const run = (method, count) => method.apply(undefined, [tool, count], { result: { promise: true } });

  const parts = {
    async loadAndFirstCall(count) {
      for (let i = 0; i < count; i++) {
        const { isolate, get } = await load(FRESH);
        const call = { arguments: { copy: true }, result: { copy: true, promise: true } };
        expect((await (await get("myAgent")).apply(undefined, [{ value: 21 }], call)).doubled, 42);
        isolate.dispose();
      }
    },
    async warmCall(count) { for (let i = 0; i < count; i++) await nothing.apply(undefined, []); },
    async toolCall(count) { for (let i = 0; i < count; i += RUN) expect(await run(useTool, RUN), RUN * (RUN - 1)); },
    async thousandToolCalls(count) { for (let i = 0; i < count; i++) expect(await run(useTool, 1000), 999_000); },
    async thousandToolCallsAtOnce(count) { for (let i = 0; i < count; i++) expect(await run(useToolAtOnce, 1000), 999_000); },
    async textArgument(count) { for (let i = 0; i < count; i++) expect(await length.apply(undefined, [TEXT]), TEXT.length); },
    async bufferArgument(count) {
      for (let i = 0; i < count; i++) expect(await length.apply(undefined, [BUFFER], { arguments: { copy: true } }), BUFFER.byteLength);
    },
  };
  process.on("message", async ({ part, count }) => {
    await parts[part](count);
    process.send("done");
  });
  process.send(Object.keys(parts));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv[2]);
