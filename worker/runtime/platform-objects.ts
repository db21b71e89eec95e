// Objects of the platform in values that cross to another process: what each is made of (PlatformObject in ipc/value.capnp says in
// which order), and back. What comes in was written by a stranger: every part is checked.
//
// Arriving, an object is made empty first and filled when the whole value is there, as others are.

import { Bytes, PlainError, PlainTypeError, hasOwn, isArray, push, typedArrayName } from "./primordials.ts";
import { Blob, File, blobBytes, fileParts, setBlob, setFile, streamOfBytes, typeOf } from "./blob.ts";
import { Body, isReadableStream } from "./body.ts";
import { bytesOf } from "./encoding.ts";
import { FormData, entriesOf, setEntries } from "./form-data.ts";
import type { FormEntry } from "./form-data.ts";
import { Headers, checkHeaders, headersList, makeHeaders, setHeadersList } from "./headers.ts";
import { absoluteUrl, emptyRequest, freezeRequest, isRedirect, normalMethod, requestParts, setRequestParts } from "./request.ts";
import { Response, isNullBodyStatus, isReasonPhrase, responseParts, setResponseParts } from "./response.ts";
import { makeDomException } from "./dom-exception.ts";
import { emptyKey, fillKey, inside, isCryptoKey } from "./subtle/crypto-key.ts";
import type { CryptoKey, Inside } from "./subtle/crypto-key.ts";
import { endToHandOver, isWebSocket } from "./web-socket.ts";

type State = unknown[];

// What is there already travels with the value; the rest is read by whoever wants it.
const INLINE_BODY_BYTES_MAX = 32 * 1024;

// The keys in the value that is being cloned, which stands for them by their places in this list; undefined: none is. Keys stay in their
// process, so a value that comes from another never finds the list.
let keysBeingCloned: Inside[] | undefined;

export function whileCloning<T>(clone: () => T): T {
  const outer = keysBeingCloned;   // a getter of a value may clone another
  keysBeingCloned = [];
  try {
    return clone();
  } finally {
    keysBeingCloned = outer;
  }
}

// [interface, state]; undefined: not an object of the platform that can be cloned. `everything`: also what only calls may carry.
export function platformOf(object: object, everything: boolean): [string, State] | undefined {
  const bytes = blobBytes(object);
  if (bytes !== undefined) {
    const type = typeOf(object as Blob);
    const file = fileParts(object);
    return file === undefined ? ["Blob", [bytes, type]] : ["File", [bytes, type, file.name, file.lastModified]];
  }
  if (!everything) {
    if (keysBeingCloned === undefined || !isCryptoKey(object)) return undefined;
    push(keysBeingCloned, inside(object));
    return ["CryptoKey", [keysBeingCloned.length - 1]];
  }
  const headers = headersList(object);
  if (headers !== undefined) return ["Headers", copy(headers)];
  const request = requestParts(object);
  if (request !== undefined) {
    return ["Request", [request.method, request.url, copy(headersList(request.headers)!), writeBody(request.body), request.redirect]];
  }
  const response = responseParts(object);
  if (response !== undefined) {
    if (response.status === 0) throw new PlainTypeError("Response.error() cannot be sent to another process.");
    const { webSocket } = response;
    const state = [response.status, response.statusText, copy(headersList(response.headers)!), writeBody(response.body)];
    if (webSocket !== null) push(state, endToHandOver(webSocket));
    return ["Response", state];
  }
  const entries = entriesOf(object);
  return entries === undefined ? undefined : ["FormData", copy(entries)];
}

export function makePlatform(name: string): object {
  switch (name) {
    case "Headers": return new Headers();
    case "Request": return emptyRequest();
    case "Response": return new Response();
    case "Blob": return new Blob();
    case "File": return new File(undefined, "");
    case "FormData": return new FormData();
    default:
      if (name === "CryptoKey" && keysBeingCloned !== undefined) return emptyKey();
      throw makeDomException(`Could not deserialize an object of type "${name}". This type is not known here.`, "DataCloneError");
  }
}

