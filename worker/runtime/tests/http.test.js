// Headers, Request, Response, Blob, File and FormData.
import { equal, ok, run, same, test, throws } from "./harness.js";
import { rejects } from "./rejects.js";

const streamOf = (...texts) => new ReadableStream({
  start(controller) {
    for (const text of texts) controller.enqueue(new TextEncoder().encode(text));
    controller.close();
  },
});

// First: what the runtime took must be what it was.
test("Requests, responses and forms outlive replaced prototypes", async () => {
  const saved = [];
  const spoil = (object, name) => {
    saved[saved.length] = [object, name, Object.getOwnPropertyDescriptor(object, name)];
    Object.defineProperty(object, name, { configurable: true, value() { throw new Error(`${String(name)} was used`); } });
  };
  const form = new FormData();
  form.append("a", "1");
  form.append("f", new File(["content"], "f.txt"));
  let got;
  const byHand = [
    [String.prototype, ["slice", "split", "indexOf", "toLowerCase", "trim", "replace", "charCodeAt"]],
    [Map.prototype, ["get", "set"]], [Headers.prototype, ["get", "append", "has"]],
    [Object.getPrototypeOf(Uint8Array.prototype), ["set", "slice", "subarray"]],
    [ReadableStream.prototype, ["getReader"]], [ReadableStreamDefaultReader.prototype, ["read"]],
    [ReadableByteStreamController.prototype, ["enqueue", "close"]], [AbortSignal, ["any"]],
    [Array.prototype, ["slice", "map", "join", "sort", "forEach", Symbol.iterator]],   // `push` the package of Streams needs
  ];
  for (let i = 0; i < byHand.length; i++) {
    for (let j = 0; j < byHand[i][1].length; j++) spoil(byHand[i][0], byHand[i][1][j]);
  }
  try {
    const headers = new Headers({ b: "2", A: "1" });
    const request = new Request("http://a/", { method: "post", headers, body: form });
    const back = await request.formData();
    const response = Response.json({ x: 1 });
    const { body } = response;
    got = [request.method, back.get("a"), await back.get("f").text(), await new Response(body).text(), request.signal.aborted];
  } finally {
    for (let i = saved.length - 1; i >= 0; i--) Object.defineProperty(saved[i][0], saved[i][1], saved[i][2]);
  }
  same(got, ["POST", "1", "content", '{"x":1}', false]);
});

test("The interfaces look like those of the platform", () => {
  for (const name of ["Headers", "Request", "Response", "Blob", "File", "FormData"]) {
    const { value, ...attributes } = Object.getOwnPropertyDescriptor(globalThis, name);
    same(attributes, { writable: true, enumerable: false, configurable: true }, name);
    equal(value.name, name);
    equal(value.prototype[Symbol.toStringTag], name);
    for (const key of Object.getOwnPropertyNames(value.prototype)) {
      equal(Object.getOwnPropertyDescriptor(value.prototype, key).enumerable, key !== "constructor", `${name}.prototype.${key}:`);
    }
  }
  ok(Object.hasOwn(Request.prototype, "text") && Object.hasOwn(Response.prototype, "body"));
  equal(File.prototype instanceof Blob, true);
  throws(() => Object.getOwnPropertyDescriptor(Response.prototype, "body").get.call(new Request("http://a/")), "TypeError");
});

test("Headers are joined, sorted and kept apart where they must be", () => {
  const headers = new Headers([["X-B", " two "], ["a", "1"], ["A", "2"]]);
  headers.append("Set-Cookie", "x=1");
  headers.append("set-cookie", "y=2");
  same([...headers], [["a", "1, 2"], ["set-cookie", "x=1"], ["set-cookie", "y=2"], ["x-b", "two"]]);
  equal(headers.get("A"), "1, 2");
  same(headers.getSetCookie(), ["x=1", "y=2"]);
  same(headers.getAll("set-cookie"), ["x=1", "y=2"]);
  headers.set("a", "3");
  headers.delete("x-B");
  same([...headers.keys()], ["a", "set-cookie", "set-cookie"]);
  same([headers.has("x-b"), headers.get("nothing")], [false, null]);
  const seen = [];
  headers.forEach((value, name, all) => seen.push(name, value, all === headers));
  same(seen, ["a", "3", true, "set-cookie", "x=1", true, "set-cookie", "y=2", true]);
  same([...new Headers({ b: 1, a: 2 })], [["a", "2"], ["b", "1"]]);
  same([...new Headers(headers)], [...headers]);
});

