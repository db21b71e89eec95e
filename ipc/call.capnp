# Calls: how one process asks a JavaScript object in another to do something.
#
# The same interface is used on both hops and in both directions: client - supervisor - worker, and back when a worker uses
# what it was handed. The supervisor's end is a membrane: it forwards arguments and results unread, wraps every capability
# that crosses, enforces limits, and answers itself (`ended`) when a worker cannot. What comes from a worker was written by
# an attacker until it is checked.

@0xd2b60f3a94c87e15;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "value.capnp".Value;

interface Target $Cxx.allowCancellation {
  # One JavaScript object that can be asked to do something: an entrypoint of a worker, a function or an RpcTarget that
  # somebody handed over, the result of a call. Whoever holds a reference may call it, and nobody else can: there are no
  # names to guess. References, pipelining, release and revocation are Cap'n Proto's own. Dropping the last reference lets
  # the owner dispose of the object; dropping the last one to everything of a worker ends the worker.

  call @0 Call -> Return;
  # In order per reference. Fails as a Cap'n Proto exception only when the line to the supervisor itself is lost, or where
  # there is nothing to call (a pipelined call on a result that has no `pipeline`); everything that happens to a worker is
  # a Return.
}

struct Call {
  path @0 :List(Text);
  # Property names from the target to the function, at most PATH_DEPTH_MAX. Empty: the target itself is what is called or
  # read. Which names are reachable is decided by the owner of the target; see WORKER-LOADER's visibility rules in
  # ipc/js/visibility.ts.

  operation :union {
    invoke @1 :Payload;
    # Call it. The root is an array: the arguments.
    get @2 :Void;
    # Read the property.
  }

  # A call of ["fetch"] on an entrypoint is a request: its one argument is a Request (value.capnp), and what it returns a Response. With
  # null in its place nothing is run: it returns null if there is a handler, and throws if there is none or the worker did not start.

  account @3 :Bool;
  # From a client: the answer is to come with an account of the run. To a worker: what its code says during this call is
  # listened to. Ignored from a worker.

  tailDepth @4 :UInt8;
  # Of the supervisor's own calls on tails: how many of these stand behind this one. Tails that report to each other end somewhere.

  trace @5 :Trace;
  # From a client: which trace the call is part of, if any, with the client's own span. To a worker: the same with the span that the
  # supervisor has given this call. From a worker only `span` counts, which says for which of the calls on it this one is: believed
  # if the supervisor gave that span to this worker. To a client: the span of the worker's call that this one is part of.
}

struct Trace {
  # A place in a trace, as in W3C Trace Context.

  high @0 :UInt64;     # The trace's id: 16 bytes, most significant first. 0 in both: none.
  low @1 :UInt64;
  span @2 :UInt64;
  parent @3 :UInt64;   # The span above, where that is told.
  flags @4 :UInt8;     # 1: whoever began it records it.
}

struct Return {
  union {
    value @0 :Payload;
    # What the function returned.
    thrown @1 :Payload;
    # What it threw.
    ended @2 :Ending;
    # It neither returned nor threw.
  }

  pipeline @3 :Target;
  # The result where it is, not a copy: what calls on the not yet arrived result go to, and what keeps the result's own
  # disposer from being run. Null if the result is nothing that has properties.

  disposable @4 :Bool;
  # The result has a disposer of its own at the callee, which is run when `pipeline` is dropped.

  account @5 :Account;
  # What the run took, if the call asked for it. By the supervisor's books; what a worker writes here is ignored.
}

struct Account {
  # What one call on a worker took and did, by the books of the supervisor and the kernel. Where calls of one worker overlap, each
  # is charged what any of them used: one thread serves them all, and what the code says of itself is not believed.

  outcome @0 :Ending.Code;
  startTime @1 :Float64;        # Milliseconds since the epoch.
  wallUs @2 :UInt64;            # Microseconds from the call's arrival at the supervisor to its end.
  cpuUs @3 :UInt64;             # Microseconds of CPU time of the worker's process, user and system.
  peakMemoryBytes @4 :UInt64;   # The most that the worker's process has had resident in its life so far, shared pages included.
  subRequests @5 :UInt32;       # Calls of the worker to others.
  bytesIn @6 :UInt64;           # Of the call's arguments; of its result: bytesOut.
  bytesOut @7 :UInt64;
  capabilities @8 :List(Use);   # What the worker used of what it was handed.
  logs @9 :List(LogMessage);    # In order. At most ACCOUNT_LOG_BYTES (ipc/wire-limits.h); then `truncated`.
  exceptions @10 :List(ThrownError);
  truncated @11 :Bool;          # Logs, exceptions or capabilities are missing for lack of room.
  trace @12 :Trace;             # Of the call, if it was part of one.

