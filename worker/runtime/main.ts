// The runtime: everything a worker's global object has beyond ECMAScript, and the functions the host calls. Runs once, at
// build time; what it leaves behind is the snapshot every worker starts from.

import { socketsModule } from "./connect.ts";
import { installNode, nodeHooks } from "./node/node.ts";
import { rpcHooks, workersModule } from "./rpc.ts";
import { installRandom } from "./random.ts";
import { installWeb, webHooks } from "./web.ts";

installRandom();
installWeb();
installNode();

// Called by C++ by these names.
export const hooks = { ...webHooks, ...rpcHooks, ...nodeHooks, workersModule, socketsModule };
