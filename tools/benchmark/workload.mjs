// What a program does with a Worker Loader, as loops for somebody else to time. This file runs unchanged in Node.js on
// Glovebox (with --import glovebox/register) and inside workerd.

import { DynamicWorkerExecutor } from "@cloudflare/codemode";
import { RpcTarget } from "cloudflare:workers";
import { BUFFER, RUN, TEXT, expect } from "./workload-data.mjs";

export const AGENT = {
  compatibilityDate: "2026-03-01",
  mainModule: "agent.js",
  globalOutbound: null,
  modules: {
    "agent.js": `
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
    return results.reduce((sum, { doubled }) => sum + doubled, 0);
  }
}`,
  },
};

// What is loaded afresh: the smallest agent that does something.
const FRESH = {
  compatibilityDate: "2026-03-01",
  mainModule: "agent.js",
  globalOutbound: null,
  modules: { "agent.js": `export default { async myAgent(input, env, ctx) { return { doubled: input.value * 2, ts: Date.now() }; } };` },
};

// What a model would write.
const PROGRAM = `async () => {
  let sum = 0;
  for (let i = 1; i <= 3; i++) sum = await codemode.add({ a: sum, b: i });
  return sum;
}`;
const TOOLS = [{ name: "codemode", fns: { add: async ({ a, b }) => a + b } }];

class Tool extends RpcTarget {
  call({ value }) { return { doubled: value * 2 }; }
}

export class Workload {
  #loader;
  #agent;
  #executor;

  // `agent` is the entrypoint of a warm Worker that was loaded from AGENT.
  constructor(loader, agent) {
    this.#loader = loader;
    this.#agent = agent;
    this.#executor = new DynamicWorkerExecutor({ loader, globalOutbound: null });
  }

  async loadAndFirstCall(count) {
    for (let i = 0; i < count; i++) {
      const worker = this.#loader.load(FRESH);
      expect((await worker.getEntrypoint().myAgent({ value: 21 })).doubled, 42);
      worker[Symbol.dispose]?.();   // not in workerd
    }
  }
  async warmCall(count) {
    for (let i = 0; i < count; i++) await this.#agent.nothing();
  }
  async toolCall(count) {
    const tool = new Tool();
    for (let i = 0; i < count; i += RUN) expect(await this.#agent.useTool(tool, RUN), RUN * (RUN - 1));
  }
  async thousandToolCalls(count) {
    const tool = new Tool();
    for (let i = 0; i < count; i++) expect(await this.#agent.useTool(tool, 1000), 999_000);
  }
  async thousandToolCallsAtOnce(count) {
    const tool = new Tool();
    for (let i = 0; i < count; i++) expect(await this.#agent.useToolAtOnce(tool, 1000), 999_000);
  }
  async textArgument(count) {
    for (let i = 0; i < count; i++) expect(await this.#agent.length(TEXT), TEXT.length);
  }
  async bufferArgument(count) {
    for (let i = 0; i < count; i++) expect(await this.#agent.length(BUFFER), BUFFER.byteLength);
  }
  async codemode(count) {
    for (let i = 0; i < count; i++) {
      const { result, error } = await this.#executor.execute(PROGRAM, TOOLS);
      if (error !== undefined) throw new Error(error);
      expect(result, 6);
    }
  }
}
