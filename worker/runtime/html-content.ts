// What handlers of HTMLRewriter are given: elements, end tags, texts, comments, document types and the end of a document. Each stands for
// something in the rewriter's WebAssembly and is of no use once its handler is done, when what it took there is given back.

import { isReadableStream } from "./body.ts";
import { PlainPromise, PlainTypeError, apply, promiseThen, push } from "./primordials.ts";
import { responseParts } from "./response.ts";
import { isObject, makeInterface, platformPrototypes, requireArguments, toDOMString, toDictionary } from "./webidl.ts";

type Options = { html: boolean };

// The bindings' own objects, of which user code sees none.
type RawContent = Record<"before" | "after" | "replace" | "append" | "prepend" | "setInnerContent", (content: string, options: Options) => void> & {
  remove(): void;
  removeAndKeepContent(): void;
  free(): void;
  readonly removed: boolean;
  readonly lastInTextNode: boolean;
  readonly attributes: IterableIterator<[string, string]>;
  readonly namespaceURI: string;
  readonly publicId: string | null;
  readonly systemId: string | null;
  name: string | null;
  tagName: string;
  text: string;
  getAttribute(name: string): string | null;
  hasAttribute(name: string): boolean;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  onEndTag(handler: (tag: RawContent) => unknown): void;
};

const TOKEN = {};

let rawOf: (content: Content) => RawContent;
let invalidate: (content: Content) => void;

class Content {
  #raw: RawContent | undefined;
  constructor(token: unknown = undefined, raw: unknown = undefined) {
    if (token !== TOKEN) throw new PlainTypeError("Illegal constructor");
    this.#raw = raw as RawContent;
  }
  static {
    rawOf = (content) => {
      const raw = content.#raw;
      if (raw === undefined) throw new PlainTypeError("This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.");
      return raw;
    };
    invalidate = (content) => {
      const raw = content.#raw;
      content.#raw = undefined;
      raw?.free();
    };
  }
}

class Changeable extends Content {
  get removed(): boolean { return rawOf(this).removed; }
  before(content: unknown, options: unknown = undefined): this { return put(this, "before", content, options); }
  after(content: unknown, options: unknown = undefined): this { return put(this, "after", content, options); }
  replace(content: unknown, options: unknown = undefined): this { return put(this, "replace", content, options); }
  remove(): this {
    rawOf(this).remove();
    return this;
  }
}

export class Element extends Changeable {
  #atEnd: unknown[] | undefined = undefined;   // handlers

  get tagName(): string { return rawOf(this).tagName; }
  set tagName(name: unknown) { rawOf(this).tagName = toDOMString(name); }
  get attributes(): IterableIterator<[string, string]> { return rawOf(this).attributes; }
  get namespaceURI(): string { return rawOf(this).namespaceURI; }

  getAttribute(name: unknown): string | null {
    requireArguments(arguments.length, 1, "'getAttribute' on 'Element'");
    return rawOf(this).getAttribute(toDOMString(name));
  }
  hasAttribute(name: unknown): boolean {
    requireArguments(arguments.length, 1, "'hasAttribute' on 'Element'");
    return rawOf(this).hasAttribute(toDOMString(name));
  }
  setAttribute(name: unknown, value: unknown): this {
    requireArguments(arguments.length, 2, "'setAttribute' on 'Element'");
    const key = toDOMString(name), text = toDOMString(value);
    rawOf(this).setAttribute(key, text);
    return this;
  }
  removeAttribute(name: unknown): this {
    requireArguments(arguments.length, 1, "'removeAttribute' on 'Element'");
    const key = toDOMString(name);
    rawOf(this).removeAttribute(key);
    return this;
  }
  prepend(content: unknown, options: unknown = undefined): this { return put(this, "prepend", content, options); }
  append(content: unknown, options: unknown = undefined): this { return put(this, "append", content, options); }
  setInnerContent(content: unknown, options: unknown = undefined): this { return put(this, "setInnerContent", content, options); }
  removeAndKeepContent(): this {
    rawOf(this).removeAndKeepContent();
    return this;
  }

