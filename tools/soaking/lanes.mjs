// Lanes in which one operation follows another. What a lane does is told by the seed, its number and the operation's.

import { Random } from "./random.mjs";
import { LANES, Unexpected } from "./world.mjs";

// No call may take longer than the supervisor's own limit of 60 s by the clock; what comes later was lost.
const LOST_MS = 90_000;
const LOST = Symbol("lost");

export class Lanes {
  #options;
  #gate;
  #running = 0;
  #waiting = 0;
  #changed = () => {};
  #stopping = false;

  // `choose(random, lane, number)` gives an operation. `done(operation, ending)` and `failed({ lane, number, name, error })` are
  // told of each; `timed(measure, us)` of calls that operations want to be timed.
  constructor({ seed, world, choose, done, failed, timed, lostMs = LOST_MS }) {
    this.#options = { seed, world, choose, done, failed, timed, lostMs };
  }

  start() {
    for (let lane = 0; lane < LANES; lane++) {
      this.#running++;
      void this.#run(lane);
    }
  }

  // Resolves when nobody is in the middle of an operation.
  async pause() {
    let open;
    this.#gate = { promise: new Promise((resolve) => { open = resolve; }), open };
    while (this.#waiting < this.#running) await new Promise((resolve) => { this.#changed = resolve; });
  }
  resume() {
    this.#gate.open();
    this.#gate = undefined;
  }
  async stop() {
    this.#stopping = true;
    this.#gate?.open();
    this.#gate = undefined;
    while (this.#running > 0) await new Promise((resolve) => { this.#changed = resolve; });
  }

  async #run(lane) {
    for (let number = 0; !this.#stopping;) {
      if (this.#gate !== undefined) {
        this.#waiting++;
        this.#changed();
        await this.#gate.promise;
        this.#waiting--;
      } else if (await this.#operate(lane, number++) === LOST) {
        break;   // it is still in the middle of that
      }
    }
    this.#running--;
    this.#changed();
  }

  async #operate(lane, number) {
    const { seed, world, choose, done, failed, timed, lostMs } = this.#options;
    const random = new Random(seed, lane, number);
    const operation = choose(random, lane, number);
    const context = {
      world, lane, random, operation: number,
      async timed(measure, call) {
        const start = performance.now();
        const result = await call();
        timed(measure, (performance.now() - start) * 1000);
        return result;
      },
    };
    let timer;
    const late = new Promise((resolve) => { timer = setTimeout(resolve, lostMs, LOST); });
    try {
      if (operation.kind === "good") context.agent = world.warm(lane, random).agent;
      const ending = await Promise.race([operation.run(context), late]);
      if (ending === LOST) {
        failed({ lane, number, name: operation.name, error: new Unexpected("the answer", `nothing for ${lostMs / 1000} s`, operation.endings ?? "an answer") });
        return LOST;
      }
      if (operation.endings !== undefined && !operation.endings.includes(ending)) throw new Unexpected("the ending", ending, operation.endings);
      done(operation, ending);
    } catch (error) {
      failed({ lane, number, name: operation.name, error });
    } finally {
      clearTimeout(timer);
    }
    return undefined;
  }
}
