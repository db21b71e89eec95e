// A daemon to talk to, and promises around the addon's events. Where the pieces are comes from the build.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { decode, encode } from "./values.mjs";

const BUILD = process.env.GLOVEBOX_BUILD_DIR ?? fileURLToPath(new URL("../../build", import.meta.url));
export const ADDON = join(BUILD, "client/glovebox.node");
export const addon = createRequire(import.meta.url)(ADDON);

export const VALUE = 0, THROWN = 1, ENDED = 2, FAILED = 3;
export const STUB = 1, LOADER = 5;

// A process that listens on a socket and prints a line when it is ready.
class Listening {
  constructor(program, args) {
    this.folder = mkdtempSync(join(tmpdir(), "glovebox-"));
    this.socket = join(this.folder, "socket");
    this.process = spawn(join(BUILD, program), [...args, this.socket], { stdio: ["pipe", "pipe", "inherit"] });
    this.ready = new Promise((resolve, reject) => {
      this.process.stdout.once("data", () => resolve(this));
      this.process.once("error", reject);
      this.process.once("exit", (code) => reject(new Error(`${program} ended with ${code} before it was ready`)));
    });
  }
  async end(signal = "SIGTERM") {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = new Promise((resolve) => this.process.once("exit", resolve));
      this.process.kill(signal);
      await exited;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Daemon extends Listening {
  static start() { return new Daemon("tools/glovebox", ["serve", "--until-eof", "--socket"]).ready; }
}

// peer.c++
export class Peer extends Listening {
  static start() { return new Peer("client/client-test-peer", []).ready; }
}

// A line whose calls are promises of {kind, value, externals, disposable, pipeline, code}.
export class TestLine {
  #waiting = new Map();
  #ended;
  events = [];            // [name, ...arguments] of all but `answered`
  onDeliver = undefined;

  constructor(socket, connect = addon.connect) {
    this.closed = new Promise((resolve) => { this.#ended = resolve; });
    const note = (...event) => { this.events.push(event); };
    this.native = connect(socket, {
      deliver: (...args) => { if (this.onDeliver) this.onDeliver(...args); else note("deliver", ...args); },
      answered: (call, kind, value, externals, disposable, pipeline, code) => {
        if (typeof value !== "string") value = decode(value);
        const resolve = this.#waiting.get(call);
        this.#waiting.delete(call);
        resolve({ kind, value, externals, disposable, pipeline, code });
      },
      released: (target) => note("released", target),
      log: (...args) => note("log", ...args),
      closed: (message) => { note("closed", message); this.#ended(message); },
    });
  }
  answer(call) { return new Promise((resolve) => this.#waiting.set(call, resolve)); }
  load(text, { wantsLogs = false, ...code } = {}) {
    return this.native.load(this.native.loader(), {
      compatibilityDate: "2026-01-01", compatibilityFlags: [], mainModule: "main.js",
      modules: [{ name: "main.js", kind: "js", body: text }], env: undefined, envExternals: [], ...code,
    }, wantsLogs);
  }
  entrypoint(worker, name = "") { return this.native.entrypoint(worker, name, undefined, []); }
  send(target, path, args, externals = []) { return this.native.call(target, path, args && encode(args), externals); }
  call(target, path, ...args) { return this.answer(this.send(target, path, args)); }
}
