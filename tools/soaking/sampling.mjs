// Looks at the supervisor, and at this program.

const QUIET_POLL_MS = 300;
const QUIET_POLLS = 3;        // equal ones in a row: a zygote may be in the middle of its replacement
const QUIET_MS_MAX = 90_000;  // longer than any limit of a worker

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function sample({ supervisor, glovebox }) {
  const { liveWorkers, callsInFlight, pool } = await glovebox.status();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return {
    supervisorKb: supervisor.memoryKb(),
    descriptors: supervisor.descriptors(),
    processes: supervisor.processes(),
    nodeKb: Math.round((heapUsed + external) / 1024),
    liveWorkers, callsInFlight,
    poolBusy: pool.starting + pool.waiting,
    ...glovebox.counts(),
  };
}

// Waits until nothing is loaded and nothing is under way; the collector has its part in that. Gives that sample, or the last
// one if it never comes to rest, for which `failed` is called with words.
export async function quietSample(world, failed) {
  const end = performance.now() + QUIET_MS_MAX;
  let last, equal = 0;
  for (;;) {
    const now = await sample(world);
    const same = last !== undefined && ["descriptors", "processes", "exports"].every((name) => now[name] === last[name]);
    equal = same ? equal + 1 : 0;
    last = now;
    if (equal >= QUIET_POLLS && now.liveWorkers === 0 && now.callsInFlight === 0 && now.calls === 0 && now.poolBusy === 0) return now;
    if (performance.now() > end) {
      failed(`it did not come to rest within ${QUIET_MS_MAX / 1000} s: ${JSON.stringify(now)}`);
      return now;
    }
    await later(QUIET_POLL_MS);
  }
}

// Samples every `everyMs`, and a row of the report for each minute.
export class Sampler {
  samples = [];
  #ended = false;
  #running;
  #wake;

  constructor(world, report, everyMs) { this.#running = this.#run(world, report, everyMs); }

  async end() {
    this.#ended = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(world, report, everyMs) {
    const started = performance.now();
    let minute = 1;
    while (!this.#ended) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        this.#wake = () => { clearTimeout(timer); resolve(); };
      });
      if (this.#ended) break;
      this.samples.push(await sample(world));
      if (performance.now() - started >= minute * 60_000) report.row(minute++, this.samples.at(-1));
    }
    report.row(minute, this.samples.at(-1));   // what is left
  }
}
