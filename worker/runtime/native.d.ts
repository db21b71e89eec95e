// Every native function the runtime has. User code never sees this object; a reviewer reads this file like a policy.

interface Native {
  // -- worker/host-natives.c++ ------------------------------------------------------------------------------------------

  // Fills the array with numbers in [0, 1) from the process's own generator (worker/engine/random.h).
  randomDoubles(into: Float64Array): void;

  // Calls back after `delayMs` (again and again if `repeat`); the timer belongs to the current invocation and dies with
  // it. Throws at top level, and when there are as many as there may be. Never returns 0.
  setTimer(callback: () => void, delayMs: number, repeat: boolean): number;
  clearTimer(id: number): void;

  // One line for the console of whoever loaded the worker. 0 debug, 1 info, 2 log, 3 warn, 4 error.
  log(level: number, text: string): void;

  // For accounts and tails: something was thrown that nobody caught. Runs no user code.
  noteThrown(exception: unknown): void;

  // Throws "Disallowed operation called within global scope..." while the modules are being evaluated.
  refuseAtTopLevel(): void;

  // The invocation whose code is running, also after an await; 0 if none.
  currentInvocation(): number;
  // Its place in a trace as HTTP's header of that name has it; undefined if it is part of none.
  traceparent(): string | undefined;

  // Has the host call runTicks() when the code of now has returned.
  requestTicks(): void;

  // -- worker/rpc-natives.c++: ipc/js/wire.ts says what they mean ----------------------------------------------------------

  // Nothing of the invocation is left, waitUntil() included: its timers are cancelled.
  invocationEnded(id: number): void;
  // Throws if the value cannot be sent; the call is then not answered yet.
  settle(call: number, ok: boolean, value: unknown, pipeline: number, disposable: boolean): boolean;
  rpcCall(target: number, path: string[], args: unknown[] | undefined): number;
  rpcRelease(id: number): void;
  rpcLoopback(target: number): number;
  rpcLoad(loader: number, code: object): number;
  rpcEntrypoint(worker: number, name: string, props: unknown, limits: object | undefined): number;
  rpcGet(loader: number, name: string, factory: number): number;
  rpcGiveCode(call: number, code: object): void;
  rpcByName(loader: number, act: number, name: string): number;
  rpcRevoke(worker: number): void;
  rpcPromise(): number;
  rpcResolve(promise: number, worker: number): void;
  rpcReject(promise: number, message: string): void;

  // Ends the process; no JavaScript runs after it.
  abortIsolate(): void;

  // -- worker/web/hooks.c++ --

  // Once, by main.ts: the functions that C++ calls.
  provideHooks(hooks: Hooks): void;

  // -- worker/web/url.c++: ada --

  // Undefined: not a URL.
  urlParse(input: string, base: string | undefined): UrlRecord | undefined;
  urlCanParse(input: string, base: string | undefined): boolean;
  // The URL with one part replaced by the rules of its setter. Undefined: `value` is no URL (only for part 0, href).
  urlUpdate(href: string, part: UrlPart, value: string): UrlRecord | undefined;
  // application/x-www-form-urlencoded to [name, value, name, value, ...]; one leading "?" is dropped.
  formParse(text: string): string[];
  formSerialize(flatPairs: string[]): string;

  // -- worker/web/encoding.c++: V8, simdutf, ICU --

  utf8Encode(text: string): Uint8Array<ArrayBuffer>;
  // [UTF-16 units read, bytes written]
  utf8EncodeInto(text: string, into: Uint8Array): [number, number];
  // Undefined: fatal, and not UTF-8. Keeps a byte order mark.
  utf8Decode(bytes: BufferSource, fatal: boolean): string | undefined;
  // Undefined: not Latin-1.
  base64Encode(latin1: string): string | undefined;
  // Undefined: not base64 by the forgiving rules of atob().
  base64Decode(text: string): string | undefined;
  // A converter by ICU's name; undefined: unknown.
  decoderOpen(icuName: string, fatal: boolean): DecoderHandle | undefined;
  // Undefined: fatal, and malformed; the converter is then back at its start.
  decoderDecode(decoder: DecoderHandle, bytes: BufferSource, flush: boolean): string | undefined;

