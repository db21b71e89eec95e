# Calls: how one process asks a JavaScript object in another to do something.
#
# The same interface is used on both hops, client - supervisor and supervisor - worker. The supervisor's end is a
# membrane: it forwards arguments and results unread, enforces limits, and answers itself (`ended`) when the worker
# cannot. What comes from a worker was written by an attacker until it is checked.

@0xd2b60f3a94c87e15;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "value.capnp".Value;

interface Target $Cxx.allowCancellation {
  # One callable thing: an entrypoint of a worker. Dropping the last reference to everything of a worker ends it.

  call @0 Call -> Return;
  # In order per reference. Fails as a Cap'n Proto exception only when the line to the supervisor itself is lost;
  # everything that happens to the worker is a Return.
}

struct Call {
  path @0 :List(Text);
  # Property names from the target to the function; 1 to 64 of them.

  operation :union {
    invoke @1 :Value;
    # Call it. The root is an array: the arguments.
    get @2 :Void;
    # Read the property.
  }
}

struct Return {
  union {
    value @0 :Value;
    # What the function returned, if it takes at most INLINE_RESULT_BYTES (ipc/wire-limits.h).
    large @1 :LargeValue;
    # The same, to be pulled.
    thrown @2 :Value;
    # What it threw.
    ended @3 :Ending;
    # It neither returned nor threw.
  }
}

struct LargeValue {
  size @0 :UInt64;
  # Bytes, at most RESULT_BYTES_MAX. The bytes are a Cap'n Proto message (standard framing) whose root is a Value.
  source @1 :ByteSource;
}

interface ByteSource $Cxx.allowCancellation {
  # Bytes that stay with the worker until asked for, so that the supervisor never holds more than a chunk of them.

  read @0 (offset :UInt64, length :UInt32) -> (bytes :Data);
  # 1 <= length <= CHUNK_BYTES. Short only at the end. Reading past the end gives no bytes.
}

struct Ending {
  # How a call came to an end without a result. The list is closed; supervisor/outcome.h has a sentence for each that
  # tells the user what to do.

  code @0 :Code;
  message @1 :Text;
  # One or two sentences for the user, naming the limit and its value.

  enum Code {
    crashed @0;            # The worker process died by a signal of its own making; the message names it.
    killed @1;             # The policy killed it: a forbidden system call.
    exceededCpu @2;
    exceededWallTime @3;
    exceededMemory @4;
    exceededResultSize @5;
    protocolViolation @6;  # The worker broke the rules of the wire.
    exited @7;             # The worker process was gone: killed from outside or ended by itself.
    revoked @8;            # The worker was disposed of while the call was under way.
    startFailed @9;        # The supervisor could not provide a worker.
    terminated @10;        # Worker to supervisor only: "I stopped because you told me to".
    hung @11;              # The call can never settle: nothing is left that could settle it.
    exceededLogs @12;
    overloaded @13;        # Too many calls in flight, or too many workers.
  }
}

interface Console {
  # Where `console.*` goes. Implemented by the caller of `load`; called by the worker through the supervisor, which
  # counts bytes and drops what exceeds the limit.

  write @0 (messages :List(LogMessage)) -> ();
  # At most one call under way per worker, at most LOG_BATCH_BYTES a call.
}

struct LogMessage {
  level @0 :Level;
  time @1 :Float64;     # Milliseconds since the epoch, by the worker's clock.
  text @2 :Text;        # Formatted by the worker as console.log does; control characters are NOT removed.

  enum Level { debug @0; info @1; log @2; warn @3; error @4; }
}
