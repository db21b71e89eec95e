// Stock workerd as a peer: a process of its own, asked over HTTP to run one loop at a time. The round trip of that request is
// in the time of each loop.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

// `folder` is where tools/bench has installed package.json.
export function findWorkerd(folder) {
  const require = createRequire(path.join(folder, "package.json"));
  const { version } = require("workerd/package.json");
  const arch = process.arch === "x64" ? "64" : process.arch;
  return { version, executable: require.resolve(`@cloudflare/workerd-linux-${arch}/bin/workerd`) };
}

export async function startWorkerd(folder) {
  const { version, executable } = findWorkerd(folder);
  await build({
    entryPoints: [file("workerd-host.mjs")], outfile: path.join(folder, "workerd-host.js"), bundle: true, format: "esm",
    external: ["cloudflare:*", "node:*"], logLevel: "error",
  });
  // It says on descriptor 3 which port it got.
  const child = spawn(executable, ["serve", "--experimental", "--control-fd=3", `--import-path=${folder}`, file("workerd.capnp")],
    { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const [line] = await Promise.race([once(child.stdio[3], "data"), once(child, "exit").then(() => { throw new Error("workerd did not start"); })]);
  const url = `http://127.0.0.1:${JSON.parse(String(line).split("\n")[0]).port}/`;
  return {
    key: "workerd",
    title: `stock workerd ${version}`,
    can: () => true,
    async run(part, count) {
      const response = await fetch(url, { method: "POST", body: JSON.stringify({ part, count }) });
      if (!response.ok) throw new Error(`workerd answered ${response.status} to ${part}: ${await response.text()}`);
    },
    close: () => child.kill(),
  };
}
