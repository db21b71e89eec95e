// HTMLRewriter: Cloudflare's lol-html in WebAssembly, compiled in the worker that first uses it.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect, entrypoint } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());

function load(body, options = {}, by = glovebox) {
  const text = `
    const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
    const html = (text, type = "text/html") => new Response(text, { headers: { "content-type": type, "content-length": "1" } });
    const failure = async (f) => { try { await f(); return "none"; } catch (error) { return error.name + ": " + error.message; } };
    export default { async run(arg, env) { ${body} } };`;
  return by.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options }).getEntrypoint();
}

test("elements are read and changed, by selector", async () => {
  assert.deepEqual(await load(`
    const rewrite = (selector, element, text) => new HTMLRewriter().on(selector, { element }).transform(html(text)).text();
    const out = [];
    for (const selector of ["*", "b", "p > b", "div b", "b.x", "#i", "[t]", '[t="2"]', '[t^="2"]', "b:not(.x)", "b:nth-child(2)", "p:first-of-type", "i, b"]) {
      out.push((await rewrite(selector, (e) => { e.setAttribute("_", ""); }, "<p><b class=x t=1></b><b id=i t=2></b></p>")).replaceAll('_=""', "_"));
    }
    return out;`).run(null), [
    "<p _><b class=x t=1 _></b><b id=i t=2 _></b></p>", "<p><b class=x t=1 _></b><b id=i t=2 _></b></p>", "<p><b class=x t=1 _></b><b id=i t=2 _></b></p>",
    "<p><b class=x t=1></b><b id=i t=2></b></p>", "<p><b class=x t=1 _></b><b id=i t=2></b></p>", "<p><b class=x t=1></b><b id=i t=2 _></b></p>",
    "<p><b class=x t=1 _></b><b id=i t=2 _></b></p>", "<p><b class=x t=1></b><b id=i t=2 _></b></p>", "<p><b class=x t=1></b><b id=i t=2 _></b></p>",
    "<p><b class=x t=1></b><b id=i t=2 _></b></p>", "<p><b class=x t=1></b><b id=i t=2 _></b></p>", "<p _><b class=x t=1></b><b id=i t=2></b></p>",
    "<p><b class=x t=1 _></b><b id=i t=2 _></b></p>",
  ]);
  assert.deepEqual(await load(`
    const seen = [];
    const out = await new HTMLRewriter()
      .on("a", { element(e) {
        seen.push(e.tagName, [...e.attributes], e.getAttribute("href"), e.getAttribute("none"), e.hasAttribute("none"), e.removed, e.namespaceURI);
        e.setAttribute("href", 'x"y').removeAttribute("q").before("<0>").before("<i>", { html: true }).prepend("1").append("2").after("3");
      } })
      .on("del", { element(e) { e.remove(); seen.push(e.removed); } })
      .on("keep", { element(e) { e.removeAndKeepContent(); } })
      .on("in", { element(e) { e.setInnerContent("<new>", { html: true }); } })
      .on("rep", { element(e) { e.replace("&"); } })
      .on("old", { element(e) { e.tagName = "young"; e.onEndTag((tag) => { seen.push(tag.name); }); } })
      .transform(html("<a href=/ q>t</a><del>x<b></b></del><keep>k</keep><in>o</in><rep>r</rep><old>o</old>")).text();
    return [out, seen];`).run(null), [
    '&lt;0&gt;<i><a href="x&quot;y">1t2</a>3k<in><new></in>&amp;<young>o</young>',
    ["a", [["href", "/"], ["q", ""]], "/", null, false, false, "http://www.w3.org/1999/xhtml", true, "young"],
  ]);
});

test("texts, comments, document types, ends of tags and of the document", async () => {
  assert.deepEqual(await load(`
    const seen = [];
    const response = new HTMLRewriter()
      .on("p", {
        prefix: "p:",
        comments(comment) { seen.push(this.prefix + comment.text); comment.text = "new"; comment.after("<hr>", { html: true }); },
        text(text) { seen.push([text.text, text.lastInTextNode]); if (text.text === "gone") text.remove(); else if (text.text) text.replace(text.text.toUpperCase()); },
        element(element) {
          element.onEndTag((tag) => { tag.before("1"); });
          element.onEndTag(async (tag) => { await pause(); tag.after("2"); });
        },
      })
      .onDocument({
        doctype(doctype) { seen.push([doctype.name, doctype.publicId, doctype.systemId]); },
        comments(comment) { if (comment.text === "top") comment.remove(); },
        end(end) { end.append("<end>", { html: true }).append("<"); },
      })
      .transform(html('<!DOCTYPE html PUBLIC "p" "s"><!--top--><p>a\\u00e4<!--c--></p><p>gone</p>'));
    return [response.headers.get("content-length"), response.headers.get("content-type"), await response.text(), seen];`).run(null), [
    null, "text/html", '<!DOCTYPE html PUBLIC "p" "s"><p>AÄ<!--new--><hr>1</p>2<p>1</p>2<end>&lt;',
    [["html", "p", "s"], ["aä", false], ["", true], "p:c", ["gone", false], ["", true]],
  ]);
});

