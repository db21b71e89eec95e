// Node.js in a worker that asks for it: nothing of this can be seen in another.

import { NODE_GLOBAL_TIMERS, NODE_MODULES, NODE_PROCESS_ENV } from "./compatibility.ts";
import { exposeNodeGlobals, hideNodeGlobals, nodeModule } from "./modules.ts";
import { populateEnv } from "./process.ts";
import { runTicks } from "./ticks.ts";

export { installModules as installNode } from "./modules.ts";
export { forgetTicks } from "./ticks.ts";

let available = false;

export function beginNode(wanted: number, env: unknown): void {
  available = (wanted & NODE_MODULES) !== 0;
  if (!available) return;
  exposeNodeGlobals((wanted & NODE_GLOBAL_TIMERS) !== 0);
  if ((wanted & NODE_PROCESS_ENV) !== 0) populateEnv(env);
}

export const nodeHooks = {
  runTicks,
  forgetNode(): void {
    if (available) hideNodeGlobals();
    available = false;
  },
  nodeModule: (specifier: string): object | undefined => available ? nodeModule(specifier) : undefined,
};
