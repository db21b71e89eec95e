// What is run: the folders of the test tree, and of them the sample that stands for each in the test suite.

import path from "node:path";
import { fileURLToPath } from "node:url";

export const CACHE = fileURLToPath(new URL("../../.cache/wpt", import.meta.url));
export const EXPECTATIONS = fileURLToPath(new URL("expectations", import.meta.url));

export const FOLDERS = [
  "url", "urlpattern", "encoding", "compression", "streams", "dom/abort", "dom/events", "FileAPI",
  "html/webappapis/timers", "html/webappapis/structured-clone", "html/webappapis/atob", "html/webappapis/microtask-queuing",
  "WebCryptoAPI", "console", "hr-time", "performance-timeline", "user-timing", "wasm/jsapi", "webidl", "webmessaging",
];

// Written for a window, and yet they need no document.
export const WINDOW_TESTS = new Set([
  "compression/decompression-with-detach.window.js", "compression/compression-with-detach.window.js",
]);

export const expectationsFile = (folder) => path.join(EXPECTATIONS, `${folder.replaceAll("/", "-")}.json`);
