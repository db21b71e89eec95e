// WebSocketPair and WebSocket within one worker. Over processes: client/test/web-socket.test.mjs.
import { equal, ok, run, same, test, throws } from "./harness.js";

// A pair of which both ends are accepted, and what each hears.
function open() {
  const pair = new WebSocketPair();
  const [client, server] = Object.values(pair);
  const events = [];
  for (const [name, socket] of [["client", client], ["server", server]]) {
    socket.accept();
    for (const type of ["message", "close", "error"]) {
      socket.addEventListener(type, (event) => {
        const shown = type === "message" ? [event.data] : type === "close" ? [event.code, event.reason, event.wasClean] : [event.message];
        events.push([name, type, ...shown]);
      });
    }
  }
  return { client, server, events };
}
const turns = async (count = 10) => { for (let i = 0; i < count; i++) await null; };

test("The interfaces look like those of the platform", () => {
  for (const name of ["WebSocket", "WebSocketPair", "MessageEvent", "CloseEvent"]) {
    const { value, ...attributes } = Object.getOwnPropertyDescriptor(globalThis, name);
    same(attributes, { writable: true, enumerable: false, configurable: true }, name);
    equal(value.name, name);
  }
  same([WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.READY_STATE_OPEN, WebSocket.prototype.CLOSED], [0, 1, 2, 3, 1, 3]);
  equal(WebSocket.prototype instanceof EventTarget, true);
  equal(Object.getPrototypeOf(MessageEvent), Event);
  const event = new CloseEvent("close", { code: 1001, reason: "r", wasClean: true });
  same([event.type, event.code, event.reason, event.wasClean], ["close", 1001, "r", true]);
  same([new MessageEvent("m").data, new MessageEvent("m", { data: 1 }).data], [null, 1]);
});

test("A pair has two ends, by index and in turn", () => {
  const pair = new WebSocketPair();
  same(Object.keys(pair), ["0", "1"]);
  const [one, other] = pair;
  ok(one === pair[0] && other === pair[1] && one instanceof WebSocket && one !== other);
  same([one.readyState, one.url, one.protocol, one.extensions, one.binaryType], [1, null, "", "", "arraybuffer"]);
});

test("Messages arrive in order and after the code that sent them", async () => {
  const { client, server, events } = open();
  client.send("a");
  server.send("b");
  client.send("c");
  same(events, []);
  await turns();
  same(events.filter(([name]) => name === "server"), [["server", "message", "a"], ["server", "message", "c"]]);
  same(events.filter(([name]) => name === "client"), [["client", "message", "b"]]);
});

test("A thousand messages keep their order, and answers theirs", async () => {
  const { client, server } = open();
  const got = [];
  server.addEventListener("message", ({ data }) => server.send(`${data}!`));
  const done = new Promise((resolve) => {
    client.onmessage = ({ data }) => { if (got.push(data) === 1000) resolve(); };
  });
  for (let i = 0; i < 1000; i++) client.send(String(i));
  await done;
  same(got, Array.from({ length: 1000 }, (_, i) => `${i}!`));
});

test("Text is text, and bytes are an ArrayBuffer of their own or a Blob", async () => {
  const { client, server } = open();
  const got = [];
  server.onmessage = ({ data }) => got.push(data);
  const bytes = new Uint8Array([1, 2, 3, 4]);
  client.send("ä\ud800");
  client.send(bytes.subarray(1, 3));
  client.send(bytes.buffer);
  client.send(new DataView(bytes.buffer, 3));
  client.send(new Blob(["x"]));
  client.send(12);
  bytes.fill(9);
  await turns(20);
  equal(got[0], "ä\ufffd");
  same(got.slice(1, 5).map((buffer) => [buffer instanceof ArrayBuffer, ...new Uint8Array(buffer)]), [[true, 2, 3], [true, 1, 2, 3, 4], [true, 4], [true, 120]]);
  equal(got[5], "12");
  server.binaryType = "blob";
  server.binaryType = "nonsense";
  equal(server.binaryType, "blob");
  client.send(new Uint8Array([104, 105]));
  await turns();
  ok(got[6] instanceof Blob);
  equal(await got[6].text(), "hi");
});

test("What was sent before an end was accepted is there when it is", async () => {
  const { 0: client, 1: server } = new WebSocketPair();
  const got = [];
  client.accept();
  client.send("early");
  client.close(1000, "done");
  await turns();
  server.addEventListener("message", ({ data }) => got.push(data));
  server.addEventListener("close", ({ code, reason }) => got.push([code, reason]));
  same(got, []);
  server.accept();
  await turns();
  same(got, ["early", [1000, "done"]]);
});

test("A close is told to the other side behind the messages, and answered", async () => {
  const { client, server, events } = open();
  client.send("last");
  client.close(4001, "bye");
  same([client.readyState, server.readyState], [2, 1]);
  let during;
  server.addEventListener("close", () => { during = server.readyState; });
  await turns(20);
  same(events, [["server", "message", "last"], ["server", "close", 4001, "bye", true], ["client", "close", 4001, "", true]]);
  same([during, client.readyState, server.readyState], [2, 3, 3]);
  client.close();   // again is nothing
  throws(() => client.send("x"), "TypeError", "Can't call WebSocket send() after close().");
});

