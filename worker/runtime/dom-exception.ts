// DOMException: an Error in all but its constructor's parent. Its instances are made by the Error constructor, so that they carry
// a stack and count as errors everywhere; name and message stand in private fields stamped onto them.

import { PlainError, captureStackTrace, construct, setPrototypeOf } from "./primordials.ts";
import { defineConstants, exposeInterface, toDOMString } from "./webidl.ts";

const CODES = {
  INDEX_SIZE_ERR: 1, DOMSTRING_SIZE_ERR: 2, HIERARCHY_REQUEST_ERR: 3, WRONG_DOCUMENT_ERR: 4, INVALID_CHARACTER_ERR: 5,
  NO_DATA_ALLOWED_ERR: 6, NO_MODIFICATION_ALLOWED_ERR: 7, NOT_FOUND_ERR: 8, NOT_SUPPORTED_ERR: 9, INUSE_ATTRIBUTE_ERR: 10,
  INVALID_STATE_ERR: 11, SYNTAX_ERR: 12, INVALID_MODIFICATION_ERR: 13, NAMESPACE_ERR: 14, INVALID_ACCESS_ERR: 15,
  VALIDATION_ERR: 16, TYPE_MISMATCH_ERR: 17, SECURITY_ERR: 18, NETWORK_ERR: 19, ABORT_ERR: 20, URL_MISMATCH_ERR: 21,
  QUOTA_EXCEEDED_ERR: 22, TIMEOUT_ERR: 23, INVALID_NODE_TYPE_ERR: 24, DATA_CLONE_ERR: 25,
};

const LEGACY_CODES: Record<string, number> = {
  // @ts-expect-error: no prototype, so that no name is found on Object.prototype
  __proto__: null,
  IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5, NoModificationAllowedError: 7,
  NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11, SyntaxError: 12,
  InvalidModificationError: 13, NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18,
  NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24,
  DataCloneError: 25,
};

// Private fields on an object another constructor made: `super()` may return any object.
const Returned = function (this: unknown, object: object) { return object; } as unknown as new (object: object) => object;

class Parts extends Returned {
  readonly #name: string;
  readonly #message: string;
  constructor(error: object, name: string, message: string) {
    super(error);
    this.#name = name;
    this.#message = message;
  }
  static nameOf(error: object): string { return (error as Parts).#name; }
  static messageOf(error: object): string { return (error as Parts).#message; }
  static has(value: object): boolean { return #name in value; }
}
// super() asks for the parent at each call; frozen, it stays the one above.
Object.freeze(Parts);

const { nameOf, messageOf, has } = Parts;

export class DOMException {
  constructor(message: unknown = "", name: unknown = "Error") {
    const text = toDOMString(message);
    const error = construct(PlainError, [text], new.target) as { message?: string };
    new Parts(error, toDOMString(name), text);
    // Once more, now that it has a name to put above the frames. For the message V8 looks at own properties only.
    captureStackTrace(error, new.target);
    delete error.message;
    return error as DOMException;
  }
  get name(): string { return nameOf(this); }
  get message(): string { return messageOf(this); }
  get code(): number { return LEGACY_CODES[nameOf(this)] ?? 0; }
}

export function domExceptionParts(value: object): [string, string] | undefined {
  return has(value) ? [nameOf(value), messageOf(value)] : undefined;
}

export function makeDomException(message: string, name: string): DOMException {
  return new DOMException(message, name);
}

// Not a function for web.ts to call: the polyfill that streams.ts imports looks for the global while it is being evaluated.
setPrototypeOf(DOMException.prototype, PlainError.prototype);
exposeInterface("DOMException", DOMException);
defineConstants(DOMException, CODES);
