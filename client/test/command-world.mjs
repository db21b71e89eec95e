// What tests of the command that serves have in common: processes and folders that do not outlive them.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";

export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const running = [];
const folders = [];
after(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true });
});

export function temporaryFolder(name) {
  const folder = mkdtempSync(path.join(tmpdir(), `glovebox-${name}-`));
  folders.push(folder);
  return folder;
}

// A command that serves, once it has said `wanted` or ended: what it said, and its addresses.
export async function startCommand(words, wanted) {
  const child = spawn(process.env.GLOVEBOX_COMMAND, words, { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  const server = { child, output: "", words: "", code: undefined };
  server.ended = new Promise((resolve) => child.once("close", (code, signal) => { server.code = code ?? signal; resolve(server.code); }));
  child.stdout.setEncoding("utf8").on("data", (text) => { server.output += text; });
  child.stderr.setEncoding("utf8").on("data", (text) => { server.words += text; });
  while (!wanted.test(server.output) && server.code === undefined) await later(5);
  server.url = /^Ready on (\S+)/m.exec(server.output)?.[1];
  server.admin = /^Admin on (\S+)$/m.exec(server.output)?.[1];
  return server;
}