test("Headers refuse what cannot stand in HTTP", () => {
  const headers = new Headers();
  for (const name of ["", "a b", "ä", "a:"]) throws(() => headers.set(name, "x"), "TypeError");
  for (const value of ["a\nb", "a\0", "€"]) throws(() => headers.set("a", value), "TypeError");
  headers.set("a", "\r\n b \t");
  equal(headers.get("a"), "b");
  throws(() => new Headers([["a"]]), "TypeError");
  throws(() => new Headers("a"), "TypeError");
  throws(() => Response.redirect("http://a/").headers.set("a", "b"), "TypeError", "Can't modify immutable headers.");
});

test("A request takes its parts from what it is given", async () => {
  const request = new Request("http://Host/a b?c#d", { method: "put", body: "text", headers: { "X-A": "1" } });
  same([request.url, request.method, request.headers.get("content-type"), request.headers.get("x-a")],
    ["http://host/a%20b?c#d", "PUT", "text/plain;charset=UTF-8", "1"]);
  equal(request.bodyUsed, false);
  equal(await request.text(), "text");
  equal(request.bodyUsed, true);
  await rejects(request.text(), "TypeError");
  same([new Request("http://a/").method, new Request(new URL("http://a/b")).url, new Request("http://a/", { method: "patch" }).method],
    ["GET", "http://a/b", "patch"]);
  for (const method of ["CONNECT", "trace", "a b", ""]) throws(() => new Request("http://a/", { method }), "TypeError");
  throws(() => new Request("/a"), "TypeError", "Invalid URL: /a");
  throws(() => new Request("http://user:pass@a/"), "TypeError");
  throws(() => new Request("http://a/", { body: "x" }), "TypeError", "Request with a GET or HEAD method cannot have a body.");
  throws(() => new Request("http://a/", { redirect: "sometimes" }), "TypeError");
  throws(() => new Request("http://a/", { signal: {} }), "TypeError");
});

test("A request made of another takes its body along", async () => {
  const first = new Request("http://a/", { method: "POST", body: "once", headers: { a: "1" } });
  const second = new Request(first, { headers: { b: "2" } });
  equal(first.bodyUsed, true);
  same([...second.headers.keys()], ["b"]);
  equal(await second.text(), "once");
  throws(() => new Request(first), "TypeError");
  const kept = new Request("http://a/", { method: "POST", body: "x" });
  equal(await new Request(kept, { body: "y" }).text(), "y");
  equal(kept.bodyUsed, false);
});

test("A request's signal follows the one it was given", () => {
  const controller = new AbortController();
  const request = new Request("http://a/", { signal: controller.signal });
  const copy = request.clone();
  equal(request.signal.aborted, false);
  controller.abort("why");
  same([request.signal.reason, copy.signal.reason, new Request(request).signal.reason], ["why", "why", "why"]);
});

test("A response has the body and status it is given", async () => {
  const response = new Response("text", { status: 201, statusText: "Made", headers: { a: "b" } });
  same([response.status, response.ok, response.statusText, response.headers.get("a"), response.type, response.url, response.redirected],
    [201, true, "Made", "b", "default", "", false]);
  equal(await response.text(), "text");
  same([new Response().body, new Response(null).status, new Response("").body === null], [null, 200, false]);
  for (const status of [199, 600, 101, NaN]) throws(() => new Response("", { status }), "RangeError");
  for (const status of [204, 205, 304]) {
    equal(new Response(null, { status }).status, status);
    throws(() => new Response("", { status }), "TypeError");
  }
  throws(() => new Response("", { statusText: "a\nb" }), "TypeError");
  equal(new Response(null, { status: 404 }).ok, false);
});

test("Response.json, redirect and error make what their names say", async () => {
  const json = Response.json({ a: [1] }, { status: 418, headers: { x: "y" } });
  same([json.status, json.headers.get("content-type"), json.headers.get("x")], [418, "application/json", "y"]);
  same(await json.json(), { a: [1] });
  throws(() => Response.json(undefined), "TypeError");
  const redirect = Response.redirect("http://a", 301);
  same([redirect.status, redirect.headers.get("location"), redirect.body], [301, "http://a/", null]);
  throws(() => Response.redirect("http://a", 200), "RangeError");
  throws(() => Response.redirect("/a"), "TypeError");
  same([Response.error().type, Response.error().status], ["error", 0]);
});

