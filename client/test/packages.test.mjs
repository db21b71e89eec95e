// Packages that people put into agents' code: from the registry, bundled, and doing what they are for in a jailed worker.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { connect, entrypoint } from "glovebox";
import { createBundler } from "glovebox/bundler";

const cacheFolder = mkdtempSync(path.join(tmpdir(), "glovebox-packages-"));
const bundler = createBundler({ cacheFolder });
const glovebox = await connect({ console: "ignore" });
after(async () => {
  await bundler.close();
  await glovebox.close();
  rmSync(cacheFolder, { recursive: true });
});

// What the function `run` of `source` gives.
async function result(dependencies, source, options = {}) {
  const made = await bundler.createWorker({
    files: { "src/index.ts": `${source}\nexport default { run, fetch: (request: Request) => new Response("none") };`, "package.json": JSON.stringify({ dependencies }) },
  });
  const worker = glovebox.loader.load({ ...made, compatibilityDate: "2026-01-01", globalOutbound: null, ...options });
  try {
    return await worker.getEntrypoint().run(0);
  } finally {
    worker[Symbol.dispose]();
  }
}

// Events as a model's server streams them.
function streaming(events) {
  const requests = [];
  const server = {
    async fetch(request) {
      requests.push({ url: request.url, key: request.headers.get("authorization") ?? request.headers.get("x-api-key"), body: await request.json() });
      const chunks = events.map((event) => new TextEncoder().encode(event));
      return new Response(new ReadableStream({ pull(controller) { chunks.length === 0 ? controller.close() : controller.enqueue(chunks.shift()); } }), { headers: { "content-type": "text/event-stream" } });
    },
  };
  return { requests, globalOutbound: entrypoint(server) };
}

test("hono", async () => {
  assert.deepEqual(await result({ hono: "4.13.19" }, `import { Hono } from "hono";
    const app = new Hono().get("/:name", (c) => c.json({ hello: c.req.param("name") }));
    async function run() { return (await app.request("/Ann")).json(); }`), { hello: "Ann" });
});

test("zod", async () => {
  assert.deepEqual(await result({ zod: "4.6.7" }, `import { z } from "zod";
    const schema = z.object({ n: z.coerce.number().int(), tags: z.array(z.string()).default([]) });
    function run() { return [schema.parse({ n: "5" }), schema.safeParse({ n: "x" }).success]; }`), [{ n: 5, tags: [] }, false]);
});

test("lodash-es", async () => {
  assert.deepEqual(await result({ "lodash-es": "^4.17.21" }, `import { groupBy, debounce, cloneDeep, template } from "lodash-es";
    function run() { return [groupBy([1, 2, 3], (n) => n % 2 ? "odd" : "even"), typeof debounce, cloneDeep({ a: [1] })]; }`), [{ odd: [1, 3], even: [2] }, "function", { a: [1] }]);
});

test("date-fns", async () => {
  assert.deepEqual(await result({ "date-fns": "^4.1.0" }, `import { addMonths, format, parseISO } from "date-fns"; import { de } from "date-fns/locale";
    function run() { return format(addMonths(parseISO("2026-01-31"), 1), "d. MMMM yyyy", { locale: de }); }`), "28. Februar 2026");
});

test("uuid", async () => {
  assert.deepEqual(await result({ uuid: "^11.0.0" }, `import { v4, v5, validate, version } from "uuid";
    function run() { const id = v4(); return [validate(id), version(id), v5("www.example.com", v5.DNS)]; }`), [true, 4, "2ed6657d-e927-568b-95e1-2665a8aea6a2"]);
});

test("nanoid", async () => {
  assert.deepEqual(await result({ nanoid: "^5.0.0" }, `import { nanoid, customAlphabet } from "nanoid";
    function run() { return [nanoid().length, nanoid() !== nanoid(), /^[ab]{5}$/.test(customAlphabet("ab", 5)())]; }`), [21, true, true]);
});