export function fillPlatform(name: string, object: object, state: unknown): void {
  if (!isArray(state)) throw malformed(name);
  // Elements of its own only: nothing is to be found on a prototype.
  for (let i = 0; i < state.length; i++) if (!hasOwn(state, i)) throw malformed(name);
  switch (name) {
    case "Headers": return setHeadersList(object as Headers, headersFrom(name, state));
    case "Request": return fillRequest(object as never, state);
    case "Response": return fillResponse(object as Response, state);
    case "Blob": return fillBlob(name, object as Blob, state);
    case "File": return fillFile(object as File, state);
    case "CryptoKey": return fillClonedKey(object as CryptoKey, state[0] as number);
    default: return setEntries(object as FormData, entriesFrom(name, state));
  }
}

// ---------------------------------------------------------------------------------------------------------------------

function malformed(name: string): Error { return new PlainError(`Malformed value: a ${name} is not made of what it must be.`); }

function copy<T>(list: T[]): T[] {
  const items: T[] = [];
  for (let i = 0; i < list.length; i++) push(items, list[i]!);
  return items;
}

function writeBody(body: Body | undefined): unknown {
  if (body === undefined) return null;
  const content = body.take();
  if (isReadableStream(content)) return content;
  return content.length <= INLINE_BODY_BYTES_MAX ? new Bytes(content) : streamOfBytes(content);
}

function headersFrom(name: string, value: unknown): string[] {
  const list = checkHeaders(value);
  if (list === undefined) throw malformed(name);
  return list;
}

function bytesFrom(name: string, value: unknown): Uint8Array<ArrayBuffer> {
  if (typedArrayName(value) !== "Uint8Array") throw malformed(name);
  return new Bytes(bytesOf(value as Uint8Array));   // others may refer to the same buffer
}

function bodyFrom(name: string, value: unknown): Body | undefined {
  if (value === null) return undefined;
  return new Body(isReadableStream(value) ? value : bytesFrom(name, value));
}

function fillClonedKey(key: CryptoKey, place: number): void {
  const original = keysBeingCloned?.[place];
  if (original === undefined) throw malformed("CryptoKey");
  fillKey(key, original);
}

function fillRequest(request: never, state: State): void {
  const method = state[0], url = state[1], headers = state[2], content = state[3], redirect = state[4];
  if (state.length !== 5 || typeof method !== "string" || typeof url !== "string" || normalMethod(method) !== method || !isRedirect(redirect) ||
      (content !== null && (method === "GET" || method === "HEAD"))) {
    throw malformed("Request");
  }
  const normalUrl = absoluteUrl(url);
  if (normalUrl === undefined || normalUrl === "") throw malformed("Request");
  const parts = {
    method, url: normalUrl, headers: makeHeaders(headersFrom("Request", headers)), body: bodyFrom("Request", content), redirect,
    signal: undefined, cf: undefined, cache: undefined,
  };
  freezeRequest(parts);
  setRequestParts(request, parts);
}

function fillResponse(response: Response, state: State): void {
  const status = state[0], statusText = state[1], headers = state[2], content = state[3];
  const webSocket = state.length === 5 && isWebSocket(state[4]) ? state[4] : null;
  if (state.length !== (webSocket === null ? 4 : 5) || typeof status !== "number" || status % 1 !== 0 ||
      !(webSocket === null ? status >= 200 && status <= 599 : status === 101) ||
      typeof statusText !== "string" || !isReasonPhrase(statusText) || (content !== null && isNullBodyStatus(status))) {
    throw malformed("Response");
  }
  setResponseParts(response, {
    status, statusText, headers: makeHeaders(headersFrom("Response", headers)), body: bodyFrom("Response", content), url: "", redirected: false, cf: undefined, webSocket,
  });
}

function fillBlob(name: string, blob: Blob, state: State): void {
  const type = state[1];
  if (state.length < 2 || typeof type !== "string") throw malformed(name);
  setBlob(blob, bytesFrom(name, state[0]), type);
}

function fillFile(file: File, state: State): void {
  const name = state[2], lastModified = state[3];
  if (state.length !== 4 || typeof name !== "string" || typeof lastModified !== "number" || !(lastModified === lastModified)) throw malformed("File");
  fillBlob("File", file, state);
  setFile(file, name, lastModified);
}

function entriesFrom(name: string, state: State): FormEntry[] {
  if (state.length % 2 !== 0) throw malformed(name);
  const entries: FormEntry[] = [];
  for (let i = 0; i < state.length; i += 2) {
    const key = state[i], value = state[i + 1];
    if (typeof key !== "string" || (typeof value !== "string" && fileParts(value) === undefined)) throw malformed(name);
    push(entries, key, value as FormEntry);
  }
  return entries;
}