  // -- worker/web/compression.c++: zlib and brotli --

  // Throws a RangeError if the worker has no memory for it.
  zlibOpen(format: CompressionFormat, decompress: boolean): ZlibHandle;
  // Reads and writes some 100 kB at most: [what came of it, bytes read, bytes made]. `finish`: nothing comes after the input. Once
  // it has ended or is broken it is closed, and broken for all that comes. Throws a RangeError if memory runs out.
  zlibStep(stream: ZlibHandle, input: Uint8Array, finish: boolean): [ZlibStatus, number, Uint8Array<ArrayBuffer> | undefined];
  // Gives its memory back early.
  zlibClose(stream: ZlibHandle): void;

  // -- worker/web/html-rewriter.c++ --

  // A WebAssembly.Module, compiled anew. Throws if the profile has no WebAssembly.
  htmlRewriterModule(): object;

  // -- worker/web/crypto/: OpenSSL. Undefined: it refuses the operation. The caller has checked the sizes of keys and IVs. --

  digest(hash: HashId, data: BufferSource): ArrayBuffer | undefined;
  digestOpen(hash: HashId): DigestHandle;
  digestUpdate(digest: DigestHandle, data: BufferSource): void;
  // Once; the handle is of no use after it.
  digestFinish(digest: DigestHandle): ArrayBuffer | undefined;
  hmac(hash: HashId, key: Uint8Array, data: BufferSource): ArrayBuffer | undefined;
  // False if the sizes differ; where they do not, the time tells nothing of the contents.
  equalInConstantTime(a: BufferSource, b: BufferSource): boolean;
  pbkdf2(hash: HashId, password: Uint8Array, salt: Uint8Array, iterations: number, byteLength: number): ArrayBuffer | undefined;
  hkdf(hash: HashId, secret: Uint8Array, salt: Uint8Array, info: Uint8Array, byteLength: number): ArrayBuffer | undefined;
  aesGcm(encrypt: boolean, key: Uint8Array, iv: Uint8Array, data: BufferSource, additionalData: Uint8Array, tagBytes: number): ArrayBuffer | undefined;
  aesCbc(encrypt: boolean, key: Uint8Array, iv: Uint8Array, data: BufferSource): ArrayBuffer | undefined;
  aesCtr(key: Uint8Array, counter: Uint8Array, counterBits: number, data: BufferSource): ArrayBuffer | undefined;
  aesKw(wrap: boolean, key: Uint8Array, data: BufferSource): ArrayBuffer | undefined;

  // Asymmetric keys. What is read is checked: the kind, the size, that a point is on its curve, that the halves belong together.
  keyGenerate(kind: KeyKind): KeyHandle | undefined;   // all kinds but RSA
  keyGenerateRsa(bits: number, publicExponent: Uint8Array): KeyHandle | undefined;
  // PKCS #8 or SubjectPublicKeyInfo.
  keyFromDer(kind: KeyKind, isPrivate: boolean, der: Uint8Array): KeyHandle | undefined;
  // Of the kinds but RSA.
  keyFromParts(kind: KeyKind, publicPart: Uint8Array, privatePart: Uint8Array | undefined): KeyHandle | undefined;
  keyFromRsaParts(n: Uint8Array, e: Uint8Array): KeyHandle | undefined;
  keyFromRsaParts(n: Uint8Array, e: Uint8Array, d: Uint8Array, p: Uint8Array, q: Uint8Array, dp: Uint8Array, dq: Uint8Array, qi: Uint8Array): KeyHandle | undefined;
  keyToDer(key: KeyHandle, isPrivate: boolean): ArrayBuffer | undefined;
  // What the functions above take.
  keyToParts(kind: KeyKind, key: KeyHandle, isPrivate: boolean): ArrayBuffer[] | undefined;
  keySign(key: KeyHandle, scheme: SignatureScheme, hash: HashId, saltBytes: number, data: BufferSource): ArrayBuffer | undefined;
  keyVerify(key: KeyHandle, scheme: SignatureScheme, hash: HashId, saltBytes: number, signature: BufferSource, data: BufferSource): boolean;
  keyAgree(privateKey: KeyHandle, publicKey: KeyHandle): ArrayBuffer | undefined;
  rsaOaep(encrypt: boolean, key: KeyHandle, hash: HashId, label: Uint8Array, data: BufferSource): ArrayBuffer | undefined;