test("where chunks end changes nothing, also inside of tags and characters", async () => {
  assert.equal(await load(`
    const text = '<div class="é a"><p title="ü">€uro</p><!--é--></div>'.repeat(3), bytes = new TextEncoder().encode(text);
    const results = new Set();
    for (let size = 1; size <= 17; size++) {
      let at = 0;
      const body = new ReadableStream({ pull(c) { if (at >= bytes.length) c.close(); else { c.enqueue(bytes.slice(at, at + size)); at += size; } } });
      let words = "";
      const out = await new HTMLRewriter().on("div.a > p[title=ü]", { element(e) { e.setAttribute("n", "ö"); }, text(t) { words += t.text; } }).transform(html(body)).text();
      results.add(out + words);
    }
    const wanted = text.replaceAll('"ü">', '"ü" n="ö">') + "€uro".repeat(3);
    return results.size === 1 && [...results][0] === wanted;`).run(null), true);
});

test("what is rewritten streams, and is read no faster than it is wanted", async () => {
  assert.deepEqual(await load(`
    let pulled = 0, cancelled;
    const body = new ReadableStream({
      pull(c) { pulled++; c.enqueue(new TextEncoder().encode("<p>" + pulled + "</p>")); },
      cancel(reason) { cancelled = reason; },
    }, { highWaterMark: 0 });
    const reader = new HTMLRewriter().on("p", { element(e) { e.setAttribute("x", "") } }).transform(html(body)).body.getReader();
    const chunks = [];
    for (let i = 0; i < 3; i++) chunks.push(new TextDecoder().decode((await reader.read()).value));
    const before = pulled;
    await pause();
    await reader.cancel("enough");
    return [chunks, before, pulled, cancelled];`).run(null), [['<p x="">1</p>', '<p x="">2</p>', '<p x="">3</p>'], 3, 3, "enough"]);
});

test("handlers wait for tools, many rewriters at once and one within another", async () => {
  const env = { lookup: async (n) => { await new Promise((resolve) => setTimeout(resolve, n % 5)); return `tool ${n}`; } };
  assert.equal(await load(`
    const one = async (n) => {
      const inner = { async element(e) { e.setInnerContent(await env.lookup(n)); } };
      const outer = { async element(e) { e.append(await new HTMLRewriter().on("i", inner).transform(html("<i></i>")).text(), { html: true }); await pause(); } };
      const out = await new HTMLRewriter().on("p", outer).transform(html("<div>" + ("<p>" + n + "</p>").repeat(3) + "</div>")).text();
      return out === "<div>" + ("<p>" + n + "<i>tool " + n + "</i></p>").repeat(3) + "</div>";
    };
    return (await Promise.all(Array.from({ length: 10 }, (_, n) => one(n)))).every(Boolean);`, { env }).run(null), true);
});

test("what a handler throws is what the body fails with, and the next response is rewritten all the same", async () => {
  assert.deepEqual(await load(`
    const out = [];
    let cancelled;
    const source = () => new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode("<p>x</p>")); }, cancel(reason) { cancelled = reason.message; } }, { highWaterMark: 0 });
    for (const element of [() => { throw new RangeError("at once"); }, async () => { await pause(); throw new RangeError("later"); }, (e) => { e.setAttribute("a b", ""); }]) {
      out.push(await failure(() => new HTMLRewriter().on("p", { element }).transform(html(source())).text()), cancelled);
    }
    let element, tag;
    await new HTMLRewriter().on("p", { element(e) { element = e; e.onEndTag((t) => { tag = t; }); } }).transform(html("<p></p>")).text();
    out.push(await failure(() => element.tagName), await failure(() => tag.remove()));
    out.push(await failure(() => new HTMLRewriter().on("p[", {})), await failure(() => new HTMLRewriter().on("p", null)), await failure(() => new HTMLRewriter().on("p", { text: 1 })));
    out.push(await failure(() => new HTMLRewriter().transform("<p>")), await failure(() => new HTMLRewriter().transform(html("<p>", "text/html; charset=iso-8859-1"))));
    out.push(await failure(() => new HTMLRewriter().on("p", { element(e) { e.append(new Response("x")); } }).transform(html("<p>")).text()));
    const used = html("<p>");
    await used.text();
    out.push(await failure(() => new HTMLRewriter().transform(used)), new HTMLRewriter().transform(new Response(null, { status: 204 })).status);
    return out;`).run(null), [
    "RangeError: at once", "at once", "RangeError: later", "later",
    "TypeError: Parser error: ` ` character is forbidden in the attribute name", "Parser error: ` ` character is forbidden in the attribute name",
    ...Array(2).fill("TypeError: This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler."),
    "TypeError: Parser error: Unexpected end of selector.", "TypeError: The handlers of an HTMLRewriter must be an object.", "TypeError: The handler `text` of an HTMLRewriter is not a function.",
    "TypeError: Failed to execute 'transform' on 'HTMLRewriter': parameter 1 is not of type 'Response'.", "TypeError: HTMLRewriter reads UTF-8 alone, and this response says that it is iso-8859-1.",
    "TypeError: Failed to execute 'append': a stream or a Response cannot be put into HTML here; read it and pass its text.",
    "TypeError: Body has already been used. It can only be used once. Use tee() first if you need to read it twice.", 204,
  ]);
});

