// What one who asks over HTTP sees of a Hono app: in a project of `glovebox dev`, and beside it in Node.js's own server and in
// stock workerd, in turn. And from a Node.js program: its bundle loaded into a new worker and asked for the first time.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { build } from "esbuild";
import { connect } from "glovebox";

import { ask } from "./http-load.mjs";
import { header, row, summary } from "./measure.mjs";

const HELP = `Usage: tools/bench http [--samples N] [--no-peers] [--json]

  --samples N   requests of each connection count and subject (2000)
  --no-peers    without stock workerd
  --json        JSON for machines on standard output`;

const { values: options } = parseArgs({
  options: {
    samples: { type: "string", default: "2000" },
    peers: { type: "string" },   // the folder where they are installed; tools/bench names it
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit();
}
const samples = Number(options.samples);
if (!(Number.isInteger(samples) && samples > 0)) throw new TypeError(`--samples expects a whole number from 1, got ${options.samples}`);
const say = (text) => { if (!options.json) console.log(text); };

const folder = mkdtempSync(path.join(tmpdir(), "glovebox-bench-http-"));
process.once("exit", () => rmSync(folder, { recursive: true }));
await build({
  entryPoints: [fileURLToPath(new URL("../../examples/hono/app.js", import.meta.url))], outfile: path.join(folder, "app.js"),
  bundle: true, format: "esm", target: "es2023", conditions: ["workerd", "worker", "browser"],
});
const { default: app } = await import(path.join(folder, "app.js"));
const bundle = readFileSync(path.join(folder, "app.js"), "utf8");

const subjects = [await startGlovebox(), await startNode()];
if (options.peers !== undefined) {
  const workerd = await startWorkerd(path.resolve(options.peers)).catch((error) => say(`workerd cannot be measured: ${error.message}`));
  if (workerd !== undefined) subjects.push(workerd);
}

const report = { node: process.version, bundleBytes: bundle.length, figures: {} };
say(header());
for (const connections of [1, 8, 32]) {
  const figure = report.figures[`connections${connections}`] = {};
  const measured = new Map(subjects.map((subject) => [subject, { times: [], seconds: 0 }]));
  const ROUNDS = 4;
  for (let round = -1; round < ROUNDS; round++) {
    for (const subject of subjects) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { times, seconds } = await ask(`${subject.url}/`, { connections, count: Math.ceil(samples / ROUNDS) });
      if (round < 0) continue;   // warm by now
      measured.get(subject).times.push(...times);
      measured.get(subject).seconds += seconds;
    }
  }
  for (const [subject, { times, seconds }] of measured) {
    const entry = figure[subject.key] = { ...summary(times), unit: "us", perSecond: times.length / seconds };
    let note = `, ${entry.perSecond.toFixed(0)} 1/s`;
    if (subject !== subjects[0]) note += `: ${(entry.p50 / figure.glovebox.p50).toFixed(2)} x ours`;
    say(row(subject === subjects[0] ? `GET / of a Hono app, ${connections} at once` : `  ${subject.title}`, entry, { unit: "us", loop: 1, note }));
  }
}
for (const subject of subjects) await subject.close();

const glovebox = await connect({ console: "ignore" });
const times = [];
for (let i = -10; i < Math.min(samples, 200); i++) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const start = performance.now();
  using worker = glovebox.loader.load({
    compatibilityDate: "2026-03-01", mainModule: "app.js", modules: { "app.js": bundle }, env: {}, globalOutbound: null,
  });
  const response = await worker.getEntrypoint().fetch("http://app/");
  if (await response.text() !== "Hello Hono!") throw new Error("not the app's answer");
  if (i >= 0) times.push((performance.now() - start) * 1000);
}
await glovebox.close();
report.figures.freshLoad = { unit: "us", ...summary(times) };
say(row(`its bundle (${Math.round(bundle.length / 1000)} kB) loaded, first fetch()`, report.figures.freshLoad, { unit: "us", loop: 1 }));
if (options.json) console.log(JSON.stringify(report, null, 2));

async function startGlovebox() {
  writeFileSync(path.join(folder, "wrangler.json"), JSON.stringify({ name: "bench", main: "app.js", compatibility_date: "2026-03-01" }));
  const child = spawn(process.env.GLOVEBOX_COMMAND, ["dev", folder, "--listen", "127.0.0.1:0", "--quiet"], { stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text) => resolve(/^Ready on (http:\S+) /.exec(text)?.[1]));
    child.once("exit", (code) => reject(new Error(`glovebox dev ended with ${code}`)));
  });
  return { key: "glovebox", title: "glovebox dev", url, close: () => new Promise((resolve) => child.once("exit", resolve) && child.kill("SIGTERM")) };
}

// No sandbox, no other process: what this app costs in a program that trusts it.
async function startNode() {
  const server = createServer(async (request, response) => {
    const answer = await app.fetch(new Request(`http://${request.headers.host}${request.url}`, { method: request.method, headers: request.headers }), {});
    response.writeHead(answer.status, [...answer.headers].flat());
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { key: "node", title: "the same in this Node.js, no sandbox", url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

async function startWorkerd(peers) {
  const config = `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (services = [(name = "main", worker = (modules = [(name = "app.js", esModule = embed "app.js")],
      compatibilityDate = "2026-03-01"))], sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);`;
  writeFileSync(path.join(folder, "workerd.capnp"), config);
  const { version, executable } = (await import("./node-peers/workerd.mjs")).findWorkerd(peers);
  const child = spawn(executable, ["serve", path.join(folder, "workerd.capnp"), "--control-fd=3"], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const port = await new Promise((resolve, reject) => {
    child.stdio[3].setEncoding("utf8").on("data", (text) => {
      const found = /"event":"listen".*"port":(\d+)/.exec(text);
      if (found) resolve(found[1]);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
  });
  return { key: "workerd", title: `stock workerd ${version}, as its own worker`, url: `http://127.0.0.1:${port}`, close: () => child.kill() };
}
