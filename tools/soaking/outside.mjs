// Attacks from outside: somebody kills, freezes, disposes, disconnects or writes rubbish in the middle of calls.

import net from "node:net";
import { endingOf, expect } from "./world.mjs";

const LIMITS = { cpuMs: 20_000, wallMs: 50_000 };

// Its calls wait until somebody ends them. Each tells that it has begun, by a tool whose name finds the worker in the status.
const victimModule = (label) => `
let calls = 0;
export default {
  async wait(_, env) { await env[${JSON.stringify(label)}](++calls); await new Promise((resolve) => setTimeout(resolve, 1e8)); },
  async spin(_, env) { await env[${JSON.stringify(label)}](++calls); for (;;); },
  async ask(_, env) { for (;;) await env[${JSON.stringify(label)}](++calls); },
  stream: () => new ReadableStream({ async pull(controller) { await new Promise((resolve) => setTimeout(resolve, 1)); controller.enqueue(new Uint8Array(1000)); } }),
};`;

class Victim {
  #begun;
  calls = 0;

  constructor({ world, lane, operation }, loader = world.loader, limits = LIMITS) {
    this.world = world;
    this.label = `victim of ${lane}, ${operation}`;
    let count = 0;
    this.worker = loader.load({
      compatibilityDate: "2026-03-01", mainModule: "v.js", modules: { "v.js": victimModule(this.label) }, limits,
      env: { [this.label]: () => { this.calls++; if (++count >= this.waitFor) this.#begun?.(); } },
    });
    this.entry = this.worker.getEntrypoint();
  }

  // `count` calls of one of its methods, all of them begun. Promises of how they end.
  async begin(method, count = 1) {
    this.waitFor = count;
    const begun = new Promise((resolve) => { this.#begun = resolve; });
    const endings = Array.from({ length: count }, () => endingOf(this.entry[method](0)));
    await Promise.race([begun, Promise.all(endings)]);
    return endings;
  }
  async signal(name) { this.world.supervisor.signal(await this.world.pidOf(this.label), name); }
  [Symbol.dispose]() { this.worker[Symbol.dispose](); }
}

// A method and how many calls of it. While one spins no other begins.
const someCalls = (random) => random.pick([["spin", 1], ["wait", random.between(1, 5)], ["ask", random.between(1, 5)]]);

// All endings of calls that had the same fate.
async function oneEnding(endings) {
  const all = new Set(await Promise.all(endings));
  return all.size === 1 ? [...all][0] : [...all].sort().join(" and ");
}

const bySignal = (signal) => async (context) => {
  using victim = new Victim(context);
  const endings = await victim.begin(context.random.pick(["wait", "spin"]));
  await victim.signal(signal);
  const ending = await oneEnding(endings);
  expect("the next call", await endingOf(victim.entry.wait(0)), ending);   // it stays dead, of the same
  return ending;
};

export const OUTSIDE = [
  { name: "killed from outside", weight: 3, endings: ["exited"], run: bySignal("SIGKILL") },
  { name: "crashed", weight: 1, endings: ["crashed"], run: bySignal("SIGSEGV") },
  { name: "killed as by the policy", weight: 1, endings: ["killed"], run: bySignal("SIGSYS") },
  { name: "killed with many calls under way", endings: ["exited"], async run(context) {
    using victim = new Victim(context);
    const endings = await victim.begin("wait", context.random.between(2, 30));
    await victim.signal("SIGKILL");
    return await oneEnding(endings);
  } },
  { name: "frozen", endings: ["exceededWallTime"], async run(context) {
    using victim = new Victim(context, context.world.loader, { cpuMs: 20_000, wallMs: 400 });
    const endings = await victim.begin("ask");
    // It may have come to its limit by itself on a machine that was busy.
    try { await victim.signal("SIGSTOP"); } catch {}
    return await oneEnding(endings);
  } },
  { name: "killed while its stream is read", endings: ["exited"], async run(context) {
    using victim = new Victim(context);
    const endings = await victim.begin("wait");
    const reader = (await victim.entry.stream(0)).getReader();
    await reader.read();
    await victim.signal("SIGKILL");
    const reading = endingOf((async () => { while (!(await reader.read()).done); })());
    return await oneEnding([...endings, reading]);
  } },
  { name: "zygote killed", weight: 0.3, endings: ["value"], async run({ world }) {
    const { zygote } = await world.glovebox.status();
    // None while one is being replaced.
    const pid = zygote.wardenPid === undefined ? undefined : world.supervisor.zygoteOf(zygote.wardenPid);
    if (pid !== undefined) try { world.supervisor.signal(pid, "SIGKILL"); } catch {}
    const worker = world.load("export default { run: () => 1 };");
    const ending = await endingOf(worker.getEntrypoint().run(0));
    worker[Symbol.dispose]();
    return ending;
  } },

  { name: "disposed of while it runs", weight: 2, endings: ["revoked"], async run(context) {
    const victim = new Victim(context);
    const endings = await victim.begin(...someCalls(context.random));
    victim[Symbol.dispose]();
    const { calls } = victim;
    const ending = await oneEnding(endings);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect("calls of tools by a disposed worker", victim.calls - calls, 0);
    return ending;
  } },
  { name: "called after it was disposed of", endings: ["revoked"], async run({ world, random }) {
    const worker = world.load("export default { run: () => 1 };");
    const entry = worker.getEntrypoint();
    if (random.oneIn(2)) expect("run", await entry.run(0), 1);
    worker[Symbol.dispose]();
    return await endingOf(entry.run(0));
  } },
  { name: "disposed of before it is there", endings: ["revoked"], async run({ world }) {
    const worker = world.load("export default { run: () => new Promise(() => {}) };");
    const endings = [1, 2, 3].map(() => endingOf(worker.getEntrypoint().run(0)));
    worker[Symbol.dispose]();
    return await oneEnding(endings);
  } },
  { name: "a stub used after it was disposed of", endings: ["thrown Error"], async run({ world, lane, random }) {
    const add = await world.warm(lane, random).agent.adder(1);
    add[Symbol.dispose]();
    return await endingOf(add(1));
  } },
  { name: "a tool answers after its caller is gone", endings: ["exceededWallTime"], async run({ world }) {
    let answer;
    const worker = world.load("export default { run: (tool) => tool() };", { limits: { cpuMs: 20_000, wallMs: 120 } });
    const ending = await endingOf(worker.getEntrypoint().run(() => new Promise((resolve) => { answer = resolve; })));
    answer?.(() => "too late");
    worker[Symbol.dispose]();
    return ending;
  } },

  { name: "connection dropped in the middle of calls", weight: 2, endings: ["disconnected"], async run(context) {
    const { random, world } = context;
    const other = await world.connect();
    const victims = random.list(random.between(1, 3), (index) => new Victim({ ...context, operation: `${context.operation}, ${index}` }, other.loader));
    const endings = [];
    for (const victim of victims) endings.push(...await victim.begin(...someCalls(random)));
    await other.close();
    return await oneEnding(endings);
  } },
  { name: "connection dropped before anything is there", endings: ["disconnected"], async run(context) {
    const other = await context.world.connect();
    const worker = other.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "export default { run: () => 1 }" } });
    const ending = endingOf(worker.getEntrypoint().run(0));
    await other.close();
    return await ending;
  } },
  { name: "rubbish on the socket", endings: ["dropped"], async run({ world, random }) {
    const socket = net.connect(world.supervisor.socket);
    // The supervisor may be first to end it.
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    // Half of it announces itself as Cap'n Proto does: one segment, of so many words.
    const rubbish = Buffer.from(random.list(8 * random.between(1, 250), () => random.below(256)));
    if (random.oneIn(2)) {
      rubbish.writeUInt32LE(0, 0);
      rubbish.writeUInt32LE(random.between(0, rubbish.length / 8), 4);
    }
    await new Promise((resolve) => socket.write(rubbish, resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    if (random.oneIn(2)) socket.destroy(); else socket.end();
    socket.resume();
    await closed;
    return "dropped";
  } },
];
