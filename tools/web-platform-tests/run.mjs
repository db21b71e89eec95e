// One test file in one new worker.

import { readFileSync } from "node:fs";

import { entrypoint } from "glovebox";

import { modulesOf, readResource } from "./tests.mjs";

const HARNESS = readFileSync(new URL("harness.mjs", import.meta.url), "utf8");

// Generous, as the machine may be busy; a file that needs them is a hang.
const LIMITS = { cpuMs: 90_000, wallMs: 240_000, memoryMb: 256, resultBytes: 16 * 1024 * 1024, callsInFlight: 64, subRequests: 1000, timers: 10_000, startupCpuMs: 10_000 };

// All that a worker can reach: files of the test tree, read.
const outbound = entrypoint({
  fetch(request) {
    const { pathname } = new URL(request.url);
    // Of the programs on WPT's server the one that tests of folders here ask.
    if (pathname === "/fetch/api/resources/echo-content.py") return new Response(request.body, { headers: { "Content-Type": "text/plain" } });
    const body = readResource(decodeURIComponent(pathname));
    return body === undefined ? new Response("no such file", { status: 404 }) : new Response(body, { headers: { "Content-Type": "text/plain" } });
  },
});

const STATUSES = ["pass", "fail", "timeout", "not run", "precondition failed"];

// { results: Map from subtest to { status, message } } or { broken: why }: the file could not be loaded, hung, or ended its worker.
export async function runTest(glovebox, test) {
  let worker;
  try {
    worker = glovebox.loader.load({
      compatibilityDate: "2026-03-01", mainModule: "m.js", limits: LIMITS, globalOutbound: outbound,
      modules: { "m.js": HARNESS, ...modulesOf(test) },
    });
    const { status, message, tests } = JSON.parse(await worker.getEntrypoint().run(null));
    const results = new Map();
    // Names ought to be unique, and a few are not.
    for (const [name, code, text] of tests) {
      let unique = name;
      for (let i = 2; results.has(unique); i++) unique = `${name} (${i})`;
      results.set(unique, { status: STATUSES[code] ?? `status ${code}`, message: text });
    }
    // Of the harness: an error outside of any test. A time-out is seen in the tests.
    if (status === 1) results.set("(outside of all tests)", { status: "fail", message });
    if (tests.length === 0) return { broken: `it made no tests: ${message}` };
    return { results };
  } catch (error) {
    return { broken: `${error?.name}: ${error?.message}${error?.code === undefined ? "" : ` [${error.code}]`}` };
  } finally {
    worker?.[Symbol.dispose]?.();
  }
}
