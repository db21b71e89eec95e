// What operations act on: a connection that stays, and workers that stay warm: some of each lane's own, which its
// operations renew, and one for all lanes that lives as long as it can.

import { isDeepStrictEqual, inspect } from "node:util";
import { GloveboxError, RpcTarget, connect } from "glovebox";
import { AGENT, CHILD } from "./agent.mjs";

export const LANES = 4;
const WARM_PER_LANE = 2;
const NAMES_PER_LANE = 8;   // together more than the supervisor keeps warm: supervisor.mjs

// What an operation says when it got something else than it must get.
export class Unexpected extends Error {
  constructor(what, got, expected) {
    super(`${what}: got ${show(got)}, expected ${show(expected)}`);
  }
}
const show = (value) => {
  const text = inspect(value, { depth: 6, breakLength: Infinity, maxStringLength: 300, maxArrayLength: 50 });
  return text.length > 1000 ? `${text.slice(0, 1000)}...` : text;
};

export function expect(what, got, expected) {
  if (!isDeepStrictEqual(got, expected)) throw new Unexpected(what, got, expected);
}

// How a call came to an end, in a word or two: "value", a GloveboxError's code, "thrown RangeError".
export async function endingOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error instanceof GloveboxError ? error.code : `thrown ${error?.name}`;
  }
  return "value";
}

// A tool that every warm worker has in its env.
class Store extends RpcTarget {
  #values = new Map();
  put(key, value) { this.#values.set(key, value); }
  get(key) { return this.#values.get(key); }
}

export class World {
  supervisor;
  glovebox;
  #lanes;
  #shared;
  #awaitedLogs = new Map();

  static async open(supervisor, { lost }) {
    const world = new World();
    world.supervisor = supervisor;
    world.glovebox = await connect({ socket: supervisor.socket, console: (message) => world.#logged(message) });
    void world.glovebox.closed.then((error) => { if (error !== undefined) lost(`the connection is lost: ${error.message}`); });
    return world;
  }

  get loader() { return this.glovebox.loader; }

  // Another line to the same supervisor.
  connect() { return connect({ socket: this.supervisor.socket, console: "ignore" }); }

  load(text, options = {}) { return this.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options }); }

  // -- Warm workers ------------------------------------------------------------------------------------------------------------

  warmUp() {
    this.#shared = this.#makeWarm();
    this.#lanes = Array.from({ length: LANES }, () => Array.from({ length: WARM_PER_LANE }, () => this.#makeWarm()));
  }
  coolDown() {
    for (const warm of [this.#shared, ...this.#lanes.flat()]) warm.worker[Symbol.dispose]();
    for (let lane = 0; lane < LANES; lane++) {
      for (let i = 0; i < NAMES_PER_LANE; i++) void this.loader.delete(nameOf(lane, i));
    }
    this.#shared = this.#lanes = undefined;
  }
  #makeWarm() {
    const worker = this.loader.load({ ...AGENT, env: { STORE: new Store(), LOADER: this.loader } });
    return { worker, agent: worker.getEntrypoint() };
  }

  // One of the lane's, or the one that is everybody's.
  warm(lane, random) { return random.pick([...this.#lanes[lane], this.#shared]); }

  // Nobody else uses a lane's own, so nobody's call is cut.
  renew(lane, random) {
    const own = this.#lanes[lane];
    const place = random.below(own.length);
    own[place].worker[Symbol.dispose]();
    return own[place] = this.#makeWarm();
  }

  // One of the lane's names, and the worker of that name.
  named(lane, random) {
    const name = nameOf(lane, random.below(NAMES_PER_LANE));
    return { name, worker: this.loader.get(name, async () => ({ ...CHILD, env: { NAME: name } })) };
  }

  // -- Logs --------------------------------------------------------------------------------------------------------------------

  // Resolves when a worker has logged exactly this.
  logOf(text) { return new Promise((resolve) => this.#awaitedLogs.set(text, resolve)); }
  #logged({ text }) {
    this.#awaitedLogs.get(text)?.();
    this.#awaitedLogs.delete(text);
  }

  // -- Processes ---------------------------------------------------------------------------------------------------------------

  // Of the worker that was given something of this name in its env.
  async pidOf(label) {
    const { workers } = await this.glovebox.status();
    const pid = workers.find(({ capabilities }) => capabilities.some((capability) => capability.label === label))?.pid;
    if (pid === undefined) throw new Error(`the status shows no worker that holds '${label}'`);
    return pid;
  }
}

const nameOf = (lane, number) => `lane ${lane}, name ${number}`;
