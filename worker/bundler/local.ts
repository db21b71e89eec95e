// Packages that lie in a project's folder, for a caller who has the files and cannot parse them: a build says what could not be resolved, and the
// caller is asked for the folders where that could be, until nothing is missing that there is.

import { files } from "./esbuild.ts";
import type { Message } from "./problem.ts";

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
