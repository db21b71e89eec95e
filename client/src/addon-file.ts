// Where the built pieces of this package are: beside this file, in the folder that the build wrote.

import { createRequire } from "node:module";
import * as path from "node:path";
import type { Addon } from "./addon.d.ts";
import { unavailable } from "./errors.ts";

// The folder of the bundle (CommonJS, whoever imports it).
declare const __dirname: string;

let loaded: Addon | undefined;

export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  if (process.platform !== "linux") throw unavailable(`glovebox runs on Linux, not on ${process.platform}: its sandbox is made of Linux namespaces and seccomp.`);
  const file = path.join(__dirname, "glovebox.node");
  try {
    loaded = createRequire(file)(file) as Addon;
  } catch (error) {
    throw unavailable(`glovebox's native part could not be loaded from ${file}. Was it built for this machine (tools/dev build)?`, { cause: error });
  }
  return loaded;
}

// The `glovebox` command.
export function commandFile(): string {
  return process.env.GLOVEBOX_COMMAND ?? path.join(__dirname, "..", "tools", "glovebox");
}

// The Worker that strips types (worker/typescript/).
export function typescriptFile(): string { return path.join(__dirname, "typescript.js"); }

// The Worker that bundles (worker/bundler/), and the WebAssembly that it imports.
export function bundlerFile(): string { return path.join(__dirname, "bundler.js"); }
export function esbuildFile(): string { return path.join(__dirname, "esbuild.wasm"); }

// What the build wrote, for a supervisor in this process.
export function installationFolder(): string {
  return process.env.GLOVEBOX_INSTALLATION ?? path.join(__dirname, "..");
}
