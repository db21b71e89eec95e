// WebSockets of workers to the internet: a worker as always, a real egress process, and servers of this test's that write each frame themselves
// and mean well or do not.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CERTIFICATES = fileURLToPath(new URL("certificates", import.meta.url));
const SECRET = "sk-very-secret";
const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, LAST = 0x80;

const folder = mkdtempSync(path.join(tmpdir(), "glovebox-egress-socket-"));
const open = new Set();
after(() => {
  rmSync(folder, { recursive: true });
  for (const one of open) one.destroy?.() ?? one.close();
});

// -- A server ---------------------------------------------------------------------------------------------------------------------------

const acceptOf = (key) => createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
const granted = ({ key }, more = "") => `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n${more}\r\n`;

// Not masked, unless a mask is given.
function frame(first, payload = "", mask = undefined) {
  const bytes = Buffer.from(payload);
  const head = bytes.length < 126 ? Buffer.from([first, bytes.length]) : Buffer.alloc(bytes.length < 65536 ? 4 : 10, first);
  if (bytes.length >= 65536) {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(bytes.length), 2);
  } else if (bytes.length >= 126) {
    head[1] = 126;
    head.writeUInt16BE(bytes.length, 2);
  }
  if (mask === undefined) return Buffer.concat([head, bytes]);
  head[1] |= 0x80;
  return Buffer.concat([head, mask, bytes.map((byte, i) => byte ^ mask[i % 4])]);
}
const closing = (code, reason = "") => frame(LAST | CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));

