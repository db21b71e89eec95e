// WebSockets over RPC: from Node to a worker, between workers, through a worker, and how they end. Within one worker:
// worker/runtime/tests/web-socket.test.js; over HTTP: dev.test.mjs and the gateway's tests.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect, entrypoint } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());

function load(text, options = {}) {
  return glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
}
// A worker whose handler does `text` with the server's end of a pair, and returns the client's.
const SERVING = (text) => `
  export default { async fetch(request, env, ctx) {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    ${text}
    return new Response(null, { status: 101, webSocket: client, headers: { "sec-websocket-protocol": "p" } });
  } }`;
const ECHO = SERVING(`server.addEventListener("message", ({ data }) => server.send(typeof data === "string" ? "echo " + data : data));`);
const UPGRADE = { headers: { Upgrade: "websocket" } };

async function open(worker) {
  const response = await worker.fetch("http://a/", UPGRADE);
  assert.equal(response.status, 101);
  return hear(response.webSocket);
}
// Accepts it, and keeps what it hears.
function hear(socket) {
  const events = [];
  let wake = () => {};
  const note = (event) => { events.push(event); wake(); };
  socket.addEventListener("message", ({ data }) => note(data));
  socket.addEventListener("close", ({ code, reason, wasClean }) => note([code, reason, wasClean]));
  socket.addEventListener("error", ({ message }) => note(message));
  socket.accept();
  const until = async (count) => {
    while (events.length < count) await new Promise((resolve) => { wake = resolve; });
    return events;
  };
  return { socket, events, until };
}

test("messages go both ways between Node and a worker", async () => {
  const worker = load(ECHO).getEntrypoint();
  const { socket, until } = await open(worker);
  socket.send("ä");
  socket.send(new Uint8Array([0, 1, 2]).subarray(1));
  const [text, bytes] = await until(2);
  assert.equal(text, "echo ä");
  assert.ok(bytes instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(bytes)], [1, 2]);
  assert.deepEqual([socket.readyState, socket.bufferedAmount], [1, 0]);
  socket.close(4000, "enough");
  assert.deepEqual((await until(3))[2], [4000, "", true]);
  assert.equal(socket.readyState, 3);
  assert.throws(() => socket.send("x"), { name: "TypeError", message: "Can't call WebSocket send() after close()." });
});

test("the response to a handshake is one, and others are as ever", async () => {
  const worker = load(ECHO).getEntrypoint();
  const response = await worker.fetch("http://a/", UPGRADE);
  assert.deepEqual([response.status, response.ok, response.headers.get("sec-websocket-protocol"), response.body], [101, false, "p", null]);
  assert.throws(() => response.webSocket.send("x"), { name: "TypeError", message: /accept\(\)/ });
  assert.throws(() => response.webSocket.close(1), { name: "TypeError", message: "Invalid WebSocket close code: 1." });
  assert.equal((await failure(worker.fetch("http://a/"))).message,
    'Worker tried to return WebSocket in a response to a request which did not contain the header "Upgrade: websocket".');
  const plain = await load(`export default { fetch: () => new Response("no sockets here", { status: 426 }) }`).getEntrypoint().fetch("http://a/", UPGRADE);
  assert.deepEqual([plain.status, plain.webSocket, await plain.text()], [426, undefined, "no sockets here"]);
  // A socket is no argument or result by itself.
  const giving = load(`export default { socket(_) { return new WebSocketPair()[0]; } }`).getEntrypoint();
  assert.equal((await failure(giving.socket(0))).name, "DataCloneError");
});

test("a worker's close is told with its code and reason, behind its messages", async () => {
  const worker = load(SERVING(`for (let i = 0; i < 50; i++) server.send(String(i)); server.close(4123, "räson");`)).getEntrypoint();
  const { socket, until } = await open(worker);
  const events = await until(51);
  assert.deepEqual(events.slice(0, 50), Array.from({ length: 50 }, (_, i) => String(i)));
  assert.deepEqual(events[50], [4123, "räson", true]);
  assert.equal(socket.readyState, 3);
});

test("a worker hears the close of its client, and answers it", async () => {
  const worker = load(`
    let heard;
    export default { async fetch(request) {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      heard = new Promise((resolve) => server.addEventListener("close", ({ code, reason, wasClean }) => {
        server.send("one more");
        server.close(3001, "mine");
        resolve([code, reason, wasClean, server.readyState]);
      }));
      return new Response(null, { status: 101, webSocket: client });
    }, heard(_) { return heard; } }`).getEntrypoint();
  const { socket, until } = await open(worker);
  socket.close(3000, "yours");
  assert.deepEqual(await until(2), ["one more", [3001, "mine", true]]);
  assert.deepEqual(await worker.heard(0), [3000, "yours", true, 3]);
});

test("a thousand messages keep their order", async () => {
  const { socket, until } = await open(load(ECHO).getEntrypoint());
  for (let i = 0; i < 1000; i++) socket.send(String(i));
  assert.deepEqual(await until(1000), Array.from({ length: 1000 }, (_, i) => `echo ${i}`));
  socket.close();
});

