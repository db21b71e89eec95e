// What workers may ask of the internet: a project's egress policy, kept by a process of its own, against servers and a name server of this
// test's that mean well or do not.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CERTIFICATES = fileURLToPath(new URL("certificates", import.meta.url));
const SECRET = "sk-very-secret";

const folder = mkdtempSync(path.join(tmpdir(), "glovebox-egress-"));
const open = [];
after(() => {
  rmSync(folder, { recursive: true });
  for (const server of open) server.close();
  for (const server of open) server.closeAllConnections?.();
});

async function listen(server) {
  open.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

// Answers "A" questions out of `names`: a list of addresses, or a function that has one for each question. Nothing else has an answer.
const names = {};
const questions = [];
let nameserver;
function answerName(message) {
  const labels = [];
  let at = 12;
  for (; message[at] !== 0; at += message[at] + 1) labels.push(message.subarray(at + 1, at + 1 + message[at]).toString());
  const name = labels.join(".").toLowerCase(), type = message.readUInt16BE(at + 1);
  const known = names[name];
  let addresses = [];
  if (type === 1 && known !== undefined) {
    questions.push(name);
    addresses = typeof known === "function" ? known() : known;
  }
  const header = Buffer.from(message.subarray(0, 12));
  header.writeUInt16BE(known === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(addresses.length, 6);
  header.fill(0, 8);
  const records = addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]));
  return Buffer.concat([header, message.subarray(12, at + 5), ...records]);
}

let web, other, raw, good, expired, selfSigned;
let rawAnswer = "";
const seen = [];   // what servers were asked
before(async () => {
  const dns = createSocket("udp4", (message, { port, address }) => dns.send(answerName(message), port, address));
  open.push(dns);
  await new Promise((resolve) => dns.bind(0, "127.0.0.1", resolve));
  nameserver = `127.0.0.1:${dns.address().port}`;
  const answer = (request, response) => {
    seen.push(request.headers.host + request.url);
    const { pathname, searchParams } = new URL(request.url, "http://x");
    if (pathname === "/headers") return response.end(JSON.stringify(request.headers));
    if (pathname === "/to") {
      response.writeHead(302, { location: searchParams.get("url") });
      return response.end();
    }
    if (pathname === "/echo") return request.pipe(response);
    if (pathname === "/large") {
      let left = 256;
      const more = () => { while (left-- > 0) if (!response.write(Buffer.alloc(1 << 20, "x"))) return response.once("drain", more); response.end(); };
      return more();
    }
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    response.end(`${request.method} ${pathname}`);
  };
  web = await listen(http.createServer(answer));
  other = await listen(http.createServer(answer));
  raw = await listen(net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => (typeof rawAnswer === "function" ? rawAnswer(socket) : socket.end(rawAnswer)));
  }));
  const certified = (name) => https.createServer({ cert: readFileSync(path.join(CERTIFICATES, `${name}.pem`)), key: readFileSync(path.join(CERTIFICATES, `${name}.key`)) }, answer);
  good = await listen(certified("good"));
  expired = await listen(certified("expired"));
  selfSigned = await listen(certified("selfsigned"));
  cpSync(path.join(CERTIFICATES, "ca.pem"), path.join(folder, "ca.pem"));
  writeFileSync(path.join(folder, "main.js"), `
    import { connect } from "cloudflare:sockets";
    export default {
      async talk(list) {
        const answers = [];
        for (const [address, secureTransport, text] of list) {
          try {
            const socket = connect(address, { secureTransport, allowHalfOpen: true });
            const writer = socket.writable.getWriter();
            await writer.write(new TextEncoder().encode(text));
            let all = "";
            for await (const chunk of socket.readable.pipeThrough(new TextDecoderStream())) all += chunk;
            await socket.close();
            answers.push(all);
          } catch (e) { answers.push(e.name + ": " + e.message) }
        }
        return answers;
      },
      async ask(list) {
        const answers = [];
        for (const [url, init] of list) {
          try {
            const response = await fetch(url, init);
            answers.push({ status: response.status, text: await response.text(), headers: [...response.headers], url: response.url });
          } catch (e) { answers.push(e.name + ": " + e.message) }
        }
        return answers;
      },
      async drain(url) {
        let bytes = 0;
        for await (const chunk of (await fetch(url)).body) bytes += chunk.length;
        return bytes;
      },
      async pump([url, megabytes]) {
        let left = megabytes;
        const body = new ReadableStream({ type: "bytes", pull(c) { if (left-- > 0) c.enqueue(new Uint8Array(1 << 20)); else c.close(); } });
        const response = await fetch(url, { method: "POST", body, duplex: "half" });
        let bytes = 0;
        for await (const chunk of response.body) bytes += chunk.length;
        return bytes;
      },
    };`);
});

