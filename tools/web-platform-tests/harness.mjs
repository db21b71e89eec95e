// The worker's side: what a test finds around it, and how its results leave. Runs in the worker as its main module.

import how from "./how.json";

const TIMEOUT_MS = 20_000, LONG_TIMEOUT_MS = 60_000;

const { fetch, setTimeout: setTimer, clearTimeout } = globalThis;
const finished = Promise.withResolvers();

globalThis.__harness = {
  // Before testharness.js is evaluated.
  start() {
    const { hash, host, hostname, origin, pathname, port, protocol, search } = new URL(how.href);
    globalThis.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
    globalThis.location = { href: how.href, hash, host, hostname, origin, pathname, port, protocol, search, toString: () => how.href };
    if (how.atTopLevel) {
      // No timers and no requests there: testharness.js can do without the first, and the second are answered from here.
      globalThis.setTimeout = undefined;
      globalThis.fetch = async (input) => new Response(how.resources[input] ?? null, { status: input in how.resources ? 200 : 404 });
    } else {
      // A worker has no base URL.
      globalThis.fetch = (input, init) => fetch(typeof input === "string" ? new URL(input, how.href) : input, init);
    }
  },
  // After it, and before the first test.
  prepare() {
    setup({ explicit_timeout: true });
    // A worker is exposed what a service worker is; testharness.js must not take it for one, whose page asks for the results.
    globalThis.ServiceWorkerGlobalScope ??= { [Symbol.hasInstance]: (object) => object === globalThis };
    const timer = how.atTopLevel ? 0 : setTimer(timeout, how.long ? LONG_TIMEOUT_MS : TIMEOUT_MS);
    add_completion_callback((tests, status) => {
      if (!how.atTopLevel) clearTimeout(timer);
      finished.resolve({
        status: status.status, message: status.message ?? "",
        tests: tests.map(({ name, status, message }) => [String(name), status, message === null ? "" : String(message).slice(0, 500)]),
      });
    });
  },
};

// Code from strings and WebAssembly from bytes are for the top level alone.
if (how.atTopLevel) {
  await import("./test.cjs");
  await finished.promise;
}

export default {
  async run() {
    if (!how.atTopLevel) await import("./test.cjs");
    // Tests that are made after the file has been evaluated are waited for all the same.
    return JSON.stringify(await finished.promise);
  },
};
