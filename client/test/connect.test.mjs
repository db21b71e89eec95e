// connect() on entrypoints, from Node and between workers, and where a worker's own connect() goes.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect, entrypoint } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());

function load(text, options = {}) {
  return glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
}
// The default entrypoint of a worker with this connect handler.
const handler = (text) => load(`export default { async connect(socket, env, ctx) { ${text} } }`).getEntrypoint();
// One whose `run` does this, and whose connections go to `globalOutbound`.
const caller = (text, globalOutbound) => load(`
  import { connect } from "cloudflare:sockets";
  const text = async (stream) => { let all = ""; for await (const chunk of stream.pipeThrough(new TextDecoderStream())) all += chunk; return all; };
  export default { async run(input, env, ctx) { ${text} } }`, { globalOutbound }).getEntrypoint();

const ECHO = "await socket.readable.pipeTo(socket.writable);";
const BLOCKED = "This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities " +
  "(such as bindings in 'env') to talk to the outside world.";

async function textOf(stream) {
  let all = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) all += chunk;
  return all;
}

// -- From Node ------------------------------------------------------------------------------------------------------------------

test("bytes go to a handler and come back, and the connection closes", async () => {
  const socket = handler(ECHO).connect("host.example:25");
  assert.deepEqual(await socket.opened, { remoteAddress: "host.example:25", localAddress: undefined });
  const writer = socket.writable.getWriter();
  await writer.write(new TextEncoder().encode("ping "));
  await writer.write(new TextEncoder().encode("pong"));
  const all = textOf(socket.readable);
  await writer.close();
  assert.equal(await all, "ping pong");
  await socket.closed;
});

test("a handler is told what was asked for, and may speak first", async () => {
  const socket = handler(`
    const { localAddress } = await socket.opened;
    const writer = socket.writable.getWriter();
    await writer.write(new TextEncoder().encode([localAddress, socket.secureTransport, typeof env, typeof ctx.waitUntil, socket.upgraded].join()));
    await writer.close();`).connect({ hostname: "::1", port: 993 }, { secureTransport: "on" });
  assert.equal(await textOf(socket.readable), "[::1]:993,on,object,function,false");
});

test("a handler that throws fails what the caller reads and writes", async () => {
  const socket = handler(`throw new RangeError("no more");`).connect("a:1");
  await socket.opened;
  const error = await failure(textOf(socket.readable));
  assert.deepEqual([error.name, error.message], ["RangeError", "no more"]);
  assert.equal((await failure(socket.closed)).message, "no more");
  const none = load("export default { fetch() {} }").getEntrypoint().connect("a:1");
  for (const promise of [none.opened, none.closed, none.readable.getReader().read(), none.writable.getWriter().write(new Uint8Array(1))]) {
    assert.equal((await failure(promise)).message, "Handler does not export a connect() function.");
  }
});

test("what was written arrives before the end, and close() is an end in both directions", async () => {
  const socket = handler(`
    let bytes = 0;
    for await (const chunk of socket.readable) bytes += chunk.length;
    const writer = socket.writable.getWriter();
    await writer.write(new TextEncoder().encode(String(bytes)));
    await writer.close();`).connect("a:1", { allowHalfOpen: true });
  const writer = socket.writable.getWriter();
  for (let i = 0; i < 10; i++) void writer.write(new Uint8Array(300_000));
  await writer.close();
  assert.equal(await textOf(socket.readable), "3000000");
  await socket.closed;

  const other = handler(ECHO).connect("a:1");
  const reading = other.readable.getReader().read();
  await other.close();
  assert.deepEqual(await reading, { done: true, value: undefined });
  await other.closed;
  await other.writable.getWriter().closed;
});

test("nobody is sent what he did not ask for", async () => {
  const sent = load(`
    let bytes = 0;
    export default {
      async connect(socket) {
        const writer = socket.writable.getWriter();
        try { for (;;) { await writer.write(new Uint8Array(50_000)); bytes += 50_000; } } catch {}
      },
      sent() { return bytes; },
    }`).getEntrypoint();
  const socket = sent.connect("a:1");
  const reader = socket.readable.getReader();
  await reader.read();
  let last = -1, now = await sent.sent(0);
  while (now !== last) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    [last, now] = [now, await sent.sent(0)];
  }
  assert.ok(now < 2_000_000, `${now} bytes were sent`);
  const before = now;
  for (let read = 0; read < 4_000_000;) read += (await reader.read()).value.length;
  assert.ok(await sent.sent(0) > before);
  await socket.close();
});

