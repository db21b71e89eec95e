// Math.random from the process's own generator. V8's is seeded in the zygote, so forked siblings would share its sequence.
// Numbers are fetched in batches, which keeps a call as cheap as V8's own.

const batch = new Float64Array(64);
let next = batch.length;   // empty in the snapshot and in the zygote: a child fills it after its own reseed

export function installRandom(): void {
  Object.defineProperty(Math, "random", {
    value: {
      random(): number {
        if (next === batch.length) {
          native.randomDoubles(batch);
          next = 0;
        }
        return batch[next++]!;
      },
    }.random,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
