// WebSockets across the line. A WebSocket is two ways, one for each direction; who has an end of it sends on one and takes what comes
// on the other. An end that is handed over becomes an inlet: what is called on it by the other process goes out on that end's way.
// Whoever accepts an end that came from elsewhere hands an inlet of its own back (`connect`), so that each direction is calls on the
// receiver. Each message is a call of its own, under the receiver's limits, and answered when it was taken; that is the flow control.

import { PlainError, PlainPromise, PlainTypeError, isArrayBufferView, promiseThen } from "./primordials.ts";
import { RpcTarget } from "./receiver.ts";
import { CapabilityState } from "./stub.ts";
import type { Import } from "./stub-state.ts";

export type Message = string | Uint8Array;

export const NO_CODE = 1005;    // of a close that had none
const DISCONNECTED = 1006;
export const DISCONNECTED_WORDS = "WebSocket disconnected without sending Close frame.";

// Cloudflare's limit of 32 MiB for one message, which is that of a value, with its envelope.
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024 - 1024;
// What one end may have sent that the other has not taken. Beyond, the connection ends: nothing holds more of it than this.
const WAITING_BYTES_MAX = 2 * MESSAGE_BYTES_MAX;
const MESSAGE_OVERHEAD_BYTES = 64;
// Few, because calls under way are counted in the worker that is called; and no second one behind a large one.
const CALLS_IN_FLIGHT_MAX = 8;
const BYTES_IN_FLIGHT_MAX = 128 * 1024;

const TOO_MUCH = "More was sent on this WebSocket than the other side takes.";

// What stands at a way's end.
export interface Taker {
  // Whether it takes another message now.
  readonly ready: boolean;
  message(data: Message): void;
  closed(code: number, reason: string): void;
  // Nothing more will come, and nobody said so. `why` undefined: who was to send is gone.
  lost(why: unknown): void;
}

interface Item {
  message: Message;
  bytes: number;
  next: Item | undefined;
}

interface Ending { lost: boolean; why: unknown; code: number; reason: string }

function closedWith(code: number, reason: string): Ending { return { lost: false, why: undefined, code, reason }; }
function lostFor(why: unknown): Ending { return { lost: true, why, code: DISCONNECTED, reason: "" }; }

// One direction: messages in order, then an ending.
class Way {
  opposite!: Way;
  #first: Item | undefined;
  #last: Item | undefined;
  #bytes = 0;
  #taker: Taker | undefined;
  #ending: Ending | undefined;
  #over = false;         // the ending was told
  #scheduled = false;
  #delivering = false;

  static pair(): [Way, Way] {
    const one = new Way(), other = new Way();
    one.opposite = other;
    other.opposite = one;
    return [one, other];
  }