  // -- worker/web/values.c++: questions about values that run no user code --

  classify(value: unknown): ValueClass;
  // The name a stack trace would use.
  constructorName(value: object): string;
  // What stands behind a proxy (of a proxy ...); null if revoked.
  proxyTarget(value: object): object | null;
  // What a Map, Set or one of their iterators holds; undefined if it holds nothing to look at.
  entriesOf(value: object): unknown[] | undefined;
  // [0 pending | 1 fulfilled | 2 rejected, result]
  promiseState(promise: object): [number, unknown];
  // Of a view or buffer, shared ones included; 0 for anything else and for views out of bounds.
  byteLength(value: unknown): number;
  // What is inside `new Number(1)` and its like.
  primitiveOf(boxed: object): unknown;
  // Cryptographic randomness.
  fillRandomBytes(into: ArrayBufferView): void;
  // `transfer` holds distinct ArrayBuffers.
  structuredClone(value: unknown, transfer: ArrayBuffer[]): unknown;

  // -- worker/node/: for Node.js's own library (worker/runtime/node/). User code reaches some of these with anything as their arguments. --

  // [bytes of the longest array, units of the longest string]
  bufferLimits(): [number, number];
  bufferByteLengthUtf8(text: string): number;
  // -1, 0 or 1.
  bufferCompare(a: ArrayBufferView, b: ArrayBufferView): number;
  bufferCompareOffset(a: ArrayBufferView, b: ArrayBufferView, bStart: number, aStart: number, bEnd: number, aEnd: number): number;
  bufferCopy(from: ArrayBufferView, to: ArrayBufferView, toStart: number, fromStart: number, count: number): number;
  // -2: out of bounds; -1: nothing to fill with.
  bufferFill(into: ArrayBufferView, value: string | ArrayBufferView | number, start: number, end: number, encoding: string): -1 | -2 | undefined;
  bufferIsAscii(bytes: BufferSource): boolean;
  bufferIsUtf8(bytes: BufferSource): boolean;
  // `encoding`: its number in BufferEncoding of worker/node/buffer-text.h.
  bufferIndexOfString(bytes: ArrayBufferView, text: string, from: number, encoding: number, forward: boolean): number;
  bufferIndexOfBuffer(bytes: ArrayBufferView, wanted: ArrayBufferView, from: number, encoding: number, forward: boolean): number;
  bufferIndexOfNumber(bytes: ArrayBufferView, byte: number, from: number, forward: boolean): number;
  bufferSwap16(bytes: ArrayBufferView): ArrayBufferView;
  bufferSwap32(bytes: ArrayBufferView): ArrayBufferView;
  bufferSwap64(bytes: ArrayBufferView): ArrayBufferView;
  bufferAsciiSlice(bytes: ArrayBufferView, start?: number, end?: number): string;
  bufferBase64Slice(bytes: ArrayBufferView, start?: number, end?: number): string;
  bufferBase64urlSlice(bytes: ArrayBufferView, start?: number, end?: number): string;
  bufferHexSlice(bytes: ArrayBufferView, start?: number, end?: number): string;
  bufferLatin1Slice(bytes: ArrayBufferView, start?: number, end?: number): string;
  bufferUcs2Slice(bytes: ArrayBufferView, start?: number, end?: number): string;
  bufferUtf8Slice(bytes: ArrayBufferView, start?: number, end?: number): string;
  // Bytes written; no part of a character.
  bufferBase64Write(into: ArrayBufferView, text: string, offset?: number, length?: number): number;
  bufferHexWrite(into: ArrayBufferView, text: string, offset?: number, length?: number): number;
  bufferLatin1Write(into: ArrayBufferView, text: string, offset?: number, length?: number): number;
  bufferUcs2Write(into: ArrayBufferView, text: string, offset?: number, length?: number): number;
  bufferUtf8Write(into: ArrayBufferView, text: string, offset?: number, length?: number): number;

