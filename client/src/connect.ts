// From a Node.js program to a supervisor: a daemon's that is named, or one of its own that ends with it.

import { WorkerLoader } from "../../ipc/js/loader.ts";
import { provideDataCloneError } from "../../ipc/js/primordials.ts";
import { provideLocalStubs } from "../../ipc/js/stub.ts";
import { loadAddon } from "./addon-file.ts";
import { startDaemon } from "./daemon.ts";
import type { Daemon } from "./daemon.ts";
import { GloveboxError } from "./errors.ts";
import { ClientLine } from "./line.ts";
import type { LogMessage } from "./line.ts";

export interface ConnectOptions {
  // The socket of a running `glovebox serve`. Absent: a supervisor is started for this program and ends with it.
  socket?: string;
  // What workers log. Absent: standard error, a line each.
  // "ignore": nothing.
  console?: "ignore" | ((message: LogMessage) => void);
  // Further arguments of `glovebox serve` for a supervisor of one's own, such as ["--profile", "jitless"].
  serveArguments?: string[];
}

provideDataCloneError((message) => new DOMException(message, "DataCloneError"));

export async function connect(options: ConnectOptions = {}): Promise<Glovebox> {
  checkOptions(options);
  const addon = loadAddon();
  const daemon = options.socket === undefined ? await startDaemon(options.serveArguments ?? []) : undefined;
  const socket = options.socket ?? daemon!.socket;
  try {
    return new Glovebox((handlers) => new ClientLine(addon, (addon, events) => addon.connect(socket, events), handlers), options, daemon);
  } catch (error) {
    daemon?.stop();
    throw error;
  }
}

// A connection to a supervisor.
export class Glovebox {
  readonly #line: ClientLine;
  readonly #daemon: Daemon | undefined;
  readonly loader: WorkerLoader;
  // Fulfilled when the line is gone: with nothing after close(), with the reason otherwise.
  readonly closed: Promise<Error | undefined>;
  #closing = false;

  constructor(open: (options: ConstructorParameters<typeof ClientLine>[2]) => ClientLine, options: ConnectOptions, daemon: Daemon | undefined) {
    this.#daemon = daemon;
    let ended!: (error: Error | undefined) => void;
    this.closed = new Promise((resolve) => { ended = resolve; });
    this.#line = open({
      console: options.console === "ignore" ? undefined : (options.console ?? writeLog),
      lost: (error) => {
        this.#daemon?.stop();
        ended(this.#closing ? undefined : error);
      },
    });
    const { session } = this.#line;
    // `new RpcStub(object)` belongs to no connection; the latest one serves.
    provideLocalStubs((value) => session.localStub(value));
    this.loader = new WorkerLoader(session.hold(this.#line.loader(), undefined));
  }

  // Layers in force, pool, live workers with what they hold, how calls ended.
  async status(): Promise<Record<string, unknown>> { return JSON.parse(await this.#line.status()) as Record<string, unknown>; }

  // Ends every worker that was loaded over this connection; calls under way fail.
  async close(): Promise<void> {
    this.#closing = true;
    this.#line.close();
    await this.closed;
  }
  async [Symbol.asyncDispose](): Promise<void> { await this.close(); }

  // What is open: for those who look for a leak.
  counts(): { calls: number; exports: number } { return this.#line.session.counts(); }
}

function checkOptions(options: ConnectOptions): void {
  const { socket, console, serveArguments } = options;
  if (socket !== undefined && (typeof socket !== "string" || socket === "")) {
    throw new TypeError(`connect() expects \`socket\` to be the path of a Unix socket, got ${typeof socket}. Start one with: glovebox serve --socket PATH`);
  }
  if (console !== undefined && console !== "ignore" && typeof console !== "function") {
    throw new TypeError('connect() expects `console` to be a function or "ignore".');
  }
  if (serveArguments !== undefined && (!Array.isArray(serveArguments) || socket !== undefined)) {
    throw new TypeError("connect() expects `serveArguments` to be a list of strings, and only without `socket`.");
  }
}

// Control characters could do things to a terminal.
function writeLog({ level, text }: LogMessage): void {
  process.stderr.write(`[worker ${level}] ${text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd")}\n`);
}

export { GloveboxError };
