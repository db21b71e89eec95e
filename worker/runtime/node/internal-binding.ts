// What Node.js's library finds in C++ at home, for the parts of it that run here.

import { asyncFrame, setAsyncFrame } from "./async-frame.ts";
import { provideBinding, requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { stringDecoderBinding } from "./string-decoder.ts";
import { DOMException } from "../dom-exception.ts";
import { PlainError, dateNow, defineProperty, slice } from "../primordials.ts";
import { reportException } from "../report.ts";
import { URL } from "../url.ts";

const { constants } = nodeLibrary;

// v8::PropertyFilter
const PROPERTY_FILTERS = { ALL_PROPERTIES: 0, ONLY_WRITABLE: 1, ONLY_ENUMERABLE: 2, ONLY_CONFIGURABLE: 4, SKIP_STRINGS: 8, SKIP_SYMBOLS: 16 };

const once = (make: () => Exports): (() => Exports) => {
  let made: Exports | undefined;
  return () => made ??= make();
};
const provide = (name: string, make: () => Exports) => provideBinding(name, once(make));

provide("buffer", () => ({
  kMaxLength: native.bufferLimits()[0],
  kStringMaxLength: native.bufferLimits()[1],
  byteLengthUtf8: native.bufferByteLengthUtf8,
  compare: native.bufferCompare,
  compareOffset: native.bufferCompareOffset,
  copy: native.bufferCopy,
  fill: native.bufferFill,
  isAscii: native.bufferIsAscii,
  isUtf8: native.bufferIsUtf8,
  indexOfBuffer: native.bufferIndexOfBuffer,
  indexOfNumber: native.bufferIndexOfNumber,
  indexOfString: native.bufferIndexOfString,
  swap16: native.bufferSwap16,
  swap32: native.bufferSwap32,
  swap64: native.bufferSwap64,
  // -1: a character that is none of base64's, which is what Node.js is told most often.
  atob: (text: string) => native.base64Decode(text) ?? -1,
  btoa: (text: string) => native.base64Encode(text) ?? -1,
  asciiSlice: native.bufferAsciiSlice,
  base64Slice: native.bufferBase64Slice,
  base64urlSlice: native.bufferBase64urlSlice,
  latin1Slice: native.bufferLatin1Slice,
  hexSlice: native.bufferHexSlice,
  ucs2Slice: native.bufferUcs2Slice,
  utf8Slice: native.bufferUtf8Slice,
  base64Write: native.bufferBase64Write,
  base64urlWrite: native.bufferBase64Write,   // it reads both alphabets
  hexWrite: native.bufferHexWrite,
  ucs2Write: native.bufferUcs2Write,
  asciiWriteStatic: native.bufferLatin1Write,
  latin1WriteStatic: native.bufferLatin1Write,
  utf8WriteStatic: native.bufferUtf8Write,
  // No memory here has been anybody else's.
  createUnsafeArrayBuffer: (size: number) => new ArrayBuffer(size),
  arrayBufferAlignedOffset: () => 0,
  setDetachKey() {},
}));

class WeakReference {
  #object: WeakRef<object>;
  #strong: object | undefined;
  #count = 0;
  constructor(object: object) { this.#object = new WeakRef(object); }
  get(): object | undefined { return this.#object.deref(); }
  incRef(): void {
    if (++this.#count === 1) this.#strong = this.#object.deref();
  }
  decRef(): void {
    if (--this.#count === 0) this.#strong = undefined;
  }
}

// A property that is made when it is first asked for, as util.js wants them.
function defineLazyProperties(this: { require(id: string): Exports }, target: object, id: string, keys: string[], enumerable = true): void {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const define = (value: unknown) => defineProperty(target, key, { value, writable: true, configurable: true, enumerable });
    const accessor = {
      get: () => {
        const value = this.require(id)[key];
        define(value);
        return value;
      },
      set: (value: unknown) => { define(value); },
    };
    defineProperty(accessor.get, "name", { value: key, configurable: true });
    defineProperty(target, key, { ...accessor, configurable: true, enumerable });
  }
}

export function provideUtil(requireInternal: (id: string) => Exports): void {
  provide("util", () => ({
    constants: { ...PROPERTY_FILTERS, kPending: 0, kFulfilled: 1, kRejected: 2, kDisallowCloneAndTransfer: 0, kTransferable: 1, kCloneable: 2 },
    privateSymbols: {
      arrow_message_private_symbol: native.privateSymbol("arrowMessage"),
      decorated_private_symbol: native.privateSymbol("decorated"),
      untransferable_object_private_symbol: native.privateSymbol("untransferable"),
    },
    getOwnNonIndexProperties: native.inspectOwnNonIndexProperties,
    getPromiseDetails: native.inspectPromiseDetails,
    getProxyDetails: native.inspectProxyDetails,
    previewEntries: native.inspectPreviewEntries,
    getConstructorName: native.constructorName,
    getExternalValue: () => 0n,
    getCallerLocation: () => undefined,
    isConstructor: native.inspectIsConstructor,
    isInsideNodeModules: () => false,
    constructSharedArrayBuffer: (size: number) => new SharedArrayBuffer(size),
    guessHandleType: () => "PIPE",
    defineLazyProperties: defineLazyProperties.bind({ require: requireInternal }),
    sleep() { throw new PlainError("A worker cannot sleep."); },
    markPromiseAsHandled: (promise: Promise<unknown>) => { promise.then(undefined, () => {}); },
    getCallSites: callSites,
    parseEnv() { throw new PlainError("util.parseEnv() is not available here."); },
    WeakReference,
  }));
}

function callSites(count: number): object[] {
  const { prepareStackTrace, stackTraceLimit } = Error as never as { prepareStackTrace: unknown; stackTraceLimit: number };
  const holder: { stack?: unknown } = {};
  const errors = Error as unknown as { prepareStackTrace: unknown; stackTraceLimit: number; captureStackTrace(into: object, below: unknown): void };
  errors.stackTraceLimit = count + 1;
  errors.prepareStackTrace = (_: unknown, sites: NodeCallSite[]) => sites;
  errors.captureStackTrace(holder, callSites);
  const sites = holder.stack as NodeCallSite[];
  errors.prepareStackTrace = prepareStackTrace;
  errors.stackTraceLimit = stackTraceLimit;
  const list: object[] = [];
  for (let i = 1; i < sites.length; i++) {
    const site = sites[i]!;
    const column = site.getColumnNumber();
    list.push({ functionName: site.getFunctionName() ?? "", scriptId: "0", scriptName: site.getScriptNameOrSourceURL() ?? "",
                lineNumber: site.getLineNumber(), columnNumber: column, column });
  }
  return list;
}

interface NodeCallSite {
  getFunctionName(): string | null;
  getScriptNameOrSourceURL(): string | null;
  getLineNumber(): number;
  getColumnNumber(): number;
}

provide("types", () => ({
  isExternal: native.typesIsExternal,
  isDate: native.typesIsDate,
  isArgumentsObject: native.typesIsArgumentsObject,
  isBigIntObject: native.typesIsBigIntObject,
  isBooleanObject: native.typesIsBooleanObject,
  isNumberObject: native.typesIsNumberObject,
  isStringObject: native.typesIsStringObject,
  isSymbolObject: native.typesIsSymbolObject,
  isBoxedPrimitive: native.typesIsBoxedPrimitive,
  isNativeError: native.typesIsNativeError,
  isRegExp: native.typesIsRegExp,
  isAsyncFunction: native.typesIsAsyncFunction,
  isGeneratorFunction: native.typesIsGeneratorFunction,
  isGeneratorObject: native.typesIsGeneratorObject,
  isPromise: native.typesIsPromise,
  isMap: native.typesIsMap,
  isSet: native.typesIsSet,
  isMapIterator: native.typesIsMapIterator,
  isSetIterator: native.typesIsSetIterator,
  isWeakMap: native.typesIsWeakMap,
  isWeakSet: native.typesIsWeakSet,
  isArrayBuffer: native.typesIsArrayBuffer,
  isDataView: native.typesIsDataView,
  isSharedArrayBuffer: native.typesIsSharedArrayBuffer,
  isProxy: native.typesIsProxy,
  isModuleNamespaceObject: native.typesIsModuleNamespaceObject,
  isAnyArrayBuffer: (value: unknown) => native.typesIsArrayBuffer(value) || native.typesIsSharedArrayBuffer(value),
  isCryptoKey: () => false,
  isKeyObject: () => false,
  isEventTarget: () => false,
}));

provide("config", () => ({ hasIntl: false, hasInspector: false, noBrowserGlobals: false, bits: 64 }));
provide("constants", () => ({ os: constants.os, zlib: constants.zlib, trace: {}, fs: {}, crypto: {} }));
provide("errors", () => ({
  exitCodes: { kNoFailure: 0, kGenericUserError: 1 },
  triggerUncaughtException: (error: unknown) => reportException(error),
}));
provide("uv", () => ({ UV_EOF: -4095, UV_EINVAL: -22, UV_ENOENT: -2, UV_ENOSYS: -38, UV_EEXIST: -17, UV_ENOTSOCK: -88, UV_EBADF: -9,
                       getErrorMap: () => new Map(), errname: (code: number) => `Unknown system error ${code}`,
                       getErrorMessage: (code: number) => `Unknown system error ${code}` }));
provide("timers", () => ({ getLibuvNow: dateNow }));
provide("os", () => ({ getOSInformation: () => ["Linux", "", "", "x86_64"] }));
provide("messaging", () => ({ DOMException }));
provide("async_context_frame", () => ({ getContinuationPreservedEmbedderData: asyncFrame, setContinuationPreservedEmbedderData: setAsyncFrame }));
provide("string_decoder", () => stringDecoderBinding);
provide("url_pattern", () => ({ URLPattern: (globalThis as Exports)["URLPattern"] }));
// Of a name that may stand in a URL: what URL makes of it.
const hostOf = (name: string): string => {
  const record = native.urlParse(`ws://${name}`, undefined);
  if (record === undefined) return "";
  return slice(record[0], record[3], record[4]);
};
provide("encoding_binding", () => ({ toASCII: hostOf, toUnicode: hostOf }));
const unicodeOf = (name: string): string => requireInternal("punycode")["toUnicode"](name);
provide("url", () => ({
  domainToASCII: hostOf,
  domainToUnicode: (name: string) => unicodeOf(hostOf(name)),
  // url.format() of a URL object.
  format(href: string, hash: boolean, unicode: boolean, search: boolean, auth: boolean): string {
    const url = new URL(href);
    if (!hash) url.hash = "";
    if (!search) url.search = "";
    if (!auth) { url.username = ""; url.password = ""; }
    if (!unicode || url.hostname === "") return url.href;
    const [before, after] = [`//${url.hostname}`, `@${url.hostname}`];
    const end = url.href.indexOf(after) > 0 ? url.href.indexOf(after) + 1 : url.href.indexOf(before) + 2;
    return `${url.href.slice(0, end)}${unicodeOf(url.hostname)}${url.href.slice(end + url.hostname.length)}`;
  },
}));
provide("diagnostics_channel", () => ({ subscribers: new Uint32Array(0), notifyChannelActive() {}, notifyChannelInactive() {}, getOrCreateChannelIndex: () => 0, linkNativeChannel() {} }));
provide("stream_wrap", () => ({ WriteWrap: class {}, ShutdownWrap: class {}, kArrayBufferOffset: 1, kReadBytesOrError: 0, kLastWriteWasAsync: 3, streamBaseState: new Int32Array(5) }));
