// What calls fail with when it is not the code at the other end that threw: a limit, a death, a lost line.

// `code` is the ending's name in ipc/call.capnp ("exceededCpu", "crashed", "revoked", ...), "disconnected" where there is
// nobody to ask any more, or "unavailable" where there never was: connect() failed. The message says what to do.
export class GloveboxError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
Object.defineProperty(GloveboxError.prototype, "name", { value: "GloveboxError", writable: true, configurable: true });

// The supervisor's own words (supervisor/zygote-process.c++) for a layer that cannot be had, and perhaps the command's for how
// to go on, which are another matter here.
const MISSING_LAYER = /Missing layer: ([a-z-]+)/;
const COMMAND_HINT = /\n?To go on without it, and less safely: --allow-missing=\S*/;

export function unavailable(message: string, options?: ErrorOptions): GloveboxError {
  const layer = MISSING_LAYER.exec(message)?.[1];
  const hint = layer === undefined ? "" : `\nTo go on without it, and less safely: connect({ supervisor: { allowMissing: ["${layer}"] } })`;
  return new GloveboxError("unavailable", message.replace(COMMAND_HINT, "") + hint, options);
}
