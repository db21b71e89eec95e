// What workers may reach on the internet: the option `egress` of connect(), as the file that `glovebox serve --egress` reads. The values of
// secrets go by the environment of that process, which only its user can read; what it starts does not inherit it.

import * as path from "node:path";
import { wrong } from "./supervisor-options.ts";

// client/types/index.d.ts says what each is for.
export interface EgressOptions {
  allow: (string | { origin: string; methods?: string[] })[];
  allowPrivate?: string[];
  secrets?: Record<string, { value: string; hosts: string[]; plain?: boolean }>;
  nameservers?: string[];
  caFile?: string;
}

export interface EgressFile {
  text: string;
  environment: Record<string, string>;
}

const NAMES = ["allow", "allowPrivate", "secrets", "nameservers", "caFile"];
const SECRET_NAMES = ["value", "hosts", "plain"];
// Behind this comes a number, because a secret may be called what no variable is.
const VARIABLE = "GLOVEBOX_EGRESS_SECRET_";

// Hosts, ranges and the like are checked by who reads the file; here is that nothing is lost on the way.
export function egressFile(options: unknown): EgressFile | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null || Array.isArray(options)) throw wrong("egress", 'an object such as { allow: ["api.example.com"] }', options);
  const given = options as Record<string, unknown>;
  refuseOthers(given, "egress", NAMES);
  const { allow, allowPrivate, secrets, nameservers, caFile } = given;
  if (!Array.isArray(allow)) throw wrong("egress.allow", 'a list of origins such as ["api.example.com"]', allow);
  for (const [i, origin] of (allow as unknown[]).entries()) {
    if (typeof origin === "string") continue;
    if (typeof origin !== "object" || origin === null) throw wrong(`egress.allow[${i}]`, 'an origin such as "api.example.com", or { origin, methods }', origin);
    refuseOthers(origin as Record<string, unknown>, `egress.allow[${i}]`, ["origin", "methods"]);
  }
  const environment: Record<string, string> = {};
  const named: Record<string, object> = {};
  if (secrets !== undefined) {
    if (typeof secrets !== "object" || secrets === null || Array.isArray(secrets)) {
      throw wrong("egress.secrets", 'an object such as { KEY: { value: "...", hosts: ["api.example.com"] } }', secrets);
    }
    for (const [i, [name, secret]] of Object.entries(secrets as Record<string, unknown>).entries()) {
      const option = `egress.secrets.${name}`;
      if (typeof secret !== "object" || secret === null) throw wrong(option, 'an object such as { value: "...", hosts: ["api.example.com"] }', typeof secret === "string" ? 0 : secret);
      const { value, hosts, plain } = secret as Record<string, unknown>;
      refuseOthers(secret as Record<string, unknown>, option, SECRET_NAMES);
      // Its value is in no message.
      if (typeof value !== "string" || value.includes("\0")) throw new TypeError(`connect() expects \`${option}.value\` to be a string without NULs.`);
      const variable = `${VARIABLE}${i}`;
      environment[variable] = value;
      named[name] = { env: variable, hosts, plain };
    }
  }
  if (caFile !== undefined && (typeof caFile !== "string" || caFile === "")) throw wrong("egress.caFile", "the path of a file of certificates in PEM", caFile);
  const text = JSON.stringify({
    allow, allow_private: allowPrivate, secrets: secrets === undefined ? undefined : named, nameservers, ca_file: caFile === undefined ? undefined : path.resolve(caFile),
  });
  return { text, environment };
}

function refuseOthers(given: Record<string, unknown>, option: string, names: string[]): void {
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) throw new TypeError(`connect() knows no option \`${option}.${name}\`; there are: ${names.join(", ")}.`);
  }
}
