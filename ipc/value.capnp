# Values: what JavaScript hands across a process boundary.
#
# A Value is one structured clone. It is written by whoever sends it and read by whoever receives it; the
# supervisor in between forwards it unread. Either end may be hostile, so a reader checks every index it
# follows and every size it allocates, and a malformed Value fails that one call.
#
# The clone is a table, not a tree: `nodes[0]` is the root and every reference is an index into `nodes`. So
# shared references and cycles need nothing special, and depth costs neither stack nor pointer nesting.
# V8's own serialisation is never used: a Python or Go client must be able to read this, and no trusted
# process runs V8's deserialiser on hostile bytes.

@0xa1c3d8f0b7e24911;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

struct Value {
  nodes @0 :List(Node);
  # At least one. Two references to one index are one object at the receiver.
}

struct Node {
  union {
    undefined @0 :Void;
    null @1 :Void;
    boolean @2 :Bool;
    number @3 :Float64;
    # Every JavaScript number, NaN and -0 included.

    text @4 :Text;
    # A string without lone surrogates, as UTF-8. May hold NULs.

    utf16 @5 :Data;
    # A string with at least one lone surrogate: little-endian UTF-16 code units. Even length.

    bigint @6 :BigInt;
    date @7 :Float64;
    # Milliseconds since the epoch; NaN is an invalid date.

    boxed @8 :Ref;
    # `new Number(1)`, `new String("a")`, `Object(1n)`, ...: the node of the primitive inside.

    regexp @9 :RegExp;
    error @10 :Error;
    array @11 :Array;
    numbers @12 :List(Float64);
    # A dense array in which every element is a number and which has no other properties. Only a shorter way to write `array`.

    object @13 :List(Property);
    # A plain object: its own enumerable string-keyed properties, in order.

    map @14 :List(Ref);
    # key, value, key, value, ... in insertion order. Even length.

    set @15 :List(Ref);
    arrayBuffer @16 :ArrayBuffer;
    view @17 :View;
    domException @18 :DomException;

    external @19 :UInt32;
    # Something that is not copied: an index into the externals that travel beside the Value (`Payload` in call.capnp).

    platform @20 :PlatformObject;
  }
}

using Ref = UInt32;
# An index into `Value.nodes`.

struct Property {
  key @0 :Ref;     # A `text` or `utf16` node.
  value @1 :Ref;
}

struct BigInt {
  negative @0 :Bool;
  magnitude @1 :List(UInt64);   # Least significant word first; empty is zero. At most 16,384 words (2^20 bits).
}

struct RegExp {
  source @0 :Ref;   # A string node.
  flags @1 :Text;   # Letters of "dgimsuvy", each at most once.
}

struct Array {
  const hole :Ref = 0xffffffff;

  length @0 :UInt32;
  items @1 :List(Ref);
  # The first `items.size` elements, at most `length`; `hole` marks a missing one. Elements beyond are missing, or
  # stand in `properties` under their index (so `a = []; a[4e9] = 1` stays small).
  properties @2 :List(Property);
}

struct ArrayBuffer {
  bytes @0 :Data;
  maxByteLength @1 :UInt64;   # For a resizable buffer; meaningful only if `resizable`.
  resizable @2 :Bool;
}

struct View {
  kind @0 :Kind;
  buffer @1 :Ref;          # An `arrayBuffer` node.
  byteOffset @2 :UInt64;
  length @3 :UInt64;       # Elements (for `dataView`, bytes). Ignored if `tracksLength`.
  tracksLength @4 :Bool;   # Made without a length on a resizable buffer.

  enum Kind {
    int8 @0; uint8 @1; uint8Clamped @2; int16 @3; uint16 @4; int32 @5; uint32 @6;
    float16 @7; float32 @8; float64 @9; bigInt64 @10; bigUint64 @11; dataView @12;
  }
}

struct Error {
  prototype @0 :Prototype;
  # Which constructor the receiver uses. A class of the sender's own arrives as `error` with its `name`.

  name @1 :Ref;        # String node, present if hasName: the sender's `error.name` where it is not the prototype's own.
  hasName @2 :Bool;
  message @3 :Ref;     # String node, if hasMessage.
  hasMessage @4 :Bool;
  stack @5 :Ref;       # String node, if hasStack.
  hasStack @6 :Bool;
  cause @7 :Ref;
  hasCause @8 :Bool;
  errors @9 :Ref;      # AggregateError's list: an array node.
  hasErrors @10 :Bool;
  properties @11 :List(Property);   # Own enumerable properties besides the above (`code`, ...).

  enum Prototype {
    error @0; evalError @1; rangeError @2; referenceError @3; syntaxError @4; typeError @5; uriError @6;
    aggregateError @7; suppressedError @8;
  }
}

struct DomException {
  name @0 :Text;      # "DataCloneError", ...; the legacy code follows from it.
  message @1 :Ref;    # String node.
}

struct PlatformObject {
  # An object of a class of the web platform. A receiver that does not know the interface refuses the value.

  interface @0 :Text;   # "Headers", "Request", ...: at most 32 ASCII letters.

  state @1 :Ref;
  # What it is made of, in plain nodes. Names and values of headers are byte strings, a character for each byte; names are in lower case.
  #   Headers   array: name, value, name, value, ... ("set-cookie" may repeat)
  #   Request   array: method, url, headers (an array as above), body, redirect ("follow", "manual" or "error")
  #   Response  array: status, status text, headers (an array as above), body; where the status is 101 also an external (a socket)
  #   Blob      array: content (a view), type
  #   File      array: content (a view), type, name, last modified (milliseconds since the epoch)
  #   FormData  array: name, value, name, value, ...; each value a text or a File
  # A body is null, or a view (all of it, where it is there already and at most 32 KiB), or an external (a readable stream of bytes).
}
