// The page at the admin address, in a real browser: what it shows of workers that mean harm, and what it asks for.

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, test } from "node:test";

import { chromium } from "playwright-core";

import { startCommand, later, temporaryFolder } from "./command-world.mjs";

const browserPath = process.env.PATH.split(path.delimiter).map((folder) => path.join(folder, "chromium")).find((file) => existsSync(file));
const skip = browserPath === undefined ? "there is no Chromium here; apt-get install chromium" : false;

let browser;
after(async () => await browser?.close());

const ADMIN = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

async function serve(source, config = {}) {
  const made = temporaryFolder("page");
  writeFileSync(path.join(made, "wrangler.jsonc"), JSON.stringify({ name: "watched", main: "index.js", compatibility_date: "2026-04-15", ...config }));
  writeFileSync(path.join(made, "index.js"), source);
  const server = await startCommand(["serve", "--config", made, ...ADMIN], /^Ready on/m);
  server.ask = async (name) => await (await fetch(server.url + name)).text();
  return server;
}

const IMAGE = `<img src=x onerror="window.taken = 1">`;
const HOSTILE = `${IMAGE}\u202e\u0007</td><script>window.taken = 2</script>`;
const SHOWN = `${IMAGE}U+202EU+0007</td><script>window.taken = 2</script>`;

// Each request is another thing that a worker does to whoever looks at it.
const WORKER = `
const HOSTILE = ${JSON.stringify(HOSTILE).replaceAll("</script>", "<\\/script>")};
let hold = [];
export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  if (pathname === "/loop") { console.log("about to loop"); for (;;); }
  if (pathname === "/agent") {
    const agent = env.LOADER.get(HOSTILE, () => ({ compatibilityDate: "2026-03-01", mainModule: "a.js", modules: { "a.js":
      "export default { async ask(words) { console.log(words); console.error('javascript:alert(1)'); return 1; }, ['<b>bold'](words) { return words; } }" } }));
    const entrypoint = agent.getEntrypoint();
    hold.push(entrypoint);
    await entrypoint.ask(HOSTILE);
    await entrypoint["<b>bold"](1);
  }
  if (pathname === "/flood") for (let i = 0; i < 400; i++) console.log("\\u0001".repeat(2_000));
  if (pathname === "/page") return new Response("<!doctype html><title>a worker's page</title>", { headers: { "content-type": "text/html" } });
  return new Response("", { status: pathname === "/missing" ? 404 : 200 });
} };`;
const serveWorker = () => serve(WORKER, { worker_loaders: [{ binding: "LOADER" }], limits: { cpu_ms: 300 } });

// A page that remembers whatever is wrong with it.
async function open(url, options = {}) {
  browser ??= await chromium.launch({ executablePath: browserPath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const seen = { page, wrong: [], asked: new Set() };
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) seen.wrong.push(message.text()); });
  page.on("pageerror", (error) => seen.wrong.push(String(error)));
  page.on("request", (request) => seen.asked.add(request.url()));
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(event.violatedDirective));
  });
  await page.goto(url);
  return seen;
}

const untilShown = async (page, selector, text) => await page.locator(selector, { hasText: text }).first().waitFor({ timeout: 30_000 });

