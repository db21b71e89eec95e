// `import { connect } from "cloudflare:sockets"`: a connection to where whoever loaded this worker wants its requests to go, or to nowhere.

import { connectBy } from "../../ipc/js/connect.ts";
import { askOutbound } from "./fetch.ts";
import { ReadableStream, WritableStream } from "./streams.ts";
import type { StreamClasses } from "../../ipc/js/streams.ts";

const classes = { ReadableStream, WritableStream } as unknown as StreamClasses;

export const socketsModule: Record<string, unknown> = {
  connect(address: unknown, options: unknown = undefined): object {
    native.refuseAtTopLevel();
    return connectBy((args) => askOutbound(["connect"], args), classes, address, options);
  },
};
