// The files that esbuild sees: what there is in memory, and nothing to write to. esbuild's WebAssembly is a Go program, whose system calls
// go to a `globalThis.fs` with the interface of Node's; its own resolver works on it (package.json, tsconfig.json and their many rules).

type Callback = (error: Error | null, result?: unknown) => void;

interface Open {
  readonly path: string;
  position: number;
}

// One project at a time: all that is there belongs to the build under way.
export class MemoryFiles {
  #files = new Map<string, Uint8Array>();
  #folders = new Map<string, Set<string>>([["/", new Set()]]);
  #links = new Map<string, string>();
  readonly #open = new Map<number, Open>();
  #next = 16;
  #input: ((...args: unknown[]) => void) | undefined;

  // What Go asks for at its start. It never writes.
  readonly constants = { O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 0o100, O_EXCL: 0o200, O_TRUNC: 0o1000, O_APPEND: 0o2000, O_DIRECTORY: 0o200000 };

  clear(): void {
    this.#files = new Map();
    this.#folders = new Map([["/", new Set()]]);
    this.#links = new Map();
    this.#open.clear();
  }

  // `path` is absolute and normal. What is there already stays.
  add(path: string, body: Uint8Array): void {
    if (this.#files.has(path) || this.#folders.has(path)) return;
    const [folder, name] = split(path);
    // A file where a folder is to be: the file stays, as on a disk.
    for (let above = folder; above !== "/"; above = split(above)[0]) if (this.#files.has(above)) return;
    this.#files.set(path, body);
    this.#enter(folder, name);
  }

  // A folder that is another one's name, as pnpm has them; both paths are absolute and normal.
  link(path: string, target: string): void {
    if (this.#files.has(path) || this.#folders.has(path)) return;
    this.#links.set(path, target);
    this.#enter(...split(path));
  }

  #enter(folder: string, name: string): void {
    for (;;) {
      let names = this.#folders.get(folder);
      const known = names !== undefined;
      if (names === undefined) this.#folders.set(folder, names = new Set());
      names.add(name);
      if (known || folder === "/") break;
      [folder, name] = split(folder);
    }
  }

  has(path: string): boolean { return this.#files.has(path); }
  hasFolder(path: string): boolean { return this.#folders.has(this.#real(path)); }
  get(path: string): Uint8Array | undefined { return this.#files.get(path); }

  // -- Node's interface, as far as Go uses it ----------------------------------------------------------------------------------

  open(path: string, flags: number, _mode: number, callback: Callback): void {
    if ((flags & 3) !== 0) return callback(failed("EROFS"));
    const real = this.#real(path);
    if (this.#status(real) === undefined) return callback(failed("ENOENT"));
    const descriptor = this.#next++;
    this.#open.set(descriptor, { path: real, position: 0 });
    callback(null, descriptor);
  }

  close(descriptor: number, callback: Callback): void {
    this.#open.delete(descriptor);
    callback(null);
  }

  stat(path: string, callback: Callback): void {
    const status = this.#status(this.#real(path));
    if (status === undefined) callback(failed("ENOENT"));
    else callback(null, status);
  }
  lstat(path: string, callback: Callback): void {
    if (this.#linkAt(path) !== undefined) callback(null, new Status(0o120777, 0, false));
    else this.stat(path, callback);
  }

  fstat(descriptor: number, callback: Callback): void {
    const open = this.#open.get(descriptor);
    if (open === undefined) callback(failed("EBADF"));
    else this.stat(open.path, callback);
  }

  readdir(path: string, callback: Callback): void {
    const real = this.#real(path);
    const names = this.#folders.get(real);
    if (names === undefined) callback(failed(this.#files.has(real) ? "ENOTDIR" : "ENOENT"));
    else callback(null, [...names]);
  }

  readlink(path: string, callback: Callback): void {
    const target = this.#linkAt(path);
    if (target === undefined) callback(failed("EINVAL"));
    else callback(null, target);
  }

  // Descriptor 0 is the line from esbuild's JavaScript to its Go, which that JavaScript sets up by assigning to `read`.
  get read(): (descriptor: number, ...rest: unknown[]) => void {
    return (descriptor, ...rest) => {
      if (descriptor === 0) this.#input!(descriptor, ...rest);
      else this.#read(descriptor, ...(rest as [Uint8Array, number, number, number | null, Callback]));
    };
  }
  set read(input: (...args: unknown[]) => void) { this.#input = input; }

  #read(descriptor: number, buffer: Uint8Array, offset: number, length: number, position: number | null, callback: Callback): void {
    const open = this.#open.get(descriptor);
    const body = open && this.#files.get(open.path);
    if (open === undefined || body === undefined) return callback(failed(open === undefined ? "EBADF" : "EISDIR"));
    const from = position ?? open.position;
    const count = Math.max(0, Math.min(length, body.length - from));
    buffer.set(body.subarray(from, from + count), offset);
    if (position === null) open.position += count;
    callback(null, count);
  }

  // To descriptors 1 and 2: esbuild's JavaScript assigns it.
  writeSync: (descriptor: number, bytes: Uint8Array) => number = (_descriptor, bytes) => bytes.length;
  write(descriptor: number, buffer: Uint8Array, offset: number, length: number, _position: number | null, callback: Callback): void {
    callback(null, this.writeSync(descriptor, buffer.subarray(offset, offset + length)));
  }

  // Where the link leads that is itself at `path`.
  #linkAt(path: string): string | undefined {
    if (this.#links.size === 0) return undefined;
    const [folder, name] = split(path);
    const real = this.#real(folder);
    return this.#links.get(`${real === "/" ? "" : real}/${name}`);
  }

  // Without links on the way. Where they go in a circle, it leads nowhere.
  #real(path: string): string {
    if (this.#links.size === 0) return path;
    for (let hops = 0; hops < LINKS_FOLLOWED_MAX; hops++) {
      let end = path.indexOf("/", 1);
      let target: string | undefined;
      for (; ; end = path.indexOf("/", end + 1)) {
        target = this.#links.get(end === -1 ? path : path.slice(0, end));
        if (target !== undefined || end === -1) break;
      }
      if (target === undefined) return path;
      path = target + (end === -1 ? "" : path.slice(end));
    }
    return "/:circle";
  }

  #status(path: string): object | undefined {
    const body = this.#files.get(path);
    if (body !== undefined) return new Status(0o100644, body.length, false);
    return this.#folders.has(path) ? new Status(0o40755, 0, true) : undefined;
  }
}

const LINKS_FOLLOWED_MAX = 40;

class Status {
  readonly dev = 1;
  readonly ino = 1;
  readonly mode: number;
  readonly nlink = 1;
  readonly uid = 1;
  readonly gid = 1;
  readonly rdev = 0;
  readonly size: number;
  readonly blksize = 4096;
  readonly blocks = 1;
  readonly atimeMs = 0;
  readonly mtimeMs = 0;
  readonly ctimeMs = 0;
  readonly #isDirectory: boolean;
  constructor(mode: number, size: number, isDirectory: boolean) {
    this.mode = mode;
    this.size = size;
    this.#isDirectory = isDirectory;
  }
  isDirectory(): boolean { return this.#isDirectory; }
}

function split(path: string): [folder: string, name: string] {
  const slash = path.lastIndexOf("/");
  return [slash === 0 ? "/" : path.slice(0, slash), path.slice(slash + 1)];
}

function failed(code: string): Error { return Object.assign(new Error(code), { code }); }
