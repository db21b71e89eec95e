// The soak's own parts: that it repeats itself, and that it can fail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeGrowth } from "./growth.mjs";
import { Lanes } from "./lanes.mjs";
import { KINDS, OPERATIONS, chooser } from "./operations.mjs";
import { Random } from "./random.mjs";
import { LANES } from "./world.mjs";

const KINDS_OF_HOSTILE_MIN = 20;

function sequence(seed, length) {
  const choose = chooser();
  return Array.from({ length: LANES }, (_, lane) => Array.from({ length }, (__, number) => {
    const random = new Random(seed, lane, number);
    return [choose(random, lane, number).name, random.value()];
  }));
}

test("a seed repeats what each lane does, and with what; another one does not", () => {
  assert.deepEqual(sequence(7, 500), sequence(7, 500));
  assert.notDeepEqual(sequence(7, 500), sequence(8, 500));
  const [first, second] = sequence(7, 500);
  assert.notDeepEqual(first, second);
});

test("every operation comes up at once, and then each kind as often as it should", () => {
  const choose = chooser();
  const chosen = [], first = [];
  for (let number = 0; number < 5000; number++) {
    for (let lane = 0; lane < LANES; lane++) {
      const list = number * LANES + lane < OPERATIONS.length ? first : chosen;
      list.push(choose(new Random(1, lane, number), lane, number));
    }
  }
  assert.deepEqual(first.map(({ name }) => name).sort(), OPERATIONS.map(({ name }) => name).sort());
  for (const { kind, weight, operations } of KINDS) {
    const percent = (100 * chosen.filter((operation) => operation.kind === kind).length) / chosen.length;
    assert.ok(Math.abs(percent - weight) < 2, `${percent} % are ${kind}`);
    for (const { name } of operations) assert.ok(chosen.some((operation) => operation.name === name), name);
  }
});

test("names are told apart, there are hostile ones enough, and each says how it must end", () => {
  assert.equal(new Set(OPERATIONS.map(({ name }) => name)).size, OPERATIONS.length);
  const hostile = OPERATIONS.filter(({ kind }) => kind === "hostile");
  assert.ok(hostile.length >= KINDS_OF_HOSTILE_MIN);
  for (const { name, endings } of hostile) assert.ok(endings.length > 0, name);
  assert.equal(chooser("no operation is called that"), undefined);
  assert.match(chooser("zygote")(new Random(1), 0, 0).name, /zygote/);
});

// What came of it if all lanes do this, and how many operations there were in each.
async function lanesOf(operation, count = 3) {
  const failures = [], endings = [];
  const lanes = new Lanes({
    seed: 3, world: {}, lostMs: 30,
    choose(random, lane, number) {
      if (number === count - 1) void lanes.stop();
      return { name: "it", kind: "hostile", ...operation(lane, number) };
    },
    done: (_, ending) => endings.push(ending),
    failed: ({ lane, number, error }) => failures.push(`${lane}, ${number}: ${error.message}`),
    timed() {},
  });
  lanes.start();
  await lanes.stop();
  return { failures, endings };
}

test("a wrong ending, an answer that is wrong and one that never comes are told with lane and number", async () => {
  const right = await lanesOf(() => ({ endings: ["revoked"], run: async () => "revoked" }));
  assert.deepEqual(right.failures, []);
  assert.ok(right.endings.length >= LANES);

  const wrong = await lanesOf((lane) => ({ endings: ["revoked"], run: async () => lane === 2 ? "value" : "revoked" }));
  assert.equal(wrong.failures[0], "2, 0: the ending: got 'value', expected [ 'revoked' ]");
  const thrown = await lanesOf((lane) => ({ run: async () => { if (lane === 1) throw new Error("5 instead of 6"); } }));
  assert.equal(thrown.failures[0], "1, 0: 5 instead of 6");
  const lost = await lanesOf((lane) => ({ run: () => lane === 0 ? new Promise(() => {}) : Promise.resolve() }));
  assert.deepEqual(lost.failures, ["0, 0: the answer: got 'nothing for 0.03 s', expected 'an answer'"]);
});

test("while lanes are paused nobody is in the middle of anything", async () => {
  let underWay = 0, done = 0;
  const lanes = new Lanes({
    seed: 3, world: {},
    choose: () => ({ name: "it", kind: "fresh", async run() { underWay++; await new Promise((resolve) => setTimeout(resolve, 1)); underWay--; } }),
    done: () => { done++; }, failed: assert.fail, timed() {},
  });
  lanes.start();
  await lanes.pause();
  const before = done;
  assert.equal(underWay, 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([underWay, done], [0, before]);
  lanes.resume();
  while (done === before) await new Promise((resolve) => setTimeout(resolve, 1));
  await lanes.stop();
  assert.equal(underWay, 0);
});

const REST = { descriptors: 24, processes: 6, exports: 0, calls: 0 };
// A minute's samples, with noise: single ones are far too large.
function samples(supervisorKb, nodeKb = () => 12_000) {
  const random = new Random(5);
  return Array.from({ length: 30 }, (_, i) => ({
    supervisorKb: supervisorKb(i) + random.below(2_000) + (random.oneIn(6) ? 60_000 : 0),
    nodeKb: nodeKb(i) + random.below(2_000),
  }));
}
const grown = (change, taken = samples(() => 10_000)) =>
  judgeGrowth({ before: REST, after: { ...REST, ...change }, samples: taken }).filter(({ ok }) => !ok).map(({ name }) => name);

test("growth is found, and noise is none", () => {
  assert.deepEqual(grown({}), []);
  assert.deepEqual(grown({ descriptors: 30, processes: 8 }), []);
  assert.deepEqual(grown({ descriptors: 60 }), ["descriptors"]);
  assert.deepEqual(grown({ processes: 20 }), ["processes"]);
  assert.deepEqual(grown({ exports: 1 }), ["exports"]);
  assert.deepEqual(grown({ calls: 1 }), ["calls"]);
  assert.deepEqual(grown({}, samples((i) => 10_000 + 1000 * i)), ["supervisorKb"]);
  assert.deepEqual(grown({}, samples(() => 10_000, (i) => 12_000 + 1000 * i)), ["nodeKb"]);
  assert.throws(() => grown({}, samples(() => 1).slice(0, 8)), /8 samples are too few/);
});
