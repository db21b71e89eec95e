// Exceptions nobody caught: an `error` event at the global object first, then the console.

import { indexOf, slice } from "./primordials.ts";
import { ErrorEvent, dispatchTrusted, globalHasListeners, provideReporter } from "./event.ts";
import { inspect, stackOf } from "./inspect.ts";
import { exposeValue, requireArguments } from "./webidl.ts";

let reporting = false;   // a listener that throws in turn is only logged

export function reportException(exception: unknown): void {
  if (!reporting && globalHasListeners("error")) {
    reporting = true;
    try {
      const event = new ErrorEvent("error", { message: messageOf(exception), error: exception, cancelable: true });
      if (!dispatchTrusted(globalThis, event)) return;
    } finally {
      reporting = false;
    }
  }
  native.log(4, `Uncaught ${inspect(exception)}`);
  native.noteThrown(exception);
}

function messageOf(exception: unknown): string {
  const isError = typeof exception === "object" && exception !== null && native.classify(exception) === 4;
  const text = isError ? stackOf(exception) : inspect(exception);
  const end = indexOf(text, "\n");
  return `Uncaught ${end < 0 ? text : slice(text, 0, end)}`;
}

const functions = {
  reportError(exception: unknown): void {
    requireArguments(arguments.length, 1, "'reportError'");
    reportException(exception);
  },
};

export function installReporting(): void {
  provideReporter(reportException);
  exposeValue("reportError", functions.reportError);
}
