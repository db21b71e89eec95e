// JavaScript values to and from the bytes of a Value (ipc/value.capnp), under the rules of Workers RPC: the twin of
// worker/engine/value-v8-write.c++ and value-v8-read.c++, without Cap'n Proto's library, because a call spends more time
// here than anywhere else in the client.
//
// What is read was written by sandboxed code. Every pointer, reference, size and kind is checked where it is used; time and
// memory are bounded by the size of the message; properties are defined, never assigned where a setter could hear of it.
// What is written is the program's own: its getters run, and nothing of it leaves that it did not name (no neighbours in
// Node's pool of small buffers, no leftovers of earlier messages).
//
// Depth costs no stack in either direction: the message is a table, and both sides walk it in a row.
//
// value-writer.ts and value-reader.ts say which node is which JavaScript value; below them, value-builder.ts and value-cursor.ts
// know where a node and what it points to stand, by the numbers of value-layout.ts.

import type { External, ExternalKind } from "../../ipc/js/wire.ts";
import type { NativeExternal } from "./addon.d.ts";
import { Decoder } from "./value-reader.ts";
import { Encoder } from "./value-writer.ts";

export interface CodecHooks {
  // Asked once for each function, proxy and class instance before it is refused. Undefined: not ours. What it answered is
  // the caller's to take back if encode() throws in the end.
  externalOf(value: object): External | undefined;
  // Whether errors take their stacks along, which name files of this machine. They do unless this is false.
  withStacks?: boolean;
  // Makes what stands for an external of the other side; called once for each that the value refers to.
  fromExternal(kind: ExternalKind, id: number): object;
}

export interface Encoded {
  bytes: Uint8Array;
  externals: NativeExternal[];   // `label`: the property under which it was met first, cut to LABEL_BYTES_MAX
}

// Throws a DataCloneError, an Error if the value is too large, or what a getter threw.
export function encode(value: unknown, hooks: CodecHooks, maxBytes: number = VALUE_BYTES_MAX): Encoded {
  // A getter may come back here while its value is being written.
  const encoder = spareEncoder ?? new Encoder();
  spareEncoder = undefined;
  try {
    return encoder.encode(value, hooks, maxBytes);
  } finally {
    encoder.forget();
    spareEncoder = encoder;
  }
}

// Throws an Error if the bytes are no Value. Externals that were made by then are the caller's to release.
export function decode(bytes: Uint8Array, externals: readonly { kind: number; id: number }[], hooks: CodecHooks): unknown {
  return new Decoder(bytes, externals, hooks).decode();
}

// Worker Loader's limit on one call or return.
const VALUE_BYTES_MAX = 32 << 20;

let spareEncoder: Encoder | undefined;
