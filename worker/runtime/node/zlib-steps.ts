// How the handles of node:zlib drive their natives, whose steps are bounded in what they read and write.

const STEP_OUTPUT_MAX = 1 << 20;   // as in worker/node/

type Step = (from: Uint8Array, into: Uint8Array) => [code: number, inLeft: number, outLeft: number];

// Until there is no more input, no more room, or nothing happens.
export function runSteps(step: Step, goesOn: (code: number) => boolean, input: Uint8Array | null, inOffset: number, inLength: number,
                         output: Uint8Array, outOffset: number, outLength: number): [code: number, inLeft: number, outLeft: number] {
  let from = input === null ? new Uint8Array(0) : new Uint8Array(input.buffer, input.byteOffset + inOffset, inLength);
  let into = new Uint8Array(output.buffer, output.byteOffset + outOffset, outLength);
  for (;;) {
    const [code, inLeft, outLeft] = step(from, into);
    const isStuck = inLeft === from.length && outLeft === into.length;
    // There may be more to come of what was read.
    const isFull = into.length - outLeft === STEP_OUTPUT_MAX;
    from = from.subarray(from.length - inLeft);
    into = into.subarray(into.length - outLeft);
    if (!goesOn(code) || (inLeft === 0 && !isFull) || outLeft === 0 || isStuck) return [code, inLeft, outLeft];
  }
}
