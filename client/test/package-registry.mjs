// A package registry of a test's own: packages made on the spot, hostile ones too, or another registry behind it.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { gzipSync } from "node:zlib";

export const sha512 = (bytes) => `sha512-${createHash("sha512").update(bytes).digest("base64")}`;

// Entries are { name, body, type, link }; with the checksum that a header has to have.
export function tar(entries) {
  const blocks = [];
  for (const { name, body = "", type = "0", link = "" } of entries) {
    const bytes = Buffer.from(body);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write("0000644\0", 100);
    header.write(bytes.length.toString(8).padStart(11, "0") + "\0", 124);
    header.write("00000000000\0", 136);
    header.write("        ", 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write("ustar\0" + "00", 257);
    header.write(header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ", 148);
    blocks.push(header, bytes, Buffer.alloc((512 - bytes.length % 512) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export const tarball = (entries) => gzipSync(tar(entries));

// A package's files, and its package.json.
export const packed = (name, version, files, manifest = {}) => tarball([
  { name: "package/package.json", body: JSON.stringify({ name, version, type: "module", ...manifest }) },
  ...Object.entries(files).map(([file, body]) => ({ name: `package/${file}`, body })),
]);

export class PackageRegistry {
  requests = [];
  #documents = new Map();
  #tarballs = new Map();
  #server;
  #behind;

  // `behind`: the address of a registry that answers for this one.
  static async start(behind) {
    const registry = new PackageRegistry();
    registry.#behind = behind;
    registry.#server = createServer((request, response) => void registry.#answer(request, response));
    registry.#server.listen(0, "127.0.0.1");
    await once(registry.#server, "listening");
    registry.url = `http://127.0.0.1:${registry.#server.address().port}/`;
    return registry;
  }

  // `dist`: instead of what is true.
  add(name, version, files, manifest = {}, { bytes = packed(name, version, files, manifest), dist = {}, tags = {} } = {}) {
    const document = this.#documents.get(name) ?? { name, "dist-tags": {}, versions: {} };
    this.#documents.set(name, document);
    document.versions[version] = { name, version, ...manifest, dist: { integrity: sha512(bytes), tarball: "http://somewhere.invalid/x.tgz", ...dist } };
    Object.assign(document["dist-tags"], { latest: version, ...tags });
    this.#tarballs.set(`/${name}/-/${name.slice(name.indexOf("/") + 1)}-${version}.tgz`, bytes);
    return this;
  }
  document(name) { return this.#documents.get(name); }

  // Nobody is at its address any more.
  async stop() {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request, response) {
    this.requests.push(request.url);
    if (this.#behind !== undefined) {
      const answer = await fetch(this.#behind.replace(/\/$/, "") + request.url, { headers: { accept: request.headers.accept } });
      response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
      return;
    }
    const document = this.#documents.get(decodeURIComponent(request.url.slice(1)));
    const bytes = this.#tarballs.get(request.url);
    if (document !== undefined) {
      const text = JSON.stringify(document);
      const etag = `"${createHash("sha1").update(text).digest("hex")}"`;
      if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
      else response.writeHead(200, { etag, "content-type": "application/json" }).end(text);
    } else if (bytes !== undefined) {
      response.writeHead(200).end(bytes);
    } else {
      response.writeHead(404, { "content-type": "application/json" }).end("{}");
    }
  }
}