test("a document of many elements takes no more memory than a small one, and a tag without end fails alone", async () => {
  const worker = load(`
    const many = (count) => { let n = 0; return new ReadableStream({ pull(c) { if (n++ === count) c.close(); else c.enqueue(new TextEncoder().encode("<p a=b>text</p>".repeat(1000))); } }); };
    let elements = 0, bytes = 0;
    for await (const chunk of new HTMLRewriter().on("p", { element(e) { elements++; e.getAttribute("a"); }, text() {} }).transform(html(many(40))).body) bytes += chunk.length;
    let n = 0;
    const tag = await failure(() => new HTMLRewriter().on("*", { element(e) { e.getAttribute("a"); } }).transform(html(new ReadableStream({
      pull(c) { c.enqueue(new TextEncoder().encode(n++ === 0 ? "<p a='" : "x".repeat(1 << 20))); },
    }))).text());
    return [elements, bytes, tag, await new HTMLRewriter().on("p", { element(e) { e.remove(); } }).transform(html("<p>x</p>y")).text()];`,
  { limits: { memoryMb: 128, cpuMs: 20_000 } });
  assert.deepEqual(await worker.run(null), [40_000, 40_000 * "<p a=b>text</p>".length,
    "RangeError: HTMLRewriter has run out of its own memory, which is 64 MiB for each response: a tag, comment or attribute is too large.", "y"]);
});

test("a handler that loops is stopped as any code is", async () => {
  const worker = load(`return await new HTMLRewriter().on("p", { element() { for (;;); } }).transform(html("<p>")).text();`, { limits: { cpuMs: 50 } });
  assert.equal((await failure(worker.run(null))).code, "exceededCpu");
});

test("spoiled prototypes show nothing of the runtime's", async () => {
  assert.deepEqual(await load(`
    const reached = [];
    for (const [prototype, name] of [[Function.prototype, "call"], [Array.prototype, "push"], [Function.prototype, "bind"], [Promise.prototype, "then"]]) {
      const original = prototype[name];
      prototype[name] = function (...args) {
        for (const item of [this, ...args]) if (typeof item === "object" && item !== null && typeof item.htmlRewriterModule === "function") original.call(reached, 1);
        return Reflect.apply(original, this, args);
      };
    }
    Object.prototype.html = Object.prototype.enableEsiTags = () => { reached.push("found"); };
    const out = await new HTMLRewriter().on("p", { text(t) { t.after("<"); } }).transform(html("<p>x</p>")).text();
    return [out, reached.length];`).run(null), ["<p>x&lt;&lt;</p>", 0]);
});

test("without WebAssembly in its profile a worker is told so", async () => {
  const other = await connect({ console: "ignore", supervisor: { profile: "no-wasm" } });
  try {
    assert.equal((await failure(load(`new HTMLRewriter().on("p", {});`, {}, other).run(null))).message, "HTMLRewriter needs WebAssembly, which the profile of this sandbox does not have.");
  } finally {
    await other.close();
  }
});

test("a response of another service is rewritten on its way to who asked", async () => {
  const outbound = entrypoint({ fetch: () => new Response("<title>old</title>", { status: 203, headers: { "content-type": "text/html; charset=utf-8", "x-y": "z" } }) });
  const text = `export default { async fetch(request) { return new HTMLRewriter().on("title", { element(e) { e.setInnerContent("new"); } }).transform(await fetch(request)); } };`;
  const response = await glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, globalOutbound: outbound }).getEntrypoint().fetch("https://a.example/");
  assert.deepEqual([response.status, response.headers.get("x-y"), await response.text()], [203, "z", "<title>new</title>"]);
});
