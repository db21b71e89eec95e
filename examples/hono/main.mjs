// A whole web app in a sandbox: bundled here, loaded by name, and asked by fetch().
//
//   node examples/hono/main.mjs

import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { connect } from "glovebox";

const { outputFiles: [bundle] } = await build({
  entryPoints: [fileURLToPath(new URL("app.js", import.meta.url))],
  bundle: true, format: "esm", target: "es2023", conditions: ["workerd", "worker", "browser"], write: false, logLevel: "warning",
});

const glovebox = await connect();
const app = glovebox.loader.get("hono-app-v1", () => ({
  compatibilityDate: "2026-03-01",
  mainModule: "app.js",
  modules: { "app.js": bundle.text },
  env: { NAME: "the sandbox" },
  globalOutbound: null,
})).getEntrypoint();

for (const url of ["http://app/", "http://app/api/greet/Ann?loud=yes", "http://app/count", "http://app/nothing"]) {
  const response = await app.fetch(url);
  console.log(response.status, JSON.stringify(await response.text()));
}
await glovebox.close();
