// The supervisor that is soaked: a daemon in a child process, so that its memory, descriptors and processes are its own,
// and on a socket, so that lines to it can be opened and dropped beside the one that stays.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

// Of the names of all lanes about every other one stays warm; the rest is evicted and made again.
const NAMED_MB = 12;

export class SupervisorProcess {
  #child;
  #folder = mkdtempSync(path.join(tmpdir(), "glovebox-soak-"));
  #ending = false;
  socket = path.join(this.#folder, "socket");

  // `died` is called with words if it ends before it is told to, or not as it should.
  static async start(command, { died }) {
    const supervisor = new SupervisorProcess();
    const child = supervisor.#child = spawn(command, ["serve", "--socket", supervisor.socket, "--until-eof", "--named-memory-mb", String(NAMED_MB)], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      await new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code) => reject(new Error(`'${command} serve' ended with ${code} before it listened`)));
        child.stdout.once("data", resolve);   // it says so once it listens
      });
    } catch (error) {
      rmSync(supervisor.#folder, { recursive: true, force: true });
      throw error;
    }
    child.removeAllListeners("exit");
    child.once("exit", (code, signal) => {
      if (!supervisor.#ending || code !== 0) died(`the supervisor ended: ${signal ?? `exit code ${code}`}`);
    });
    return supervisor;
  }

  get pid() { return this.#child.pid; }

  async end() {
    this.#ending = true;
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGTERM");   // to no avail if it is dead already, and we have yet to hear
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  // Memory that nothing on a disk stands for: what a leak makes larger, and what no other process has a part in.
  memoryKb() { return statusNumber(this.pid, "RssAnon"); }
  descriptors() { return readdirSync(`/proc/${this.pid}/fd`).length; }
  // All of them below it: wardens, zygotes, workers.
  processes() { return descendantsOf(this.pid).length; }

  // A signal to one of its workers, or to a zygote. Whatever else has that number by now is spared.
  signal(pid, name) {
    if (!isBelow(pid, this.pid)) throw new Error(`process ${pid} is none of the supervisor's`);
    process.kill(pid, name);
  }

  // The second process of its namespace.
  zygoteOf(wardenPid) { return childrenOf(wardenPid).find((pid) => innerPid(pid) === 2); }
}

function statusNumber(pid, name) {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (match === null) throw new Error(`/proc/${pid}/status has no ${name}`);
  return Number(match[1]);
}

// By the innermost namespace that it is in: the last number of the line.
function innerPid(pid) {
  try {
    return Number(/^NSpid:.*\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  } catch {
    return undefined;   // it has ended
  }
}

function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter((text) => text !== "").map(Number);
  } catch {
    return [];   // it has ended
  }
}

// By the parents: a list of children may leave some out while others end.
function isBelow(pid, ancestor) {
  for (let at = pid; at > 1; at = statusNumber(at, "PPid")) {
    if (at === ancestor) return true;
  }
  return false;
}

function descendantsOf(pid) { return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]); }
