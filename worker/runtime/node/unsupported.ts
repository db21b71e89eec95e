// Modules of Node.js that reach for the machine. They can be imported, because libraries import them for what they may never use; what is
// called or constructed throws and says so.

import { requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { defineProperty } from "../primordials.ts";

const NAMES: Record<string, string> = {
  "child_process": "ChildProcess exec execFile execFileSync execSync fork spawn spawnSync",
  "cluster": "Worker disconnect fork setupMaster setupPrimary",
  "dgram": "Socket createSocket",
  "dns": "Resolver lookup lookupService resolve resolve4 resolve6 resolveAny resolveCaa resolveCname resolveMx resolveNaptr resolveNs resolvePtr resolveSoa resolveSrv resolveTxt reverse setServers getServers setDefaultResultOrder getDefaultResultOrder",
  "dns/promises": "Resolver lookup lookupService resolve resolve4 resolve6 resolveAny resolveCaa resolveCname resolveMx resolveNaptr resolveNs resolvePtr resolveSoa resolveSrv resolveTxt reverse setServers getServers setDefaultResultOrder getDefaultResultOrder",
  "domain": "Domain create createDomain",
  "fs": "Dir Dirent FSWatcher ReadStream Stats WriteStream access accessSync appendFile appendFileSync chmod chmodSync chown chownSync close closeSync copyFile copyFileSync cp cpSync createReadStream createWriteStream fchmod fchown fdatasync fstat fstatSync fsync ftruncate futimes glob globSync lchown link linkSync lstat lstatSync lutimes mkdir mkdirSync mkdtemp mkdtempSync open openAsBlob openSync opendir opendirSync read readFile readFileSync readSync readdir readdirSync readlink readlinkSync readv realpath realpathSync rename renameSync rm rmSync rmdir rmdirSync stat statSync statfs statfsSync symlink symlinkSync truncate truncateSync unlink unlinkSync unwatchFile utimes utimesSync watch watchFile write writeFile writeFileSync writeSync writev",
  "fs/promises": "access appendFile chmod chown copyFile cp glob lchmod lchown link lstat lutimes mkdir mkdtemp open opendir readFile readdir readlink realpath rename rm rmdir stat statfs symlink truncate unlink utimes watch writeFile",
  "http": "Agent ClientRequest IncomingMessage OutgoingMessage Server ServerResponse createServer get request validateHeaderName validateHeaderValue setMaxIdleHTTPParsers",
  "http2": "Http2ServerRequest Http2ServerResponse connect createServer createSecureServer getDefaultSettings getPackedSettings getUnpackedSettings",
  "https": "Agent Server createServer get request",
  "inspector": "Session close open url waitForDebugger",
  "inspector/promises": "Session",
  "net": "BlockList Server Socket SocketAddress Stream connect createConnection createServer",
  "readline": "Interface clearLine clearScreenDown createInterface cursorTo emitKeypressEvents moveCursor",
  "readline/promises": "Interface Readline createInterface",
  "repl": "REPLServer Recoverable start",
  "sqlite": "DatabaseSync StatementSync",
  "tls": "SecureContext Server TLSSocket checkServerIdentity connect createSecureContext createServer getCiphers",
  "trace_events": "createTracing getEnabledCategories",
  "v8": "deserialize serialize Deserializer Serializer getHeapSnapshot getHeapSpaceStatistics getHeapStatistics setFlagsFromString writeHeapSnapshot",
  "vm": "Script compileFunction createContext isContext runInContext runInNewContext runInThisContext",
  "wasi": "WASI",
  "worker_threads": "BroadcastChannel Worker markAsUntransferable moveMessagePortToContext receiveMessageOnPort",
};

const REASONS: Record<string, string> = {
  fs: "a worker has no file system", "fs/promises": "a worker has no file system",
  http: "use fetch()", https: "use fetch()", http2: "use fetch()",
  child_process: "a worker cannot start processes", worker_threads: "a worker has one thread",
};

// What is not a function, or does something harmless.
const VALUES: Record<string, () => Exports> = {
  "cluster": () => ({ isMaster: true, isPrimary: true, isWorker: false, workers: {}, settings: {} }),
  "fs": () => ({ constants: { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, COPYFILE_EXCL: 1, COPYFILE_FICLONE: 2, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024 },
                 existsSync: () => false, promises: unsupported("fs/promises") }),
  "fs/promises": () => ({ constants: { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 } }),
  "dns": () => ({ promises: unsupported("dns/promises") }),
  "http": () => ({ METHODS, STATUS_CODES, globalAgent: {}, maxHeaderSize: 16384 }),
  "https": () => ({ globalAgent: {} }),
  "http2": () => ({ constants: {}, sensitiveHeaders: Symbol("sensitiveHeaders") }),
  "inspector": () => ({ console: (globalThis as Exports)["console"] }),
  "net": () => ({ isIP, isIPv4: (text: unknown) => isIP(text) === 4, isIPv6: (text: unknown) => isIP(text) === 6,
                  getDefaultAutoSelectFamily: () => true, setDefaultAutoSelectFamily() {} }),
  "readline": () => ({ promises: unsupported("readline/promises") }),
  "tls": () => ({ DEFAULT_ECDH_CURVE: "auto", DEFAULT_MAX_VERSION: "TLSv1.3", DEFAULT_MIN_VERSION: "TLSv1.2", rootCertificates: [] }),
  "v8": () => ({ cachedDataVersionTag: () => 0 }),
  "vm": () => ({ constants: {} }),
  "worker_threads": () => ({ isMainThread: true, parentPort: null, threadId: 0, workerData: null, resourceLimits: {}, SHARE_ENV: Symbol.for("nodejs.worker_threads.SHARE_ENV"),
                             MessageChannel: (globalThis as Exports)["MessageChannel"], MessagePort: (globalThis as Exports)["MessagePort"],
                             getEnvironmentData: () => undefined, setEnvironmentData() {} }),
};

const METHODS = "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split(" ");
const STATUS_CODES: Record<string, string> = {
  100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 200: "OK", 201: "Created", 202: "Accepted",
  203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content", 206: "Partial Content", 207: "Multi-Status",
  208: "Already Reported", 226: "IM Used", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other",
  304: "Not Modified", 305: "Use Proxy", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
  402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
  407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required",
  412: "Precondition Failed", 413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 416: "Range Not Satisfiable",
  417: "Expectation Failed", 418: "I'm a Teapot", 421: "Misdirected Request", 422: "Unprocessable Entity", 423: "Locked",
  424: "Failed Dependency", 425: "Too Early", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
  431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 501: "Not Implemented",
  502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported", 506: "Variant Also Negotiates",
  507: "Insufficient Storage", 508: "Loop Detected", 509: "Bandwidth Limit Exceeded", 510: "Not Extended", 511: "Network Authentication Required",
};

function isIP(text: unknown): 0 | 4 | 6 {
  const address = String(text);
  if (/^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/.test(address)) return 4;
  const zone = address.indexOf("%");
  const plain = zone < 0 ? address : address.slice(0, zone);
  return /^[0-9a-fA-F:.]+$/.test(plain) && plain.includes(":") && native.urlCanParse(`http://[${plain}]/`, undefined) ? 6 : 0;
}

function refusal(module: string, name: string): Function {
  // Callable with and without `new`, and able to be a parent class.
  const refuse = function () {
    const reason = REASONS[module];
    const error = new (requireInternal("internal/errors")["codes"]["ERR_METHOD_NOT_IMPLEMENTED"])(`${module}.${name}`);
    if (reason !== undefined) error.message += `: ${reason}`;
    throw error;
  };
  defineProperty(refuse, "name", { value: name, configurable: true });
  return refuse;
}

export const unsupportedNames = (): string[] => Object.keys(NAMES);

const made: Record<string, Exports> = Object.create(null);

export function unsupported(module: string): Exports {
  const known = made[module];
  if (known !== undefined) return known;
  const exports: Exports = {};
  made[module] = exports;
  for (const name of NAMES[module]!.split(" ")) exports[name] = refusal(module, name);
  Object.assign(exports, VALUES[module]?.());
  return exports;
}
