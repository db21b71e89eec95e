// A list of name, value, name, value, ..., as URLSearchParams, Headers and FormData keep theirs.

import { push } from "./primordials.ts";

// The list with one value for this name: where its first one stood, or at the end.
export function withValue<T>(list: (string | T)[], name: string, value: T): (string | T)[] {
  const kept: (string | T)[] = [];
  let found = false;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] !== name) push(kept, list[i]!, list[i + 1]!);
    else if (!found) {
      push(kept, name, value);
      found = true;
    }
  }
  if (!found) push(kept, name, value);
  return kept;
}
