// node:console: the global one, with Node.js's name for its class.

import type { Exports } from "./library.ts";

export function nodeConsole(): Exports {
  const { console } = globalThis as unknown as { console: Exports };
  class Console {
    constructor() { Object.assign(this, console); }
  }
  return { ...console, Console, default: undefined, console };
}