test("large and small messages keep their order, and arrive whole", async () => {
  const { socket, until } = await open(load(ECHO).getEntrypoint());
  const large = new Uint8Array(20 << 20).map((_, i) => i * 7);
  socket.send("before");
  socket.send(large);
  socket.send("x".repeat(200_000));
  socket.send("behind");
  const [first, bytes, text, last] = await until(4);
  assert.deepEqual([first, text.length, last], ["echo before", 200_005, "echo behind"]);
  assert.ok(Buffer.from(bytes).equals(Buffer.from(large)));
  assert.throws(() => socket.send(new Uint8Array((32 << 20) + 1)), { name: "TypeError", message: /33553408 bytes at most/ });
  socket.close();
});

test("a worker talks to another, and to one that Node serves", async () => {
  const server = load(ECHO).getEntrypoint();
  const client = load(`
    export default { async talk(words, env) {
      const response = await env.SERVER.fetch("http://a/", { headers: { upgrade: "WebSocket" } });
      const socket = response.webSocket;
      const got = [response.status];
      const closed = new Promise((resolve) => socket.addEventListener("close", ({ code, wasClean }) => resolve([code, wasClean])));
      const all = new Promise((resolve) => socket.addEventListener("message", ({ data }) => { if (got.push(data) === words.length + 1) resolve(); }));
      socket.accept();
      for (const word of words) socket.send(word);
      await all;
      socket.close(1000, "over");
      return [...got, await closed];
    } }`, { env: { SERVER: server } }).getEntrypoint();
  assert.deepEqual(await client.talk(["a", "b", "c"]), [101, "echo a", "echo b", "echo c", [1000, true]]);
});

test("a handshake passes through workers and Node untouched, and their part in it is over", async () => {
  const server = load(ECHO).getEntrypoint();
  const proxy = (target) => load(`export default { fetch: (request, env) => env.NEXT.fetch(request) }`, { env: { NEXT: target } }).getEntrypoint();
  const node = entrypoint({ fetch: (request) => proxy(server).fetch(request) });
  const { socket, until } = await open(proxy(node));
  socket.send("far");
  assert.deepEqual(await until(1), ["echo far"]);
  socket.close(1000);
  assert.deepEqual((await until(2))[1], [1000, "", true]);
});

test("WebSocket() in a worker connects through its outbound", async () => {
  const worker = load(`
    export default { async talk(url) {
      const socket = new WebSocket(url, ["p", "q"]);
      const events = [[socket.url, socket.readyState]];
      const closed = new Promise((resolve) => socket.addEventListener("close", (event) => { events.push(["close", event.code]); resolve(); }));
      socket.onopen = () => { events.push(["open", socket.protocol, socket.readyState]); socket.send("hello"); };
      socket.onmessage = ({ data }) => { events.push(data); if (data === "echo hello") socket.close(4321); };
      socket.onerror = ({ message }) => events.push(message);
      await closed;
      return events;
    } }`, { globalOutbound: load(ECHO.replace("server.accept();", `server.accept(); server.send(request.url + " " + request.headers.get("sec-websocket-protocol"));
      server.addEventListener("close", () => {});`)).getEntrypoint() }).getEntrypoint();
  assert.deepEqual(await worker.talk("wss://host/path?q"), [["wss://host/path?q", 0], ["open", "p", 1], "https://host/path?q p, q", "echo hello", ["close", 4321]]);
  const refused = load(`export default { talk: (url) => new Promise((resolve) => {
      const events = [];
      const socket = new WebSocket(url);
      socket.onerror = ({ message }) => events.push(message);
      socket.onclose = ({ code, reason }) => resolve([...events, code, reason, socket.readyState]);
    }) }`, { globalOutbound: entrypoint({ fetch: () => new Response("no", { status: 403 }) }) }).getEntrypoint();
  assert.deepEqual(await refused.talk("ws://h/"), ["Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 " +
    "(switching protocols), but received 403 instead.", 1006, "Failed to establish websocket connection", 3]);
});

test("when a worker ends its sockets are lost, and say so", async () => {
  const worker = load(ECHO);
  const { socket, until } = await open(worker.getEntrypoint());
  socket.send("x");
  await until(1);
  worker[Symbol.dispose]();
  assert.deepEqual((await until(2))[1], [1006, "WebSocket disconnected without sending Close frame.", false]);
  assert.equal(socket.readyState, 3);
  socket.send("into nothing");
});

test("a worker that is killed in the middle loses its sockets", async () => {
  const { socket, until } = await open(load(ECHO).getEntrypoint());
  socket.send("x");
  await until(1);
  process.kill((await glovebox.status()).recent.at(-1).pid, "SIGKILL");
  while (!Array.isArray((await until(2)).at(-1))) await until(3);
  assert.deepEqual((await until(2)).at(-1).slice(0, 1), [1006]);
});

