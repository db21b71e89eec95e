// The web platform's globals, in the order in which they need each other.

import { installAbort } from "./abort.ts";
import { installBlob } from "./blob.ts";
import { installCaches } from "./cache.ts";
import { installConsole } from "./console.ts";
import { installCrypto } from "./crypto.ts";
import "./dom-exception.ts";   // installs itself
import { installEncoding } from "./encoding.ts";
import { installEventSource } from "./event-source.ts";
import { installEvents } from "./event.ts";
import { installFetch } from "./fetch.ts";
import { installFileReader } from "./file-reader.ts";
import { installFormData } from "./form-data.ts";
import { installGlobals } from "./globals.ts";
import { installHeaders } from "./headers.ts";
import { captureWebAssembly, installHtmlRewriter } from "./html-rewriter.ts";
import { inspect } from "./inspect.ts";
import { installMessagePort } from "./message-port.ts";
import { installPromiseRejection, rejectionHooks } from "./promise-rejection.ts";
import { installReporting, reportException } from "./report.ts";
import { installRequest } from "./request.ts";
import { installResponse } from "./response.ts";
import { installSocketConnect } from "./socket-connect.ts";
import { installSocketEvents } from "./socket-events.ts";
import { installScheduler } from "./scheduler.ts";
import { installStreams } from "./streams.ts";
import { codecHooks, installStructuredClone } from "./structured-clone.ts";
import { rpcCodecHooks } from "./rpc.ts";
import { installTimers } from "./timers.ts";
import { installUrl } from "./url.ts";
import { installUrlPattern } from "./url-pattern.ts";
import { installWebSocket } from "./web-socket.ts";

export function installWeb(): void {
  installEvents();
  installAbort();
  installReporting();
  installPromiseRejection();
  installTimers();
  installConsole();
  installEncoding();
  installUrl();
  installCrypto();
  installStructuredClone();
  installGlobals();
  installStreams();
  installHeaders();
  installBlob();
  installFormData();
  installRequest();
  installResponse();
  installFetch();
  installSocketEvents();
  installWebSocket();
  installSocketConnect();
  installMessagePort();
  installFileReader();
  installScheduler();
  installCaches();
  installEventSource();
  installUrlPattern();
  installHtmlRewriter();
  native.provideHooks(webHooks);
}

export const webHooks: Hooks = {
  __proto__: null, ...codecHooks, ...rpcCodecHooks, ...rejectionHooks, reportException,
  inspect: (value: unknown) => inspect(value),
  contextStarted(): void {
    codecHooks.contextStarted();
    captureWebAssembly();
  },
} as unknown as Hooks;
