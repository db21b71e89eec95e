// A host worker that runs what an agent wrote, each piece in a worker of its own. Without HTTP:
//   glovebox run examples/agent-sandbox --entrypoint Sandbox --call double --arg 21
//   glovebox run examples/agent-sandbox --entrypoint Sandbox --call chat --arg '"hello"'

import { WorkerEntrypoint } from "cloudflare:workers";

const COMPATIBILITY_DATE = "2026-03-01";

// What a model might have answered.
const AGENT = `
  export default {
    async myAgent(input, env, ctx) {
      return { doubled: input.value * 2, ts: Date.now() };
    }
  }
`;
const CHATTING_AGENT = `
  export default {
    async myAgent(text, env) {
      // Only env.CHAT_ROOM is reachable. Nothing else.
      return env.CHAT_ROOM.post(text);
    }
  }
`;

// A tool that an agent is allowed to call.
export class ChatRoomAPI extends WorkerEntrypoint<Env, { room: string }> {
  async post(message: string) {
    return { id: crypto.randomUUID(), room: this.ctx.props.room, message };
  }
}

interface Doubled { doubled: number; ts: number }

function runAgent(env: Env, value: number): Promise<Doubled> {
  const worker = env.LOADER.load({
    compatibilityDate: COMPATIBILITY_DATE,
    mainModule: "agent.js",
    modules: { "agent.js": AGENT },
    globalOutbound: null,   // no network at all
  });
  const agent = worker.getEntrypoint() as unknown as { myAgent(input: { value: number }): Promise<Doubled> };
  return agent.myAgent({ value });
}

export class Sandbox extends WorkerEntrypoint<Env> {
  async double(value: number) { return runAgent(this.env, value); }

  async chat(text: string) {
    const worker = this.env.LOADER.load({
      compatibilityDate: COMPATIBILITY_DATE,
      mainModule: "agent.js",
      modules: { "agent.js": CHATTING_AGENT },
      env: { CHAT_ROOM: this.ctx.exports.ChatRoomAPI({ props: { room: "lobby" } }) },
      globalOutbound: null,
    });
    const agent = worker.getEntrypoint() as unknown as { myAgent(text: string): Promise<{ id: string; room: string; message: string }> };
    return agent.myAgent(text);
  }
}

export default {
  async fetch(req, env: Env): Promise<Response> {
    return Response.json(await runAgent(env, 21));
  },
} satisfies ExportedHandler<Env>;
