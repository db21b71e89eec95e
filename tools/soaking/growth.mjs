// What has grown. Two kinds of figures, judged differently:
//
// - What can be counted (descriptors, processes, what is exported) is compared between two moments at which nothing was
//   loaded and no call was under way. The slack is for a zygote that is just being replaced.
// - Memory is never at rest: an allocator keeps pages, V8 collects when it likes, and one sample may be taken beside a
//   value of half a megabyte. So samples are taken under load, and the median of the last third is compared with that of
//   the first third: half of all samples would have to be odd to move it. A leak grows with operations, of which
//   a run of ten minutes has tens of thousands between the middles of the two thirds: 8 MiB and a twentieth is what 200 to
//   300 bytes lost by each would be, and more than the allocators were seen to wander. A longer run finds smaller ones.

export const COUNT_SLACK = { descriptors: 12, processes: 3, exports: 0, calls: 0 };
export const SAMPLES_MIN = 9;
const MEMORY_SLACK_KB = 8 * 1024;
const MEMORY_SLACK_PART = 0.05;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// `before` and `after` are the quiet moments, `samples` are [{ supervisorKb, nodeKb }]. Gives a row for each figure.
export function judgeGrowth({ before, after, samples }) {
  const rows = [];
  for (const [name, slack] of Object.entries(COUNT_SLACK)) rows.push(judged(name, before[name], after[name], slack));
  if (samples.length < SAMPLES_MIN) throw new Error(`${samples.length} samples are too few to judge growth; ${SAMPLES_MIN} are needed.`);
  const third = Math.floor(samples.length / 3);
  for (const name of ["supervisorKb", "nodeKb"]) {
    const [first, last] = [samples.slice(0, third), samples.slice(-third)].map((part) => median(part.map((sample) => sample[name])));
    rows.push(judged(name, first, last, Math.round(MEMORY_SLACK_KB + first * MEMORY_SLACK_PART)));
  }
  return rows;
}

function judged(name, from, to, slack) { return { name, from, to, slack, ok: to <= from + slack }; }
