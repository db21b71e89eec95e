// The host Worker in workerd: runs one loop for each request. Its caller holds the watch, because clocks stand still in here.

import { AGENT, Workload } from "../workload.mjs";

export default {
  async fetch(request, { LOADER }) {
    const { part, count } = await request.json();
    // Stubs belong to a request; the isolate behind get() stays warm from one to the next.
    const agent = LOADER.get("agent", () => AGENT).getEntrypoint();
    await new Workload(LOADER, agent)[part](count);
    return new Response(null, { status: 204 });
  },
};
