// What node:url needs beside its legacy parser, over the platform's URL.

import { primordials, requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { URL, URLSearchParams } from "../url.ts";

const WEB_PROTOCOLS = ["http", "https", "ftp", "ws", "wss", "gopher", "file"];
const setOf = (names: string[]) => {
  const set = new primordials["SafeSet"]();
  for (const name of names) {
    set.add(name);
    set.add(`${name}:`);
  }
  return set;
};

const isUrl = (value: unknown): value is URL => value instanceof URL;

function fileURLToPath(path: unknown, options: { windows?: boolean } = {}): string {
  const { codes } = requireInternal("internal/errors");
  if (typeof path === "string") path = new URL(path);
  else if (!isUrl(path)) throw new codes["ERR_INVALID_ARG_TYPE"]("path", ["string", "URL"], path);
  const url = path as URL;
  if (url.protocol !== "file:") throw new codes["ERR_INVALID_URL_SCHEME"]("file");
  if (options?.windows) return windowsPath(url, codes);
  if (url.hostname !== "") throw new codes["ERR_INVALID_FILE_URL_HOST"]("linux");
  if (/%2f/i.test(url.pathname)) throw new codes["ERR_INVALID_FILE_URL_PATH"]("must not include encoded / characters", url);
  return decodeURIComponent(url.pathname);
}

function windowsPath(url: URL, codes: Exports): string {
  if (/%(2f|5c)/i.test(url.pathname)) throw new codes["ERR_INVALID_FILE_URL_PATH"]("must not include encoded \\ or / characters", url);
  const path = decodeURIComponent(url.pathname.replaceAll("/", "\\"));
  if (url.hostname !== "") return `\\\\${url.hostname}${path}`;
  if (!/^\\[a-z]:/i.test(path)) throw new codes["ERR_INVALID_FILE_URL_PATH"]("must be absolute", url);
  return path.slice(1);
}

function pathToFileURL(path: string, options: { windows?: boolean } = {}): URL {
  requireInternal("internal/validators")["validateString"](path, "path");
  const { posix, win32 } = requireInternal("path");
  let resolved: string = options?.windows ? win32.resolve(path) : posix.resolve(path);
  if (/[/]$/.test(path) && !resolved.endsWith("/")) resolved += "/";
  const escaped = resolved.replace(/[%\n\r\t?#]/g, (character) => encodeURIComponent(character));
  if (!options?.windows) return new URL(`file://${escaped.replaceAll("\\", "%5C")}`);
  const slashes = escaped.replaceAll("\\", "/");
  return new URL(slashes.startsWith("//") ? `file:${slashes}` : `file:///${slashes}`);
}

function urlToHttpOptions(url: URL): Exports {
  const { hostname, pathname, port, username, password, search } = url;
  const options: Exports = {
    __proto__: null,
    ...url,
    protocol: url.protocol,
    hostname: hostname && hostname[0] === "[" ? hostname.slice(1, -1) : hostname,
    hash: url.hash,
    search,
    pathname,
    path: `${pathname || ""}${search || ""}`,
    href: url.href,
  };
  if (port !== "") options["port"] = Number(port);
  if (username || password) options["auth"] = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return options;
}

function hostOf(domain: unknown): string {
  const url = URL.canParse(`ws://${String(domain)}`) ? new URL(`ws://${String(domain)}`) : undefined;
  return url?.hostname ?? "";
}

export function nodeUrl(): Exports {
  return {
    URL, URLSearchParams,
    isURL: isUrl,
    isURLInstance: isUrl,
    getURLHref: (url: URL) => url.href,
    getURLOrigin: (url: URL) => url.origin,
    fileURLToPath,
    fileURLToPathBuffer: (path: unknown, options?: { windows?: boolean }) => requireInternal("buffer")["Buffer"].from(fileURLToPath(path, options)),
    pathToFileURL,
    toPathIfFileURL: (value: unknown) => isUrl(value) ? fileURLToPath(value) : value,
    urlToHttpOptions,
    domainToASCII: hostOf,
    domainToUnicode: (domain: unknown) => requireInternal("punycode")["toUnicode"](hostOf(domain)),
    unsafeProtocol: setOf(["javascript"]),
    hostlessProtocol: setOf(["javascript"]),
    slashedProtocol: setOf(WEB_PROTOCOLS),
  };
}