  // The bindings know one handler for each element, so there is one of ours that calls all.
  onEndTag(handler: unknown): void {
    const raw = rawOf(this);
    if (typeof handler !== "function") throw new PlainTypeError("Failed to execute 'onEndTag' on 'Element': parameter 1 is not of type 'function'.");
    if (this.#atEnd !== undefined) {
      push(this.#atEnd, handler);
      return;
    }
    const handlers: unknown[] = [handler];
    raw.onEndTag((tag) => handle(EndTag, tag, (content) => callAll(handlers, this, content)));
    this.#atEnd = handlers;
  }
}

export class EndTag extends Content {
  get name(): string { return rawOf(this).name!; }
  set name(name: unknown) { rawOf(this).name = toDOMString(name); }
  before(content: unknown, options: unknown = undefined): this { return put(this, "before", content, options); }
  after(content: unknown, options: unknown = undefined): this { return put(this, "after", content, options); }
  remove(): this {
    rawOf(this).remove();
    return this;
  }
}

export class Comment extends Changeable {
  get text(): string { return rawOf(this).text; }
  set text(text: unknown) { rawOf(this).text = toDOMString(text); }
}

export class Text extends Changeable {
  get text(): string { return rawOf(this).text; }
  get lastInTextNode(): boolean { return rawOf(this).lastInTextNode; }
}

export class Doctype extends Content {
  get name(): string | null { return rawOf(this).name; }
  get publicId(): string | null { return rawOf(this).publicId; }
  get systemId(): string | null { return rawOf(this).systemId; }
}

export class DocumentEnd extends Content {
  append(content: unknown, options: unknown = undefined): this { return put(this, "append", content, options); }
}

type ContentClass = new (token: unknown, raw: unknown) => Content;

// Calls a handler with an object for `raw`. What it returns is a promise if it is to be waited for.
export function handle(contentClass: ContentClass, raw: unknown, call: (content: Content) => unknown): Promise<void> | undefined {
  const content = new contentClass(TOKEN, raw);
  let result: unknown;
  try {
    result = call(content);
  } catch (exception) {
    invalidate(content);
    throw exception;
  }
  if (!isThenable(result)) {
    invalidate(content);
    return undefined;
  }
  return promiseThen(new PlainPromise((resolve) => resolve(result)), () => invalidate(content), (exception) => {
    invalidate(content);
    throw exception;
  });
}

function isThenable(value: unknown): boolean {
  return isObject(value) && typeof (value as { then?: unknown }).then === "function";
}

// One after the other, and each waits for those before it.
function callAll(handlers: unknown[], self: object, tag: Content): unknown {
  let at = 0;
  const goOn = (): unknown => {
    while (at < handlers.length) {
      const result = apply(handlers[at++] as (...args: unknown[]) => unknown, self, [tag]);
      if (isThenable(result)) return promiseThen(new PlainPromise((resolve) => resolve(result)), goOn);
    }
    return undefined;
  };
  return goOn();
}

function put<Self extends Content>(self: Self, how: "before" | "after" | "replace" | "append" | "prepend" | "setInnerContent", content: unknown, options: unknown): Self {
  rawOf(self);
  if (content === undefined) throw new PlainTypeError(`Failed to execute '${how}': 1 argument required, but only 0 present.`);
  if (isReadableStream(content) || responseParts(content) !== undefined) {
    throw new PlainTypeError(`Failed to execute '${how}': a stream or a Response cannot be put into HTML here; read it and pass its text.`);
  }
  const text = toDOMString(content), html = !!toDictionary<Options>(options, "The options of the content").html;
  rawOf(self)[how](text, { html });   // what was converted may have run code that ended the handler's time
  return self;
}

export function installHtmlContent(): void {
  const classes = { Element, EndTag, Comment, Text, Doctype, DocumentEnd };
  for (const name of ["Element", "EndTag", "Comment", "Text", "Doctype", "DocumentEnd"] as const) {
    makeInterface(name, classes[name]);
    push(platformPrototypes, classes[name].prototype);
  }
}
