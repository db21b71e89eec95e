// From a Node.js program to a supervisor: a daemon's that is named, or one of its own that ends with it.

import { checkLimits } from "../../ipc/js/limits.ts";
import type { WorkerLimits } from "../../ipc/js/limits.ts";
import { WorkerLoader } from "../../ipc/js/loader.ts";
import { provideDataCloneError } from "../../ipc/js/primordials.ts";
import { provideLocalStubs } from "../../ipc/js/stub.ts";
import { installationFolder, loadAddon } from "./addon-file.ts";
import type { Addon, Line, NativeEvents } from "./addon.d.ts";
import { startDaemon } from "./daemon.ts";
import type { Daemon } from "./daemon.ts";
import { egressFile } from "./egress.ts";
import type { EgressOptions } from "./egress.ts";
import { GloveboxError, unavailable } from "./errors.ts";
import { ClientLine } from "./line.ts";
import type { LogMessage } from "./line.ts";
import { checkPolicy, checkSupervisorOptions, serveArguments, wrong } from "./supervisor-options.ts";
import type { SupervisorOptions } from "./supervisor-options.ts";
import { typeStripper } from "./typescript.ts";

export interface ConnectOptions {
  // The socket of a running `glovebox serve`. Absent: a supervisor of this program's own.
  socket?: string;
  // Where a supervisor of one's own runs. Absent or false: in a child process. True: in this process.
  inProcess?: boolean;
  // How a supervisor of one's own is to be. Absent: as `glovebox serve` is by default.
  supervisor?: SupervisorOptions;
  // What workers may reach on the internet. Absent: nothing.
  egress?: EgressOptions;
  // What workers log. Absent: standard error, a line each.
  // "ignore": nothing.
  console?: "ignore" | ((message: LogMessage) => void);
}

provideDataCloneError((message) => new DOMException(message, "DataCloneError"));

// Where the supervisor is, by options:
//
// - nothing: a child process for this connection alone, which ends with it, and with this program however that ends.
//   Limits hold and what workers send is parsed outside of this program, also while its own loop is busy.
// - `socket`: a daemon that others use as well.
// - `inProcess`: on this thread's own loop. A call of a tool by a worker takes half the time, for there is no process in
//   between. For it, what workers send is parsed here, and no limit is enforced while JavaScript keeps the loop busy: the
//   time counts, and a worker is stopped when the loop is free again. Connections of one thread whose `supervisor` options
//   are equal share one; others have one each. When the last of them is closed, or the thread ends, its workers are killed
//   and reaped.
//
// None of them keeps an idle program from ending. Rejects with a TypeError for wrong options, and with a GloveboxError whose
// code is "unavailable" if there is no supervisor or it cannot start: because a layer of the jail is missing, say.
export async function connect(options: ConnectOptions = {}): Promise<Glovebox> {
  checkOptions(options);
  const addon = loadAddon();
  const { socket, inProcess, supervisor } = options;
  const wanted = checkSupervisorOptions(supervisor, addon);
  const egress = egressFile(options.egress);
  if (socket !== undefined) return open(addon, options, (events) => addon.connect(socket, events));
  if (inProcess !== true) {
    const daemon = await startDaemon(serveArguments(wanted), egress);
    try {
      return open(addon, options, (events) => addon.connect(daemon.socket, events), daemon);
    } catch (error) {
      daemon.stop();
      throw error;
    }
  }
  const glovebox = open(addon, options, (events) => addon.embed(installationFolder(), wanted, events));
  try {
    // The first answer comes when it stands.
    await glovebox.status();
  } catch (error) {
    await glovebox.close();
    throw unavailable(`The supervisor did not start: ${(error as Error).message}`);
  }
  return glovebox;
}

function open(addon: Addon, options: ConnectOptions, openLine: (events: NativeEvents) => Line, daemon?: Daemon): Glovebox {
  try {
    return new Glovebox((handlers) => new ClientLine(openLine, handlers), options, daemon);
  } catch (error) {
    if ((error as { code?: unknown }).code === "GLOVEBOX_UNAVAILABLE") throw unavailable((error as Error).message);
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

  constructor(open: (options: ConstructorParameters<typeof ClientLine>[1]) => ClientLine, options: ConnectOptions, daemon: Daemon | undefined) {
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
    if (options.egress !== undefined) this.#line.useOutbound();
    this.loader = this.#newLoader(undefined);
  }

  // One more, with names of its own, whose workers get no more than these limits.
  createLoader(options: { limits?: Partial<WorkerLimits> } = {}): WorkerLoader {
    if (typeof options !== "object" || options === null) throw new TypeError("createLoader() expects an object such as { limits: { cpuMs: 50 } }, or nothing.");
    for (const name of Object.keys(options)) {
      if (name !== "limits") throw new TypeError(`createLoader() knows no option \`${name}\`; there is: limits.`);
    }
    const limits = checkPolicy(options.limits, "limits", "createLoader()");
    return this.#newLoader(limits && checkLimits(limits, "LoaderOptions"));
  }

  #newLoader(limits: WorkerLimits | undefined): WorkerLoader {
    const line = this.#line;
    return new WorkerLoader(line.session.hold(line.loader(limits), undefined), typeStripper(line));
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

const NAMES = ["socket", "inProcess", "supervisor", "egress", "console"];

function checkOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) throw new TypeError("connect() expects an object of options, or nothing.");
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw new TypeError(`connect() knows no option \`${name}\`; there are: ${NAMES.join(", ")}.`);
  }
  const { socket, inProcess, supervisor, egress, console } = options as Record<string, unknown>;
  if (socket !== undefined && (typeof socket !== "string" || socket === "")) {
    throw wrong("socket", "the path of a Unix socket (glovebox serve --socket PATH makes one)", socket);
  }
  if (inProcess !== undefined && typeof inProcess !== "boolean") throw wrong("inProcess", "true or false", inProcess);
  if (socket !== undefined && (inProcess === true || supervisor !== undefined)) {
    throw new TypeError(`connect() got \`socket\` and \`${inProcess === true ? "inProcess" : "supervisor"}\`: the daemon behind a socket runs and is configured already. Leave one of them out.`);
  }
  if (egress !== undefined && socket !== undefined) {
    throw new TypeError("connect() got `socket` and `egress`: the daemon behind a socket runs and is configured already (glovebox serve --egress FILE). Leave one of them out.");
  }
  if (egress !== undefined && inProcess === true) {
    throw new TypeError("connect() got `egress` and `inProcess`: requests are made by a process that a supervisor in a child process starts. Leave one of them out.");
  }
  if (console !== undefined && console !== "ignore" && typeof console !== "function") throw wrong("console", 'a function or "ignore"', console);
}

// Control characters could do things to a terminal.
function writeLog({ level, text }: LogMessage): void {
  process.stderr.write(`[worker ${level}] ${text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd")}\n`);
}

export { GloveboxError };
