#include "tools/benchmark/bundle.h"

namespace glovebox::bench {
namespace {

// One part of a library; # is its number.
constexpr char PART[] = R"js(
class Service# {
  #items = new Map();
  static kind = "service-#";
  constructor(options = {}) { this.options = { retries: 3, name: "service #", ...options }; this.listeners = []; }
  add(key, value) {
    if (typeof key !== "string" || key.length === 0) throw new TypeError("Service#: a key must be a text that is not empty");
    this.#items.set(key, { value, at: #, tags: ["a#", "b"] });
    for (const listener of this.listeners) listener({ type: "added", key, value });
    return this;
  }
  find(predicate) {
    const result = [];
    for (const [key, entry] of this.#items) { if (predicate(entry.value, key)) result.push({ key, ...entry }); }
    return result.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  }
  async run(input) {
    let total = 0;
    for (let n = 0; n < input.length; n++) {
      const item = input[n];
      switch (item.kind) {
        case "add": total += item.amount; break;
        case "sub": total -= item.amount; break;
        default: total += helper#(item.amount ?? 1, n);
      }
    }
    return { total, kind: Service#.kind };
  }
}
function helper#(value, index) {
  const parts = String(value).split(".").map((part) => part.padStart(4, "0"));
  const inner = (x) => { if (x <= 1) return 1; return x * inner(x - 1); };
  return parts.length + inner(index % 5) + (value > # ? format#(value).length : 0);
}
function parse#(text, options) {
  const tokens = [], limit = options?.limit ?? 1000;
  let at = 0, depth = 0;
  while (at < text.length && tokens.length < limit) {
    const c = text[at];
    if (c === " " || c === "\n" || c === "\t") { at++; continue; }
    if (c === "(" || c === "[") { depth++; tokens.push({ kind: "open", at, depth, shape: c === "(" ? "round" : "square" }); at++; continue; }
    if (c === ")" || c === "]") {
      if (--depth < 0) throw new SyntaxError(`parse#: nothing is open at ${at}`);
      tokens.push({ kind: "close", at, depth });
      at++;
      continue;
    }
    let end = at + 1;
    if (c >= "0" && c <= "9") {
      while (end < text.length && ((text[end] >= "0" && text[end] <= "9") || text[end] === ".")) end++;
      const value = Number(text.slice(at, end));
      if (Number.isNaN(value)) throw new SyntaxError(`parse#: "${text.slice(at, end)}" is no number`);
      tokens.push({ kind: "number", at, value: options?.scale ? value * options.scale : value });
    } else if (c === "\"") {
      while (end < text.length && text[end] !== "\"") end += text[end] === "\\" ? 2 : 1;
      if (end >= text.length) throw new SyntaxError("parse#: a text does not end");
      tokens.push({ kind: "text", at, value: JSON.parse(text.slice(at, ++end)) });
    } else {
      while (end < text.length && /[\w$-]/.test(text[end])) end++;
      tokens.push({ kind: "name", at, value: text.slice(at, end), reserved: ["if", "else", "for", "name#"].includes(text.slice(at, end)) });
    }
    at = end;
  }
  if (depth > 0 && options?.strict) throw new SyntaxError(`parse#: ${depth} are still open at the end`);
  return { tokens, complete: at >= text.length, part: # };
}
const format# = (value) => `[${value.toFixed(2)}] of service #: ${new Date(value).toISOString()}`;
const table# = { id: #, name: "table-#", columns: ["id", "name", "value#"], validate(row) { return row.length === this.columns.length; } };
)js";

constexpr char AGENT[] = R"js(
export default {
  async myAgent(input, env, ctx) {
    const service = new Service3({ name: "mine" }).add("input", input.value);
    const { total } = await new Service1().run([{ kind: "add", amount: input.value }, { kind: "add", amount: service.find(() => true)[0].value }]);
    return { doubled: total, ts: Date.now() };
  }
};
)js";

}  // namespace

std::string makeBundle(size_t bytes, unsigned seed) {
  std::string text = "// bundle " + std::to_string(seed) + "\n";
  for (unsigned part = 0; part < 4 || text.size() + sizeof(AGENT) < bytes; part++) {
    auto number = std::to_string(part);
    for (const char* c = PART; *c != '\0'; c++) {
      // "#items" is a private name.
      if (*c == '#' && c[1] != 'i') text += number;
      else text += *c;
    }
  }
  return text + AGENT;
}

}  // namespace glovebox::bench