test("A body is read in every way, once", async () => {
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]);
  equal(await new Response(bytes).text(), "{}");
  same(await new Response(bytes).json(), {});
  same([...new Uint8Array(await new Response(bytes).arrayBuffer())], [...bytes]);
  same([...await new Response(bytes.buffer).bytes()], [...bytes]);
  const blob = await new Response(bytes, { headers: { "Content-Type": "a/B" } }).blob();
  same([blob.size, blob.type], [5, "a/B"]);
  equal(await new Response(new Blob(["x"], { type: "t/t" })).text(), "x");
  equal(new Response(new Blob(["x"], { type: "t/t" })).headers.get("content-type"), "t/t");
  equal(await new Response(new URLSearchParams({ a: "b c" })).text(), "a=b+c");
  equal(await new Response(streamOf("a", "b", "ä")).text(), "abä");
  equal(await new Response(new DataView(bytes.buffer, 3)).text(), "{}");
  equal(await new Response({ toString: () => "made text" }).text(), "made text");
  equal(await new Response().text(), "");
  await rejects(new Response("{").json(), "SyntaxError");
  await rejects(new Response(new ReadableStream({ start(c) { c.enqueue("text"); c.close(); } })).text(), "TypeError");
  const response = new Response("x");
  await response.text();
  await rejects(response.text(), "TypeError", /already been used/);
  throws(() => response.clone(), "TypeError");
});

test("What is done to a buffer later does not change the body", async () => {
  const bytes = new Uint8Array([97, 98]);
  const response = new Response(bytes);
  bytes[0] = 0;
  equal(await response.text(), "ab");
});

test("The stream of a body is the body", async () => {
  const response = new Response("abc");
  equal(response.body, response.body);
  const reader = response.body.getReader();
  await rejects(response.text(), "TypeError");
  same([...(await reader.read()).value], [97, 98, 99]);
  equal(response.bodyUsed, true);
  const source = streamOf("x");
  equal(new Response(source).body, source);
  source.getReader();
  throws(() => new Response(source), "TypeError");
  const large = new Response("x".repeat(200_000));
  let size = 0;
  for await (const chunk of large.body) size += chunk.length;
  equal(size, 200_000);
});

test("A clone is read apart from its original", async () => {
  for (const body of ["text", streamOf("te", "xt")]) {
    const response = new Response(body, { status: 202, headers: { a: "b" } });
    const clone = response.clone();
    same([await clone.text(), clone.status, clone.headers.get("a")], ["text", 202, "b"]);
    equal(await response.text(), "text");
    clone.headers.set("a", "c");
    equal(response.headers.get("a"), "b");
  }
});

test("Blobs are sliced, joined and typed", async () => {
  const blob = new Blob(["hello ", new Uint8Array([119]), new Blob(["orld"])], { type: "Text/PLAIN" });
  same([blob.size, blob.type, await blob.text()], [11, "text/plain", "hello world"]);
  equal(await blob.slice(6, -1, "a/b").text(), "worl");
  equal(await blob.slice(-5).text(), "world");
  equal(blob.slice(8, 2).size, 0);
  equal(await new Blob(["a\r\nb\rc\n"], { endings: "native" }).text(), "a\nb\nc\n");
  same([...await new Blob([blob.slice(0, 2)]).bytes()], [104, 101]);
  let text = "";
  for await (const chunk of blob.stream()) text += new TextDecoder().decode(chunk);
  equal(text, "hello world");
  for await (const _ of new Blob().stream()) ok(false);
  throws(() => new Blob("text"), "TypeError");
  const file = new File(["x"], "a.txt", { type: "t/t", lastModified: 5 });
  same([file.name, file.lastModified, file.type, file.size, file instanceof Blob], ["a.txt", 5, "t/t", 1, true]);
  throws(() => new File([]), "TypeError");
});

test("A form keeps its entries in order", async () => {
  const form = new FormData();
  form.append("a", "1");
  form.append("b", new Blob(["x"], { type: "t/t" }));
  form.append("a", 2);
  form.append("c", new Blob(["y"]), "c.txt");
  same([form.get("a"), form.getAll("a"), form.has("z"), form.get("b").name, form.get("c").name], ["1", ["1", "2"], false, "blob", "c.txt"]);
  form.set("a", "3");
  same([...form.keys()], ["a", "b", "c"]);
  form.delete("b");
  same([...form].map(([name]) => name), ["a", "c"]);
  throws(() => form.append("a", "x", "name"), "TypeError");
  throws(() => new FormData({}), "TypeError");
});

test("A form comes back from multipart as it went", async () => {
  const form = new FormData();
  form.append('na"me\r\n', "line\nbreak");
  form.append("empty", "");
  form.append("file", new File([new Uint8Array([0, 13, 10, 45, 45, 255])], 'a"b.bin', { type: "x/y" }));
  form.append("ключ", "значение");
  const request = new Request("http://a/", { method: "POST", body: form });
  ok(/^multipart\/form-data; boundary=----formdata-[0-9a-f]{32}$/.test(request.headers.get("content-type")));
  const back = await request.formData();
  same([...back.keys()], ['na"me\r\n', "empty", "file", "ключ"]);
  same([back.get('na"me\r\n'), back.get("empty"), back.get("ключ")], ["line\r\nbreak", "", "значение"]);
  const file = back.get("file");
  same([file.name, file.type, [...await file.bytes()]], ['a"b.bin', "x/y", [0, 13, 10, 45, 45, 255]]);
  equal([...await (await new Response(new FormData()).formData())].length, 0);
});