test("A handler may send a last word and close with a code of its own", async () => {
  const { client, server, events } = open();
  server.addEventListener("close", () => {
    server.send("last word");
    server.close(3000, "mine");
  });
  client.close();
  await turns(20);
  same(events, [["server", "close", 1005, "", true], ["client", "message", "last word"], ["client", "close", 3000, "mine", true]]);
});

test("An end that was not accepted is told so", () => {
  const [end] = new WebSocketPair();
  const words = "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.";
  throws(() => end.send("x"), "TypeError", words);
  throws(() => end.close(), "TypeError", words);
  end.accept();
  end.accept();
});

test("Codes and reasons are checked", () => {
  const { client } = open();
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 5000]) throws(() => client.close(code), "TypeError", `Invalid WebSocket close code: ${code}.`);
  throws(() => client.close(undefined, "reason"), "TypeError", "If you specify a WebSocket close reason, you must also specify a code.");
  throws(() => client.close(1000, "ä".repeat(62)), "SyntaxError");
  equal(client.readyState, 1);
  client.close(1000, "x".repeat(123));
  equal(client.readyState, 2);
});

test("A message has 32 MiB at most, and as much as two of them may wait", async () => {
  const { 0: client, 1: server } = new WebSocketPair();
  client.accept();
  throws(() => client.send(new Uint8Array(32 * 1024 * 1024 + 1)), "TypeError", /33553408 bytes at most/);
  const half = "x".repeat(32 * 1024 * 1024 - 2000);
  const events = [];
  client.addEventListener("error", ({ message }) => events.push(message));
  client.addEventListener("close", ({ code, wasClean }) => events.push([code, wasClean]));
  client.send(half);
  client.send(half);
  ok(client.bufferedAmount >= 2 * half.length);
  client.send(half);
  equal(client.bufferedAmount, 0);
  await turns();
  same(events, ["More was sent on this WebSocket than the other side takes.", [1006, false]]);
  equal(client.readyState, 3);
  let closed;
  server.addEventListener("close", ({ code }) => { closed = code; });
  server.accept();
  await turns();
  equal(closed, 1013);
});

test("What a listener throws stops nothing", async () => {
  const { client, server } = open();
  const got = [];
  const reported = [];
  const onError = (event) => { reported.push(event.message); event.preventDefault(); };
  addEventListener("error", onError);
  server.addEventListener("message", ({ data }) => { throw new Error(data); });
  server.addEventListener("message", ({ data }) => got.push(data));
  client.send("1");
  client.send("2");
  await turns(20);
  removeEventListener("error", onError);
  same([got, reported], [["1", "2"], ["Uncaught Error: 1", "Uncaught Error: 2"]]);
});

test("Attachments are copies", () => {
  const [end] = new WebSocketPair();
  equal(end.deserializeAttachment(), null);
  const value = { a: [1] };
  end.serializeAttachment(value);
  value.a.push(2);
  same(end.deserializeAttachment(), { a: [1] });
  ok(end.deserializeAttachment() !== end.deserializeAttachment());
  throws(() => end.serializeAttachment(() => {}), "DataCloneError");
});

test("A Response takes an end with status 101 and no other", () => {
  const { 0: client } = new WebSocketPair();
  const response = new Response(null, { status: 101, webSocket: client });
  same([response.status, response.ok, response.webSocket === client, response.body], [101, false, true, null]);
  equal(new Response("x").webSocket, null);
  ok(new Response(response.body, response).webSocket === client);   // as frameworks copy them
  throws(() => new Response(null, { webSocket: client }), "RangeError", "Responses with a WebSocket must have status code 101.");
  throws(() => new Response(null, { status: 101 }), "RangeError");
  throws(() => new Response("x", { status: 101, webSocket: client }), "TypeError", "Response with null body status (101) cannot have body.");
  throws(() => new Response(null, { status: 101, webSocket: {} }), "TypeError", /is not a WebSocket/);
  throws(() => response.clone(), "TypeError", "Cannot clone a response to a WebSocket handshake.");
});

test("WebSocket() checks its arguments before anything else", () => {
  const refused = (words, ...args) => throws(() => new WebSocket(...args), "SyntaxError", `WebSocket Constructor: ${words}`);
  refused("The url is invalid.", "nowhere");
  refused("The url scheme must be ws or wss.", "ftp://a/");
  refused("The url fragment must be empty.", "ws://a/#b");
  refused("The protocol header token is invalid.", "ws://a/", "a b");
  refused("The protocols array cannot be empty.", "ws://a/", []);
  refused("The protocols header cannot have repeating values.", "ws://a/", ["a", "a"]);
  throws(() => new WebSocket(), "TypeError");
});

test("WebSocket() without anywhere to go says so in events", async () => {
  const socket = new WebSocket("ws://a/b");
  same([socket.url, socket.readyState], ["ws://a/b", 0]);
  throws(() => socket.send("x"), "InvalidStateError");
  throws(() => socket.accept(), "TypeError", "Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
  const events = [];
  socket.onerror = ({ message }) => events.push(message.slice(0, 25));
  await new Promise((resolve) => { socket.onclose = ({ code, wasClean }) => { events.push([code, wasClean]); resolve(); }; });
  same(events, ["This worker is not permit", [1006, false]]);
  equal(socket.readyState, 3);
});

run();
