// Node's own Headers, Request, Response, Blob, File and FormData in values: what each is made of (PlatformObject in ipc/value.capnp),
// and back. What comes in was written by sandboxed code; Node's constructors check most of it.

import { dataCloneError } from "./value-refusals.ts";
import { WebSocket, endToHandOver, socketOf, upgradeResponse } from "./web-socket.ts";

export interface Platform {
  name: string;
  state: unknown[];
}

const INLINE_BODY_BYTES_MAX = 32 * 1024;

// Node tells nobody what is in a body but through its stream. Of requests that this package made it is known.
const bodies = new WeakMap<object, Uint8Array>();
export function rememberBody(request: object, bytes: Uint8Array): void {
  if (bytes.byteLength <= INLINE_BODY_BYTES_MAX) bodies.set(request, bytes);
}

// Undefined: none of these.
export function platformOf(object: object): Platform | undefined {
  if (object instanceof Request) return { name: "Request", state: [object.method, object.url, pairs(object.headers), bodyOf(object), object.redirect] };
  if (object instanceof Response) {
    const socket = socketOf(object);
    if (socket !== undefined) return { name: "Response", state: [object.status, object.statusText, pairs(object.headers), null, endToHandOver(socket)] };
    if (object.status < 200) throw new TypeError("Response.error() cannot be sent to another process.");
    return { name: "Response", state: [object.status, object.statusText, pairs(object.headers), bodyOf(object)] };
  }
  if (object instanceof Headers) return { name: "Headers", state: pairs(object) };
  if (object instanceof FormData) return { name: "FormData", state: entries(object) };
  if (object instanceof Blob) throw unreadable("Blob", "await blob.arrayBuffer(), say");
  return undefined;
}

// Throws for interfaces that are not known, and for what they cannot be made of.
export function makePlatform(name: string, state: unknown[]): object {
  if (!INTERFACES.includes(name)) throw dataCloneError(`Could not deserialize an object of type "${name}". This type is not known here.`);
  try {
    return make(name, state);
  } catch (error) {
    throw new Error(`Malformed value: a ${name} is not made of what it must be.`, { cause: error });
  }
}

const INTERFACES = ["Headers", "Request", "Response", "Blob", "File", "FormData"];

function make(name: string, state: unknown[]): object {
  switch (name) {
    case "Headers": return makeHeaders(name, state);
    case "Request": return makeRequest(state);
    case "Response": return makeResponse(state);
    case "Blob": {
      const [bytes, type] = state;
      if (state.length !== 2 || !isBytes(bytes) || typeof type !== "string") throw malformedPlatform(name);
      return new Blob([bytes], { type });
    }
    case "File": {
      const [bytes, type, fileName, lastModified] = state;
      if (state.length !== 4 || !isBytes(bytes) || typeof type !== "string" || typeof fileName !== "string" || typeof lastModified !== "number") {
        throw malformedPlatform(name);
      }
      return new File([bytes], fileName, { type, lastModified });
    }
    default: return makeForm(state);
  }
}

export function malformedPlatform(name: string): Error {
  return new Error(`Malformed value: ${name === "" ? "an object of the platform" : `a ${name}`} is not made of what it must be.`);
}

// ---------------------------------------------------------------------------------------------------------------------

function unreadable(name: string, instead: string): Error {
  return dataCloneError(`A ${name} of Node.js cannot be sent: its content can only be had asynchronously. Send that instead: ${instead}.`);
}

function pairs(headers: Headers): string[] {
  const list: string[] = [];
  headers.forEach((value, name) => list.push(name, value));
  return list;
}

function entries(form: FormData): unknown[] {
  const list: unknown[] = [];
  form.forEach((value, name) => {
    if (typeof value !== "string") throw unreadable("FormData that holds files", "the form as the body of a Request, say");
    list.push(name, value);
  });
  return list;
}

function bodyOf(owner: Request | Response): unknown {
  if (owner.bodyUsed) throw new TypeError("Body has already been used. It can only be used once. Use clone() first if you need to send it twice.");
  const known = bodies.get(owner);
  bodies.delete(owner);
  return known ?? owner.body;
}

// -- What comes in ----------------------------------------------------------------------------------------------------

function isBytes(value: unknown): value is Uint8Array<ArrayBuffer> { return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer; }

function isBody(value: unknown): value is Uint8Array<ArrayBuffer> | ReadableStream | null {
  return value === null || isBytes(value) || value instanceof ReadableStream;
}

function makeHeaders(name: string, list: unknown): Headers {
  if (!Array.isArray(list) || list.length % 2 !== 0) throw malformedPlatform(name);
  const headers = new Headers();
  for (let i = 0; i < list.length; i += 2) {
    const key = list[i] as unknown, value = list[i + 1] as unknown;
    if (typeof key !== "string" || typeof value !== "string") throw malformedPlatform(name);
    headers.append(key, value);
  }
  return headers;
}

function makeRequest(state: unknown[]): Request {
  const [method, url, headers, body, redirect] = state;
  if (state.length !== 5 || typeof method !== "string" || typeof url !== "string" || !isBody(body) ||
      (redirect !== "follow" && redirect !== "manual" && redirect !== "error")) {
    throw malformedPlatform("Request");
  }
  return new Request(url, { method, headers: makeHeaders("Request", headers), body, redirect, duplex: "half" } as RequestInit);
}

function makeResponse(state: unknown[]): Response {
  const [status, statusText, headers, body, webSocket] = state;
  if (webSocket instanceof WebSocket && state.length === 5 && status === 101 && typeof statusText === "string" && body === null) {
    return upgradeResponse(webSocket, statusText, makeHeaders("Response", headers));
  }
  if (state.length !== 4 || typeof status !== "number" || typeof statusText !== "string" || !isBody(body)) throw malformedPlatform("Response");
  return new Response(body as BodyInit | null, { status, statusText, headers: makeHeaders("Response", headers) });
}

function makeForm(state: unknown[]): FormData {
  if (state.length % 2 !== 0) throw malformedPlatform("FormData");
  const form = new FormData();
  for (let i = 0; i < state.length; i += 2) {
    const name = state[i], value = state[i + 1];
    if (typeof name !== "string") throw malformedPlatform("FormData");
    if (typeof value === "string") form.append(name, value);
    else if (value instanceof File) form.append(name, value);
    else throw malformedPlatform("FormData");
  }
  return form;
}
