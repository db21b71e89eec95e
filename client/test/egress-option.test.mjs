// connect({ egress }): what workers of a Node program may reach, through the real egress process.

import assert from "node:assert/strict";
import * as http from "node:http";
import * as net from "node:net";
import { after, test } from "node:test";

import { connect } from "glovebox";
import { failure } from "./failure.mjs";

const SECRET = "s3cret-of-the-test";
const seen = [];
const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  seen.push({ method: request.method, url: request.url, headers: request.headers, body });
  if (request.url === "/away") response.writeHead(302, { location: "http://127.0.0.2:1/" });
  else response.setHeader("x-seen", "yes");
  response.end(`hello ${request.method} ${body}`);
});
const echo = net.createServer((socket) => socket.pipe(socket));
for (const each of [server, echo]) await new Promise((resolve) => each.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const echoPort = echo.address().port;

const glovebox = await connect({
  console: "ignore",
  egress: {
    allow: [origin, { origin: `http://127.0.0.1:${echoPort}`, methods: ["CONNECT"] }, { origin: "http://localhost:*", methods: ["GET"] }],
    allowPrivate: ["127.0.0.1/32"],
    secrets: { "API KEY": { value: SECRET, hosts: ["127.0.0.1"], plain: true }, OTHER: { value: `${SECRET}-2`, hosts: ["api.example.com"] } },
  },
});
after(async () => {
  await glovebox.close();
  server.close();
  echo.close();
});

const WORKER = `
  import { connect } from "cloudflare:sockets";
  export default {
    async run({ url, init }) {
      const response = await fetch(url, init);
      return [response.status, response.headers.get("x-seen"), await response.text()];
    },
    async talk({ address, text }) {
      const socket = connect(address);
      const writer = socket.writable.getWriter();
      await writer.write(new TextEncoder().encode(text));
      await writer.close();
      let all = "";
      for await (const chunk of socket.readable.pipeThrough(new TextDecoderStream())) all += chunk;
      return all;
    },
  };`;
const load = (options = {}, from = glovebox) =>
  from.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": WORKER }, ...options }).getEntrypoint();

test("a worker asks what the policy allows, and its parent's policy is a child's", async () => {
  assert.deepEqual(await load().run({ url: `${origin}/a?b`, init: { method: "POST", body: "body" } }), [200, "yes", "hello POST body"]);
  const parent = glovebox.loader.load({
    compatibilityDate: "2026-03-01", mainModule: "m.js", env: { LOADER: glovebox.loader },
    modules: { "m.js": `export default { async run({ module, url, options }, env) {
      return env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": module }, ...options }).getEntrypoint().run({ url });
    } }` },
  }).getEntrypoint();
  assert.deepEqual(await parent.run({ module: WORKER, url: origin }), [200, "yes", "hello GET "]);
  assert.match((await failure(parent.run({ module: WORKER, url: origin, options: { globalOutbound: null } }))).message, /not permitted to access the internet/);
  assert.match((await failure(load({ globalOutbound: null }).run({ url: origin }))).message, /not permitted to access the internet/);
});

test("what the policy does not name is refused, also behind a redirect, and without a policy all is", async () => {
  const refused = async (url, init) => (await failure(load().run({ url, init }))).message;
  assert.match(await refused("http://127.0.0.1:1/"), /GET http:\/\/127\.0\.0\.1:1 is not allowed by the egress policy/);
  assert.match(await refused("https://example.com/"), /not allowed by the egress policy/);
  assert.match(await refused(`http://localhost:${server.address().port}/`, { method: "POST" }), /allows GET there/);
  assert.match(await refused(`${origin}/away`, { method: "GET" }), /GET http:\/\/127\.0\.0\.2:1 is not allowed/);
  const without = await connect({ console: "ignore" });
  try {
    assert.match((await failure(load({}, without).run({ url: origin }))).message, /not permitted to access the internet/);
  } finally {
    await without.close();
  }
});

test("a secret goes to its hosts only, and no worker and no message has its value", async () => {
  await load().run({ url: origin, init: { headers: { authorization: "Bearer {{secret:API KEY}}" } } });
  assert.equal(seen.at(-1).headers.authorization, `Bearer ${SECRET}`);
  const count = seen.length;
  for (const [name, words] of [["OTHER", /secret 'OTHER' is not for 127\.0\.0\.1/], ["NONE", /secret 'NONE', which the egress policy does not have/]]) {
    const { message } = await failure(load().run({ url: origin, init: { headers: { a: `{{secret:${name}}}` } } }));
    assert.match(message, words);
    assert.ok(!message.includes(SECRET));
  }
  assert.equal(seen.length, count);
});

test("connect() reaches what is named with CONNECT", async () => {
  const text = "x".repeat(300_000);
  assert.equal(await load().talk({ address: `127.0.0.1:${echoPort}`, text }), text);
  assert.match((await failure(load().talk({ address: `127.0.0.1:${server.address().port}`, text: "GET / HTTP/1.1\r\n\r\n" }))).message,
    /connect\(\) takes an origin with "methods": \["CONNECT"\]/);
  assert.match((await failure(load().run({ url: `http://127.0.0.1:${echoPort}/` }))).message, /allows CONNECT there/);
});

test("wrong options are told before anything starts", async () => {
  const words = async (egress, more = {}) => (await failure(connect({ egress, ...more }))).message;
  assert.match(await words(1), /`egress` to be an object such as/);
  assert.match(await words({}), /`egress\.allow` to be a list of origins/);
  assert.match(await words({ allow: [], allowed: [] }), /no option `egress\.allowed`/);
  assert.match(await words({ allow: [1] }), /`egress\.allow\[0\]`/);
  assert.match(await words({ allow: [{ origin: "a", method: "GET" }] }), /no option `egress\.allow\[0\]\.method`/);
  const secret = await words({ allow: [], secrets: { A: { value: 5, hosts: ["a"] } } });
  assert.match(secret, /`egress\.secrets\.A\.value` to be a string/);
  assert.ok(!(await words({ allow: [], secrets: { A: SECRET } })).includes(SECRET));
  assert.match(await words({ allow: [] }, { inProcess: true }), /`egress` and `inProcess`/);
  assert.match(await words({ allow: [] }, { socket: "/tmp/s" }), /`socket` and `egress`/);
  assert.match(await words({ allow: ["http://a b"] }), /allow\[0\]: expected an origin such as/);
  assert.match(await words({ allow: [], secrets: { A: { value: "v", hosts: [] } } }), /secrets\.A\.hosts: expected the hosts/);
});