test("Forms of others are read, and what is none is refused", async () => {
  const parse = (text, type = 'multipart/form-data; boundary="b d"') => new Response(text, { headers: { "content-type": type } }).formData();
  const form = await parse('preamble\r\n--b d\r\ncontent-disposition: form-data; x=y; name=plain\r\n\r\nvalue\r\n--b d  \r\n' +
    'Content-Type: text/csv\r\nContent-Disposition: form-data; name="f"; filename="x.csv"\r\n\r\n1,2\r\n--b d--\r\nepilogue');
  same([form.get("plain"), form.get("f").type, await form.get("f").text()], ["value", "text/csv", "1,2"]);
  same([...await parse("a=1&b=%20+x&a=2", "application/x-www-form-urlencoded; charset=utf-8")], [["a", "1"], ["b", "  x"], ["a", "2"]]);
  same([...await parse("?a=1", "application/x-www-form-urlencoded")], [["?a", "1"]]);
  for (const bad of ["", "--b d", "--b d\r\n", "--b d\r\nx", "--b d\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b d--",
    '--b d\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end', '--b d\r\nContent-Disposition: file; name="a"\r\n\r\nx\r\n--b d--']) {
    await rejects(parse(bad), "TypeError");
  }
  await rejects(parse("a", "text/plain"), "TypeError");
  await rejects(parse("a", "multipart/form-data"), "TypeError");
});

test("Objects of the platform arrive at another process", async () => {
  const headers = rpcClone(new Headers([["a", "1"], ["set-cookie", "x"], ["set-cookie", "y"]]));
  same([...headers], [["a", "1"], ["set-cookie", "x"], ["set-cookie", "y"]]);
  const sent = new Request("http://a/b", { method: "POST", body: "text", headers: { c: "d" }, redirect: "manual" });
  const request = rpcClone({ request: sent }).request;
  same([request.method, request.url, request.headers.get("c"), request.redirect, await request.text()], ["POST", "http://a/b", "d", "manual", "text"]);
  equal(sent.bodyUsed, true);
  throws(() => request.headers.set("c", "e"), "TypeError");
  throws(() => rpcClone(sent), "TypeError");
  const response = rpcClone(new Response("gone", { status: 410, statusText: "Gone", headers: { a: "b" } }));
  same([response.status, response.statusText, response.headers.get("a"), await response.text()], [410, "Gone", "b", "gone"]);
  equal(rpcClone(new Response(null, { status: 204 })).body, null);
  throws(() => rpcClone(Response.error()), "TypeError");
  const file = rpcClone(new File(["x"], "n", { type: "t/t", lastModified: 7 }));
  same([file.name, file.lastModified, file.type, await file.text(), file instanceof File], ["n", 7, "t/t", "x", true]);
  const blob = rpcClone(new Blob(["abc"]).slice(1));
  same([blob.size, await blob.text()], [2, "bc"]);
  const form = new FormData();
  form.append("a", "1");
  form.append("f", file);
  const back = rpcClone(form);
  same([back.get("a"), back.get("f").name, await back.get("f").text()], ["1", "n", "x"]);
  class Mine extends Headers {}
  ok(!(rpcClone(new Mine({ a: "b" })) instanceof Mine));
});

test("structuredClone() copies blobs and files and refuses the rest", async () => {
  equal(await structuredClone(new Blob(["x"])).text(), "x");
  equal(structuredClone(new File([], "n")).name, "n");
  for (const value of [new Headers(), new Request("http://a/"), new Response(), new FormData()]) {
    throws(() => structuredClone(value), "DataCloneError");
  }
});

test("The console shows them", () => {
  same(new Headers({ a: "b" }), new Headers({ a: "b" }));
  equal(hooks.inspect(new Headers({ a: "b" })).includes("a: 'b'") || hooks.inspect(new Headers({ a: "b" })).includes('a: "b"'), true, hooks.inspect(new Headers({ a: "b" })));
  ok(/Response.*status: 200/s.test(hooks.inspect(new Response("x"))));
  ok(/Request.*url: .http:\/\/a\//s.test(hooks.inspect(new Request("http://a/"))));
  ok(/File.*size: 1.*name: /s.test(hooks.inspect(new File(["x"], "n"))));
});

run();
