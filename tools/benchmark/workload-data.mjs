// What is passed in the loops of workload.mjs, and what must come back.

export const RUN = 20;   // tool calls in one run of the agent
export const TEXT = "x".repeat(1 << 20);
export const BUFFER = new ArrayBuffer(16 << 20);

export function expect(answer, expected) {
  if (answer !== expected) throw new Error(`wrong answer: ${answer} instead of ${expected}`);
}