test("jose", async () => {
  assert.deepEqual(await result({ jose: "^6.0.0" }, `import { SignJWT, jwtVerify, generateKeyPair } from "jose";
    async function run() {
      const secret = new TextEncoder().encode("a secret of 32 bytes or even more");
      const token = await new SignJWT({ who: "ann" }).setProtectedHeader({ alg: "HS256" }).setExpirationTime("2h").sign(secret);
      const { privateKey, publicKey } = await generateKeyPair("ES256");
      const signed = await new SignJWT({ who: "bob" }).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
      const forged = await jwtVerify(token.slice(0, -3) + "AAA", secret).catch((error) => error.code);
      return [(await jwtVerify(token, secret)).payload.who, (await jwtVerify(signed, publicKey)).payload.who, forged];
    }`), ["ann", "bob", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"]);
});

test("cheerio", async () => {
  assert.deepEqual(await result({ cheerio: "^1.0.0" }, `import { load } from "cheerio/slim";
    function run() { const $ = load("<ul><li class=a>one</li><li>two</li></ul>"); $("li.a").text("changed"); return [$("li").length, $.html()]; }`), [2, '<ul><li class="a">changed</li><li>two</li></ul>']);
});

test("marked", async () => {
  assert.equal(await result({ marked: "^16.0.0" }, `import { marked } from "marked"; function run() { return marked.parse("# Title\\n\\n- *one*"); }`), "<h1>Title</h1>\n<ul>\n<li><em>one</em></li>\n</ul>\n");
});

test("papaparse", async () => {
  assert.deepEqual(await result({ papaparse: "^5.5.0" }, `import Papa from "papaparse";
    function run() { return [Papa.parse("a,b\\n1,\\"x, y\\"", { header: true, dynamicTyping: true }).data, Papa.unparse([{ a: 1, b: "q\\"q" }])]; }`), [[{ a: 1, b: "x, y" }], 'a,b\r\n1,"q""q"']);
});

test("yaml", async () => {
  assert.deepEqual(await result({ yaml: "^2.8.0" }, `import { parse, stringify } from "yaml";
    function run() { return [parse("a: &x [1, 2]\\nb: *x\\n"), stringify({ list: ["p", { q: null }] })]; }`), [{ a: [1, 2], b: [1, 2] }, "list:\n  - p\n  - q: null\n"]);
});

test("mathjs", async () => {
  assert.deepEqual(await result({ mathjs: "^14.0.0" }, `import { create, all } from "mathjs"; const math = create(all);
    function run() { return [math.evaluate("sqrt(3^2 + 4^2)"), math.format(math.evaluate("[1, 2; 3, 4] * [5; 6]")), math.evaluate("12.7 cm to inch").toString(), math.derivative("x^2", "x").toString()]; }`),
  [5, "[[17], [39]]", "5 inch", "2 * x"]);
});

test("acorn", async () => {
  assert.deepEqual(await result({ acorn: "^8.15.0" }, `import { parse } from "acorn";
    function run() { return parse("let a = async () => 1n", { ecmaVersion: "latest" }).body[0].declarations[0].init.type; }`), "ArrowFunctionExpression");
});

test("ajv says that it makes code, which a worker may not", async () => {
  assert.deepEqual(await result({ ajv: "^8.17.0" }, `import Ajv from "ajv";
    function run() { try { return new Ajv().compile({ type: "object" })({}); } catch (error) { return error.name; } }`), "EvalError");
});

test("ky", async () => {
  const seen = [];
  const server = { async fetch(request) { seen.push([request.method, request.url, await request.text()]); return seen.length === 1 ? new Response("busy", { status: 503 }) : Response.json({ made: true }); } };
  assert.deepEqual(await result({ ky: "^1.8.0" }, `import ky from "ky";
    async function run() { return ky.put("https://api.example/things", { json: { a: 1 }, retry: { limit: 2, delay: () => 1 } }).json(); }`, { globalOutbound: entrypoint(server) }), { made: true });
  assert.deepEqual(seen, [["PUT", "https://api.example/things", '{"a":1}'], ["PUT", "https://api.example/things", '{"a":1}']]);
});

test("openai streams", async () => {
  const chunk = (content) => `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
  const { requests, globalOutbound } = streaming([chunk("Hel"), chunk("lo").slice(0, 20), chunk("lo").slice(20), "data: [DONE]\n\n"]);
  assert.equal(await result({ openai: "^6.0.0" }, `import OpenAI from "openai";
    async function run() {
      const stream = await new OpenAI({ apiKey: "key" }).chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }], stream: true });
      let text = ""; for await (const part of stream) text += part.choices[0]?.delta?.content ?? ""; return text;
    }`, { globalOutbound }), "Hello");
  assert.deepEqual([requests.length, requests[0].key, requests[0].body.stream], [1, "Bearer key", true]);
  assert.match(requests[0].url, /\/chat\/completions$/);
});

test("@anthropic-ai/sdk streams", async () => {
  const event = (type, more) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const { requests, globalOutbound } = streaming([
    event("message_start", { message: { id: "1", type: "message", role: "assistant", content: [], model: "m", stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } } }),
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }), event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "Hel" } }),
    event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "lo" } }), event("content_block_stop", { index: 0 }),
    event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } }), event("message_stop", {}),
  ]);
  assert.deepEqual(await result({ "@anthropic-ai/sdk": ">=0.60.0" }, `import Anthropic from "@anthropic-ai/sdk";
    async function run() {
      const stream = new Anthropic({ apiKey: "key" }).messages.stream({ model: "m", max_tokens: 10, messages: [{ role: "user", content: "hi" }] });
      const seen: string[] = []; stream.on("text", (text) => seen.push(text));
      return [(await stream.finalMessage()).content[0], seen];
    }`, { globalOutbound }), [{ type: "text", text: "Hello" }, ["Hel", "lo"]]);
  assert.equal(requests.length, 1);
  assert.match(requests[0].key, /\bkey$/);
});

test("drizzle-orm", async () => {
  assert.deepEqual(await result({ "drizzle-orm": "^0.44.0" }, `import { sql, eq, and, gt } from "drizzle-orm"; import { sqliteTable, text, integer, QueryBuilder } from "drizzle-orm/sqlite-core";
    const users = sqliteTable("users", { id: integer("id").primaryKey(), name: text("name") });
    function run() { const { sql: words, params } = new QueryBuilder().select({ n: users.name }).from(users).where(and(eq(users.name, "Ann"), gt(users.id, 3))).toSQL(); return [words, params]; }`),
  ['select "name" from "users" where ("users"."name" = ? and "users"."id" > ?)', ["Ann", 3]]);
});

test("rxjs", async () => {
  assert.deepEqual(await result({ rxjs: "^7.8.0" }, `import { from, interval, lastValueFrom, take, map, toArray, mergeMap } from "rxjs";
    function run() { return lastValueFrom(interval(1).pipe(take(3), mergeMap((n) => from([n, n * 10])), map((n) => n + 1), toArray())); }`), [1, 1, 2, 11, 3, 21]);
});

test("immer", async () => {
  assert.deepEqual(await result({ immer: "^10.0.0" }, `import { produce, enableMapSet } from "immer"; enableMapSet();
    function run() { const base = { list: [1], map: new Map([["a", 1]]) }; const next = produce(base, (draft) => { draft.list.push(2); draft.map.set("b", 2); }); return [base.list, next.list, [...next.map], Object.isFrozen(next)]; }`),
  [[1], [1, 2], [["a", 1], ["b", 2]], true]);
});

test("sucrase", async () => {
  assert.deepEqual(await result({ sucrase: "3.35.1" }, `import { transform } from "sucrase";
    function run() { return transform("const a: number = <b/>;", { transforms: ["typescript", "jsx"], jsxPragma: "h", production: true }).code; }`), "const a = h('b', null);");
});