test("what workers wrote is text and nothing else, and nobody else is asked for anything", { skip }, async () => {
  const server = await serveWorker();
  await server.ask("/agent");
  await server.ask("/missing");
  const { page, wrong, asked } = await open(server.admin);

  await untilShown(page, "#answering", "answers");
  assert.equal(await page.title(), "Glovebox");
  assert.equal(await page.locator("#project").textContent(), "watched");
  const names = await page.locator("#workers tbody tr td:first-child bdi").allTextContents();
  assert.ok(names.includes("watched"), names.join());
  assert.ok(names.includes(SHOWN), names.join());
  const row = page.locator("#workers tbody tr", { hasText: "onerror" });
  assert.match(await row.textContent(), /idle.* ms.* MB/);
  assert.equal(await row.locator(".mark").first().textContent(), "U+202E");
  await untilShown(page, "#calls", "<b>bold");
  await untilShown(page, "#request-figures", "4xx");

  // By the keyboard alone.
  const button = row.getByRole("button");
  await button.focus();
  await page.keyboard.press("Enter");
  await untilShown(page, "#logs", "javascript:alert(1)");
  assert.equal(await page.locator("#chosen-name").textContent(), SHOWN);
  const lines = await page.locator("#logs p").allTextContents();
  assert.equal(lines.length, 2, lines.join("\n"));
  assert.match(lines[0], /^\d\d:\d\d:\d\d log /);
  assert.ok(lines[0].endsWith(SHOWN), lines[0]);
  assert.match(lines[1], / error javascript:alert\(1\)$/);
  assert.match(page.url(), /\/#worker=\d+$/);
  await page.reload();
  await untilShown(page, "#logs", "javascript:alert(1)");
  await page.locator("#workers button", { hasText: "watched" }).click();
  await untilShown(page, "#held tbody td", "LOADER");

  assert.deepEqual(await page.evaluate(() => [globalThis.taken, document.images.length, document.scripts.length, document.querySelectorAll("td script, td b").length]),
    [undefined, 1, 1, 0]);
  assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
  assert.deepEqual(wrong, []);
  assert.deepEqual([...asked].map((url) => url.replace(/=\d+$/, "=")).filter((url, i, all) => all.indexOf(url) === i).sort(),
    ["", "icon.svg", "logs.json?worker=", "page.css", "page.js", "status.json"].map((name) => `${server.admin}/${name}`).sort());

  // The same acts outside of the page's own code are seen, so the lists above would not have stayed empty.
  const refused = await page.evaluate(async () => {
    const tries = [() => { document.body.innerHTML = "<b>"; }, () => fetch("http://127.0.0.1:1/"), () => import("data:text/javascript,1")];
    return await Promise.all(tries.map(async (act) => { try { await act(); return "done"; } catch (error) { return error.name; } }));
  });
  assert.deepEqual(refused, ["TypeError", "TypeError", "TypeError"]);
  assert.ok((await page.evaluate(() => globalThis.violations)).length >= 2);
  assert.ok(wrong.length >= 1);
});

test("who met a limit is among the endings, with the sentence for it and what it had said", { skip }, async () => {
  const server = await serveWorker();
  const { page, wrong } = await open(server.admin);
  await untilShown(page, "#endings", "Nothing has ended so far");
  await server.ask("/loop");
  await server.ask("/");
  const ending = page.locator("#endings tbody tr", { hasText: "worker" }).filter({ hasText: "CPU limit" }).filter({ hasNotText: "call of" }).first();
  await ending.waitFor({ timeout: 30_000 });
  assert.match(await ending.textContent(), /watched.*CPU limit.*used more than its limit of 300 ms of CPU time/);
  await untilShown(page, "#endings", "call of fetch");
  await ending.getByRole("button").click();
  await untilShown(page, "#logs", "about to loop");
  await untilShown(page, "#chosen-state", "ended");
  await untilShown(page, "#request-figures", "1 restarts");
  await page.locator("#close").click();
  assert.equal(await page.locator("#chosen").isVisible(), false);
  assert.deepEqual(wrong, []);
});

test("it fits a telephone and a wide screen, by day and by night", { skip }, async () => {
  const server = await serveWorker();
  await server.ask("/agent");
  await server.ask("/loop");
  const grounds = new Set();
  for (const width of [400, 1400]) {
    for (const colorScheme of ["light", "dark"]) {
      const { page } = await open(server.admin, { viewport: { width, height: 900 }, colorScheme });
      await page.locator("#workers button", { hasText: "onerror" }).click();
      await untilShown(page, "#logs", "onerror");
      await untilShown(page, "#endings", "CPU limit");
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
      const align = await page.locator("#workers td.number").first().evaluate((cell) => getComputedStyle(cell).textAlign);
      assert.equal(align, "right");
      grounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      await page.context().close();
    }
  }
  assert.equal(grounds.size, 2);
});

test("a daemon without workers says what to do, and a server that is gone is said to be gone", { skip }, async () => {
  const server = await startCommand(["serve", "--socket", path.join(temporaryFolder("page"), "socket"), "--admin", "127.0.0.1:0"], /^Listening/m);
  const { page } = await open(server.admin);
  await untilShown(page, "#workers", "No worker is live. Load one");
  assert.equal(await page.locator("#requests").isVisible(), false);
  assert.match(await page.locator("#jail").textContent(), /^profile default, \d+ of \d+ layers of the jail in force$/);
  server.child.kill("SIGTERM");
  await server.ended;
  await page.locator("#answering", { hasText: /^no answer since \d\d:\d\d:\d\d \(\d+ s\)$/ }).waitFor({ timeout: 30_000 });
});

test("a page that a worker serves on this machine cannot read it, embed it or keep a window of it", { skip }, async () => {
  const server = await serveWorker();
  const { page } = await open(`${server.url}/page`);
  const tried = await page.evaluate(async (admin) => {
    const read = async (path, options) => {
      try { return (await fetch(admin + path, options)).type; } catch (error) { return error.name; }
    };
    const loaded = (tag, path) => new Promise((resolve) => {
      const made = Object.assign(document.createElement(tag), { onload: () => resolve("loaded"), onerror: () => resolve("refused"), src: admin + path });
      document.body.append(made);
    });
    const frame = document.createElement("iframe");
    const framed = new Promise((resolve) => { frame.onload = resolve; });
    frame.src = admin;
    document.body.append(frame);
    await framed;
    let inside;
    try { inside = frame.contentWindow.document.title; } catch (error) { inside = error.name; }
    return [await read("/status.json"), await read("/status.json", { mode: "no-cors" }), await loaded("img", "/icon.svg"), await loaded("script", "/page.js"), inside, frame.contentWindow.length];
  }, server.admin);
  assert.deepEqual(tried.slice(0, 4), ["TypeError", "TypeError", "refused", "refused"]);
  const framed = page.frames().find((frame) => frame !== page.mainFrame());
  assert.equal(await framed.locator("#answering").count(), 0);
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate((admin) => { globalThis.opened = window.open(admin); }, server.admin)]);
  await untilShown(popup, "#answering", "answers");
  assert.equal(await page.evaluate(() => globalThis.opened.closed), true);
  assert.equal(await popup.evaluate(() => window.opener), null);
});

