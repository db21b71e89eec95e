// URLPattern of the URL Pattern standard: the package urlpattern-polyfill, as adapt-url-pattern.mjs has it, which needs nothing of a host but URL.
// It refuses some ports that the standard reads as a URL's setter does; those are read so before it sees them.

import { URLPattern as PackageURLPattern } from "urlpattern-polyfill/urlpattern";

import { matches, objectCreate, slice } from "./primordials.ts";
import { exposeInterface, isObject } from "./webidl.ts";

type Input = ConstructorParameters<typeof PackageURLPattern>[0];
type Init = { port?: unknown };
type Result = { inputs: unknown[] };

// Arguments that are not given stay so, as the package counts on.
function args(input: unknown, rest: unknown[], read: (init: Init) => object): [Input, ...never[]] {
  return [(isObject(input) ? read(input) : input) as Input, ...rest as never[]];
}

export class URLPattern extends PackageURLPattern {
  constructor(input: unknown = undefined, ...rest: unknown[]) {
    super(...args(input ?? {}, rest, readPattern));
  }
  override test(input: unknown = undefined, ...rest: unknown[]): boolean { return super.test(...args(input ?? {}, rest, readInput)); }
  override exec(input: unknown = undefined, ...rest: unknown[]): ReturnType<PackageURLPattern["exec"]> {
    const result = super.exec(...args(input ?? {}, rest, readInput)) as Result | null;
    if (result !== null && isObject(input)) result.inputs[0] = input;
    return result as ReturnType<PackageURLPattern["exec"]>;
  }
}

const LINE_PARTS = /[\t\n\r]+/;

// The same object with another member.
function withMember(init: Init, name: string, value: string): Init {
  return objectCreate(init, { [name]: { value, enumerable: true } }) as Init;
}

function readInput(init: Init): object {
  const { port } = init;
  if (typeof port !== "string") return init;
  const digits = matches(/^\d+/, withoutLineParts(port));
  return digits === null || digits[0] === port ? init : withMember(init, "port", digits[0]);
}

function readPattern(init: Init): object {
  const { port } = init;
  // An empty group keeps the package from leaving a protocol's own port away, which the standard does for the plain number alone.
  if (typeof port !== "string" || matches(/^\d+[^\d{}()*:+?\\]+$/, port) === null) return init;
  return withMember(init, "port", `${matches(/^\d+/, port)![0]}{}`);
}

function withoutLineParts(text: string): string {
  let rest = text, kept = "";
  for (let found; (found = matches(LINE_PARTS, rest)) !== null;) {
    kept += slice(rest, 0, found.index);
    rest = slice(rest, found.index + found[0].length);
  }
  return kept + rest;
}

export function installUrlPattern(): void {
  exposeInterface("URLPattern", URLPattern);
}