// What a server reads: the head of the request, and then the frames, each of which must be masked.
class Peer {
  masks = new Set();
  #iterator;
  #ahead = Buffer.alloc(0);
  constructor(socket) {
    this.socket = socket;
    this.#iterator = socket[Symbol.asyncIterator]();
  }
  async #fill(bytes) {
    while (this.#ahead.length < bytes) {
      const { value, done } = await this.#iterator.next().catch(() => ({ done: true }));
      if (done) return false;
      this.#ahead = Buffer.concat([this.#ahead, value]);
    }
    return true;
  }
  #take(bytes) {
    const taken = this.#ahead.subarray(0, bytes);
    this.#ahead = this.#ahead.subarray(bytes);
    return taken;
  }
  async head() {
    for (let size = 1; this.#ahead.indexOf("\r\n\r\n") < 0; size = this.#ahead.length + 1) if (!await this.#fill(size)) return undefined;
    const lines = this.#take(this.#ahead.indexOf("\r\n\r\n") + 4).toString("latin1").split("\r\n").slice(0, -2);
    const headers = Object.fromEntries(lines.slice(1).map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
    return { line: lines[0], headers, key: headers["sec-websocket-key"] };
  }
  async next() {
    if (!await this.#fill(2)) return undefined;
    const [first, second] = this.#take(2);
    assert.equal(second & 0x80, 0x80, "a client's frame is masked");
    let size = second & 0x7f;
    if (size === 126 && await this.#fill(2)) size = this.#take(2).readUInt16BE();
    else if (size === 127 && await this.#fill(8)) size = Number(this.#take(8).readBigUInt64BE());
    if (!await this.#fill(4 + size)) return undefined;
    const mask = this.#take(4);
    this.masks.add(mask.toString("hex"));
    return { first, payload: Buffer.from(this.#take(size).map((byte, i) => byte ^ mask[i % 4])) };
  }
  send(bytes) { this.socket.write(bytes); }
}

// `serve` gets each connection with its request's head.
async function listen(serve, certificate = undefined) {
  const onConnection = async (socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    const peer = new Peer(socket);
    const head = await peer.head();
    if (head !== undefined) await serve(peer, head);
  };
  const pem = (ending) => readFileSync(path.join(CERTIFICATES, `${certificate}.${ending}`));
  const server = certificate === undefined ? net.createServer(onConnection) : tls.createServer({ cert: pem("pem"), key: pem("key") }, onConnection);
  open.add(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

// Sends everything back, and answers a close.
async function echo(peer, head, more = "") {
  peer.send(granted(head, more));
  for (let got; (got = await peer.next()) !== undefined;) {
    const opcode = got.first & 15;
    peer.send(frame(got.first, got.payload));
    if (opcode === CLOSE) return peer.socket.end();
  }
}

// -- The worker -------------------------------------------------------------------------------------------------------------------------

let nameserver;
const names = {};   // the addresses that are answered, in turn
before(async () => {
  const dns = createSocket("udp4", (message, { port, address }) => {
    const labels = [];
    let at = 12;
    for (; message[at] !== 0; at += message[at] + 1) labels.push(message.subarray(at + 1, at + 1 + message[at]).toString());
    const known = message.readUInt16BE(at + 1) === 1 ? names[labels.join(".").toLowerCase()] : undefined;
    const header = Buffer.from(message.subarray(0, 12));
    header.writeUInt16BE(known === undefined ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(known === undefined ? 0 : 1, 6);
    header.fill(0, 8);
    const record = known === undefined ? [] : [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...known.shift().split(".").map(Number)];
    dns.send(Buffer.concat([header, message.subarray(12, at + 5), Buffer.from(record)]), port, address);
  });
  open.add(dns);
  await new Promise((resolve) => dns.bind(0, "127.0.0.1", resolve));
  nameserver = `127.0.0.1:${dns.address().port}`;
  cpSync(path.join(CERTIFICATES, "ca.pem"), path.join(folder, "ca.pem"));
  writeFileSync(path.join(folder, "main.js"), `
    async function talk({ url, protocols, headers, method, send = [], closeAfter }) {
      const events = [];
      const toSend = (message) => typeof message === "number" ? new Uint8Array(message) : message.characters === undefined ? message : "x".repeat(message.characters);
      const start = (socket) => { for (const message of send) socket.send(toSend(message)); };
      let socket;
      if (headers === undefined) {
        socket = new WebSocket(url, protocols);
        events.push("state " + socket.readyState);
      } else {
        const response = await fetch(url, { headers, method });
        socket = response.webSocket;
        if (socket === null) return [response.status + " " + await response.text()];
        events.push(response.status + " " + response.headers.get("sec-websocket-protocol"));
      }
      let heard = 0;
      const over = new Promise((resolve) => {
        socket.addEventListener("open", () => { events.push("open '" + socket.protocol + "' " + socket.readyState); start(socket); });
        socket.addEventListener("message", ({ data }) => {
          events.push(typeof data !== "string" ? data.byteLength + " bytes" : data.length > 100 ? data.length + " characters" : data);
          if (++heard === closeAfter) socket.close(4000, "done");
        });
        socket.addEventListener("error", ({ message }) => events.push("error " + message));
        socket.addEventListener("close", ({ code, reason, wasClean }) => { events.push(["close", code, reason, wasClean].join(" ")); resolve(); });
      });
      if (headers !== undefined) {
        socket.accept();
        start(socket);
      }
      await over;
      return events;
    }
    export default {
      async talk(list) {
        const answers = [];
        for (const one of list) answers.push(await talk(one).catch((e) => [e.name + ": " + e.message]));
        return answers;
      },
    };`);
});

async function talk(egress, list, env = {}) {
  writeFileSync(path.join(folder, "wrangler.json"), JSON.stringify({
    name: "egress", main: "main.js", compatibility_date: "2026-03-01", limits: { cpu_ms: 30_000 }, glovebox: { egress: { nameservers: [nameserver], ...egress } },
  }));
  const { stdout } = await promisify(execFile)(process.env.GLOVEBOX_COMMAND, ["run", folder, "--call", "talk", "--arg", JSON.stringify(list)], { env: { ...process.env, ...env } });
  return JSON.parse(stdout);
}
const here = (port, more = {}) => ({ allow: [`http://127.0.0.1:${port}`], allow_private: ["127.0.0.1"], ...more });
const LOST = "close 1006 WebSocket disconnected without sending Close frame. false";
const UPGRADE = { upgrade: "websocket" };

test("new WebSocket() and fetch() talk to a server, in frames that are masked anew each time", async () => {
  const heads = [], peers = [];
  const port = await listen((peer, head) => {
    heads.push(head);
    peers.push(peer);
    return echo(peer, head, head.headers["sec-websocket-protocol"] === undefined ? "" : "Sec-WebSocket-Protocol: b\r\n");
  });
  const [constructed, fetched] = await talk(here(port), [
    { url: `ws://127.0.0.1:${port}/chat?a=b`, protocols: ["a", "b"], send: ["hello", "é", 3, { characters: 200_000 }, 70_000], closeAfter: 5 },
    { url: `http://127.0.0.1:${port}/`, headers: { ...UPGRADE, "x-mine": "yes", "sec-websocket-key": "mine", "sec-websocket-extensions": "permessage-deflate" }, send: ["a", "b"], closeAfter: 2 },
  ]);
  assert.deepEqual(constructed, ["state 0", "open 'b' 1", "hello", "é", "3 bytes", "200000 characters", "70000 bytes", "close 4000 done true"]);
  assert.deepEqual(fetched, ["101 null", "a", "b", "close 4000 done true"]);
  assert.equal(heads[0].line, "GET /chat?a=b HTTP/1.1");
  assert.equal(heads[0].headers["sec-websocket-protocol"], "a, b");
  assert.equal(heads[1].headers["x-mine"], "yes");
  assert.equal(heads[1].headers.host, `127.0.0.1:${port}`);
  for (const { headers } of heads) {
    assert.equal(Buffer.from(headers["sec-websocket-key"], "base64").length, 16);
    assert.equal(headers["sec-websocket-version"], "13");
    assert.equal(headers["sec-websocket-extensions"], undefined);
  }
  assert.notEqual(heads[0].key, heads[1].key);
  assert.equal(peers[0].masks.size, 6);
});

test("pings are answered with what they say, behind masks, and nobody else hears of them", async () => {
  const heard = [];
  const port = await listen(async (peer, head) => {
    peer.send(granted(head));
    peer.send(Buffer.concat([frame(LAST | PING, "are you there"), frame(TEXT, "in "), frame(LAST | PING, "now"), frame(LAST | PONG, ""), frame(LAST, "parts")]));
    for (let i = 0; i < 2; i++) {
      const { first, payload } = await peer.next();
      heard.push([first, payload.toString()]);
    }
    peer.send(closing(3001, "enough"));
    await peer.next();
    peer.socket.end();
  });
  assert.deepEqual(await talk(here(port), [{ url: `ws://127.0.0.1:${port}/` }]), [["state 0", "open '' 1", "in parts", "close 3001 enough true"]]);
  assert.deepEqual(heard, [[LAST | PONG, "are you there"], [LAST | PONG, "now"]]);
});

test("a WebSocket is under the policy of every request: origins, methods, addresses after their look-up", async () => {
  const heads = [];
  const port = await listen((peer, head) => { heads.push(head); return echo(peer, head); });
  const post = here(port, { allow: [{ origin: `http://127.0.0.1:${port}`, methods: ["POST"] }] });
  const refused = async (egress, list, words) => {
    for (const events of await talk(egress, list)) {
      assert.match(events.join("|"), words);
      assert.doesNotMatch(events.join("|"), /open/);
    }
  };
  const both = (url) => [{ url: `ws${url}` }, { url: `http${url}`, headers: UPGRADE }];
  await refused(here(1), both(`://127.0.0.1:${port}/`), /egress policy/);
  await refused(post, both(`://127.0.0.1:${port}/`), /egress policy/);
  await refused({ allow: [`http://127.0.0.1:${port}`] }, both(`://127.0.0.1:${port}/`), /not an address of the public internet/);
  names["rebinding.test"] = ["169.254.169.254", "10.0.0.1"];
  await refused({ allow: ["http://rebinding.test"] }, both("://rebinding.test/"), /not an address of the public internet/);
  await refused(here(port), [{ url: `http://127.0.0.1:${port}/`, headers: UPGRADE, method: "POST" }], /asked for with GET/);
  assert.equal(heads.length, 0);
  assert.deepEqual(await talk(here(port), [{ url: `ws://127.0.0.1:${port}/`, send: ["a"], closeAfter: 1 }]), [["state 0", "open '' 1", "a", "close 4000 done true"]]);
});

test("an answer that grants nothing is a response like any other, and a redirect of a handshake is followed under the policy", async () => {
  const port = await listen((peer, head) => {
    const { 1: target } = head.line.split(" ");
    if (target === "/no") return peer.socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    if (target === "/to") return peer.socket.end("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    if (target === "/away") return peer.socket.end("HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\nContent-Length: 0\r\n\r\n");
    return echo(peer, head);
  });
  const url = `http://127.0.0.1:${port}`;
  const [no, constructed, to, away] = await talk(here(port), [
    { url: `${url}/no`, headers: UPGRADE }, { url: `ws://127.0.0.1:${port}/no` },
    { url: `${url}/to`, headers: UPGRADE, send: ["a"], closeAfter: 1 }, { url: `${url}/away`, headers: UPGRADE },
  ]);
  assert.deepEqual(no, ["403 no"]);
  assert.match(constructed[1], /^error .*received 403 instead/);
  assert.deepEqual(to, ["101 null", "a", "close 4000 done true"]);
  assert.match(away[0], /egress policy/);
});

test("a secret goes into the headers of a handshake, and over TLS of an authority", async () => {
  const heads = [];
  const serve = (peer, head) => { heads.push(head); return echo(peer, head); };
  const good = await listen(serve, "good"), selfSigned = await listen(serve, "selfsigned"), plain = await listen(serve);
  names["good.test"] = Array(8).fill("127.0.0.1");
  const egress = {
    allow: [`https://good.test:${good}`, `https://good.test:${selfSigned}`, `http://good.test:${plain}`], allow_private: ["127.0.0.1"], ca_file: "ca.pem",
    secrets: { KEY: { env: "EGRESS_TEST_KEY", hosts: ["good.test"] } },
  };
  const headers = { ...UPGRADE, authorization: "Bearer {{secret:KEY}}" };
  const [fetched, constructed, bad, leaked] = await talk(egress, [
    { url: `https://good.test:${good}/`, headers, send: ["a"], closeAfter: 1 },
    { url: `wss://good.test:${good}/`, send: [{ characters: 100_000 }], closeAfter: 1 },
    { url: `wss://good.test:${selfSigned}/` },
    { url: `http://good.test:${plain}/`, headers },
  ], { EGRESS_TEST_KEY: SECRET });
  assert.deepEqual(fetched, ["101 null", "a", "close 4000 done true"]);
  assert.deepEqual(constructed, ["state 0", "open '' 1", "100000 characters", "close 4000 done true"]);
  assert.match(bad[1], /^error .*no TLS with/);
  assert.match(leaked[0], /secret/i);
  assert.equal(heads[0].headers.authorization, `Bearer ${SECRET}`);
  assert.equal(heads.length, 2);
});

test("a handshake's answer is to the letter, or there is no WebSocket", async () => {
  const answers = [
    (head) => granted(head).replace(acceptOf(head.key), acceptOf("other")),
    (head) => granted(head).replace(/Sec-WebSocket-Accept.*\r\n/, ""),
    (head) => granted(head, `Sec-WebSocket-Accept: ${acceptOf(head.key)}\r\n`),
    (head) => granted(head, "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    (head) => granted(head, "Sec-WebSocket-Protocol: other\r\n"),
    (head) => granted(head, "Sec-WebSocket-Protocol: mine\r\nSec-WebSocket-Protocol: mine\r\n"),
    (head) => granted(head, "Content-Length: 0\r\n"),
    (head) => granted(head, "Transfer-Encoding: chunked\r\n"),
    (head) => granted(head).replace("Upgrade: websocket", "Upgrade: h2c"),
    (head) => granted(head).replace("Connection: Upgrade", "Connection: close"),
    (head) => granted(head).replace("HTTP/1.1", "HTTP/1.0"),
    (head) => granted(head).replaceAll("\r\n", "\n"),
    (head) => granted(head, "X: a\rb\r\n"),
    (head) => granted(head, "X : a\r\n"),
    (head) => granted(head, "X: y\r\n".repeat(300)),
    (head) => granted(head, `X: ${"y".repeat(100_000)}\r\n`),
    () => "HTTP/1.1 101 Switching Protocols\r\n",
  ];
  let turn = 0;
  const port = await listen((peer, head) => { peer.socket.end(answers[turn++](head)); });
  const url = `ws://127.0.0.1:${port}/`;
  const all = await talk(here(port), answers.map(() => ({ url, protocols: "mine" })));
  assert.equal(turn, answers.length);
  all.forEach((events, i) => assert.match(events.join("|"), /^state 0\|error .*\|close 1006/, answers[i].toString()));
  // Nobody asked.
  turn = 1;
  answers[1] = (head) => granted({ key: "x" });
  const [[unasked]] = await talk(here(port), [{ url: `http://127.0.0.1:${port}/`, headers: {} }]);
  assert.match(unasked, /which nobody asked for/);
});

test("a server's frames are to the letter, or it hears why and the worker has lost it", async () => {
  const mask = Buffer.from([1, 2, 3, 4]);
  const frames = [
    [frame(LAST | TEXT, "a", mask), 1002], [frame(LAST | PING, "a".repeat(126)), 1002], [frame(PING, "a"), 1002], [frame(LAST | 0x40 | TEXT, "a"), 1002],
    [frame(LAST | 3, "a"), 1002], [frame(LAST, "a"), 1002], [Buffer.concat([frame(TEXT, "a"), frame(LAST | TEXT, "b")]), 1002],
    [Buffer.from([LAST | TEXT, 126, 0, 5, 1, 1, 1, 1, 1]), 1002], [Buffer.from([LAST | BINARY, 127, 0xff, 255, 255, 255, 255, 255, 255, 255]), 1002],
    [Buffer.from([LAST | BINARY, 127, 0, 0, 0, 255, 0, 0, 0, 0]), 1009], [frame(LAST | TEXT, Buffer.from([0xff])), 1007],
    [closing(1005), 1002], [closing(999), 1002], [frame(LAST | CLOSE, "a"), 1002],
  ];
  const codes = [];
  let turn = 0;
  const port = await listen(async (peer, head) => {
    peer.send(Buffer.concat([Buffer.from(granted(head)), frames[turn++][0]]));
    const { first, payload } = await peer.next();
    codes.push([first, payload.readUInt16BE()]);
    peer.socket.end();
  });
  const all = await talk(here(port), frames.map(() => ({ url: `ws://127.0.0.1:${port}/` })));
  assert.deepEqual(codes, frames.map(([, code]) => [LAST | CLOSE, code]));
  for (const events of all) assert.equal(events.at(-1), LOST);
});

test("a server that is gone in the middle is a lost connection, with what came before heard", async () => {
  const port = await listen(async (peer, head) => {
    peer.send(Buffer.concat([Buffer.from(granted(head)), frame(LAST | TEXT, "last")]));
    if (head.line.includes("/half")) peer.send(frame(LAST | TEXT, "x".repeat(500)).subarray(0, 100));
    peer.socket.end();
  });
  const url = `ws://127.0.0.1:${port}`;
  const [whole, half] = await talk(here(port), [{ url: `${url}/` }, { url: `${url}/half` }]);
  assert.deepEqual(whole.slice(2), ["last", LOST]);
  assert.deepEqual(half.slice(2), ["last", LOST]);
});
