// Each rule of rpc-rules.mjs between each kind of pair: a Node program that calls a worker, a worker that calls another, and
// a worker that calls a Node program.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

import { RpcStub, RpcTarget, connect, entrypoint } from "glovebox";
import { RULES, SERVER } from "./rpc-rules.mjs";
import { Daemon, THROWN, TestLine } from "./world.mjs";

const ERRORS = ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"];

// Part of each client: also sent to workers, as text.
const KIT = `
const words = (error) => (error instanceof Error || error instanceof DOMException ? error.name + ": " + error.message : String(error)) + (error?.remote === true ? " (remote)" : "");
const kit = {
  RpcTarget, RpcStub,
  async fails(what) {
    try {
      await (typeof what === "function" && what.constructor.name !== "RpcPromise" && what.constructor.name !== "RpcProperty" ? what() : what);
    } catch (error) {
      return words(error);
    }
    return "did not fail";
  },
  async caught(promise) { try { await promise; } catch (error) { return error; } throw new Error("did not fail"); },
  later: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};`;

const glovebox = await connect({ console: "ignore" });
const folder = mkdtempSync(path.join(tmpdir(), "glovebox-rules-"));
after(async () => {
  await glovebox.close();
  rmSync(folder, { recursive: true, force: true });
});

const load = (modules, mainModule, env) => glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule, modules, env });

const ENTRYPOINTS = { server: undefined, plain: "plain", strange: "strange", instance: "instance" };

function stubsOf(worker) {
  const stubs = Object.fromEntries(Object.entries(ENTRYPOINTS).map(([key, name]) => [key, worker.getEntrypoint(name)]));
  stubs.withProps = worker.getEntrypoint("Props", { props: { tenant: 7 } });
  return stubs;
}

const makeKit = new Function("RpcTarget", "RpcStub", `${KIT}\nreturn kit;`);
const fromNode = (rule, stubs) => rule.client(stubs, makeKit(RpcTarget, RpcStub));

async function fromWorker(rule, stubs) {
  const client = `import { RpcStub, RpcTarget } from "cloudflare:workers";
    ${KIT}
    export default { async run(_, env) { return (${rule.client})(env, kit); } };`;
  const worker = load({ "client.js": client }, "client.js", stubs);
  try {
    return await worker.getEntrypoint().run(null);
  } finally {
    worker[Symbol.dispose]();
  }
}

// What is in the way of comparing: the disposer of a result.
function bare(value) {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, Symbol.dispose)) delete value[Symbol.dispose];
  return value;
}

const usesRaw = (rule) => rule.client.toString().includes("kit.raw(");

for (const rule of RULES) {
  if (usesRaw(rule)) continue;
  test(`Node to worker: ${rule.name}`, async () => {
    const worker = load({ "server.js": SERVER }, "server.js");
    try {
      assert.deepEqual(bare(await fromNode(rule, stubsOf(worker))), rule.expected);
    } finally {
      worker[Symbol.dispose]();
    }
  });
  test(`worker to worker: ${rule.name}`, async () => {
    const worker = load({ "server.js": SERVER }, "server.js");
    try {
      assert.deepEqual(bare(await fromWorker(rule, stubsOf(worker))), rule.expected);
    } finally {
      worker[Symbol.dispose]();
    }
  });
}

// Paths that no stub would make: straight through the addon.
for (const rule of RULES) {
  if (!usesRaw(rule)) continue;
  test(`addon to worker: ${rule.name}`, async () => {
    const daemon = await Daemon.start();
    const line = new TestLine(daemon.socket);
    try {
      const worker = line.load(SERVER);
      const kit = {
        async raw(target, names, args) {
          const answer = await line.call(target, names, ...args);
          return answer.kind === THROWN ? `${ERRORS[answer.value.error]}: ${answer.value.message} (remote)` : answer;
        },
      };
      assert.deepEqual(await rule.client({ server: line.entrypoint(worker) }, kit), rule.expected);
    } finally {
      line.native.close();
      await line.closed;
      await daemon.end();
    }
  });
}

// The same server, in this program.
const file = path.join(folder, "server.mjs");
writeFileSync(file, SERVER.replaceAll("cloudflare:workers", pathToFileURL(path.join(import.meta.dirname ?? ".", "../dist/workers.mjs")).href));
const server = await import(pathToFileURL(file).href);

for (const rule of RULES) {
  if (usesRaw(rule)) continue;
  test(`worker to Node: ${rule.name}`, async () => {
    const stubs = Object.fromEntries(Object.entries(ENTRYPOINTS).map(([key, name]) => [key, entrypoint(server[name ?? "default"])]));
    stubs.withProps = entrypoint(server.Props, { props: { tenant: 7 } });
    assert.deepEqual(bare(await fromWorker(rule, stubs)), rule.expected);
  });
}
