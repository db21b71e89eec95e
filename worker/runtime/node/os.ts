// node:os: of no machine in particular.

import type { Exports } from "./library.ts";
import { PlainError } from "../primordials.ts";

const { constants } = nodeLibrary;
const user = { uid: 0, gid: 0, username: "worker", homedir: "/", shell: null };

export const os: Exports = {
  EOL: "\n",
  devNull: "/dev/null",
  constants: constants.os,
  arch: () => "x64",
  availableParallelism: () => 1,
  cpus: () => [],
  endianness: () => "LE",
  freemem: () => 0,
  getPriority: () => 0,
  homedir: () => "/",
  hostname: () => "localhost",
  loadavg: () => [0, 0, 0],
  machine: () => "x86_64",
  networkInterfaces: () => ({}),
  platform: () => "linux",
  release: () => "",
  setPriority() { throw new PlainError("os.setPriority() is not available in a worker."); },
  tmpdir: () => "/tmp",
  totalmem: () => 0,
  type: () => "Linux",
  uptime: () => 0,
  userInfo: () => ({ ...user }),
  version: () => "",
};
