// MessageEvent and CloseEvent of the HTML and WebSockets standards.

import { Event } from "./event.ts";
import { toNumberOf } from "./primordials.ts";
import { exposeInterface, requireArguments, toDOMString, toDictionary, toUSVString } from "./webidl.ts";

type MessageEventInit = { data: unknown; origin: unknown; lastEventId: unknown; source: unknown; ports: unknown };

export class MessageEvent extends Event {
  readonly #data: unknown;
  readonly #origin: string;
  readonly #lastEventId: string;
  readonly #source: unknown;
  readonly #ports: unknown;

  constructor(type: string, init: unknown = undefined) {
    requireArguments(arguments.length, 1, "'MessageEvent' constructor");
    super(type, init);
    const { data, origin, lastEventId, source, ports } = toDictionary<MessageEventInit>(init, "The event's options");
    this.#data = data === undefined ? null : data;
    this.#origin = origin === undefined ? "" : toUSVString(origin);
    this.#lastEventId = lastEventId === undefined ? "" : toDOMString(lastEventId);
    this.#source = source ?? null;
    this.#ports = ports ?? [];
  }
  get data(): unknown { return this.#data; }
  get origin(): string { return this.#origin; }
  get lastEventId(): string { return this.#lastEventId; }
  get source(): unknown { return this.#source; }
  get ports(): unknown { return this.#ports; }
}

type CloseEventInit = { wasClean: unknown; code: unknown; reason: unknown };

export class CloseEvent extends Event {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: string, init: unknown = undefined) {
    requireArguments(arguments.length, 1, "'CloseEvent' constructor");
    super(type, init);
    const { wasClean, code, reason } = toDictionary<CloseEventInit>(init, "The event's options");
    this.#wasClean = !!wasClean;
    this.#code = toNumberOf(code ?? 0) & 0xffff;
    this.#reason = reason === undefined ? "" : toUSVString(reason);
  }
  get wasClean(): boolean { return this.#wasClean; }
  get code(): number { return this.#code; }
  get reason(): string { return this.#reason; }
}

export function installSocketEvents(): void {
  exposeInterface("MessageEvent", MessageEvent);
  exposeInterface("CloseEvent", CloseEvent);
}
