// A supervisor of one's own: `glovebox serve` as a child process on a private socket. It ends when this program does, however
// that ends: its standard input is a pipe from us, and it stops at end-of-file.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { commandFile } from "./addon-file.ts";
import type { EgressFile } from "./egress.ts";
import { unavailable } from "./errors.ts";

export interface Daemon {
  readonly socket: string;
  stop(): void;
}

export async function startDaemon(args: string[], egress?: EgressFile): Promise<Daemon> {
  const folder = mkdtempSync(path.join(tmpdir(), "glovebox-"));   // mode 0700
  const socket = path.join(folder, "socket");
  const command = commandFile();
  const egressArgs = egress === undefined ? [] : ["--egress", path.join(folder, "egress.json")];
  if (egress !== undefined) writeFileSync(egressArgs[1]!, egress.text, { mode: 0o600 });
  const child = spawn(command, ["serve", "--socket", socket, "--until-eof", ...args, ...egressArgs],
    { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...egress?.environment } });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4096);
  });
  const stop = () => {
    child.stdin.destroy();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("error", (error) => reject(unavailable(`The glovebox command could not be started (${command}): ${error.message}. Was it built (tools/dev build)?`)));
      child.once("close", (code) => reject(unavailable(`The supervisor did not start (exit code ${code}).\n${stderr.trim()}`)));
      // It says so once it listens.
      child.stdout.once("data", () => resolve());
    });
  } catch (error) {
    stop();
    throw error;
  }
  child.removeAllListeners("close");
  child.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  child.stdout.resume();
  // It must not keep this program alive: the line does, while calls are under way.
  for (const handle of [child, child.stdin, child.stdout, child.stderr]) (handle as unknown as { unref(): void }).unref();
  process.once("exit", stop);
  return { socket, stop: () => { process.removeListener("exit", stop); stop(); } };
}