test("an address or an option that is none is a TypeError at once", async () => {
  const echo = handler(ECHO);
  const words = (...args) => {
    try {
      echo.connect(...args);
    } catch (error) {
      return [error.name, error.message].join(": ");
    }
    return "";
  };
  const UNPARSED = "TypeError: Specified address could not be parsed.";
  for (const address of [undefined, 1, "a:0", "a:65536", "a:1x", "a: 1", "a b:1", "a@b:1", "a/b:1", "a\r\n:1", "::1:80", "a:000001", `${"a".repeat(256)}:1`,
                         { hostname: "a:b@c", port: 1.5 }, { hostname: "a", port: -1 }, { hostname: "a/b", port: 1 }]) {
    assert.equal(words(address), UNPARSED, JSON.stringify(address));
  }
  for (const address of ["a", "a:", "[::1]", "", { hostname: "a" }]) assert.equal(words(address), "TypeError: Specified address is missing port.", JSON.stringify(address));
  for (const address of [":1", { port: 1 }, { hostname: "", port: 1 }]) assert.equal(words(address), "TypeError: Specified address is missing hostname.", JSON.stringify(address));
  assert.equal(words("a:1", { secureTransport: "tls" }), "TypeError: Unsupported value in secureTransport socket option: tls");
  assert.match(words("a:1", 1), /options to be an object, got number/);
  const socket = echo.connect("a:1");
  assert.throws(() => socket.startTls(), /startTls\(\) is not available.*secureTransport: "on"/);
  assert.match((await failure(socket.writable.getWriter().write("text"))).message, /takes bytes.*got a string: encode it with TextEncoder/);
});

// -- From workers ---------------------------------------------------------------------------------------------------------------

test("a worker's connect() goes to its globalOutbound: another worker, a program, its parent's, or nowhere", async () => {
  const ASK = `
    const socket = connect(input.address);
    const writer = socket.writable.getWriter();
    await writer.write(new TextEncoder().encode("hello"));
    await writer.close();
    return [await text(socket.readable), (await socket.opened).remoteAddress];`;
  assert.deepEqual(await caller(ASK, handler(ECHO)).run({ address: "a.example:7" }), ["hello", "a.example:7"]);
  const seen = [];
  const program = entrypoint({ async connect(socket) {
    seen.push((await socket.opened).localAddress);
    await socket.readable.pipeTo(socket.writable);
  } });
  assert.deepEqual(await caller(ASK, program).run({ address: { hostname: "b.example", port: 8 } }), ["hello", "b.example:8"]);
  assert.deepEqual(seen, ["b.example:8"]);

  const parent = load(`
    export default { async run(input, env) {
      const child = env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": input.module }, ...input.options });
      return child.getEntrypoint().run(input);
    } }`, { env: { LOADER: glovebox.loader }, globalOutbound: handler(ECHO) }).getEntrypoint();
  const module = `
    import { connect } from "cloudflare:sockets";
    const text = async (stream) => { let all = ""; for await (const chunk of stream.pipeThrough(new TextDecoderStream())) all += chunk; return all; };
    export default { async run(input) { ${ASK} } }`;
  assert.deepEqual(await parent.run({ module, address: "c:9", options: {} }), ["hello", "c:9"]);
  assert.equal((await failure(parent.run({ module, address: "c:9", options: { globalOutbound: null } }))).message, BLOCKED);
  assert.equal((await failure(caller("await connect('a:1').opened;", null).run({}))).message, BLOCKED);
  assert.equal(await caller("const s = connect('a:1'); return await s.closed.catch((e) => e.message);", null).run({}), BLOCKED);
});

test("connect() at a module's top level is refused", async () => {
  const error = await failure(load(`import { connect } from "cloudflare:sockets"; connect("a:1"); export default { f() {} };`).getEntrypoint().f(1));
  assert.match(error.message, /Disallowed operation called within global scope/);
});

test("a globalOutbound that answers with something else is told clearly", async () => {
  for (const answer of ["1", "[]", "[new ReadableStream({ type: 'bytes' }), 2]"]) {
    const liar = load(`import { WorkerEntrypoint } from "cloudflare:workers"; export default class extends WorkerEntrypoint { other() { return ${answer}; } }`).getEntrypoint();
    assert.equal((await failure(caller("await connect('a:1').opened;", liar).run({}))).message, "Handler does not export a connect() function.");
  }
});

test("a connection ends with the invocation of whoever has it, on both sides", async () => {
  let ended;
  const until = new Promise((resolve) => { ended = resolve; });
  const program = entrypoint({ async connect(socket) {
    try {
      for await (const _ of socket.readable);
      ended("end");
    } catch (error) {
      ended(error.message);
    }
  } });
  assert.equal(await caller("const s = connect('a:1'); await s.opened; return 'left';", program).run({}), "left");
  assert.match(await until, /execution context has ended|stopped|disconnected/);
});
