// A test is a name that can be true or false and a function. Results are TAP: a test that never ends misses its line.

const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

// The captured originals: tests patch prototypes.
const { is } = Object;
const stringify = (value) => hooks.inspect(value);

export function equal(got, expected, what = "") {
  if (!is(got, expected)) throw new Error(`${what} got ${stringify(got)}, expected ${stringify(expected)}`);
}

// By what console.log would show.
export function same(got, expected, what = "") {
  equal(stringify(got), stringify(expected), what);
}

export function ok(value, what = "it is false") {
  if (!value) throw new Error(what);
}

export function throws(run, name, message) {
  try {
    run();
  } catch (exception) {
    equal(exception?.name, name, "name of the exception:");
    if (typeof message === "string") equal(exception.message, message);
    if (message instanceof RegExp) ok(message.test(exception.message), `got message ${stringify(exception.message)}, expected ${message}`);
    return exception;
  }
  throw new Error(`nothing was thrown, expected ${name}`);
}

// Console lines since the last call: ["log hello", ...].
export function logged() {
  const levels = ["debug", "info", "log", "warn", "error"];
  const lines = takeLogs();
  const result = [];
  for (let i = 0; i < lines.length; i += 2) result.push(`${levels[lines[i]]} ${lines[i + 1]}`);
  return result;
}

export async function run() {
  print(`1..${tests.length}`);
  for (let i = 0; i < tests.length; i++) {
    try {
      await tests[i].run();
      print(`ok ${i + 1} - ${tests[i].name}`);
    } catch (exception) {
      print(`not ok ${i + 1} - ${tests[i].name}`);
      print(`# ${hooks.inspect(exception).replaceAll("\n", "\n# ")}`);
    }
  }
}
