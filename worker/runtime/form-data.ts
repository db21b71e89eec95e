// FormData of the XMLHttpRequest standard. How it is written as a body, and read, is form-data-coding.ts's to say.

import { withValue } from "./pairs.ts";
import { PlainTypeError, dateNow, defineProperty, push, symbolIterator } from "./primordials.ts";
import { Blob, File, blobBytes, fileParts, makeFile, typeOf } from "./blob.ts";
import { provideShower } from "./inspect.ts";
import { exposeInterface, isObject, makePairIterator, requireArguments, toUSVString } from "./webidl.ts";

export type FormEntry = string | File;

let entriesOf: (value: unknown) => FormEntry[] | undefined;
let setEntries: (form: FormData, entries: FormEntry[]) => void;

const makeIterator = makePairIterator<FormData>("FormData", (form, index) => {
  const list = entriesOf(form)!;
  return index * 2 < list.length ? [list[index * 2] as string, list[index * 2 + 1] as string] : undefined;
});

export class FormData {
  #list: FormEntry[] = [];   // name, value, name, value, ...

  static {
    entriesOf = (value) => (isObject(value) && #list in value ? (value as FormData).#list : undefined);
    setEntries = (form, entries) => { form.#list = entries; };
  }

  constructor(form: unknown = undefined) {
    if (form !== undefined) throw new PlainTypeError("Failed to construct 'FormData': there are no form elements here; append() adds entries.");
  }

  append(name: unknown, value: unknown, filename: unknown = undefined): void {
    requireArguments(arguments.length, 2, "'append' on 'FormData'");
    const key = toUSVString(name);
    push(this.#list, key, toEntry(value, filename, "append"));
  }

  delete(name: unknown): void {
    requireArguments(arguments.length, 1, "'delete' on 'FormData'");
    const key = toUSVString(name);
    const kept: FormEntry[] = [];
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] !== key) push(kept, this.#list[i]!, this.#list[i + 1]!);
    }
    this.#list = kept;
  }

  get(name: unknown): FormEntry | null {
    requireArguments(arguments.length, 1, "'get' on 'FormData'");
    const key = toUSVString(name);
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === key) return this.#list[i + 1]!;
    return null;
  }

  getAll(name: unknown): FormEntry[] {
    requireArguments(arguments.length, 1, "'getAll' on 'FormData'");
    const key = toUSVString(name);
    const values: FormEntry[] = [];
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === key) push(values, this.#list[i + 1]!);
    return values;
  }

  has(name: unknown): boolean {
    requireArguments(arguments.length, 1, "'has' on 'FormData'");
    const key = toUSVString(name);
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === key) return true;
    return false;
  }

  set(name: unknown, value: unknown, filename: unknown = undefined): void {
    requireArguments(arguments.length, 2, "'set' on 'FormData'");
    const key = toUSVString(name);
    const entry = toEntry(value, filename, "set");
    this.#list = withValue(this.#list, key, entry);
  }

  entries(): IterableIterator<unknown> { this.#list; return makeIterator(this, "entry"); }
  keys(): IterableIterator<unknown> { this.#list; return makeIterator(this, "key"); }
  values(): IterableIterator<unknown> { this.#list; return makeIterator(this, "value"); }

  forEach(callback: unknown, thisArg: unknown = undefined): void {
    this.#list;
    requireArguments(arguments.length, 1, "'forEach' on 'FormData'");
    if (typeof callback !== "function") throw new PlainTypeError("Failed to execute 'forEach' on 'FormData': parameter 1 is not of type 'Function'.");
    for (let i = 0; i < this.#list.length; i += 2) callCallback(callback, thisArg, [this.#list[i + 1], this.#list[i], this]);
  }
}

const callCallback = Reflect.apply as (f: Function, self: unknown, args: unknown[]) => unknown;

export { entriesOf, setEntries };

// `entries` is the new one's own.
export function makeFormData(entries: FormEntry[]): FormData {
  const form = new FormData();
  setEntries(form, entries);
  return form;
}

// A blob becomes a file.
function toEntry(value: unknown, filename: unknown, where: string): FormEntry {
  const bytes = blobBytes(value);
  if (bytes === undefined) {
    if (filename !== undefined) throw new PlainTypeError(`Failed to execute '${where}' on 'FormData': parameter 2 is not of type 'Blob'.`);
    return toUSVString(value);
  }
  const file = fileParts(value);
  if (file !== undefined && filename === undefined) return value as File;
  const name = filename === undefined ? "blob" : toUSVString(filename);
  return makeFile(bytes, typeOf(value as Blob), name, file?.lastModified ?? dateNow());
}

export function installFormData(): void {
  exposeInterface("FormData", FormData);
  defineProperty(FormData.prototype, symbolIterator, { value: FormData.prototype.entries, writable: true, configurable: true, enumerable: false });
  provideShower((value) => {
    const list = entriesOf(value);
    if (list === undefined) return undefined;
    const shown: Record<string, unknown> = { __proto__: null } as never;
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i] as string;
      const before = shown[name];
      shown[name] = before === undefined ? list[i + 1] : [before, list[i + 1]];
    }
    return ["FormData", shown];
  });
}