  // What kind of value it is, by V8's own word.
  typesIsExternal(value: unknown): boolean;
  typesIsDate(value: unknown): boolean;
  typesIsArgumentsObject(value: unknown): boolean;
  typesIsBigIntObject(value: unknown): boolean;
  typesIsBooleanObject(value: unknown): boolean;
  typesIsNumberObject(value: unknown): boolean;
  typesIsStringObject(value: unknown): boolean;
  typesIsSymbolObject(value: unknown): boolean;
  typesIsNativeError(value: unknown): boolean;
  typesIsRegExp(value: unknown): boolean;
  typesIsAsyncFunction(value: unknown): boolean;
  typesIsGeneratorFunction(value: unknown): boolean;
  typesIsGeneratorObject(value: unknown): boolean;
  typesIsPromise(value: unknown): boolean;
  typesIsMap(value: unknown): boolean;
  typesIsSet(value: unknown): boolean;
  typesIsMapIterator(value: unknown): boolean;
  typesIsSetIterator(value: unknown): boolean;
  typesIsWeakMap(value: unknown): boolean;
  typesIsWeakSet(value: unknown): boolean;
  typesIsArrayBuffer(value: unknown): boolean;
  typesIsDataView(value: unknown): boolean;
  typesIsSharedArrayBuffer(value: unknown): boolean;
  typesIsProxy(value: unknown): boolean;
  typesIsModuleNamespaceObject(value: unknown): boolean;
  typesIsBoxedPrimitive(value: unknown): boolean;
  // `filter`: v8::PropertyFilter.
  inspectOwnNonIndexProperties(object: object, filter: number): PropertyKey[];
  // With a second argument: [entries, whether they are pairs].
  inspectPreviewEntries(object: object, isIterator?: boolean): unknown[] | undefined;
  inspectProxyDetails(value: unknown, both?: boolean): unknown;
  inspectPromiseDetails(promise: object): [number, unknown?];
  inspectIsConstructor(value: unknown): boolean;
  // A property key that nobody else can find.
  privateSymbol(name: string): symbol;

  // Digests by OpenSSL's names; undefined: there is none of that name. Handles are the runtime's, and so is what is checked of arguments.
  hashInfo(name: string): [number, number] | undefined;
  hashOpen(name: string): NodeHashHandle | undefined;
  hashCopy(hash: NodeHashHandle): NodeHashHandle | undefined;
  hashUpdate(hash: NodeHashHandle, data: BufferSource): void;
  // Once. Undefined: not of that length.
  hashFinish(hash: NodeHashHandle, byteLength: number | undefined): ArrayBuffer | undefined;
  // Undefined: OpenSSL refuses the parameters.
  scrypt(password: BufferSource, salt: BufferSource, cost: number, blockSize: number, parallelization: number, memory: number, byteLength: number): ArrayBuffer | undefined;

