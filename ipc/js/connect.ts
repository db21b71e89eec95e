// connect() on an entrypoint, which is a call of `connect` with an address ("host:port") and how it is to be secured, answered with
// [readable, writable, remote address] once there is a connection. Both streams are the callee's: what the caller writes it hands over with
// write(), and what it reads it asks for. The connection ends when both are let go.

import { PlainError, PlainPromise, PlainTypeError, apply, codeUnitAt, indexOf, isArray, promiseThen, slice } from "./primordials.ts";
import type { Callable, Root } from "./receiver.ts";
import type { StreamClasses } from "./streams.ts";
import { makePipe, makeSocket } from "./tcp-socket.ts";
import type { Connection, SecureTransport, Socket, SocketInfo, SocketOptions } from "./tcp-socket.ts";

// -- The caller ---------------------------------------------------------------------------------------------------------------

// Throws for what is no address or no option; whether there is a connection is known later.
export function connectBy(ask: (args: unknown[]) => Promise<unknown>, classes: StreamClasses, address: unknown, options: unknown): Socket {
  const name = checkAddress(address);
  const checked = checkOptions(options);
  const { ReadableStream, WritableStream } = streamsOf(classes);
  const connection = promiseThen(ask([name, checked.secureTransport]), (answer) => {
    const parts = isArray(answer) ? answer as unknown[] : [];
    const readable = parts[0], writable = parts[1], remote = parts[2];
    if (!(readable instanceof ReadableStream) || !(writable instanceof WritableStream)) {
      throw new PlainTypeError("connect() was answered with something that is not a connection.");
    }
    return { readable, writable, info: { remoteAddress: typeof remote === "string" ? remote : undefined, localAddress: undefined } };
  });
  return makeSocket(ReadableStream, WritableStream, connection, checked);
}

function streamsOf(classes: StreamClasses) {
  const { ReadableStream, WritableStream } = classes;
  if (ReadableStream === undefined || WritableStream === undefined) throw new PlainError("This program has no streams.");
  return { ReadableStream, WritableStream };
}

// "host:port", "[::1]:port" or { hostname, port } as "host:port". What a host may be is for those to say who look it up.
function checkAddress(address: unknown): string {
  if (typeof address === "object" && address !== null) {
    const { hostname, port } = address as Record<string, unknown>;
    if (typeof hostname !== "string" || hostname === "") throw new PlainTypeError("Specified address is missing hostname.");
    if (typeof port !== "number") throw new PlainTypeError("Specified address is missing port.");
    const isBare = indexOf(hostname, ":") >= 0 && slice(hostname, 0, 1) !== "[";
    return joined(isBare ? `[${hostname}]` : hostname, `${port}`);
  }
  if (typeof address !== "string") throw unparsed();
  let colon = address.length - 1;
  while (colon >= 0 && codeUnitAt(address, colon) !== COLON && codeUnitAt(address, colon) !== CLOSING_BRACKET) colon--;
  if (colon < 0 || codeUnitAt(address, colon) !== COLON || colon === address.length - 1) throw new PlainTypeError("Specified address is missing port.");
  if (colon === 0) throw new PlainTypeError("Specified address is missing hostname.");
  return joined(slice(address, 0, colon), slice(address, colon + 1));
}

const COLON = 0x3a, CLOSING_BRACKET = 0x5d;
const HOST_LENGTH_MAX = 255;

function joined(host: string, port: string): string {
  let number = 0;
  for (let i = 0; i < port.length; i++) {
    const digit = codeUnitAt(port, i) - 0x30;
    if (!(digit >= 0 && digit <= 9) || port.length > 5) throw unparsed();
    number = number * 10 + digit;
  }
  if (port === "" || number < 1 || number > 65535 || host.length > HOST_LENGTH_MAX) throw unparsed();
  const isAddress = slice(host, 0, 1) === "[" && slice(host, host.length - 1) === "]";
  for (let i = 0; i < host.length; i++) {
    const unit = codeUnitAt(host, i);
    // Spaces, control characters, and what separates the parts of a URL.
    if (unit <= 0x20 || unit === 0x7f || indexOf("/\\@?#%", slice(host, i, i + 1)) >= 0 || (unit === COLON && !isAddress)) throw unparsed();
  }
  return `${host}:${number}`;
}

function unparsed(): Error { return new PlainTypeError("Specified address could not be parsed."); }

function checkOptions(options: unknown): SocketOptions {
  if (options === undefined || options === null) return { secureTransport: "off", allowHalfOpen: false };
  if (typeof options !== "object") throw new PlainTypeError(`connect() expects its options to be an object, got ${typeof options}.`);
  const { secureTransport = "off", allowHalfOpen } = options as Record<string, unknown>;
  if (!isSecureTransport(secureTransport)) {
    throw new PlainTypeError(`Unsupported value in secureTransport socket option: ${typeof secureTransport === "string" ? secureTransport : typeof secureTransport}`);
  }
  return { secureTransport, allowHalfOpen: !!allowHalfOpen };
}

function isSecureTransport(value: unknown): value is SecureTransport { return value === "off" || value === "on" || value === "starttls"; }

// -- The receiver -----------------------------------------------------------------------------------------------------------------

export function isConnect(path: string[], args: unknown[] | undefined): args is unknown[] {
  return args !== undefined && path.length === 1 && path[0] === "connect";
}

// The caller has its streams at once; the handler goes on for as long as it likes, `whileRunning` told.
export function serveConnect(root: Root, args: unknown[], classes: StreamClasses, whileRunning: (handler: Promise<unknown>) => void): unknown {
  const address = args[0], secureTransport = args[1];
  if (args.length !== 2 || typeof address !== "string" || !isSecureTransport(secureTransport)) {
    throw new PlainTypeError("connect() of an entrypoint is called with an address and how it is to be secured.");
  }
  const { connect } = root.value as { connect?: unknown };
  if (typeof connect !== "function") throw new PlainError("Handler does not export a connect() function.");
  const { ReadableStream, WritableStream } = streamsOf(classes);
  const incoming = makePipe(ReadableStream, WritableStream), outgoing = makePipe(ReadableStream, WritableStream);
  const info: SocketInfo = { remoteAddress: undefined, localAddress: address };
  const connection: Promise<Connection> = PlainPromise.resolve({ readable: incoming.readable, writable: outgoing.writable, info });
  const socket = makeSocket(ReadableStream, WritableStream, connection, { secureTransport, allowHalfOpen: true });
  const { injected } = root;
  whileRunning((async () => {
    try {
      await apply(connect as Callable, root.value, injected === undefined ? [socket] : [socket, injected.env, injected.ctx]);
    } catch (error) {
      incoming.fail(error);
      outgoing.fail(error);
      throw error;
    }
  })());
  return [outgoing.readable, incoming.writable, address];
}
