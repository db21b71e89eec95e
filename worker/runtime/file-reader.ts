// FileReader of the File API standard. A blob's bytes are here already, so a read is a few turns: one for each kind of event.

import { blobBytes, typeOf } from "./blob.ts";
import { makeDomException } from "./dom-exception.ts";
import { TextDecoder } from "./encoding.ts";
import { findEncoding } from "./encoding-labels.ts";
import { Event, EventTarget, defineEventHandler, dispatchTrusted } from "./event.ts";
import { parseParameters } from "./form-data-coding.ts";
import { Bytes, PlainTypeError, fromCodeUnits, min, toNumberOf, typedArrayBuffer, uncurryThis } from "./primordials.ts";
import { defineConstants, exposeInterface, requireArguments, toDOMString, toDictionary } from "./webidl.ts";

type OwnBytes = Uint8Array<ArrayBuffer>;

export class ProgressEvent extends Event {
  readonly #lengthComputable: boolean;
  readonly #loaded: number;
  readonly #total: number;
  constructor(type: string, init: unknown = undefined) {
    requireArguments(arguments.length, 1, "'ProgressEvent' constructor");
    super(type, init);
    const { lengthComputable, loaded, total } = toDictionary<{ lengthComputable: unknown; loaded: unknown; total: unknown }>(init, "The event's options");
    this.#lengthComputable = !!lengthComputable;
    this.#loaded = loaded === undefined ? 0 : toNumberOf(loaded);
    this.#total = total === undefined ? 0 : toNumberOf(total);
  }
  get lengthComputable(): boolean { return this.#lengthComputable; }
  get loaded(): number { return this.#loaded; }
  get total(): number { return this.#total; }
}

const EMPTY = 0, LOADING = 1, DONE = 2;
const EVENTS = ["loadstart", "progress", "load", "abort", "error", "loadend"];
const decode = uncurryThis(TextDecoder.prototype.decode);

export class FileReader extends EventTarget {
  #state = EMPTY;
  #result: string | ArrayBuffer | null = null;
  #error: unknown = null;
  #read = 0;   // counts the reads, so that a turn of one that was given up does nothing

  get readyState(): number { return this.#state; }
  get result(): string | ArrayBuffer | null { return this.#result; }
  get error(): unknown { return this.#error; }

  readAsArrayBuffer(blob: unknown): void {
    requireArguments(arguments.length, 1, "'readAsArrayBuffer' on 'FileReader'");
    this.#start(blob, (bytes) => typedArrayBuffer(new Bytes(bytes)) as ArrayBuffer);
  }
  readAsBinaryString(blob: unknown): void {
    requireArguments(arguments.length, 1, "'readAsBinaryString' on 'FileReader'");
    this.#start(blob, binaryString);
  }
  readAsText(blob: unknown, encoding: unknown = undefined): void {
    requireArguments(arguments.length, 1, "'readAsText' on 'FileReader'");
    const label = encoding === undefined ? undefined : toDOMString(encoding);
    this.#start(blob, (bytes, type) => text(bytes, label, type));
  }
  readAsDataURL(blob: unknown): void {
    requireArguments(arguments.length, 1, "'readAsDataURL' on 'FileReader'");
    this.#start(blob, (bytes, type) => `data:${type === "" ? "application/octet-stream" : type};base64,${native.base64Encode(binaryString(bytes))!}`);
  }

  abort(): void {
    this.#result = null;
    if (this.#state !== LOADING) return;
    this.#state = DONE;
    const read = ++this.#read;
    this.#error = makeDomException("The reading of the blob was aborted.", "AbortError");
    this.#fire("abort", 0, 0);
    if (this.#read === read) this.#fire("loadend", 0, 0);
  }

  #start(blob: unknown, convert: (bytes: OwnBytes, type: string) => string | ArrayBuffer): void {
    this.#state;
    const bytes = blobBytes(blob);
    if (bytes === undefined) throw new PlainTypeError("Failed to execute a read on 'FileReader': parameter 1 is not of type 'Blob'.");
    if (this.#state === LOADING) throw makeDomException("The FileReader is reading another blob already.", "InvalidStateError");
    const type = typeOf(blob as Parameters<typeof typeOf>[0]);
    const size = bytes.length;
    this.#state = LOADING;
    this.#result = null;
    this.#error = null;
    const read = ++this.#read;
    const turns: (() => void)[] = [
      () => this.#fire("loadstart", 0, size),
      () => { if (size > 0) this.#fire("progress", size, size); },
      () => {
        this.#state = DONE;
        let failed = false;
        try {
          this.#result = convert(bytes, type);
        } catch (error) {
          failed = true;
          this.#error = error;
        }
        this.#fire(failed ? "error" : "load", size, size);
      },
      () => this.#fire("loadend", size, size),
    ];
    const next = (turn: number): void => {
      native.setTimer(() => {
        if (this.#read !== read) return;   // a listener began another
        if (turn + 1 < turns.length) next(turn + 1);
        turns[turn]!();
      }, 0, false);
    };
    next(0);
  }

  #fire(type: string, loaded: number, total: number): void {
    dispatchTrusted(this, new ProgressEvent(type, { lengthComputable: total > 0, loaded, total }));
  }
}

const CHUNK = 8192;   // arguments of one call

function binaryString(bytes: OwnBytes): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const units: number[] = [];
    for (let i = at, end = min(at + CHUNK, bytes.length); i < end; i++) units[i - at] = bytes[i]!;
    text += fromCodeUnits(...units);
  }
  return text;
}

// The label, or what the type says, or UTF-8; a byte order mark counts above all.
function text(bytes: OwnBytes, label: string | undefined, type: string): string {
  const charset = parseParameters(type).get("charset");
  const known = (name: string | undefined) => (name !== undefined && findEncoding(name) !== undefined ? name : undefined);
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? "utf-8"
    : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be"
    : bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : undefined;
  return decode(new TextDecoder(mark ?? known(label) ?? known(charset) ?? "utf-8"), bytes);
}

export function installFileReader(): void {
  for (const type of EVENTS) defineEventHandler(FileReader.prototype, type);
  exposeInterface("ProgressEvent", ProgressEvent);
  exposeInterface("FileReader", FileReader);
  defineConstants(FileReader, { EMPTY, LOADING, DONE });
}
