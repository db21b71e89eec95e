// What tests of the command that serves have in common: processes and folders that do not outlive them.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";

export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const running = [];
const folders = [];
after(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true });
});

export function temporaryFolder(name) {
  const folder = mkdtempSync(path.join(tmpdir(), `glovebox-${name}-`));
  folders.push(folder);
  return folder;
}
