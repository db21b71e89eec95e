// What the addon does when its own objects are called: against a peer (peer.c++) that does what a worker may.

import assert from "node:assert/strict";
import { test, before, after } from "node:test";

import { FAILED, Peer, STUB, TestLine, THROWN, VALUE } from "./world.mjs";
import { decode, encode, External } from "./values.mjs";

let peer;
before(async () => { peer = await Peer.start(); });
after(() => peer.end());

const turn = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));

// `body(line, target)`; exports get the numbers that the test gives them.
async function withLine(body) {
  const line = new TestLine(peer.socket);
  try {
    return await body(line, line.entrypoint(line.load("")));
  } finally {
    line.native.close();
    await line.closed;
  }
}
const exported = (id, label) => ({ kind: STUB, id, imported: false, label });
const released = (line) => line.events.filter(([name]) => name === "released").map(([, id]) => id).sort((a, b) => a - b);
// {call, target, path, args, externals} of the next call to us.
const nextCall = (line) => new Promise((resolve) => {
  line.onDeliver = (call, target, path, args, externals) => resolve({ call, target, path, args: args && decode(args), externals });
});

test("an export is called, answers, and is released", () => withLine(async (line, target) => {
  const called = nextCall(line);
  const answer = line.answer(line.send(target, ["call"], [1, new External(0)], [exported(100, "it")]));
  const { call, ...rest } = await called;
  assert.deepEqual(rest, { target: 100, path: ["f"], args: [1, new External(0)], externals: [] });
  line.native.settle(call, true, encode("done"), [], 0, false);
  assert.deepEqual(await answer, { kind: VALUE, value: "done", externals: [], disposable: false, pipeline: false, code: undefined });
  await turn();
  assert.deepEqual(released(line), [100]);
}));

test("settled from inside the event, thrown, disposable, large: all arrive", () => withLine(async (line, target) => {
  line.onDeliver = (call) => line.native.settle(call, false, encode({ no: 1 }), [], 0, true);
  const thrown = await line.answer(line.send(target, ["call"], [], [exported(100)]));
  assert.deepEqual([thrown.kind, thrown.value, thrown.disposable], [THROWN, { no: 1 }, true]);
  const text = "z".repeat(3 << 20);
  line.onDeliver = (call) => line.native.settle(call, true, encode(text), [], 0, false);
  assert.equal((await line.answer(line.send(target, ["call"], [], [exported(101)]))).value, text);
}));

test("a property is read without arguments", () => withLine(async (line, target) => {
  const called = nextCall(line);
  const answer = line.answer(line.send(target, ["read"], [], [exported(100)]));
  const { call, path, args } = await called;
  assert.deepEqual([path, args], [["a", "b"], undefined]);
  line.native.settle(call, true, encode(5), [], 0, false);
  assert.equal((await answer).value, 5);
}));

test("a call on a result that is still to come waits for it and goes to its pipeline", () => withLine(async (line, target) => {
  const first = nextCall(line);
  const answer = line.answer(line.send(target, ["pipeline"], [], [exported(100)]));
  const { call } = await first;
  const second = nextCall(line);
  await turn();
  line.native.settle(call, true, encode({}), [], 200, false);
  const next = await second;
  assert.deepEqual([next.target, next.path], [200, ["g"]]);
  line.native.settle(next.call, true, encode("end"), [], 0, false);
  assert.equal((await answer).value, "end");
  await turn();
  assert.deepEqual(released(line), [100, 200]);
}));

test("a call on a result without properties says so", () => withLine(async (line, target) => {
  line.onDeliver = (call) => line.native.settle(call, true, encode(1), [], 0, false);
  const answer = await line.answer(line.send(target, ["pipeline"], [], [exported(100)]));
  assert.equal(answer.kind, FAILED);
  const plain = line.send(target, ["call"], [], [exported(101)]);
  await line.answer(plain);
  const late = await line.answer(line.send(plain, ["g"], []));
  assert.deepEqual([late.kind, late.value], [FAILED, "There is nothing to call: the result has no properties."]);
}));

test("an export is kept as long as somebody holds it", () => withLine(async (line, target) => {
  await line.answer(line.send(target, ["keep"], [], [exported(100)]));
  await line.answer(line.send(target, ["keep"], [], [exported(101)]));
  await turn();
  assert.deepEqual(released(line), []);
  await line.call(target, ["drop"]);
  await turn();
  assert.deepEqual(released(line), [100, 101]);
}));

