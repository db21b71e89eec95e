// What stands behind the stubs that user code holds. A stub is a proxy; its state is a private field stamped onto the proxy
// itself, so that it can be recognised when it comes back as an argument, and by nobody else.

import { Table } from "./primordials.ts";
import type { Session } from "./session.ts";
import type { Imported } from "./wire.ts";

// What belongs to one worker: all of it is revoked at once.
export interface Scope {
  revoked: boolean;
  failure?: { error: unknown };   // its code never came, and why
  readonly entrypoints: Table<Import>;   // those we hold: whatever else came from it may lead on to others, and outlive it
}

export function newScope(): Scope { return { revoked: false, entrypoints: new Table() }; }

// One capability that we hold, shared by a stub and its duplicates.
export class Import {
  readonly session: Session;
  readonly id: Imported;
  readonly owner: number;        // the invocation that may use it; 0: any
  readonly permanent: boolean;   // part of env or props: outlives every stub
  readonly scope: Scope | undefined;
  isPromise = false;             // asked for before there was anything to ask
  #references = 1;
  #released = false;

  constructor(session: Session, id: Imported, owner: number, permanent: boolean, scope: Scope | undefined) {
    this.session = session;
    this.id = id;
    this.owner = owner;
    this.permanent = permanent;
    this.scope = scope;
  }

  get released(): boolean { return this.#released; }

  retain(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references === 0) this.releaseAll();
  }

  // Also if there are references left: the invocation they belong to is over.
  releaseAll(): void {
    if (this.#released) return;
    this.#released = true;
    if (!this.permanent) this.session.releaseImport(this);
  }
}

export type StubKind = "RpcStub" | "ServiceStub" | "RpcPromise" | "RpcProperty";

export interface StubState {
  readonly kind: StubKind;
  // A stub proper, as opposed to a promise or property, which have no meaning to anybody else.
  readonly isCapability: boolean;
}

class ReturnIt {
  constructor(object: object) { return object; }
}

class Stamp extends ReturnIt {
  #state: StubState;
  constructor(proxy: object, state: StubState) {
    super(proxy);
    this.#state = state;
  }
  static of(value: unknown): StubState | undefined {
    return (typeof value === "function" || typeof value === "object") && value !== null && #state in value
      ? (value as Stamp).#state : undefined;
  }
}

export const stubOf: (value: unknown) => StubState | undefined = Stamp.of;

export function stamp(proxy: object, state: StubState): void {
  new Stamp(proxy, state);
}
