// The runtime: everything a worker's global object has beyond ECMAScript, and the functions the host calls. Runs once, at
// build time; what it leaves behind is the snapshot every worker starts from.

import { forget, invoke, setEnv, setMain, workersModule } from "./entrypoint.ts";
import { installRandom } from "./random.ts";
import { installWeb, webHooks } from "./web.ts";

installRandom();
installWeb();

// Called by C++ by these names.
export const hooks = { ...webHooks, invoke, setEnv, setMain, forget, workersModule };
