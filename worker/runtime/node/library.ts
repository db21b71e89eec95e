// Node.js's own library, run here: its parts, what they require of each other, and in place of the rest of Node.js what stands in
// internal-modules.ts and internal-binding.ts. Parts are evaluated when they are first required; modules.ts requires those of the
// first tier while the snapshot is made, so that a worker finds them ready. They use the captured built-ins of their `primordials`, not
// what user code can reach; user code never sees require(), internalBinding() or what the parts keep from their own users.

import { PlainError, apply, objectCreate, setPrototypeOf } from "../primordials.ts";

const { parts } = nodeLibrary;

export type Exports = Record<string, any>;
type Module = { exports: Exports };
type Part = (exports: Exports, require: (id: string) => Exports, module: Module, process: object, internalBinding: (name: string) => Exports, primordials: Exports) => void;

// By id. What has been evaluated; a circular require() gets what is exported so far.
const modules = objectCreate(null) as Record<string, Module>;
// Makes a module that stands in for one of Node.js's.
const makers = objectCreate(null) as Record<string, () => Exports>;
const bindings = objectCreate(null) as Record<string, () => Exports>;

export const primordials: Exports = {};
parts["internal/per_context/primordials"](primordials);
setPrototypeOf(primordials, null);

// What Node.js's parts see as `process`, and user code too.
export const process: Exports = {};

export function provideModule(id: string, make: () => Exports): void { makers[id] = make; }
export function provideBinding(name: string, make: () => Exports): void { bindings[name] = make; }

export function requireInternal(id: string): Exports {
  const known = modules[id];
  if (known !== undefined) return known.exports;
  const module: Module = modules[id] = { exports: {} };
  const make = makers[id];
  if (make !== undefined) return module.exports = make();
  const part = parts[id] as Part | undefined;
  if (part === undefined) throw new PlainError(`"${id}" of Node.js is not available here.`);
  apply(part, undefined, [module.exports, requireInternal, module, process, internalBinding, primordials]);
  return module.exports;
}

export function internalBinding(name: string): Exports {
  const make = bindings[name];
  if (make === undefined) throw new PlainError(`The binding "${name}" of Node.js is not available here.`);
  return make();
}
