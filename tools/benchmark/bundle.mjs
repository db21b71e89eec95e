// tools/bench bundle: what createWorker() takes for the article's Hono app: from an empty cache, by a cold bundler and by a warm one. The
// registry is npm's configured one.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "glovebox";
import { createBundler } from "glovebox/bundler";

const { values } = parseArgs({ options: { runs: { type: "string", default: "40" }, json: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
if (values.help) {
  console.log("tools/bench bundle [--runs N] [--json]");
  process.exit(0);
}

const FILES = {
  "src/index.ts": `
    import { Hono } from 'hono';
    const app = new Hono();
    app.get('/', (c) => c.text('Hello from a sandboxed Hono app'));
    app.get('/json', (c) => c.json({ ok: true }));
    export default app;
  `,
  "package.json": JSON.stringify({ dependencies: { hono: "^4.0.0" } }),
};
const cacheFolder = mkdtempSync(join(tmpdir(), "glovebox-bench-"));

async function timed(bundler) {
  const start = performance.now();
  await bundler.createWorker({ files: FILES });
  return performance.now() - start;
}

// Its own, so that its books can be read.
async function withBundler(body) {
  const glovebox = await connect({ console: "ignore", supervisor: { poolSize: 1, limits: { memoryMb: 768, cpuMs: 60_000, startupCpuMs: 10_000 } } });
  const bundler = createBundler({ cacheFolder, glovebox });
  try {
    return await body(bundler, glovebox);
  } finally {
    await bundler.close();
    await glovebox.close();
  }
}

try {
  const emptyCache = await withBundler(timed);
  const result = await withBundler(async (bundler, glovebox) => {
    const coldBundler = await timed(bundler);
    const warm = [];
    for (let i = 0; i < Number(values.runs); i++) warm.push(await timed(bundler));
    const { workers, recent } = await glovebox.status();
    const { pid, memoryBytes } = workers.find(({ name }) => name === "bundler");
    const rss = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
    const cpu = recent.slice(-warm.length).map(({ cpuUs }) => cpuUs / 1000).sort((a, b) => a - b);
    warm.sort((a, b) => a - b);
    const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
    return { emptyCache, coldBundler, warmP50: at(warm, 0.5), warmP99: at(warm, 0.99), warmCpuP50: at(cpu, 0.5), memoryMiB: memoryBytes / 2 ** 20, peakMiB: rss / 2 ** 20 };
  });
  if (values.json) console.log(JSON.stringify(result));
  else {
    const ms = (value) => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
    console.log(`hono, empty cache, cold bundler     ${ms(result.emptyCache)}
hono, cold bundler                  ${ms(result.coldBundler)}
hono, warm bundler                  p50 ${ms(result.warmP50)}, p99 ${ms(result.warmP99)}; CPU p50 ${ms(result.warmCpuP50)}
memory of the bundler's process     ${result.memoryMiB.toFixed(0)} MiB of its own, at most ${result.peakMiB.toFixed(0)} MiB with what it shares`);
  }
} finally {
  rmSync(cacheFolder, { recursive: true });
}
