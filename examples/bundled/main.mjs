// An agent's web server with a package from npm: bundled in a jailed worker, then loaded and asked.
//
//   node examples/bundled/main.mjs

import { connect } from "glovebox";
import { createWorker } from "glovebox/bundler";

const glovebox = await connect();
const env = { LOADER: glovebox.loader };

const worker = env.LOADER.get("hono-app-v1", async () => {
  const { mainModule, modules } = await createWorker({
    files: {
      "src/index.ts": `
        import { Hono } from 'hono';
        const app = new Hono();
        app.get('/', (c) => c.text('Hello from a sandboxed Hono app'));
        app.get('/json', (c) => c.json({ ok: true }));
        export default app;
      `,
      "package.json": JSON.stringify({ dependencies: { hono: "^4.0.0" } }),
    },
  });
  return { mainModule, modules, compatibilityDate: "2026-01-01" };
});

for (const path of ["/", "/json"]) {
  const response = await worker.getEntrypoint().fetch(new Request(`http://sandbox${path}`));
  console.log(response.status, await response.text());
}
await glovebox.close();