// ---------------------------------------------------------------------------------------------------------------------
// Without a browser

const request = (url, options = {}) => new Promise((resolve, reject) => {
  http.request(url, options, (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (text) => { body += text; }).once("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
  }).once("error", reject).end();
});

test("every answer says what browsers may do with it", async () => {
  const { admin } = await serve("export default { fetch: () => new Response('') };");
  const types = { "/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript", "/icon.svg": "image/svg+xml", "/status.json": "application/json",
    "/logs.json?worker=0": "application/json", "/metrics": "text/plain", "/healthz": "text/plain", "/readyz": "text/plain", "/nothing": "text/plain" };
  for (const [name, type] of Object.entries(types)) {
    const { status, headers } = await request(admin + name, { headers: { origin: "http://127.0.0.1:1" } });
    assert.equal(status, name === "/nothing" ? 404 : 200, name);
    assert.ok(headers["content-type"].startsWith(type), name);
    assert.equal(headers["content-security-policy"], "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
      + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
    const { "x-content-type-options": sniff, "referrer-policy": referrer, "cache-control": cache, "x-frame-options": frame } = headers;
    assert.deepEqual([sniff, referrer, cache, frame], ["nosniff", "no-referrer", "no-store", "DENY"]);
    assert.deepEqual(["resource", "opener", "embedder"].map((kind) => headers[`cross-origin-${kind}-policy`]), ["same-origin", "same-origin", "require-corp"]);
    assert.deepEqual(Object.keys(headers).filter((header) => header.startsWith("access-control-")), []);
  }
});

test("it is read and nothing else, by loopback's names", async () => {
  const { admin } = await serve("export default { fetch: () => new Response('') };");
  for (const name of ["/", "/page.js", "/status.json", "/logs.json?worker=0", "/nothing"]) {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const { status, headers } = await request(admin + name, { method });
      assert.deepEqual([status, headers.allow], [405, "GET, HEAD"], `${method} ${name}`);
    }
  }
  for (const name of ["/", "/status.json"]) {
    const head = await request(admin + name, { method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
    assert.ok(Number(head.headers["content-length"]) > 500);
    for (const [host, wanted] of [["localhost:1", 200], ["[::1]", 200], ["127.0.0.2:80", 200], ["rebound.example", 404], ["127.0.0.1.example", 404], ["0.0.0.0", 404]]) {
      assert.equal((await request(admin + name, { headers: { host } })).status, wanted, host);
    }
  }
});

test("logs are asked for by a number, and have a bound", async () => {
  const server = await serveWorker();
  for (const query of ["", "?worker=", "?worker=-1", "?worker=1x", "?worker=0x1", "?worker= 1", "?worker=%31", "?worker=99999999999999999999", "?id=1", "?worker=1&worker=2"]) {
    const { status, body } = await request(`${server.admin}/logs.json${query.replace(" ", "+")}`);
    assert.deepEqual([status, body], [400, "Expected /logs.json?worker=ID, with an id as in /status.json.\n"], query);
  }
  const none = await request(`${server.admin}/logs.json?worker=123456`);
  assert.deepEqual([none.status, none.body], [404, "Nothing is known of worker 123456, or any more.\n"]);
  await server.ask("/flood");
  const { supervisor } = JSON.parse((await request(`${server.admin}/status.json`)).body);
  const { id } = supervisor.workers.find((worker) => worker.name === "watched");
  let logs;
  for (let i = 0; i < 500 && !(logs = JSON.parse((await request(`${server.admin}/logs.json?worker=${id}`)).body)).cut; i++) await later(10);
  assert.equal(logs.cut, true);
  assert.ok(logs.lines.length > 10 && logs.lines.length <= 200);
  assert.ok(logs.lines.reduce((sum, line) => sum + line.text.length, 0) <= 65_536);
  assert.equal(logs.lines[0].text, "\u0001".repeat(2_000));
});
