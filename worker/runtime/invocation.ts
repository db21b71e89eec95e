// An invocation: one call on an entrypoint and all that belongs to it - its timers, the stubs it received, the objects of
// its that others hold, what it gave to waitUntil(). It is over when nothing of that is left, or when it is aborted.

import { PlainPromise, Table, promiseThen } from "./primordials.ts";
import { inspect } from "./inspect.ts";

export class Invocation {
  readonly id: number;
  readonly context: Context;
  // The call that began it and calls on what it exported, not yet answered.
  readonly openCalls = new Table<true>();
  #holds = 0;
  aborted: { reason: unknown } | undefined;

  constructor(id: number, props: unknown, exports: unknown) {
    this.id = id;
    this.context = new Context(props, exports, this);
  }

  hold(): void { this.#holds++; }
  letGo(): void {
    this.#holds--;
    endIfOver(this);
  }
  get isOver(): boolean { return this.#holds === 0 && this.openCalls.size === 0; }

  waitUntil(promise: unknown): void {
    this.hold();
    const reported = promiseThen(new PlainPromise((resolve) => resolve(promise)), undefined, (error: unknown) => {
      if (this.aborted !== undefined) return;
      native.log(4, `waitUntil: ${inspect(error)}`);
      native.noteThrown(error);
    });
    const over = () => this.letGo();
    promiseThen(reported, over, over);
  }
}

// `ctx`.
class Context {
  readonly props: unknown;
  readonly exports: unknown;
  #invocation: Invocation;

  constructor(props: unknown, exports: unknown, invocation: Invocation) {
    this.props = props;
    this.exports = exports;
    this.#invocation = invocation;
  }

  waitUntil(promise: unknown): void { this.#invocation.waitUntil(promise); }
  passThroughOnException(): void {}
  abort(reason: unknown = undefined): never {
    abort(this.#invocation, reason);
    throw reason;
  }
}
Object.defineProperty(Context, "name", { value: "ExecutionContext" });

const invocations = new Table<Invocation>();

// What is to be done when one ends; set by rpc.ts.
let whenOver: (invocation: Invocation, reason: unknown) => void = () => {};
export function provideEnd(end: (invocation: Invocation, reason: unknown) => void): void { whenOver = end; }

export function begin(id: number, props: unknown, exports: unknown): Invocation {
  const invocation = new Invocation(id, props, exports);
  invocations.set(id, invocation);
  return invocation;
}

export function find(id: number): Invocation | undefined { return invocations.get(id); }
export function current(): Invocation | undefined { return invocations.get(native.currentInvocation()); }

export function endIfOver(invocation: Invocation): void {
  if (invocation.isOver) end(invocation, undefined);
}

export function abort(invocation: Invocation, reason: unknown): void {
  invocation.aborted ??= { reason };
  end(invocation, reason);
}

function end(invocation: Invocation, reason: unknown): void {
  if (!invocations.delete(invocation.id)) return;
  whenOver(invocation, reason);
}

// The host has ended the calls (a limit, or nothing can settle them any more). Nothing of any invocation is left.
export function forgetAll(): void {
  invocations.forEach((invocation) => {
    invocation.aborted ??= { reason: undefined };
    end(invocation, undefined);
  });
}
