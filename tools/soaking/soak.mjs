// The course of a soak: load until all has reached its size, a moment of rest, load again, and rest.

import { SAMPLES_MIN, judgeGrowth } from "./growth.mjs";
import { Sampler, quietSample } from "./sampling.mjs";

const SETTLE_MS_MAX = 5 * 60_000;
const SAMPLE_MS = { min: 1_000, max: 10_000 };

// Gives the rows of judgeGrowth(), or undefined if it was given up before there was anything to compare. `givenUp` is a
// promise; `failed` is told what is wrong beside operations.
export async function soak({ world, lanes, report, durationMs, givenUp, failed }) {
  const started = performance.now();
  let goOn = true;
  void givenUp.then(() => { goOn = false; });
  const until = async (ms) => {
    let timer;
    await Promise.race([givenUp, new Promise((resolve) => { timer = setTimeout(resolve, started + ms - performance.now()); })]);
    clearTimeout(timer);
  };

  report.header();
  const sampler = new Sampler(world, report, Math.min(SAMPLE_MS.max, Math.max(SAMPLE_MS.min, durationMs / 60)));
  world.warmUp();
  lanes.start();
  await until(Math.min(SETTLE_MS_MAX, durationMs / 3));
  let before, settled;
  if (goOn) {
    await lanes.pause();
    world.coolDown();
    before = await quietSample(world, failed);
    settled = sampler.samples.length;
    world.warmUp();
    lanes.resume();
    await until(durationMs);
  }
  await sampler.end();
  await lanes.stop();
  if (before === undefined) return undefined;
  world.coolDown();
  const after = await quietSample(world, failed);
  const samples = sampler.samples.slice(settled);
  return samples.length < SAMPLES_MIN ? undefined : judgeGrowth({ before, after, samples });
}
