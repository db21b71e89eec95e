// An agent that writes programs: the AI SDK asks a model, the model answers with code, and the code runs in a sandbox that has
// two tools and nothing else. @cloudflare/codemode and ai are used as they come from npm; the model is a script, so that the
// example runs anywhere.
//
//   node --import glovebox/register examples/codemode/main.mjs

import { DynamicWorkerExecutor } from "@cloudflare/codemode";
import { createCodeTool } from "@cloudflare/codemode/ai";
import { generateText, stepCountIs, tool } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { connect } from "glovebox";
import { z } from "zod";

const myTools = {
  getWeather: tool({
    description: "The weather in a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => ({ city, degrees: city === "Oslo" ? -3 : 21 }),
  }),
  sendMail: tool({
    description: "Sends a mail",
    inputSchema: z.object({ to: z.string(), text: z.string() }),
    execute: async ({ to, text }) => ({ sent: true, to, length: text.length }),
  }),
};

// What a model would write.
const CODE = `async () => {
  const cities = ["Oslo", "Lisbon"];
  const weather = await Promise.all(cities.map((city) => codemode.getWeather({ city })));
  const coldest = weather.reduce((a, b) => (a.degrees < b.degrees ? a : b));
  console.log("coldest is", coldest.city);
  const mail = await codemode.sendMail({ to: "ann@example.com", text: "Take a coat to " + coldest.city });
  return { coldest, mail };
}`;

const usage = { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } };
let step = 0;
const model = new MockLanguageModelV3({
  doGenerate: async () => step++ === 0
    ? { content: [{ type: "tool-call", toolCallId: "1", toolName: "codemode", input: JSON.stringify({ code: CODE }) }], finishReason: { unified: "tool-calls", raw: undefined }, usage, warnings: [] }
    : { content: [{ type: "text", text: "I wrote to Ann." }], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [] },
});

const glovebox = await connect();
const executor = new DynamicWorkerExecutor({ loader: glovebox.loader, globalOutbound: null });
const codemode = createCodeTool({ tools: myTools, executor });

const { text, steps } = await generateText({
  model,
  messages: [{ role: "user", content: "Where is it colder? Tell Ann." }],
  tools: { codemode },
  stopWhen: stepCountIs(3),
});
console.log(JSON.stringify(steps[0].toolResults[0].output));
console.log(text);

// Code that fails says so as data, with what it logged until then.
const failed = await executor.execute(`async () => { console.warn("about to fail"); throw new RangeError("no such city"); }`, []);
console.log(JSON.stringify(failed));

await glovebox.close();
