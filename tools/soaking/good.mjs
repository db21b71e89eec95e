// Calls of a warm worker. `run` throws if an answer is not what it must be.
//
// What `run` is given: the world, the lane's number, `random`, a warm worker's `agent`, and `timed(measure, call)` for
// what the table shows.

import { RpcTarget, run } from "glovebox";
import { checksum, makeBytes } from "./agent.mjs";
import { Unexpected, expect } from "./world.mjs";

class Doubler extends RpcTarget { call({ value }) { return { doubled: 2 * value }; } }
const sumOf = (numbers) => numbers.reduce((sum, n) => sum + n, 0);

async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Unexpected("a call that must fail", "an answer", "an error");
}

// With a size that is small most of the time.
const sizeOf = (random, largest) => random.below(random.oneIn(8) ? largest : largest >> 6) + 1;
export const LARGE_BYTES_MAX = 1 << 19;
const STREAM_BYTES_MAX = 1 << 17;

export const GOOD = [
  { name: "a value comes back as it is", weight: 6, async run({ agent, random, timed }) {
    const value = random.value();
    expect("echo", await timed("warm", () => agent.echo(value)), value);
  } },
  { name: "a plain call", weight: 10, async run({ agent, random, timed }) {
    const numbers = random.numbers(10);
    expect("sum", await timed("warm", () => agent.sum(numbers)), sumOf(numbers));
  } },
  { name: "the account of a run", weight: 3, async run({ agent, random }) {
    const numbers = random.numbers(random.between(1, 10));
    const { outcome, value, account } = await run(agent.useTool, new Doubler(), numbers);
    expect("useTool, run", [outcome, value, account.outcome], ["ok", 2 * sumOf(numbers), "ok"]);
    // The worker may be in other calls as well, which are charged to this one too.
    if (account.subRequests < numbers.length) throw new Unexpected("calls of the tool in the account", account.subRequests, numbers.length);
  } },
  { name: "a tool is called", weight: 6, async run({ agent, random }) {
    const numbers = random.numbers(random.between(1, 10));
    expect("useTool", await agent.useTool(new Doubler(), numbers), 2 * sumOf(numbers));
  } },
  { name: "a tool is called many times at once", weight: 3, async run({ agent, random }) {
    const numbers = random.numbers(random.between(2, 40));
    expect("useToolAtOnce", await agent.useToolAtOnce(new Doubler(), numbers), numbers.map((n) => 2 * n));
  } },
  { name: "a function is called back", weight: 4, async run({ agent, random }) {
    const numbers = random.numbers(random.between(1, 6)), by = random.below(10);
    expect("map", await agent.map((n) => n * by, numbers), numbers.map((n) => n * by));
  } },
  { name: "calls back and forth inside each other", weight: 2, async run({ agent, random }) {
    const depth = random.between(1, 12);
    const down = (left) => agent.descend(down, left);
    expect("descend", await agent.descend(down, depth), depth);
  } },
  { name: "a worker's function is called, and disposed of or left to the collector", weight: 3, async run({ agent, random }) {
    const [n, by] = random.numbers(2);
    const add = await agent.adder(n);
    expect("adder", await add(by), n + by);
    if (!random.oneIn(4)) add[Symbol.dispose]();
  } },
  { name: "a result is called before it is there", weight: 4, async run({ agent, random }) {
    const [n, by] = random.numbers(2);
    expect("counter", await agent.counter(n).add(by), n + by);
    expect("box", await agent.box(n).inner.counter.add(by), n + by);
  } },
  { name: "calls on an object arrive in order", weight: 3, async run({ agent, random }) {
    const numbers = random.numbers(random.between(2, 20));
    const counter = await agent.counter(0);
    const sums = await Promise.all(numbers.map((n) => counter.add(n)));
    let sum = 0;
    expect("sums", sums, numbers.map((n) => (sum += n)));
    expect("value", await counter.value, sum);
    counter[Symbol.dispose]();
  } },
  { name: "a worker's function is handed to a worker", weight: 2, async run({ agent, world, lane, random }) {
    const [n, by] = random.numbers(2);
    const other = world.warm(lane, random).agent;
    const add = await agent.adder(n);
    expect("call", await other.call(add, by), n + by);
    add[Symbol.dispose]();
  } },

  { name: "an error arrives", weight: 4, async run({ agent, random }) {
    const text = random.text(20), kind = random.pick(["type", "range", "properties", "cause", "text", "later"]);
    const error = await failureOf(agent.fail(kind, text));
    const names = { type: "TypeError", range: "RangeError", properties: "Error", cause: "Error", later: "Error" };
    // Text that is thrown comes as an object, which says where it comes from.
    const got = kind === "text" ? [String(error), error.remote] : [error.name, error.message, error.remote, error.code, error.detail, error.cause?.name, error.cause?.message];
    expect(`fail ${kind}`, got, kind === "text" ? [text, true] : [
      names[kind], text, true, ...(kind === "properties" ? ["E_SOAK", { text }] : [undefined, undefined]), ...(kind === "cause" ? ["SyntaxError", `${text}!`] : [undefined, undefined])]);
  } },
  { name: "a tool's error arrives in the worker", weight: 2, async run({ agent, random }) {
    const message = random.text(20), detail = random.value(1);
    expect("failureOf", await agent.failureOf(() => { throw Object.assign(new RangeError(message), { detail }); }), ["RangeError", message, detail]);
  } },
  { name: "a tool's error passes through the worker", weight: 2, async run({ agent, random }) {
    const message = random.text(20);
    const error = await failureOf(agent.pass(async () => { throw new TypeError(message); }));
    expect("pass", [error.name, error.message, error.remote], ["TypeError", message, true]);
  } },

  { name: "a stream is read by the worker", weight: 2, async run({ agent, random }) {
    const bytes = makeBytes(sizeOf(random, STREAM_BYTES_MAX), random.below(256)), chunk = random.between(500, 20_000);
    let at = 0;
    const stream = new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at += chunk));
      },
    });
    expect("read", await agent.read(stream), [bytes.length, checksum(bytes)]);
  } },
  { name: "a stream of the worker is read", weight: 2, async run({ agent, random }) {
    const length = sizeOf(random, STREAM_BYTES_MAX), start = random.below(256);
    const got = [];
    for await (const chunk of await agent.stream(length, start, random.between(500, 20_000))) got.push(Buffer.from(chunk));
    expect("stream", checksum(Buffer.concat(got)), checksum(makeBytes(length, start)));
  } },
  { name: "a stream of the worker is given up", weight: 1, async run({ agent, random }) {
    const start = random.below(256);
    const reader = (await agent.stream(STREAM_BYTES_MAX, start, 1000)).getReader();
    const { value } = await reader.read();
    expect("first chunk", checksum(value), checksum(makeBytes(STREAM_BYTES_MAX, start).subarray(0, value.length)));
    await reader.cancel(new Error("enough"));
  } },
  { name: "a stream is written by the worker", weight: 2, async run({ agent, random }) {
    const length = sizeOf(random, STREAM_BYTES_MAX), start = random.below(256);
    const got = [];
    let closed = false;
    const stream = new WritableStream({ write(chunk) { got.push(Buffer.from(chunk)); }, close() { closed = true; } });
    expect("write", await agent.write(stream, length, start, random.between(500, 20_000)), length);
    expect("what was written", [closed, checksum(Buffer.concat(got))], [true, checksum(makeBytes(length, start))]);
  } },

  { name: "a large argument", weight: 1, async run({ agent, random }) {
    const bytes = makeBytes(sizeOf(random, LARGE_BYTES_MAX), random.below(256));
    expect("measure", await agent.measure(bytes), [bytes.length, checksum(bytes)]);
  } },
  { name: "a large result", weight: 1, async run({ agent, random }) {
    const length = sizeOf(random, LARGE_BYTES_MAX), start = random.below(256);
    expect("bytes", checksum(await agent.bytes(length, start)), checksum(makeBytes(length, start)));
    expect("text", await agent.text(length, "z"), "z".repeat(length));
  } },

  { name: "a tool of the env", weight: 3, async run({ agent, lane, random }) {
    const value = random.value(2);
    expect("put", await agent.put(`lane ${lane}`, value), value);
  } },
  { name: "a worker loads one and hands its tool on", weight: 2, async run({ agent, random }) {
    const [n] = random.numbers(1), name = random.text(5);
    expect("nested", await agent.nested(n, name), [n * n, name, undefined]);
  } },
  { name: "an entrypoint with props, data and tools", weight: 2, async run({ world, lane, random }) {
    const { worker } = world.warm(lane, random);
    const id = random.text(10), [n] = random.numbers(1);
    const tenant = worker.getEntrypoint("Tenant", { props: { id, tool: (x) => x + n } });
    expect("use", await tenant.use(1), n + 1);
    expect("props", (await tenant.props()).id, id);
    if (!random.oneIn(4)) tenant[Symbol.dispose]();
  } },
  { name: "a worker by name", weight: 3, async run({ world, lane, random }) {
    const [n] = random.numbers(1);
    const { name, worker } = world.named(lane, random);
    const entry = worker.getEntrypoint();
    expect("named", [await entry.name(null), await entry.square(n)], [name, n * n]);
    entry[Symbol.dispose]();
    if (random.oneIn(5)) expect("delete", await world.loader.delete(name), true);
  } },

  { name: "a timer fires", weight: 2, async run({ agent, random }) {
    const value = random.value(1);
    expect("later", await agent.later(random.below(15), value), value);
  } },
  { name: "what a call leaves behind is done", weight: 1, async run({ agent, random }) {
    const value = random.value(1);
    let tell;
    const told = new Promise((resolve) => { tell = resolve; });
    expect("tellLater", await agent.tellLater(tell, random.below(10), value), "soon");
    expect("what was told", await told, value);
  } },
  { name: "URLs and text encoders", weight: 1, async run({ agent, random }) {
    const text = random.text(30);
    expect("web", await agent.web(text), [text, text]);
  } },
  { name: "many calls at once", weight: 2, async run({ agent, random }) {
    const values = random.list(random.between(10, 50), () => random.value(1));
    expect("echoes", await Promise.all(values.map((value) => agent.echo(value))), values);
  } },
];
