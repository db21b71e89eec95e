// esbuild as WebAssembly, on files in memory. It is compiled with the worker, instantiated by the first build, and stays: the machine code that
// V8 makes of it while it runs is what makes later builds quick.

import { build, initialize } from "esbuild-wasm/esm/browser.js";
import type { BuildOptions, BuildResult, Message as EsbuildMessage, Plugin } from "esbuild-wasm/esm/browser.js";
import wasmModule from "./esbuild.wasm";
import { MemoryFiles } from "./memory-files.ts";
import { LINE_SHOWN_MAX, Problem } from "./problem.ts";
import type { Message } from "./problem.ts";

export type { BuildOptions, BuildResult, Plugin };

export const files = new MemoryFiles();

// Go looks for these in the global scope.
Object.assign(globalThis, {
  fs: files,
  process: {
    pid: 1, ppid: 1, getuid: () => 1, getgid: () => 1, geteuid: () => 1, getegid: () => 1, getgroups: () => [], umask: () => 0, cwd: () => "/", chdir() {},
  },
});

let started: Promise<void> | undefined;

export async function run(options: BuildOptions): Promise<BuildResult<{ write: false }>> {
  await (started ??= initialize({ wasmModule, worker: false }));
  try {
    return await build({ ...options, absWorkingDir: "/", write: false, logLevel: "silent", logLimit: MESSAGES_MAX });
  } catch (error) {
    const { errors } = error as { errors?: EsbuildMessage[] };
    if (!Array.isArray(errors)) throw error;
    throw new Problem(...errors.map(read));
  }
}

const MESSAGES_MAX = 500;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function read({ text, location, notes }: EsbuildMessage): Message {
  const words = [text, ...notes.map((note) => note.text)].join(" ");
  if (location === null) return { text: words, file: "", line: 0, column: 0, lineText: "" };
  const { file, line, column, lineText } = location;
  // It counts bytes, from 0.
  const before = decoder.decode(encoder.encode(lineText).subarray(0, column)).length;
  return { text: words, file, line, column: before + 1, lineText: lineText.length > LINE_SHOWN_MAX ? "" : lineText };
}
