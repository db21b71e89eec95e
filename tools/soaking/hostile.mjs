// Programs that attack from inside: the body of a method, and how a call of it must end (world.mjs: endingOf). Each runs in
// a worker of its own. `input` is what the method is given, if it is given anything.

import { endingOf, expect } from "./world.mjs";

// Short, so that a run sees many; the one that is not the point is far away.
const CPU = { cpuMs: 40, wallMs: 30_000, memoryMb: 32 };
const WALL = { cpuMs: 20_000, wallMs: 120, memoryMb: 32 };
const MEMORY = { cpuMs: 20_000, wallMs: 50_000, memoryMb: 16 };
const ROOM = { cpuMs: 20_000, wallMs: 50_000, memoryMb: 64 };

const PROGRAMS = [
  // Time.
  { name: "loop", limits: CPU, body: "for (;;);", ending: "exceededCpu" },
  { name: "loop that catches and goes on", limits: CPU, body: "for (;;) { try { for (;;); } catch {} finally { for (;;); } }", ending: "exceededCpu" },
  { name: "regular expression", limits: CPU, body: "return /^(a+)+$/.test('a'.repeat(60) + 'b')", ending: "exceededCpu" },
  { name: "large BigInt", limits: CPU, body: "const big = 3n ** 4000000n; return (big * big * big).toString().length", ending: "exceededCpu" },
  { name: "microtasks without end", limits: CPU, body: "const f = () => Promise.resolve().then(f); await f()", ending: "exceededCpu" },
  { name: "queueMicrotask without end", limits: CPU, body: "const f = () => queueMicrotask(f); f(); await new Promise(() => {})", ending: "exceededCpu" },
  { name: "loop in a getter of the result", limits: CPU, body: "return { get x() { for (;;); } }", ending: "exceededCpu" },
  { name: "loop in a proxy that is thrown", limits: CPU, body: "const trap = () => { for (;;); }; throw new Proxy({}, { get: trap, ownKeys: trap, getPrototypeOf: trap })", ending: "exceededCpu" },
  { name: "tool called without end", limits: CPU, body: "for (;;) await input(1)", input: () => (n) => n, ending: "exceededCpu" },
  { name: "tool called without end or waiting", limits: CPU, body: "for (;;) input(1)", input: () => (n) => n, ending: ["exceededCpu", "exceededMemory"] },
  { name: "tool called more often than it may be", limits: { ...ROOM, subRequests: 20 }, body: "for (let i = 0; i < 1000; i++) { try { await input(i); } catch {} }", input: () => (n) => n, ending: "exceededSubrequests" },
  { name: "sleep", limits: WALL, body: "await new Promise((resolve) => setTimeout(resolve, 1e9))", ending: "exceededWallTime" },
  { name: "interval", limits: WALL, body: "setInterval(() => {}, 1); await new Promise(() => {})", ending: "exceededWallTime" },
  { name: "promise that nobody settles", limits: ROOM, body: "await new Promise(() => {})", ending: "hung" },

  // Memory.
  { name: "heap", limits: MEMORY, body: "const keep = []; for (;;) keep.push(new Array(1000).fill({}))", ending: "exceededMemory" },
  { name: "heap, catching and going on", limits: MEMORY, body: "const keep = []; for (;;) try { for (;;) keep.push(new Array(1000).fill({})) } catch {}", ending: "exceededMemory" },
  { name: "ArrayBuffers", limits: MEMORY, body: "const keep = []; for (;;) keep.push(new Uint8Array(1 << 20).fill(1))", ending: "exceededMemory" },
  { name: "one huge ArrayBuffer", limits: MEMORY, body: "return new Uint8Array(1 << 30).length", ending: "exceededMemory" },
  { name: "WebAssembly.Memory", limits: MEMORY, body: "const memory = new WebAssembly.Memory({ initial: 1 }); for (;;) memory.grow(64)", ending: "exceededMemory" },
  { name: "string that doubles", limits: MEMORY, body: "let text = 'x'; for (;;) text += text", ending: "thrown RangeError" },

  // Floods.
  { name: "logs", limits: ROOM, body: "for (let i = 0; i < 10_000; i++) console.log('x'.repeat(200)); return 0", ending: "value" },
  { name: "logs without end", limits: CPU, body: "for (;;) console.log('x'.repeat(200))", ending: "exceededCpu" },
  { name: "timers", limits: ROOM, body: "for (;;) setTimeout(() => {}, 1e6)", ending: "thrown Error" },
  { name: "result that is too large", limits: ROOM, body: "return 'x'.repeat(40 << 20)", ending: "thrown Error" },
  { name: "error that is too large", limits: ROOM, body: "throw new Error('x'.repeat(40 << 20))", ending: "thrown Error" },
  { name: "functions in one result", limits: ROOM, body: "return Array.from({ length: 257 }, () => () => 1)", ending: "thrown DataCloneError" },
  { name: "capabilities asked for", limits: ROOM, body: "const keep = []; for (;;) keep.push(await input(500))", input: ({ many }) => (count) => many(count >> 1), ending: "thrown Error" },
  { name: "capabilities handed out", limits: ROOM, body: "for (;;) await input(Array.from({ length: 200 }, () => () => 1))", input: ({ keep }) => (functions) => keep(functions), ending: "thrown Error" },
  { name: "workers loaded", limits: ROOM, body: `
      const code = { compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "export default { hi: () => 1 }" } };
      const keep = [];
      for (;;) {
        keep.push(env.LOADER.load(code));
        await keep.at(-1).getEntrypoint().hi(0);
      }`, env: ({ loader }) => ({ LOADER: loader }), ending: "thrown Error" },

  // What should not be there, and what should not break.
  { name: "recursion", limits: ROOM, body: "const f = () => f(); f()", ending: "thrown RangeError" },
  { name: "deep JSON", limits: ROOM, body: "return JSON.parse('['.repeat(1e5))", ending: "thrown SyntaxError" },
  { name: "deep result", limits: ROOM, body: "let value = []; for (let i = 0; i < 1e4; i++) value = [value]; return value", ending: "value" },
  { name: "eval", limits: ROOM, body: "return eval('1 + 1')", ending: "thrown EvalError" },
  { name: "Node's modules", limits: ROOM, body: "return await import('node:fs')", ending: "thrown Error" },
  { name: "process", limits: ROOM, body: "return process.binding('spawn_sync')", ending: "thrown ReferenceError" },
  { name: "code for WebAssembly at run time", limits: ROOM, body: "return new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))", ending: "thrown CompileError" },
  { name: "Atomics.wait", limits: ROOM, body: "return Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1e6)", ending: "thrown TypeError" },
  { name: "prototypes spoiled", limits: ROOM, body: `
      for (const prototype of [Object.prototype, Array.prototype, Function.prototype, Promise.prototype, Map.prototype]) {
        for (const key of Reflect.ownKeys(prototype)) try { delete prototype[key]; } catch {}
      }
      Object.defineProperty(Object.prototype, "kind", { get() { throw new Error("spoiled"); }, set() {} });
      return 1;`, ending: ["value", "thrown TypeError", "thrown Error", "hung"] },
  { name: "errors that nobody catches", limits: ROOM, body: "Promise.reject(new Error('one')); setTimeout(() => { throw new Error('two'); }, 0); await new Promise((resolve) => setTimeout(resolve, 5)); return 1", ending: "value" },
];

