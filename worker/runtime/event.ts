// Event, CustomEvent, ErrorEvent and EventTarget of the DOM standard, without a tree: every target is a path of one.

import { PlainTypeError, apply as invoke, dateNow, defineProperty, getOwnPropertyDescriptor, push, splice, toNumberOf, uncurryThis } from "./primordials.ts";
import { defineConstants, exposeInterface, exposeValue, isObject, requireArguments, toDOMString, toDictionary } from "./webidl.ts";
import { makeDomException } from "./dom-exception.ts";

type EventInit = { bubbles: unknown; cancelable: unknown; composed: unknown };

// Kept apart from the public methods, which user code may replace.
export type EventState = {
  dispatching: boolean;
  target: EventTarget | null;
  currentTarget: EventTarget | null;
  stopped: boolean;
  propagationStopped: boolean;
  canceled: boolean;
  inPassiveListener: boolean;
  initialized: boolean;
  trusted: boolean;
};

let stateOf: (event: Event) => EventState;
let isEvent: (value: unknown) => value is Event;

const isTrusted = { get isTrusted(): boolean { return stateOf(this as unknown as Event).trusted; } };
const isTrustedDescriptor = { ...Object.getOwnPropertyDescriptor(isTrusted, "isTrusted")!, enumerable: true, configurable: false };

