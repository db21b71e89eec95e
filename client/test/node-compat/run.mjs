// Runs a probe's cases, here or in a worker, and tells what came of each as text: one side's is what the other's must be.

import { inspect } from "node:util";

export async function runCases(cases) {
  const results = {};
  for (const [name, run] of Object.entries(cases)) {
    try {
      results[name] = inspect(await run(), { depth: 10, maxStringLength: 2000, breakLength: 200 });
    } catch (error) {
      results[name] = `throws ${error?.name} ${error?.code} ${error?.message}`;
    }
  }
  return results;
}