  get ended(): boolean { return this.#ending !== undefined; }
  get lost(): boolean { return this.#ending?.lost === true; }
  get waitingBytes(): number { return this.#bytes; }

  // `now`: in this turn, if nothing waits: in the call that brought it.
  put(message: Message, now: boolean): void {
    if (this.#ending !== undefined) return;
    const bytes = sizeOf(message);
    if (this.#bytes + bytes > WAITING_BYTES_MAX) return this.#overflow();
    const item = { message, bytes, next: undefined };
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#bytes += bytes;
    this.#go(now);
  }

  end(code: number, reason: string, now: boolean): void {
    if (this.#ending !== undefined) return;
    this.#ending = closedWith(code, reason);
    this.#go(now);
  }

  // Whoever was to send is gone, or (with a reason) it cannot be sent on. The other direction ends with it.
  lose(why: unknown): void {
    this.#break(why);
    this.opposite.#break(why);
  }

  take(taker: Taker): void {
    this.#taker = taker;
    this.#go(false);
  }

  // The taker has room again.
  resume(): void { this.#go(true); }

  #break(why: unknown): void {
    if (this.#over || this.lost) return;
    if (this.#taker instanceof Sender) {
      this.#clear();
      this.#ending = lostFor(why);
    }
    this.#ending ??= lostFor(why);   // what came before is still to be had here
    this.#go(true);
  }

  #overflow(): void {
    this.#clear();
    this.#ending = closedWith(1013, TOO_MUCH);
    this.#go(true);
    this.opposite.#break(new PlainError(TOO_MUCH));
  }

  #clear(): void {
    this.#first = this.#last = undefined;
    this.#bytes = 0;
  }

  #go(now: boolean): void {
    if (this.#taker === undefined || this.#scheduled || this.#delivering) return;
    if (now) return this.#deliver();
    this.#scheduled = true;
    promiseThen(settled, () => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  // One at a time: between two events stands whatever the first one began.
  #deliver(): void {
    const taker = this.#taker!;
    this.#delivering = true;
    try {
      const item = this.#first;
      if (item !== undefined) {
        if (!taker.ready) return;
        this.#first = item.next;
        if (item.next === undefined) this.#last = undefined;
        this.#bytes -= item.bytes;
        taker.message(item.message);
      } else if (this.#ending !== undefined && !this.#over) {
        this.#over = true;
        if (this.#ending.lost) taker.lost(this.#ending.why);
        else taker.closed(this.#ending.code, this.#ending.reason);
        if (this.opposite.#over) {
          if (taker instanceof Sender) taker.release();
          if (this.opposite.#taker instanceof Sender) this.opposite.#taker.release();
        }
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#first !== undefined || (this.#ending !== undefined && !this.#over)) this.#go(taker instanceof Sender);
  }
}
const settled = PlainPromise.resolve();

function sizeOf(message: Message): number { return (typeof message === "string" ? message.length : message.byteLength) + MESSAGE_OVERHEAD_BYTES; }

// Takes a way's messages to another process.
class Sender implements Taker {
  readonly #remote: CapabilityState;
  readonly #way: Way;
  #inFlight = 0;
  #bytesInFlight = 0;
  #over = false;

  constructor(remote: CapabilityState, way: Way) {
    this.#remote = remote;
    this.#way = way;
  }

  get ready(): boolean { return this.#inFlight < CALLS_IN_FLIGHT_MAX && this.#bytesInFlight < BYTES_IN_FLIGHT_MAX; }

  // Throws where this is another invocation's.
  check(): void { if (!this.#over) this.#remote.check(); }

  message(data: Message): void {
    const bytes = sizeOf(data);
    this.#inFlight++;
    this.#bytesInFlight += bytes;
    promiseThen(this.#remote.ask(["message"], [data]).result, () => {
      this.#inFlight--;
      this.#bytesInFlight -= bytes;
      this.#way.resume();
    }, (error: unknown) => {
      if (!this.#over) this.#way.lose(error);
    });
  }

  closed(code: number, reason: string): void {
    this.#over = true;
    promiseThen(this.#remote.ask(["close"], [code, reason]).result, undefined, () => {});   // whoever is gone needs no telling
  }

  lost(): void {
    this.#over = true;
    this.release();
  }

  // When both directions are over: the other side's answer to a close may come late, and it goes on for as long as this is held.
  release(): void { this.#remote.dispose(); }
}

// What is exported of an end: what it is told goes `into` a way. Called by strangers.
export class Inlet extends RpcTarget {
  readonly #into: Way;
  readonly #connected: ((remote: CapabilityState) => void) | undefined;
  #isConnected = false;

  // `connected`: what is done with the other side's inlet. Absent: this is the answer to such.
  constructor(into: Way, connected?: (remote: CapabilityState) => void) {
    super();
    this.#into = into;
    this.#connected = connected;
  }

  connect(socket: unknown): void {
    const remote = receivedInlet(socket);
    if (remote === undefined || this.#connected === undefined || this.#isConnected) throw new PlainTypeError("This WebSocket cannot be connected.");
    this.#isConnected = true;
    this.#connected(remote);
  }

  message(data: unknown): void {
    if (typeof data !== "string" && !(isArrayBufferView(data) && data instanceof Uint8Array)) {
      throw new PlainTypeError("A WebSocket's message is a string or a Uint8Array.");
    }
    if (this.#into.ended) throw new PlainError("This WebSocket is closed.");
    this.#into.put(data, true);
  }

  close(code: unknown, reason: unknown): void {
    if (typeof code !== "number" || !(code === NO_CODE || isSendableCode(code)) || typeof reason !== "string") {
      throw new PlainTypeError("A WebSocket is closed with a code and a reason.");
    }
    this.#into.end(code, reason, true);
  }

  // Nobody holds it any more.
  dropped(): void { this.#into.lose(undefined); }
}

// One end, without the object of the DOM that stands for it.
export class SocketEnd {
  readonly #out: Way;
  readonly #in: Way;
  #other: SocketEnd | undefined;           // of a pair
  #remote: CapabilityState | undefined;    // of one that came from another process and was not accepted
  #sender: Sender | undefined;
  #state: "waiting" | "accepted" | "released" = "waiting";

  private constructor(out: Way, remote: CapabilityState | undefined) {
    this.#out = out;
    this.#in = out.opposite;
    this.#remote = remote;
  }

  static pair(): [SocketEnd, SocketEnd] {
    const [one, other] = Way.pair();
    const ends: [SocketEnd, SocketEnd] = [new SocketEnd(one, undefined), new SocketEnd(other, undefined)];
    ends[0].#other = ends[1];
    ends[1].#other = ends[0];
    return ends;
  }

  static received(imported: Import): SocketEnd {
    return new SocketEnd(Way.pair()[0], new CapabilityState("RpcStub", imported));
  }

  get accepted(): boolean { return this.#state === "accepted"; }
  get released(): boolean { return this.#state === "released"; }
  get waitingBytes(): number { return this.#out.waitingBytes; }
  get outgoingEnded(): boolean { return this.#out.ended; }
  get outgoingLost(): boolean { return this.#out.lost; }

  accept(taker: Taker): void {
    this.#state = "accepted";
    const remote = this.#remote;
    if (remote !== undefined) {
      this.#remote = undefined;
      const connected = remote.ask(["connect"], [new Inlet(this.#in)]).result;
      promiseThen(connected, undefined, (error: unknown) => this.#out.lose(error));
      this.#sendTo(remote);
    }
    this.#in.take(taker);
  }

  // Throws where it belongs to another invocation.
  send(message: Message): void {
    this.#sender?.check();
    this.#out.put(message, false);
  }

  close(code: number, reason: string): void {
    this.#sender?.check();
    this.#out.end(code, reason, false);
  }

  // It goes to another process: what is to be handed over.
  handOver(): CapabilityState | Inlet {
    this.#state = "released";
    const remote = this.#remote;
    if (remote !== undefined) return remote;
    // The other one of the pair sends to another process from then on.
    const other = this.#other!;
    return new Inlet(this.#out, (taker) => other.#sendTo(taker));
  }

  // What this one received, if it was not accepted.
  takeRemote(): CapabilityState | undefined {
    const remote = this.#remote;
    this.#remote = undefined;
    this.#state = "released";
    return remote;
  }

  // Nobody wants it.
  refuse(): void { this.takeRemote()?.dispose(); }

  #sendTo(remote: CapabilityState): void {
    this.#sender = new Sender(remote, this.#out);
    this.#out.take(this.#sender);
  }
}

// What is sent in a frame, and may be asked for: RFC 6455, 7.4, and those that were registered since.
export function isSendableCode(code: number): boolean {
  return code >= 1000 && code < 5000 && code % 1 === 0 && code !== 1004 && code !== NO_CODE && code !== DISCONNECTED && code !== 1015;
}

// The host's objects for ends; set by it.
export interface Sockets {
  // The object that stands for an end that came from another process.
  make(end: SocketEnd): object;
  // Undefined: no WebSocket.
  endOf(value: unknown): SocketEnd | undefined;
}
let sockets: Sockets | undefined;
export function provideSockets(provided: Sockets): void { sockets = provided; }

export function receivedSocket(imported: Import): object {
  if (sockets === undefined) throw new PlainError("This program has no WebSocket.");
  return sockets.make(SocketEnd.received(imported));
}

function receivedInlet(value: unknown): CapabilityState | undefined { return sockets?.endOf(value)?.takeRemote(); }
