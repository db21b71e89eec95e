// @cloudflare/worker-bundler, unmodified, in a worker that has a loader: the article's fourth step as it stands there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { connect, entrypoint } from "glovebox";
import { createBundler } from "glovebox/bundler";

const cacheFolder = mkdtempSync(path.join(tmpdir(), "glovebox-worker-bundler-"));
const bundler = createBundler({ cacheFolder });
// It holds what our own bundler does; the rest are Worker Loader's limits.
const glovebox = await connect({ console: "ignore", supervisor: { limits: { memoryMb: 512, startupCpuMs: 10_000 } } });
after(async () => {
  await bundler.close();
  await glovebox.close();
  rmSync(cacheFolder, { recursive: true });
});

test("a host worker bundles an agent's Hono app with it, loads it and asks it", async () => {
  const host = await bundler.createWorker({
    files: {
      "src/index.ts": `
        import { createWorker } from "@cloudflare/worker-bundler";
        export default {
          async fetch(request, env) {
            const worker = env.LOADER.get("hono-app-v1", async () => {
              const { mainModule, modules } = await createWorker({
                files: {
                  "src/index.ts": \`
                    import { Hono } from 'hono';
                    const app = new Hono();
                    app.get('/', (c) => c.text('Hello from a sandboxed Hono app'));
                    app.get('/json', (c) => c.json({ ok: true }));
                    export default app;
                  \`,
                  "package.json": JSON.stringify({ dependencies: { hono: "^4.0.0" } }),
                },
              });
              return { mainModule, modules, compatibilityDate: "2026-01-01" };
            });
            return worker.getEntrypoint().fetch(request);
          },
        };`,
      "package.json": JSON.stringify({ dependencies: { "@cloudflare/worker-bundler": "0.2.3" } }),
    },
  });
  assert.ok(Object.values(host.modules).some((module) => module.wasm?.length > 10 << 20), "it came with its WebAssembly");
  // It asks the registry that it knows, and is answered by the one that is configured here.
  const registry = (await promisify(execFile)("npm", ["config", "get", "registry"])).stdout.trim().replace(/\/$/, "");
  const asked = [];
  const outbound = entrypoint({
    async fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      const answer = await fetch(registry + pathname);
      return new Response(await answer.arrayBuffer(), { status: answer.status });
    },
  });
  const worker = glovebox.loader.load({ ...host, compatibilityDate: "2026-01-01", env: { LOADER: glovebox.createLoader() }, globalOutbound: outbound });
  const get = async (where) => (await worker.getEntrypoint().fetch(new Request(`http://sandbox${where}`))).text();
  assert.equal(await get("/"), "Hello from a sandboxed Hono app");
  assert.equal(await get("/json"), '{"ok":true}');
  assert.equal(asked.length, 2);
  assert.match(asked[1], /^\/hono\/-\/hono-4\.\d+\.\d+\.tgz$/);
});
