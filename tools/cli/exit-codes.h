#pragma once
// What `glovebox` tells the shell. After <sysexits.h>, so that a script can tell the code's failures from a limit, a crash
// or a machine that lacks something; codes above 128 are those a shell gives for the same death.

#include "ipc/call.capnp.h"

namespace glovebox::cli {

enum ExitCode : int {
  EXIT_CODE_OK = 0,
  EXIT_CODE_FAILED = 1,              // `audit`: an attempt succeeded
  EXIT_CODE_USAGE = 64,              // wrong options; nothing ran
  EXIT_CODE_CODE_ERROR = 65,         // the code did not start, threw, ended its worker, or can never settle
  EXIT_CODE_NO_INPUT = 66,           // a file cannot be opened
  EXIT_CODE_UNAVAILABLE = 69,        // no supervisor: none listens, it could not start, or it is full
  EXIT_CODE_INTERNAL = 70,           // a mistake of Glovebox's own
  EXIT_CODE_IO = 74,                 // reading or writing failed
  EXIT_CODE_LIMIT = 75,              // a limit was exceeded; with a higher one the same code may succeed
  EXIT_CODE_PROTOCOL = 76,           // the worker broke the rules of the wire
  EXIT_CODE_MISSING_LAYER = 77,      // this machine lacks a layer of the jail
  EXIT_CODE_CRASHED = 134,           // the worker crashed by itself (128 + SIGABRT)
  EXIT_CODE_KILLED_OUTSIDE = 137,    // the worker was gone: killed from outside or ended by itself (128 + SIGKILL)
  EXIT_CODE_KILLED_BY_POLICY = 159,  // the worker made a forbidden system call (128 + SIGSYS)
};

constexpr ExitCode exitCodeOf(rpc::Ending::Code code) {
  using Code = rpc::Ending::Code;
  switch (code) {
    case Code::CRASHED: return EXIT_CODE_CRASHED;
    case Code::KILLED: return EXIT_CODE_KILLED_BY_POLICY;
    case Code::EXCEEDED_CPU:
    case Code::EXCEEDED_WALL_TIME:
    case Code::EXCEEDED_MEMORY:
    case Code::EXCEEDED_RESULT_SIZE:
    case Code::EXCEEDED_LOGS:
    case Code::EXCEEDED_SUBREQUESTS:
    case Code::EVICTED:
    case Code::TERMINATED: return EXIT_CODE_LIMIT;
    case Code::PROTOCOL_VIOLATION: return EXIT_CODE_PROTOCOL;
    case Code::EXITED: return EXIT_CODE_KILLED_OUTSIDE;
    case Code::HUNG:
    case Code::ABORTED:
    case Code::EXCEPTION: return EXIT_CODE_CODE_ERROR;
    case Code::START_FAILED:
    case Code::OVERLOADED: return EXIT_CODE_UNAVAILABLE;
    case Code::REVOKED:
    case Code::CANCELED: return EXIT_CODE_INTERNAL;
    case Code::OK: return EXIT_CODE_OK;
  }
  return EXIT_CODE_INTERNAL;
}

// For --help.
constexpr const char* EXIT_CODES_HELP =
    "Exit codes: 0 done; 64 wrong usage; 65 the code did not start, threw or can never settle; 66 a file cannot be opened;\n"
    "69 no supervisor; 70 a mistake of Glovebox's own; 74 input or output failed; 75 a limit was exceeded; 76 the worker broke\n"
    "the wire's rules; 77 this machine lacks a layer of the jail; 134 the worker crashed; 137 it was killed from outside;\n"
    "159 it made a forbidden system call.";

}  // namespace glovebox::cli
