// Times loops of several subjects in turn, so that what the machine does meanwhile hits all of them, and shows them side by side.

// Before a subject's first turn. At the beginning of each other turn one loop is not counted.
const WARM_UP_LOOPS = 10;
const LOOPS_A_TURN = 10;

export const header = () => `${"".padEnd(44)} ${["min", "p50", "p95", "p99"].map((name) => name.padStart(8)).join(" ")}`;

export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const percentile = (percent) => sorted[Math.min(Math.floor((percent / 100) * sorted.length), sorted.length - 1)];
  return { n: sorted.length, min: sorted[0], p50: percentile(50), p95: percentile(95), p99: percentile(99) };
}

// Each subject has run(part, count), which does `count` operations. A sample is the mean of one such loop, in microseconds; all
// have loops of the same length. Before each loop is a pause of `pauseMs`: after the one before, its subject may still have work
// (ended workers to reap, a pool to fill, isolates to free). A turn is several loops, because nobody runs another product between two
// uses of one: after workerd's turn little of anybody else is left in the processor's caches. Returns a Map from subject to summary.
export async function compare(subjects, part, { rounds, loop, pauseMs }) {
  const samples = new Map(subjects.map((subject) => [subject, []]));
  const sample = async (subject) => {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const start = performance.now();
    await subject.run(part, loop);
    return ((performance.now() - start) * 1000) / loop;
  };
  for (let done = 0; done < rounds; done += LOOPS_A_TURN) {
    for (const subject of subjects) {
      for (let i = 0; i < (done === 0 ? Math.min(rounds, WARM_UP_LOOPS) : 1); i++) await sample(subject);
      for (let i = done; i < Math.min(done + LOOPS_A_TURN, rounds); i++) samples.get(subject).push(await sample(subject));
    }
  }
  return new Map([...samples].map(([subject, values]) => [subject, summary(values)]));
}

// A line of the table. `unit` is us or ms, the figures are microseconds.
export function row(title, { n, min, p50, p95, p99 }, { unit, loop, note = "" }) {
  const show = (value) => {
    const scaled = unit === "ms" ? value / 1000 : value;
    return scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0).padStart(8);
  };
  return `${title.padEnd(44)} ${[min, p50, p95, p99].map(show).join(" ")}   ${unit} (n = ${n}${loop > 1 ? ` x ${loop}` : ""})${note}`;
}