export class Event {
  #type: string;
  #bubbles: boolean;
  #cancelable: boolean;
  readonly #composed: boolean;
  readonly #timeStamp: number;
  readonly #state: EventState = {
    dispatching: false, target: null, currentTarget: null, stopped: false, propagationStopped: false, canceled: false,
    inPassiveListener: false, initialized: true, trusted: false,
  };

  static {
    stateOf = (event) => event.#state;
    isEvent = (value): value is Event => isObject(value) && #state in value;
  }

  constructor(type: string, init: unknown = undefined) {
    requireArguments(arguments.length, 1, "'Event' constructor");
    this.#type = toDOMString(type);
    const options = toDictionary<EventInit>(init, "The event's options");
    this.#bubbles = !!options.bubbles;
    this.#cancelable = !!options.cancelable;
    this.#composed = !!options.composed;
    this.#timeStamp = dateNow();
    defineProperty(this, "isTrusted", isTrustedDescriptor);
  }

  get type(): string { return this.#type; }
  get target(): EventTarget | null { return this.#state.target; }
  get srcElement(): EventTarget | null { return this.#state.target; }
  get currentTarget(): EventTarget | null { return this.#state.currentTarget; }
  get eventPhase(): number { return this.#state.currentTarget === null ? 0 : 2; }
  get bubbles(): boolean { return this.#bubbles; }
  get cancelable(): boolean { return this.#cancelable; }
  get composed(): boolean { return this.#composed; }
  get defaultPrevented(): boolean { return this.#state.canceled; }
  get timeStamp(): number { return this.#timeStamp; }
  get returnValue(): boolean { return !this.#state.canceled; }
  set returnValue(value: unknown) { if (!value) this.#cancel(); }
  get cancelBubble(): boolean { return this.#state.propagationStopped; }
  set cancelBubble(value: unknown) { if (value) this.#state.propagationStopped = true; }

  composedPath(): EventTarget[] {
    return this.#state.currentTarget === null ? [] : [this.#state.currentTarget];
  }
  stopPropagation(): void { this.#state.propagationStopped = true; }
  stopImmediatePropagation(): void {
    this.#state.propagationStopped = true;
    this.#state.stopped = true;
  }
  preventDefault(): void { this.#cancel(); }
  initEvent(type: string, bubbles: unknown = false, cancelable: unknown = false): void {
    requireArguments(arguments.length, 1, "'initEvent' on 'Event'");
    if (this.#state.dispatching) return;
    this.#type = toDOMString(type);
    this.#bubbles = !!bubbles;
    this.#cancelable = !!cancelable;
    this.#state.canceled = this.#state.stopped = this.#state.propagationStopped = false;
    this.#state.target = null;
  }

  #cancel(): void {
    if (this.#cancelable && !this.#state.inPassiveListener) this.#state.canceled = true;
  }
}

export class CustomEvent extends Event {
  #detail: unknown;
  constructor(type: string, init: unknown = undefined) {
    requireArguments(arguments.length, 1, "'CustomEvent' constructor");
    super(type, init);
    this.#detail = toDictionary<{ detail: unknown }>(init, "The event's options").detail ?? null;
  }
  get detail(): unknown { return this.#detail; }
  initCustomEvent(type: string, bubbles: unknown = false, cancelable: unknown = false, detail: unknown = null): void {
    requireArguments(arguments.length, 1, "'initCustomEvent' on 'CustomEvent'");
    if (stateOf(this).dispatching) return;
    super.initEvent(type, bubbles, cancelable);
    this.#detail = detail;
  }
}

type ErrorEventInit = { message: unknown; filename: unknown; lineno: unknown; colno: unknown; error: unknown };

export class ErrorEvent extends Event {
  readonly #message: string;
  readonly #filename: string;
  readonly #lineno: number;
  readonly #colno: number;
  readonly #error: unknown;
  constructor(type: string, init: unknown = undefined) {
    requireArguments(arguments.length, 1, "'ErrorEvent' constructor");
    super(type, init);
    const options = toDictionary<ErrorEventInit>(init, "The event's options");
    this.#message = options.message === undefined ? "" : toDOMString(options.message);
    this.#filename = options.filename === undefined ? "" : toDOMString(options.filename);
    this.#lineno = toNumberOf(options.lineno ?? 0) >>> 0;
    this.#colno = toNumberOf(options.colno ?? 0) >>> 0;
    this.#error = options.error;
  }
  get message(): string { return this.#message; }
  get filename(): string { return this.#filename; }
  get lineno(): number { return this.#lineno; }
  get colno(): number { return this.#colno; }
  get error(): unknown { return this.#error; }
}

type Callback = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };
type Listener = { type: string; callback: Callback; capture: boolean; once: boolean; passive: boolean; removed: boolean };
type ListenerOptions = { capture: unknown; once: unknown; passive: unknown; signal: unknown };

// Set by abort.ts: an EventTarget knows what a signal is only through this.
type SignalHooks = { isSignal(value: unknown): boolean; isAborted(signal: object): boolean; onAbort(signal: object, run: () => void): void };
let signals: SignalHooks;
export function provideSignalHooks(hooks: SignalHooks): void { signals = hooks; }

let report: (exception: unknown) => void = () => {};
export function provideReporter(reporter: (exception: unknown) => void): void { report = reporter; }

let isTarget: (value: unknown) => value is EventTarget;
let dispatch: (target: EventTarget, event: Event) => boolean;
let hasListeners: (target: EventTarget, type: string) => boolean;

// The global object has no private fields: its listeners stand here.
let globalTarget: EventTarget | undefined;
const targetOf = (self: unknown) =>
  (self === undefined || self === null || self === globalThis ? globalTarget : self) as EventTarget;

export class EventTarget {
  #listeners: Listener[] = [];

  static {
    isTarget = (value): value is EventTarget => isObject(value) && #listeners in value;
    dispatch = (target, event) => target.#dispatch(event);
    hasListeners = (target, type) => {
      for (let i = 0; i < target.#listeners.length; i++) if (target.#listeners[i]!.type === type) return true;
      return false;
    };
  }

  addEventListener(type: string, callback: unknown, options: unknown = {}): void {
    requireArguments(arguments.length, 2, "'addEventListener' on 'EventTarget'");
    const target = targetOf(this);
    const listeners = target.#listeners;
    const name = toDOMString(type);
    const given = isObject(options) ? (options as Partial<ListenerOptions>) : undefined;
    const capture = given ? !!given.capture : !!options;
    const once = !!given?.once;
    const passive = !!given?.passive;
    const signal = given?.signal;
    if (signal !== undefined && !signals.isSignal(signal)) throw new PlainTypeError("The listener's `signal` is not an AbortSignal.");
    if (callback === null || callback === undefined) return;
    if (!isObject(callback)) throw new PlainTypeError("The listener is neither a function nor an object.");
    if (signal !== undefined && signals.isAborted(signal as object)) return;
    for (let i = 0; i < listeners.length; i++) {
      const other = listeners[i]!;
      if (other.type === name && other.callback === callback && other.capture === capture) return;
    }
    const listener = { type: name, callback: callback as Callback, capture, once, passive, removed: false };
    push(listeners, listener);
    if (signal !== undefined) signals.onAbort(signal as object, () => target.#remove(listener));
  }

  removeEventListener(type: string, callback: unknown, options: unknown = {}): void {
    requireArguments(arguments.length, 2, "'removeEventListener' on 'EventTarget'");
    const target = targetOf(this);
    const name = toDOMString(type);
    const capture = isObject(options) ? !!(options as Partial<ListenerOptions>).capture : !!options;
    const listeners = target.#listeners;
    for (let i = 0; i < listeners.length; i++) {
      const listener = listeners[i]!;
      if (listener.type === name && listener.callback === callback && listener.capture === capture) return target.#remove(listener);
    }
  }

  dispatchEvent(event: Event): boolean {
    requireArguments(arguments.length, 1, "'dispatchEvent' on 'EventTarget'");
    const target = targetOf(this);
    target.#listeners;   // the brand, before anything else
    if (!isEvent(event)) throw new PlainTypeError("Failed to execute 'dispatchEvent' on 'EventTarget': parameter 1 is not of type 'Event'.");
    if (stateOf(event).dispatching) throw makeDomException("The event is already being dispatched.", "InvalidStateError");
    stateOf(event).trusted = false;
    return target.#dispatch(event);
  }

  #remove(listener: Listener): void {
    listener.removed = true;
    for (let i = 0; i < this.#listeners.length; i++) {
      if (this.#listeners[i] === listener) {
        splice(this.#listeners, i, 1);
        return;
      }
    }
  }

  #dispatch(event: Event): boolean {
    const state = stateOf(event);
    const self = (this === globalTarget ? globalThis : this) as EventTarget;
    const type = typeOf(event);
    state.dispatching = true;
    state.target = self;
    state.currentTarget = self;
    // A copy: what a listener adds waits for the next event. Capturing ones come first at a target.
    for (let phase = 0; phase < 2 && !state.propagationStopped; phase++) {
      const now: Listener[] = [];
      for (let i = 0; i < this.#listeners.length; i++) {
        const listener = this.#listeners[i]!;
        if (listener.type === type && listener.capture === (phase === 0)) push(now, listener);
      }
      for (let i = 0; i < now.length && !state.stopped; i++) {
        const listener = now[i]!;
        if (listener.removed) continue;
        if (listener.once) this.#remove(listener);
        state.inPassiveListener = listener.passive;
        try {
          const callback = listener.callback;
          if (typeof callback === "function") {
            invoke(callback as Function, self, [event]);
          } else {
            const { handleEvent } = callback;
            if (typeof handleEvent !== "function") throw new PlainTypeError("The listener has no `handleEvent` function.");
            invoke(handleEvent as Function, callback, [event]);
          }
        } catch (exception) {
          report(exception);
        }
        state.inPassiveListener = false;
      }
    }
    state.dispatching = false;
    state.currentTarget = null;
    state.stopped = state.propagationStopped = false;
    return !state.canceled;
  }
}

const typeOf = uncurryThis(Object.getOwnPropertyDescriptor(Event.prototype, "type")!.get!) as (event: Event) => string;

// The platform's own events: trusted, and past whatever user code did to dispatchEvent.
export function dispatchTrusted(target: EventTarget | typeof globalThis, event: Event): boolean {
  stateOf(event).trusted = true;
  return dispatch(targetOf(target), event);
}

export function globalHasListeners(type: string): boolean {
  return hasListeners(globalTarget!, type);
}

// `onabort` and its like: the handler is one listener, in the place where it was first set. It stands in a private field
// stamped onto the target (a snapshot could not renew the hashes of a WeakMap in use).
const Returned = function (this: unknown, object: object) { return object; } as unknown as new (object: object) => object;
const { addEventListener } = EventTarget.prototype;
const addListener = uncurryThis(addEventListener) as (target: object, type: string, callback: unknown) => void;

export function defineEventHandler(prototype: object, type: string): void {
  class Slot extends Returned {
    #handler: unknown = null;
    static get(target: object): unknown { return #handler in target ? (target as Slot).#handler : null; }
    static set(target: object, value: unknown): void {
      const handler = isObject(value) ? value : null;
      if (#handler in target) {
        (target as Slot).#handler = handler;
        return;
      }
      const slot = new Slot(target);
      slot.#handler = handler;
      addListener(target, type, function (this: unknown, event: Event) {
        const now = slot.#handler;
        if (typeof now === "function") return invoke(now, this, [event]);
      });
    }
  }
  Object.freeze(Slot);
  const { get, set } = Slot;
  const check = (self: unknown): object => {
    if (!isTarget(self)) throw new PlainTypeError(`on${type} belongs to an EventTarget.`);
    return self;
  };
  const name = `on${type}`;
  const accessors = {
    get [name](): unknown { return get(check(this)); },
    set [name](value: unknown) { set(check(this), value); },
  };
  defineProperty(prototype, name, getOwnPropertyDescriptor(accessors, name)!);
}

export function installEvents(): void {
  globalTarget = new EventTarget();
  exposeInterface("Event", Event);
  defineConstants(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });
  exposeInterface("CustomEvent", CustomEvent);
  exposeInterface("ErrorEvent", ErrorEvent);
  exposeInterface("EventTarget", EventTarget);
  exposeValue("addEventListener", EventTarget.prototype.addEventListener);
  exposeValue("removeEventListener", EventTarget.prototype.removeEventListener);
  exposeValue("dispatchEvent", EventTarget.prototype.dispatchEvent);
}
