// Packages that lie in a project's folder, for a caller who has the files and cannot parse them: a build says what could not be resolved, and the
// caller is asked for the folders where that could be, until nothing is missing that there is.

import { files } from "./esbuild.ts";
import type { Manifest } from "./install.ts";
import type { Version } from "./packages.ts";
import { fields, readVersion } from "./packages.ts";
import type { Message } from "./problem.ts";
import { parseJson } from "./project.ts";

// Folders of packages that were not asked for yet: "node_modules/hono". `absent`: those that there are not.
export function neededPackages(messages: readonly Message[], absent: ReadonlySet<string>): string[] {
  const needed = new Set<string>();
  for (const { text, file } of messages) {
    const name = /^(?:Could not resolve|Importing) "((?:@[\w.~-]+\/)?[\w.~-]+)(?:\/[^"]*)?"/.exec(text)?.[1];
    if (name === undefined || name.startsWith(".")) continue;
    for (let folder = file; folder !== "";) {
      folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")));
      if (folder.endsWith("node_modules") || folder.startsWith("virtual:")) continue;
      const place = `${folder === "" ? "" : folder + "/"}node_modules/${name}`;
      if (!absent.has(place) && !files.hasFolder("/" + place)) needed.add(place);
    }
  }
  return [...needed].sort();
}

// Dependencies in package.json that an import leads to and that are not there. Those that are optional may be left out.
export function missingPackages({ dependencies, optional }: Manifest, absent: ReadonlySet<string>): string[] {
  return [...dependencies.keys()].filter((name) => absent.has(`node_modules/${name}`) && !optional.has(name)).sort();
}

export interface Present {
  // Its name in the registry.
  readonly name: string;
  readonly version: Version;
}

// The packages beside which others are installed, by folder. `given`: names of files; `links`: names of packages that lie elsewhere.
export function presentPackages(given: Iterable<string>, links: readonly [string, string][]): Map<string, Present> {
  const places = new Map<string, string>();
  for (const path of given) {
    const folder = TOP.exec(path)?.[1];
    if (folder !== undefined) places.set(folder, `node_modules/${folder}`);
  }
  for (const [name, target] of links) {
    const folder = TOP.exec(name + "/")?.[1];
    if (name === `node_modules/${folder}`) places.set(folder!, target);
  }
  const present = new Map<string, Present>();
  for (const [folder, place] of places) {
    const body = files.get(`/${place}/package.json`);
    const manifest = body === undefined ? {} : fields(parseJson(new TextDecoder().decode(body), `${place}/package.json`));
    const version = readVersion(typeof manifest.version === "string" ? manifest.version : "0.0.0", manifest);
    present.set(folder, { name: typeof manifest.name === "string" ? manifest.name : folder, version });
  }
  return present;
}

const TOP = /^node_modules\/((?:@[^/]+\/)?[^@./][^/]*)\//;