async function call(egress, method, args, { env = {}, flags = [] } = {}) {
  writeFileSync(path.join(folder, "wrangler.json"), JSON.stringify({
    name: "egress", main: "main.js", compatibility_date: "2026-03-01", limits: { cpu_ms: 30_000 },
    ...egress === undefined ? {} : { glovebox: { egress: { nameservers: [nameserver], ...egress } } },
  }));
  const { stdout } = await promisify(execFile)(process.env.GLOVEBOX_COMMAND, ["run", folder, "--call", method, ...args.flatMap((arg) => ["--arg", JSON.stringify(arg)]), ...flags],
    { env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}
const ask = async (egress, list, options) => call(egress, "ask", [list.map((entry) => Array.isArray(entry) ? entry : [entry, {}])], options);
const here = (port, more = {}) => ({ allow: [`http://127.0.0.1:${port}`], allow_private: ["127.0.0.1"], ...more });

test("what the policy allows is fetched", async () => {
  const [plain, post, cookies] = await ask(here(web), [`http://127.0.0.1:${web}/a?b=c`, [`http://127.0.0.1:${web}/echo`, { method: "POST", body: "text" }], `http://127.0.0.1:${web}/`]);
  assert.equal(plain.status, 200);
  assert.equal(plain.text, "GET /a");
  assert.equal(post.text, "text");
  assert.deepEqual(cookies.headers.filter(([name]) => name === "set-cookie").map(([, value]) => value), ["a=1", "b=2"]);
});

test("without a policy nothing is, and with one nothing but what it names", async () => {
  const count = seen.length;
  const [none] = await ask(undefined, [`http://127.0.0.1:${web}/`]);
  assert.match(none, /not permitted to access the internet/);
  const refused = await ask({ allow: ["http://allowed.test", "https://127.0.0.1", { origin: `http://127.0.0.1:${other}`, methods: ["HEAD"] }], allow_private: ["127.0.0.1"] }, [
    `http://127.0.0.1:${web}/`, "http://elsewhere.test/", "http://allowed.test:8080/", "https://allowed.test/", "http://sub.allowed.test/", "http://allowed.test.evil.test/",
    "http://xallowed.test/", `http://127.0.0.1:${other}/`, "ftp://allowed.test/",
  ]);
  for (const answer of refused.slice(0, 7)) assert.match(answer, /^TypeError: GET .* is not allowed by the egress policy: allowed are http:\/\/allowed\.test, https:\/\/127\.0\.0\.1/);
  assert.match(refused[7], /allows HEAD there/);
  assert.equal(typeof refused[8], "string");
  assert.equal(seen.length, count);
});

test("hosts below a name are allowed by a star, the name itself is not", async () => {
  Object.assign(names, { "api.below.test": ["127.0.0.1"], "a.b.below.test": ["127.0.0.1"] });
  const answers = await ask({ allow: [`http://*.below.test:${web}`], allow_private: ["127.0.0.0/8"] },
    [`http://api.below.test:${web}/`, `http://A.B.Below.Test:${web}/`, `http://below.test:${web}/`, `http://xbelow.test:${web}/`]);
  assert.deepEqual(answers.map((answer) => answer.status), [200, 200, undefined, undefined]);
});

test("a name that leads to this machine, its network or its cloud's metadata is not connected to, and it is asked for once each time", async () => {
  const addresses = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"];
  addresses.forEach((address, i) => { names[`n${i}.private.test`] = [address]; });
  const count = seen.length;
  const answers = await ask({ allow: [`http://*.private.test:${web}`] }, addresses.map((_, i) => `http://n${i}.private.test:${web}/`));
  answers.forEach((answer, i) => assert.match(answer, new RegExp(`n${i}\\.private\\.test is at ${addresses[i].replaceAll(".", "\\.")}, which is not an address of the public internet`)));
  assert.equal(seen.length, count);
  // A name server that changes its mind: what was checked is what is connected to.
  let answered = 0;
  names["rebinding.private.test"] = () => [answered++ % 2 === 0 ? "10.255.255.1" : "127.0.0.1"];
  questions.length = 0;
  const [first, second] = await ask({ allow: [`http://*.private.test:${web}`] }, [`http://rebinding.private.test:${web}/`, `http://rebinding.private.test:${web}/`]);
  assert.match(first, /is at 10\.255\.255\.1/);
  assert.match(second, /is at 127\.0\.0\.1/);
  assert.deepEqual(questions, ["rebinding.private.test", "rebinding.private.test"]);
  assert.equal(seen.length, count);
});

test("however an address is written, it is the same address", async () => {
  const count = seen.length;
  const written = [`http://2130706433:${web}/`, `http://0x7f000001:${web}/`, `http://0177.0.0.1:${web}/`, `http://127.1:${web}/`, `http://[::ffff:127.0.0.1]:${web}/`,
    `http://[::ffff:7f00:1]:${web}/`, `http://[::1]:${web}/`, `http://[0:0:0:0:0:ffff:7f00:1]:${web}/`, `http://127.0.0.1.:${web}/`];
  for (const answer of await ask({ allow: ["http://allowed.test:*"] }, written)) assert.match(answer, /is not allowed by the egress policy|Invalid URL|neither a name nor an address/);
  // Allowed by name, and still not of the public internet.
  for (const answer of await ask({ allow: [`http://127.0.0.1:${web}`, `http://[::1]:${web}`] }, written.slice(0, 8))) assert.match(answer, /not an address of the public internet/);
  assert.equal(seen.length, count);
  for (const answer of await ask(here(web), written.slice(0, 6))) assert.equal(answer.status, 200);
});

test("a URL says nothing else than it seems to", async () => {
  const count = seen.length;
  for (const answer of await ask({ allow: ["http://allowed.test"] }, [
    `http://allowed.test@127.0.0.1:${web}/`, `http://allowed.test:80@127.0.0.1:${web}/`, `http://127.0.0.1:${web}#@allowed.test/`, `http://127.0.0.1:${web}?@allowed.test/`,
    `http://127.0.0.1:${web}\\@allowed.test/`, `http://allowed.test%00.127.0.0.1:${web}/`, `http://allowed.test%2f@127.0.0.1:${web}/`,
  ])) assert.match(answer, /^TypeError: /);
  assert.equal(seen.length, count);
});

test("a redirect is a request like any other", async () => {
  const count = seen.length;
  const to = (url) => `http://127.0.0.1:${web}/to?url=${encodeURIComponent(url)}`;
  const [good, bad, twice] = await ask(here(web), [to(`http://127.0.0.1:${web}/there`), to(`http://127.0.0.1:${other}/there`), to(to(`http://localhost:${other}/`))]);
  assert.equal(good.text, "GET /there");
  assert.match(bad, /is not allowed by the egress policy/);
  assert.match(twice, /is not allowed by the egress policy/);
  assert.deepEqual(seen.slice(count).filter((what) => what.startsWith(`127.0.0.1:${other}`)), []);
});

test("a secret is put in on the way, for its hosts, over TLS or by word", async () => {
  Object.assign(names, { "good.test": ["127.0.0.1"], "other.test": ["127.0.0.1"] });
  const headers = { authorization: "Bearer {{secret:API_KEY}}", "x-twice": "{{secret:API_KEY}}{{secret:API_KEY}}" };
  const egress = {
    allow: [`https://good.test:${good}`, `http://good.test:${web}`, `http://other.test:${web}`], allow_private: ["127.0.0.1"], ca_file: "ca.pem",
    secrets: { API_KEY: { env: "EGRESS_TEST_KEY", hosts: ["good.test"] } },
  };
  const env = { EGRESS_TEST_KEY: SECRET };
  const [put, plain, elsewhere, unknown, unended, inUrl] = await ask(egress, [
    [`https://good.test:${good}/headers`, { headers }], [`http://good.test:${web}/headers`, { headers }], [`http://other.test:${web}/headers`, { headers }],
    [`https://good.test:${good}/headers`, { headers: { x: "{{secret:OTHER}}" } }], [`https://good.test:${good}/headers`, { headers: { x: "{{secret:API_KEY" } }],
    `https://good.test:${good}/{{secret:API_KEY}}`,
  ], { env });
  assert.equal(put.status, 200, put);
  const got = JSON.parse(put.text);
  assert.equal(got.authorization, `Bearer ${SECRET}`);
  assert.equal(got["x-twice"], SECRET + SECRET);
  assert.match(plain, /The secret 'API_KEY' goes over https only/);
  assert.match(elsewhere, /The secret 'API_KEY' is not for other\.test/);
  assert.match(unknown, /names the secret 'OTHER', which the egress policy does not have/);
  assert.match(unended, /names a secret without an end/);
  assert.ok(!inUrl.text.includes(SECRET));
  for (const answer of [plain, elsewhere, unknown, unended]) assert.ok(!answer.includes(SECRET));
  await assert.rejects(ask(egress, [], { env: { EGRESS_TEST_KEY: undefined } }), /the environment has no variable EGRESS_TEST_KEY/);
  // A redirect does not take it along.
  const [away] = await ask({ ...egress, allow: [...egress.allow, `https://good.test:${good}`] },
    [[`https://good.test:${good}/to?url=${encodeURIComponent(`http://other.test:${web}/headers`)}`, { headers }]], { env });
  assert.ok(typeof away === "string" || !away.text.includes(SECRET));
});

test("a server's certificate must be its own, of an authority, and of today", async () => {
  Object.assign(names, { "good.test": ["127.0.0.1"], "wrong.test": ["127.0.0.1"], "expired.test": ["127.0.0.1"] });
  const egress = { allow: ["https://*.test:*", "https://127.0.0.1:*"], allow_private: ["127.0.0.1"] };
  const urls = [`https://good.test:${good}/`, `https://wrong.test:${good}/`, `https://expired.test:${expired}/`, `https://good.test:${selfSigned}/`, `https://127.0.0.1:${good}/`, `https://good.test:${web}/`];
  const [right, ...wrong] = await ask({ ...egress, ca_file: "ca.pem" }, urls);
  assert.equal(right.status, 200, right);
  for (const answer of wrong) assert.match(answer, /^TypeError: The request to https:\S+ failed: no TLS with /);
  const [untrusted] = await ask(egress, urls.slice(0, 1));
  assert.match(untrusted, /no TLS with /);
});

test("connect() looks at names, addresses and certificates as fetch() does", async () => {
  Object.assign(names, { "good.test": ["127.0.0.1"], "wrong.test": ["127.0.0.1"], "expired.test": ["127.0.0.1"], "inside.test": ["10.0.0.1"] });
  const CONNECT = { methods: ["CONNECT"] };
  const egress = { allow: [{ origin: "https://*.test:*", ...CONNECT }, { origin: "http://*.test:*", ...CONNECT }], allow_private: ["127.0.0.1"], ca_file: "ca.pem" };
  const request = "GET /tls HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n";
  const [secure, plain, ...wrong] = await call(egress, "talk", [[
    [`good.test:${good}`, "on", request], [`good.test:${web}`, "off", request],
    [`wrong.test:${good}`, "on", request], [`expired.test:${expired}`, "on", request], [`good.test:${selfSigned}`, "on", request], [`good.test:${web}`, "on", request],
  ]]);
  for (const answer of [secure, plain]) assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*GET \/tls/);
  for (const answer of wrong) assert.match(answer, /^TypeError: connect\(\): no TLS with /);
  const [inside, unknown, other] = await call(egress, "talk", [[[`inside.test:${web}`, "off", "x"], ["nowhere.test:1", "off", "x"], ["example.com:1", "off", "x"]]]);
  assert.match(inside, /inside\.test is at 10\.0\.0\.1, which is not an address of the public internet/);
  assert.match(unknown, /nowhere\.test is not known/);
  assert.match(other, /not allowed by the egress policy/);
});

test("answers that are not to the letter are the server's failure, and the next request has its own", async () => {
  const answers = {
    "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nokHTTP",
    "a length that is none": "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok",
    "no HTTP": "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "an end in the middle": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
    "chunks without an end": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "a chunk that lies": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "headers without an end": `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(200_000)}`,
    "a status that there is not": "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
  };
  for (const [name, answer] of Object.entries(answers)) {
    rawAnswer = answer;
    const [bad] = await ask(here(raw), [`http://127.0.0.1:${raw}/`]);
    assert.equal(typeof bad, "string", `${name}: ${JSON.stringify(bad)}`);
  }
  // Both framings at once: whichever is believed, what follows is nobody's answer.
  rawAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
  for (const answer of await ask(here(raw), [`http://127.0.0.1:${raw}/1`, `http://127.0.0.1:${raw}/2`])) {
    assert.ok(typeof answer === "string" || answer.text === "ok", JSON.stringify(answer));
  }
  // An answer that nobody asked for stands in wait on a connection that is kept.
  rawAnswer = (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled");
  for (const answer of await ask(here(raw), [`http://127.0.0.1:${raw}/1`, `http://127.0.0.1:${raw}/2`])) {
    assert.ok(typeof answer === "string" || answer.text === "ok", JSON.stringify(answer));
  }
});

test("headers of a request are what HTTP allows", async () => {
  const answers = await ask(here(web), [
    [`http://127.0.0.1:${web}/headers`, { headers: { x: "a\r\nsmuggled: 1" } }],
    [`http://127.0.0.1:${web}/headers`, { headers: { "transfer-encoding": "chunked", connection: "upgrade", "keep-alive": "x", "proxy-authorization": "x", host: "evil.test" } }],
  ]);
  assert.equal(typeof answers[0], "string");
  const headers = typeof answers[1] === "string" ? {} : JSON.parse(answers[1].text);
  for (const name of ["smuggled", "transfer-encoding", "keep-alive", "proxy-authorization"]) assert.equal(headers[name], undefined);
  if (headers.host !== undefined) assert.equal(headers.host, `127.0.0.1:${web}`);
});

test("bodies flow both ways through little memory", async () => {
  const flags = ["--memory-mb", "64", "--wall-ms", "100000"];
  assert.equal(await call(here(web), "drain", [`http://127.0.0.1:${web}/large`], { flags }), 256 << 20);
  assert.equal(await call(here(web), "pump", [[`http://127.0.0.1:${web}/echo`, 128]], { flags }), 128 << 20);
});

test("a configuration that makes no sense is refused in words", async () => {
  for (const [egress, words] of [
    [{ allow: ["http://"] }, /glovebox\.egress\.allow\[0\]: expected an origin/], [{ allow: "x" }, /glovebox\.egress\.allow: expected an array/],
    [{ allow: ["a b"] }, /expected an origin/], [{ allow: ["example.com:99999"] }, /expected an origin/], [{ allow_private: ["10.0.0.0/33"] }, /expected a range of addresses/],
    [{ secrets: { A: {} } }, /hosts: expected the hosts/], [{ allow: [{ origin: "a.test", methods: ["get"] }] }, /expected a method/], [{ ca_file: "none.pem" }, /none\.pem/],
  ]) await assert.rejects(ask(egress, []), (error) => words.test(error.stderr) || assert.fail(error.stderr));
});
