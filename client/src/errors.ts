// What calls fail with when it is not the code at the other end that threw: a limit, a death, a lost line.

// `code` is the ending's name in ipc/call.capnp ("exceededCpu", "crashed", "revoked", ...), or "disconnected" where there is
// nobody to ask any more. The message says what to do.
export class GloveboxError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
Object.defineProperty(GloveboxError.prototype, "name", { value: "GloveboxError", writable: true, configurable: true });