test("what is still held when the line ends is released before the end is told", async () => {
  const line = new TestLine(peer.socket);
  const target = line.entrypoint(line.load(""));
  await line.answer(line.send(target, ["keep"], [], [exported(100)]));
  line.native.close();
  await line.closed;
  assert.deepEqual(line.events.map(([name]) => name), ["released", "closed"]);
});

test("calls on one export come in order, though the first has to be pulled", () => withLine(async (line, target) => {
  const calls = [];
  line.onDeliver = (call, target, path, args) => { calls.push([path[0], decode(args).length]); line.native.settle(call, true, encode(1), [], 0, false); };
  await line.answer(line.send(target, ["inOrder"], [1, 2], [exported(100)]));
  assert.deepEqual(calls, [["first", 1 << 20], ["second", 2]]);
}));

test("a call whose caller has gone is settled in vain, and what its result held is released", () => withLine(async (line, target) => {
  const called = nextCall(line);
  await line.answer(line.send(target, ["giveUp"], [], [exported(100)]));
  const { call } = await called;
  await turn(60);
  assert.deepEqual(released(line), [100]);
  line.native.settle(call, true, encode(1), [exported(300)], 301, false);
  await turn();
  assert.deepEqual(released(line), [100, 300, 301]);
}));

test("our own object comes back as an import and is called as one", () => withLine(async (line, target) => {
  const { externals, pipeline, disposable } = await line.answer(line.send(target, ["handBack"], [new External(0)], [exported(100)]));
  assert.equal(externals.length, 1);
  assert.deepEqual([externals[0].kind, externals[0].imported, pipeline, disposable], [STUB, true, true, true]);
  const called = nextCall(line);
  const answer = line.answer(line.send(externals[0].id, ["x"], [7]));
  const { call, target: exportNumber, args } = await called;
  assert.deepEqual([exportNumber, args], [100, [7]]);
  // An import is passed on, too: back to where it came from.
  line.native.settle(call, true, encode(new External(0)), [{ kind: STUB, id: externals[0].id, imported: true }], 0, false);
  const second = await answer;
  assert.equal(second.externals.length, 1);
  assert.deepEqual(released(line), []);
  line.native.release(externals[0].id);
  line.native.release(second.externals[0].id);
}));

test("a loopback is an import of our own export", () => withLine(async (line) => {
  const id = line.native.loopback(100);
  const called = nextCall(line);
  const first = line.send(id, ["x"], [1]);
  const early = line.send(first, ["y"], [2]);
  const answers = [line.answer(first), line.answer(early)];
  const { call, target, args } = await called;
  assert.deepEqual([target, args], [100, [1]]);
  const second = nextCall(line);
  line.native.settle(call, true, encode("a"), [], 200, false);
  const next = await second;
  assert.deepEqual([next.target, next.path], [200, ["y"]]);
  line.native.settle(next.call, true, encode("b"), [], 0, false);
  assert.deepEqual((await Promise.all(answers)).map(({ value }) => value), ["a", "b"]);
  line.native.release(id);
  line.native.release(first);
  await turn();
  assert.deepEqual(released(line), [100, 200]);
}));

test("the pipeline of an answered call is its result, until it is released", () => withLine(async (line, target) => {
  const first = line.send(target, ["handBack"], [], [exported(100)]);
  const { externals } = await line.answer(first);
  line.native.release(externals[0].id);
  const called = nextCall(line);
  const answer = line.answer(line.send(first, ["y"], []));
  line.native.settle((await called).call, true, encode(1), [], 0, false);
  assert.equal((await answer).value, 1);
  await turn();
  assert.deepEqual(released(line), []);
  line.native.release(first);
  await turn();
  assert.deepEqual(released(line), [100]);
}));

test("20,000 calls to us", () => withLine(async (line, target) => {
  let n = 0;
  line.onDeliver = (call, target, path, args) => line.native.settle(call, true, args, [], ++n % 2 ? 1_000_000 + n : 0, false);
  for (let round = 0; round < 200; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => line.answer(line.send(target, ["call"], [i], [exported(1 + round * 100 + i)]))));
  }
  // The results' pipelines are held by their calls' numbers: nobody has released those.
  await turn(50);
  assert.equal(released(line).length, 20_000);
  assert.equal(line.native.pending, 0);
}));
