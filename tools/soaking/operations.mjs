// What lanes choose from. To add an operation, add an entry to one of the tables.

import { FRESH } from "./fresh.mjs";
import { GOOD } from "./good.mjs";
import { HOSTILE } from "./hostile.mjs";
import { OUTSIDE } from "./outside.mjs";
import { LANES } from "./world.mjs";

const ofKind = (kind, share, operations) => ({ kind, weight: share, operations: operations.map((operation) => ({ ...operation, kind })) });

// In percent of all operations; a `weight` in a table is beside others of the same kind, 1 if there is none.
export const KINDS = [
  ofKind("good", 70, GOOD),
  ofKind("fresh", 10, FRESH),
  ofKind("hostile", 20, [...HOSTILE, ...OUTSIDE]),
];
export const OPERATIONS = KINDS.flatMap(({ operations }) => operations);

// A function (random, lane, number) that gives an operation; out of those whose names contain `part`, to look for a fault.
export function chooser(part = "") {
  const kinds = KINDS.map((kind) => ({ ...kind, operations: kind.operations.filter(({ name }) => name.includes(part)) }))
    .filter(({ operations }) => operations.length > 0);
  const all = kinds.flatMap(({ operations }) => operations);
  if (all.length === 0) return undefined;
  return (random, lane, number) => {
    // First the lanes do everything once between them, so that the shortest run has seen all of it, and memory its largest.
    const place = number * LANES + lane;
    return place < all.length ? all[place] : random.weighted(random.weighted(kinds).operations);
  };
}