  // AES a piece at a time. Sizes of keys and IVs are checked before; undefined: OpenSSL refuses. No handle is used after it has finished.
  cipherOpen(encrypt: boolean, mode: AesMode, key: BufferSource, iv: BufferSource): NodeCipherHandle | undefined;
  cipherPadding(cipher: NodeCipherHandle, on: boolean): void;
  cipherAdditional(cipher: NodeCipherHandle, data: BufferSource): boolean;
  cipherUpdate(cipher: NodeCipherHandle, data: BufferSource): ArrayBuffer | undefined;
  // What is left, or why it is wrong: OpenSSL's text, reason and library.
  cipherFinish(cipher: NodeCipherHandle): ArrayBuffer | [text: string, reason: string, library: string] | undefined;
  // Of GCM: set before finishing what is decrypted, got after finishing what is encrypted.
  cipherSetTag(cipher: NodeCipherHandle, tag: BufferSource): boolean;
  cipherGetTag(cipher: NodeCipherHandle, byteLength: number): ArrayBuffer | undefined;

  // zlib as node:zlib drives it. `mode`: Node.js's numbers (DEFLATE 1 ... UNZIP 7). Throws a RangeError if memory runs out.
  deflatingOpen(mode: number, windowBits: number, level: number, memoryLevel: number, strategy: number, dictionary: Uint8Array | undefined): NodeZlibHandle;
  // At most 256 kB of input a step: [zlib's code, input left of what it was given, room left].
  deflatingStep(stream: NodeZlibHandle, flush: number, input: Uint8Array, output: Uint8Array): [number, number, number];
  // What zlib says of the last failure.
  deflatingMessage(stream: NodeZlibHandle): string | undefined;
  deflatingParams(stream: NodeZlibHandle, level: number, strategy: number): number;
  deflatingReset(stream: NodeZlibHandle): number;
  deflatingClose(stream: NodeZlibHandle): void;
  crc32(data: Uint8Array, start: number): number;

  // Brotli as node:zlib drives it. Of `parameters`, 0xffffffff is absent. Undefined: one of them is refused. Throws as deflatingOpen does.
  brotliOpen(decompress: boolean, parameters: Uint32Array): NodeBrotliHandle | undefined;
  // At most 256 kB of input and 1 MB of output a step: [status, input left of what it was given, room left].
  brotliStep(stream: NodeBrotliHandle, operation: number, input: Uint8Array, output: Uint8Array): [BrotliStatus, number, number];
  // Why decompressing failed.
  brotliError(stream: NodeBrotliHandle): [code: number, name: string] | undefined;
  brotliReset(stream: NodeBrotliHandle): boolean;
  brotliClose(stream: NodeBrotliHandle): void;

  // What V8 carries through awaits: runtime/node/async-frame.ts says what is in it.
  getContinuation(): unknown;
  setContinuation(value: unknown): void;
}

declare const native: Native;

type BufferSource = ArrayBufferView | ArrayBuffer;

type DecoderHandle = { readonly decoder: unique symbol };

type ZlibHandle = { readonly zlib: unique symbol };

// gzip, deflate, deflate-raw, brotli
type CompressionFormat = 0 | 1 | 2 | 3;

// goes on, ended, broken
type ZlibStatus = 0 | 1 | 2;

// MD5, SHA-1, SHA-256, SHA-384, SHA-512
type HashId = 0 | 1 | 2 | 3 | 4;

// P-256, P-384, P-521, Ed25519, X25519, RSA
type KeyKind = 0 | 1 | 2 | 3 | 4 | 5;

// RSASSA-PKCS1-v1_5, RSA-PSS, ECDSA, Ed25519
type SignatureScheme = 0 | 1 | 2 | 3;

// An asymmetric key: a pair, or the public half.
type KeyHandle = { readonly key: unique symbol };

type NodeCipherHandle = { readonly nodeCipher: unique symbol };

// GCM, CBC, CTR
type AesMode = 0 | 1 | 2;

type NodeHashHandle = { readonly nodeHash: unique symbol };

type NodeBrotliHandle = { readonly nodeBrotli: unique symbol };

// fine, needs more input (to decompress), failed
type BrotliStatus = 0 | 1 | 2;

type NodeZlibHandle = { readonly nodeZlib: unique symbol };

type DigestHandle = { readonly digest: unique symbol };