test("a client that is gone is a lost connection for the worker", async () => {
  const server = load(`
    let heard;
    export default { async fetch(request) {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      heard = new Promise((resolve) => server.addEventListener("close", ({ code, wasClean }) => resolve([code, wasClean, server.readyState])));
      return new Response(null, { status: 101, webSocket: client });
    }, heard(_) { return heard; } }`).getEntrypoint();
  const client = load(`export default { async go(accept, env) {
      const { webSocket } = await env.SERVER.fetch("http://a/", { headers: { upgrade: "websocket" } });
      if (accept) { webSocket.accept(); webSocket.send("x"); }
    } }`, { env: { SERVER: server } });
  // Not accepted, it goes with the call that got it.
  await client.getEntrypoint().go(false);
  assert.deepEqual(await server.heard(0), [1006, false, 2]);
  // Accepted, it outlives the call, and goes with the worker.
  await client.getEntrypoint().go(true);
  const heard = server.heard(0);
  client[Symbol.dispose]();
  assert.deepEqual(await heard, [1006, false, 2]);
});

test("a handler that loops for ever is ended by the limit of a call, and with it all that is under way in its worker", async () => {
  const text = SERVING(`server.addEventListener("message", ({ data }) => { if (data === "loop") for (;;); server.send("echo " + data); });`)
    .replace("export default {", "export default { wait(_) { return new Promise(() => {}); },");
  const worker = load(text, { limits: { cpuMs: 60 } }).getEntrypoint();
  const one = await open(worker), other = await open(worker);
  one.socket.send("a");
  assert.deepEqual(await one.until(1), ["echo a"]);
  const waiting = failure(worker.wait(0));
  one.socket.send("loop");
  assert.equal((await waiting).code, "exceededCpu");
  const closed = async ({ events, until }) => {
    while (!Array.isArray(events.at(-1))) await until(events.length + 1);
    return events.at(-1).slice(0, 1);
  };
  assert.deepEqual([await closed(one), await closed(other)], [[1006], [1006]]);
  // It takes new connections.
  const third = await open(worker);
  third.socket.send("b");
  assert.deepEqual(await third.until(1), ["echo b"]);
  third.socket.close();
});

test("each message has the whole of the limit for itself", async () => {
  const worker = load(SERVING(`server.addEventListener("message", ({ data }) => {
      let x = 0;
      for (let i = 0; i < 1.2e7; i++) x += i % 7;
      server.send(data);
    });`), { limits: { cpuMs: 400 } }).getEntrypoint();
  const { socket, until } = await open(worker);
  for (let i = 0; i < 60; i++) socket.send(String(i));
  assert.equal((await until(60)).at(-1), "59");
  socket.close();
});

test("a socket belongs to the call that made it", async () => {
  const worker = load(`
    let kept;
    export default { async fetch(request) {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      kept = server;
      return new Response(null, { status: 101, webSocket: client });
    }, send(text) { try { kept.send(text); return "sent"; } catch (error) { return error.message; } } }`).getEntrypoint();
  const { socket } = await open(worker);
  assert.match(await worker.send("x"), /^Cannot perform I\/O on behalf of a different request\./);
  socket.close();
});

test("what is said after a close, while the other side still answers, is heard", async () => {
  const worker = load(SERVING(`server.addEventListener("close", async () => {
    server.send("not at once");
  });
  server.addEventListener("message", async ({ data }) => {
    for (let i = 0; i < 3; i++) { await new Promise((resolve) => setTimeout(resolve, 1)); server.send(data + i); }
    server.close(3000);
  });`)).getEntrypoint();
  const { socket, until } = await open(worker);
  socket.send("late ");
  assert.deepEqual(await until(4), ["late 0", "late 1", "late 2", [3000, "", true]]);
});

test("both ends of a pair may be handed over: then it joins who has them", async () => {
  const worker = load(`export default { both(_) {
    const { 0: one, 1: two } = new WebSocketPair();
    return [new Response(null, { status: 101, webSocket: one }), new Response(null, { status: 101, webSocket: two })];
  } }`).getEntrypoint();
  const [one, two] = (await worker.both(0)).map(({ webSocket }) => hear(webSocket));
  one.socket.send("from one");
  two.socket.send("from two");
  assert.deepEqual([await one.until(1), await two.until(1)], [["from two"], ["from one"]]);
  one.socket.close(4000, "enough");
  assert.deepEqual([(await two.until(2))[1], (await one.until(2))[1]], [[4000, "enough", true], [4000, "", true]]);
});

test("connections that are over leave nothing behind", async () => {
  const worker = load(ECHO, { limits: { capabilities: 24 } }).getEntrypoint();
  for (let i = 0; i < 100; i++) {
    const { socket, until } = await open(worker);
    socket.send("x");
    await until(1);
    socket.close(1000);
    await until(2);
  }
});

test("timers of a connection go on as long as it does", async () => {
  const worker = load(SERVING(`let n = 0; const timer = setInterval(() => { server.send(String(n++)); if (n === 3) { clearInterval(timer); server.close(1000); } }, 1);`)).getEntrypoint();
  assert.deepEqual(await (await open(worker)).until(4), ["0", "1", "2", [1000, "", true]]);
});