// A module that attacks as it is evaluated.
const AT_TOP_LEVEL = [
  { name: "loop at top level", limits: CPU, module: "for (;;);", ending: "exceededCpu" },
  { name: "heap at top level", limits: MEMORY, module: "const keep = []; for (;;) keep.push(new Array(1000).fill({}))", ending: "exceededMemory" },
  { name: "await for ever at top level", limits: WALL, module: "await new Promise(() => {}); export default { run() {} }", ending: ["hung", "thrown Error"] },
];

const moduleWith = (body) => `export default { async run(input, env, ctx) { ${body} }, alive: (n) => n + 1 };`;

// What ends a call and not the worker, after which the worker must answer; and what ends both if the worker does not stop soon
// enough, or leaves so much behind that its next call has no time either.
const SURVIVED = /^(value|thrown .*|hung)$/;
const PERHAPS_SURVIVED = /^(exceededCpu|exceededWallTime)$/;

async function expectAlive(entry, ending, n) {
  let answer;
  const next = await endingOf(entry.alive(n).then((value) => { answer = value; }));
  if (PERHAPS_SURVIVED.test(ending) && next === ending) return;
  expect(`a call after one that ended with '${ending}'`, [next, answer], ["value", n + 1]);
}

export const HOSTILE = [...PROGRAMS, ...AT_TOP_LEVEL].map((program) => ({
  name: program.name,
  weight: program.weight,
  endings: [program.ending].flat(),
  async run({ world, random }) {
    const kept = [];
    const tools = {
      many: (count) => Array.from({ length: count }, () => () => 1),
      keep(functions) { kept.push(...functions.map((f) => f.dup())); },
    };
    const worker = world.load(program.module ?? moduleWith(program.body), { limits: program.limits, env: program.env?.(world) });
    const entry = worker.getEntrypoint();
    const ending = await endingOf(entry.run(program.input?.(tools) ?? 0));
    const n = random.below(100);
    if (program.module === undefined && (SURVIVED.test(ending) || PERHAPS_SURVIVED.test(ending))) await expectAlive(entry, ending, n);
    for (const f of kept) f[Symbol.dispose]();
    if (!random.oneIn(8)) worker[Symbol.dispose]();   // else the collector does
    return ending;
  },
}));
