// What the warm workers run, and what both ends of a call know.

// Of bytes, or of numbers that are some. The worker has the same function.
export function checksum(bytes, sum = 17) {
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

// Bytes that are told by their length and a number.
export function makeBytes(length, start) {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) + start) & 255;
  return bytes;
}

export const CHILD = {
  compatibilityDate: "2026-03-01",
  mainModule: "child.js",
  modules: {
    "child.js": `
export default {
  square: (n) => n * n,
  remember: (value, env) => env.STORE.put("child", value),
  name: (_, env) => env.NAME,
};`,
  },
};

const SOURCE = `
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
${checksum}
${makeBytes}
const CHILD = ${JSON.stringify(CHILD)};

class Counter extends RpcTarget {
  #n;
  constructor(n) { super(); this.#n = n; }
  add(by) { return this.#n += by; }
  get value() { return this.#n; }
}

export class Tenant extends WorkerEntrypoint {
  props() { return this.ctx.props; }
  use(n) { return this.ctx.props.tool(n); }
}

export default class Agent extends WorkerEntrypoint {
  echo(value) { return value; }
  sum(numbers) { return numbers.reduce((sum, n) => sum + n, 0); }

  async useTool(tool, numbers) {
    let sum = 0;
    for (const n of numbers) sum += (await tool.call({ value: n })).doubled;
    return sum;
  }
  async useToolAtOnce(tool, numbers) {
    const answers = await Promise.all(numbers.map((n) => tool.call({ value: n })));
    return answers.map(({ doubled }) => doubled);
  }
  async map(f, numbers) {
    const results = [];
    for (const n of numbers) results.push(await f(n));
    return results;
  }
  async descend(f, depth) { return depth === 0 ? 0 : 1 + await f(depth - 1); }

  counter(n) { return new Counter(n); }
  box(n) { return { n, inner: { counter: new Counter(n) } }; }
  adder(n) { return (by) => n + by; }
  call(f, n) { return f(n); }

  fail(kind, text) {
    switch (kind) {
      case "type": throw new TypeError(text);
      case "range": throw new RangeError(text);
      case "properties": throw Object.assign(new Error(text), { code: "E_SOAK", detail: { text } });
      case "cause": throw new Error(text, { cause: new SyntaxError(text + "!") });
      case "text": throw text;
      case "later": return Promise.reject(new Error(text));
    }
  }
  async failureOf(f) {
    try {
      await f();
    } catch (error) {
      return [error.name, error.message, error.detail];
    }
    return "it did not fail";
  }
  pass(f) { return f(); }

  async read(stream) {
    let sum, length = 0;
    for await (const chunk of stream) {
      sum = checksum(chunk, sum);
      length += chunk.length;
    }
    return [length, sum];
  }
  stream(length, start, chunk) {
    const bytes = makeBytes(length, start);
    let at = 0;
    return new ReadableStream({
      pull(controller) {
        if (at >= length) return controller.close();
        controller.enqueue(bytes.slice(at, at += chunk));
      },
    });
  }
  async write(stream, length, start, chunk) {
    const bytes = makeBytes(length, start);
    const writer = stream.getWriter();
    for (let at = 0; at < length; at += chunk) await writer.write(bytes.slice(at, at + chunk));
    await writer.close();
    return length;
  }

  measure(bytes) { return [bytes.length, checksum(bytes)]; }
  bytes(length, start) { return makeBytes(length, start); }
  text(length, letter) { return letter.repeat(length); }

  async put(key, value) { await this.env.STORE.put(key, value); return await this.env.STORE.get(key); }
  async nested(n, name) {
    const child = this.env.LOADER.load({ ...CHILD, env: { NAME: name, STORE: this.env.STORE } });
    const entry = child.getEntrypoint();
    try {
      return [await entry.square(n), await entry.name(null), await entry.remember(n)];
    } finally {
      child[Symbol.dispose]();
    }
  }

  async later(ms, value) { await new Promise((resolve) => setTimeout(resolve, ms)); return value; }
  async tellLater(tell, ms, value) {
    const kept = tell.dup();
    this.ctx.waitUntil((async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      await kept(value);
      kept[Symbol.dispose]();
    })());
    return "soon";
  }
  web(text) {
    const url = new URL("https://example.com/?q=" + encodeURIComponent(text));
    return [url.searchParams.get("q"), new TextDecoder().decode(new TextEncoder().encode(text))];
  }
}`;

export const AGENT = { compatibilityDate: "2026-03-01", mainModule: "agent.js", modules: { "agent.js": SOURCE } };