  struct Use {
    label @0 :Text;     # As in External. Empty: it had none, or all others together.
    kind @1 :Text;      # "stub", "service", "readable", "writable", "loader", "socket"
    calls @2 :UInt64;
    bytesOut @3 :UInt64;   # From the worker.
    bytesIn @4 :UInt64;    # To it.
  }
}

struct ThrownError {
  # What the code threw and did not catch, as the worker words it: nothing of it may be relied on.

  time @0 :Float64;   # As in LogMessage.
  name @1 :Text;
  message @2 :Text;
  stack @3 :Text;
}

struct Payload {
  # A value on its way, with what it refers to.

  union {
    value @0 :Value;
    # At most INLINE_BYTES (ipc/wire-limits.h) from a worker, and in a client's answer to a worker; at most
    # PAYLOAD_BYTES_MAX in a client's call.
    large @1 :LargeValue;
    # The same, to be pulled.
  }
  externals @2 :List(External);
  # What `external` nodes of the value refer to, at most EXTERNALS_MAX. Each becomes a new object at the receiver, even if
  # two of them are the same capability.
}

struct External {
  label @0 :Text;
  # For status output: what the sender calls it (a property's name), at most 64 bytes. Says nothing that may be relied on.

  union {
    none @1 :Void;
    # Not valid: the receiver refuses the value.
    stub @2 :Target;
    # A function, or an object that is called by reference (RpcTarget). The receiver makes an RpcStub.
    service @3 :Target;
    # An entrypoint. The receiver makes a service stub: like a stub, but not bound to one call's lifetime.
    readable @4 :Target;
    # A stream of bytes to be read: answers `read()` with a Uint8Array or, at its end, undefined, and `cancel(reason)`.
    # The receiver makes a ReadableStream. Whoever reads paces the sender: nothing is sent unasked.
    writable @5 :Target;
    # A stream to be written to: answers `write(chunk)`, `close()` and `abort(reason)`. The receiver makes a WritableStream.
    loader @6 :Capability;
    # A Loader (control.capnp). The receiver makes a WorkerLoader.
    socket @7 :Target;
    # One end of a WebSocket. Answers `message(data)`, a string or a Uint8Array, when that was taken, and `close(code, reason)`
    # (1005: without a code), the last of this direction. Whoever wants to hear from it first calls `connect(socket)`, once, with an
    # end of its own, which is told the same. Each side drops the other's end when both were closed; dropping it before is a loss
    # of the connection, in both directions (1006).
  }
}

struct LargeValue {
  size @0 :UInt64;
  # Bytes, at most PAYLOAD_BYTES_MAX. The bytes are a Cap'n Proto message (standard framing) whose root is a Value.
  source @1 :ByteSource;
}

interface ByteSource $Cxx.allowCancellation {
  # Bytes that stay with their owner until asked for, so that the supervisor never holds more than a chunk of them.

  read @0 (offset :UInt64, length :UInt32) -> (bytes :Data);
  # 1 <= length <= CHUNK_BYTES. Short only at the end. Reading past the end gives no bytes.
}

struct Ending {
  # How a call came to an end without a result. The list is closed; supervisor/outcome.h has a sentence for each that
  # tells the user what to do. The same names stand wherever a run's end is told: accounts, status, tails, errors of the Node
  # package, exit codes of the command.

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
    exceededSubrequests @14;
    evicted @15;           # The worker was ended for its idle time, its age, or for want of memory; no call was under way in it.
    aborted @16;           # Its own code ended the worker (abortIsolate), or its owner did by name (Loader.abort).
    canceled @17;          # Of accounts only: the caller gave the call up.
    ok @18;                # Of accounts only: it returned.
    exception @19;         # Of accounts only: it threw.
  }
}

interface Console {
  # Where `console.*` goes. Implemented by the caller of `load`; called by the worker through the supervisor, which
  # counts bytes and drops what exceeds the limit.

  write @0 (messages :List(LogMessage), exceptions :List(ThrownError)) -> (wanted :Bool = true);
  # At most one call under way per worker, at most LOG_BATCH_BYTES a call. `exceptions` from a worker only: for accounts and
  # tails; a console of a client's gets none. `wanted` false, to a worker only: nobody listens; from now on it need not send
  # anything but during calls with `account`.
}

struct LogMessage {
  level @0 :Level;
  time @1 :Float64;     # Milliseconds since the epoch, by the worker's clock.
  text @2 :Text;        # Formatted by the worker as console.log does; control characters are NOT removed.
  trace @3 :Trace;      # Of the call during which it was said, as in Call: from a worker only its span counts, and not as more than a hint.
  workers @4 :List(Text);
  # To a client: whose words these are, from the worker that the client loaded (not included) down. A name, or "#" and a number.

  enum Level { debug @0; info @1; log @2; warn @3; error @4; }
}
