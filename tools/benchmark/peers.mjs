// What a user would pick instead, measured in the same minutes on the same machine: the same module text, a fresh
// sandbox for each call, thrown away afterwards. Prints JSON: microseconds.
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import vm from "node:vm";
import { summary } from "./measure.mjs";

const [samples, processSamples] = process.argv.slice(2).map(Number);
const moduleText = `
      export default {
        async myAgent(input, env, ctx) {
          return { doubled: input.value * 2, ts: Date.now() };
        }
      }
    `;

// A new context in this process: no isolation worth the name.
async function nodeVm(count) {
  const script = moduleText.replace("export default", "result =");
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const context = vm.createContext({ result: undefined });
    new vm.Script(script).runInContext(context);
    const answer = await context.result.myAgent({ value: 21 });
    if (answer.doubled !== 42) throw new Error("wrong answer");
    times.push((performance.now() - start) * 1000);
  }
  return summary(times);
}

// A new process: isolation by the process boundary alone.
function nodeProcess(count) {
  const program = `${moduleText.replace("export default", "const agent =")}; agent.myAgent({ value: 21 }).then((r) => console.log(JSON.stringify(r)));`;
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const { stdout } = spawnSync(process.execPath, ["-e", program]);
    if (JSON.parse(stdout).doubled !== 42) throw new Error("wrong answer");
    times.push((performance.now() - start) * 1000);
  }
  return summary(times);
}

console.log(JSON.stringify({ nodeVm: await nodeVm(samples), nodeProcess: nodeProcess(processSamples) }));