// [href, protocolEnd, usernameEnd, hostStart, hostEnd, port, pathnameStart, searchStart, hashStart]; 0xffffffff: absent.
type UrlRecord = [string, number, number, number, number, number, number, number, number];

// href, protocol, username, password, host, hostname, port, pathname, search, hash
type UrlPart = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

// other, proxy, function, array, error, map, set, date, regexp, promise, typed array, DataView, ArrayBuffer, boxed primitive,
// weak collection, iterator, generator, module namespace
type ValueClass = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17;

// The functions C++ calls. None of them is reachable by user code.
interface Hooks {
  // -- for the host --

  // Once in each process, when the context has come out of the snapshot and before user code exists.
  contextStarted(): void;
  // Once a module's evaluation begins (and before, for each rehearsal).
  // `outbound`: an import, where fetch() goes; 0: nowhere.
  // `node`: NODE_... of runtime/node/compatibility.ts, added up.
  begin(env: unknown, stubsAreGivenAway: boolean, outbound: number, node: number): void;
  setMain(namespace: Record<string, unknown>): void;
  // A call on an entrypoint; the arguments have just been read.
  invoke(id: number, name: string, props: unknown, path: string[], args: unknown[] | undefined): void;
  // A call on an export.
  deliver(call: number, target: number, path: string[], args: unknown[] | undefined): void;
  // The invocation in which a value for it is to be read.
  ownerOfExport(target: number): number;
  ownerOfCall(call: number): number;
  answered(call: number, kind: number, value: unknown, externals: number, disposable: boolean, pipeline: boolean): void;
  released(target: number): void;
  // A value that was being read turned out to be malformed.
  dropReceived(): void;
  // Something may still come from outside.
  isAwaiting(): boolean;
  // Nobody waits for the answer to this call any more.
  abandoned(call: number): void;
  // Every call has been ended.
  forgetAll(): void;
  // What process.nextTick() has queued.
  runTicks(): void;
  // A rehearsal is over: Node.js's globals are not there.
  forgetNode(): void;
  // What `specifier` names in Node.js; undefined: nothing, or this worker does not have it.
  nodeModule(specifier: string): object | undefined;

  // Formats and logs an exception nobody caught, after an `error` event at the global object.
  reportException(exception: unknown): void;
  // A promise was rejected and nobody handles it; `handled`: that was said before, and now somebody does. Whether it is to be logged.
  promiseRejected(promise: object, reason: unknown, handled: boolean): boolean;
  // Text for people: what console.log(value) would print.
  inspect(value: unknown): string;

  // -- for worker/engine/value-v8-*.c++ --

  // [kind, id, imported]; undefined: nothing that can be handed over.
  externalOf(value: object): [number, number, boolean] | undefined;
  fromExternal(kind: number, id: number): object;
  // In the order of ErrorPrototype in ipc/value-graph.h.
  errorPrototypes: object[];
  makeError(prototype: number): Error;
  makeDomException(message: string, name: string): object;
  // [name, message]; undefined: not a DOMException.
  domExceptionParts(value: object): [string, string] | undefined;
  makeResizableBuffer(byteLength: number, maxByteLength: number): ArrayBuffer;
  // A view that follows its buffer's length; `kind` is ViewKind in ipc/value-graph.h.
  makeTrackingView(kind: number, buffer: ArrayBuffer, byteOffset: number): ArrayBufferView;
  // What an object of the platform is made of: [interface, state] as in ipc/value.capnp; undefined: nothing that can be cloned.
  // `everything`: also what only a call may carry.
  platformOf(object: object, everything: boolean): [string, unknown[]] | undefined;
  // An empty one, which is filled when the whole value is there.
  makePlatform(name: string): object;
  fillPlatform(name: string, object: object, state: unknown): void;
  // Whether structuredClone() must refuse the object: an instance of one of the runtime's own classes.
  isPlatformObject(value: object): boolean;
}
