import { equal, ok, run, same, test, throws } from "./harness.js";

test("A URL has its parts", () => {
  const url = new URL("https://us%20er:pa@ss@EXAMPLE.com:8080/a/../b%20c?x=1&y=ä#frag");
  equal(url.href, "https://us%20er:pa%40ss@example.com:8080/b%20c?x=1&y=%C3%A4#frag");
  equal(url.origin, "https://example.com:8080");
  equal(url.protocol, "https:");
  equal(url.username, "us%20er");
  equal(url.password, "pa%40ss");
  equal(url.host, "example.com:8080");
  equal(url.hostname, "example.com");
  equal(url.port, "8080");
  equal(url.pathname, "/b%20c");
  equal(url.search, "?x=1&y=%C3%A4");
  equal(url.hash, "#frag");
  equal(`${url}`, url.href);
  equal(JSON.stringify({ url }), `{"url":"${url.href}"}`);
});

test("Odd URLs keep to the standard", () => {
  equal(new URL("http://a:80/").port, "");
  equal(new URL("../x", "http://h/a/b/c").href, "http://h/a/x");
  equal(new URL("blob:https://a.b/c").origin, "https://a.b");
  equal(new URL("data:text/plain,x").origin, "null");
  equal(new URL("file:///c:/x").host, "");
  equal(new URL("web+demo:/.//not-a-host/").host, "");
  equal(new URL("web+demo:/.//not-a-host/").pathname, "//not-a-host/");
  equal(new URL("http://xn--/".replace("xn--", "ü.de")).hostname, "xn--tda.de");
  equal(new URL("http://[::1]:3/").host, "[::1]:3");
  equal(new URL("http://a/?#").search, "");
  equal(new URL("http://a/\ud800").pathname, "/%EF%BF%BD");
});

test("What is no URL is refused", () => {
  for (const text of ["", "x", "http://", "http://a b/", "//a"]) {
    throws(() => new URL(text), "TypeError", "Invalid URL string.");
    equal(URL.canParse(text), false);
    equal(URL.parse(text), null);
  }
  throws(() => new URL(), "TypeError");
  throws(() => URL("http://a"), "TypeError");
  throws(() => new URL("x", "y"), "TypeError");
  ok(URL.canParse("x", "http://a"));
  equal(URL.parse("x", "http://a").href, "http://a/x");
});

test("Setters change one part, or nothing", () => {
  const url = new URL("http://a/b?c#d");
  url.protocol = "https"; url.host = "x:1"; url.pathname = "p q"; url.search = "s"; url.hash = "h"; url.username = "u"; url.password = "p";
  equal(url.href, "https://u:p@x:1/p%20q?s#h");
  url.port = "99999";
  equal(url.port, "1");
  url.port = "";
  url.search = "";
  url.hash = "";
  equal(url.href, "https://u:p@x/p%20q");
  throws(() => { url.href = "nonsense"; }, "TypeError");
  equal(url.href, "https://u:p@x/p%20q");
});

test("searchParams and search follow each other", () => {
  const url = new URL("http://a/?x=1");
  const params = url.searchParams;
  equal(url.searchParams, params);
  params.append("y", "ä b");
  equal(url.href, "http://a/?x=1&y=%C3%A4+b");
  url.search = "?z=2";
  same([...params], [["z", "2"]]);
  params.delete("z");
  equal(url.href, "http://a/");
  url.href = "http://b/?q=1";
  equal(params.get("q"), "1");
});

test("URLSearchParams reads every kind of source", () => {
  equal(new URLSearchParams("?a=1&a=2&b").toString(), "a=1&a=2&b=");
  equal(new URLSearchParams("??a=1").toString(), "%3Fa=1");
  equal(new URLSearchParams({ a: 1, b: null }).toString(), "a=1&b=null");
  equal(new URLSearchParams([["a", 1], new Set(["b", "2"])]).toString(), "a=1&b=2");
  equal(new URLSearchParams(new URLSearchParams("x=%FF&y=+")).get("x"), "\ufffd");
  equal(new URLSearchParams(undefined).size, 0);
  equal(new URLSearchParams("a=b%2Bc+d").get("a"), "b+c d");
  equal(new URLSearchParams({ "?a": "\ud800" }).toString(), "%3Fa=%EF%BF%BD");
  throws(() => new URLSearchParams([["a"]]), "TypeError");
  throws(() => new URLSearchParams([1]), "TypeError");
});

test("URLSearchParams is a list with names", () => {
  const params = new URLSearchParams("b=1&a=2&b=3&a=4");
  same(params.getAll("b"), ["1", "3"]);
  equal(params.get("c"), null);
  ok(params.has("a", "4") && !params.has("a", "5") && params.has("b"));
  params.set("b", "9");
  equal(params.toString(), "b=9&a=2&a=4");
  params.sort();
  equal(params.toString(), "a=2&a=4&b=9");
  params.delete("a", "2");
  equal(params.size, 2);
  same([...params.keys()], ["a", "b"]);
  same([...params.values()], ["4", "9"]);
  const seen = [];
  params.forEach(function (value, key, owner) { seen.push([value, key, owner === params, this.x]); }, { x: 1 });
  same(seen, [["4", "a", true, 1], ["9", "b", true, 1]]);
  equal(Object.prototype.toString.call(params.entries()), "[object URLSearchParams Iterator]");
  equal(URLSearchParams.prototype[Symbol.iterator], URLSearchParams.prototype.entries);
});

test("Long lists sort stably and do not overflow the stack", () => {
  const params = new URLSearchParams(Array.from({ length: 20_000 }, (_, i) => [String(i % 7), String(i)]));
  params.sort();
  const values = params.getAll("3").map(Number);
  ok(values.every((value, i) => i === 0 || values[i - 1] < value));
});

test("The classes look as Web IDL says", () => {
  equal(Object.prototype.toString.call(new URL("a:b")), "[object URL]");
  equal(URL.length, 1);
  equal(URL.name, "URL");
  equal(URLSearchParams.length, 0);
  ok(Object.getOwnPropertyDescriptor(URL.prototype, "href").enumerable);
  ok(!Object.getOwnPropertyDescriptor(globalThis, "URL").enumerable);
  throws(() => URL.prototype.href, "TypeError");
  throws(() => URLSearchParams.prototype.get.call({}, "a"), "TypeError");
});

test("Patched built-ins change nothing", () => {
  const { slice } = String.prototype;
  const { iterator } = Symbol;
  const arrayIterator = Array.prototype[iterator];
  let text;
  try {
    String.prototype.slice = () => "hacked";
    Array.prototype[iterator] = () => { throw new Error("hacked"); };
    const url = new URL("http://a.b/c?d=e#f");
    url.searchParams.append("g", "h");
    url.searchParams.sort();
    text = url.host + url.pathname + url.search;
  } finally {
    String.prototype.slice = slice;
    Array.prototype[iterator] = arrayIterator;
  }
  equal(text, "a.b/c?d=e&g=h");
});

run();
