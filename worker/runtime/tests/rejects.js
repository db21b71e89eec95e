import { throws } from "./harness.js";

// What throws() is for functions, for promises.
export async function rejects(promise, name, message) {
  let exception, thrown = false;
  try {
    await promise;
  } catch (reason) {
    [exception, thrown] = [reason, true];
  }
  return throws(() => { if (thrown) throw exception; }, name, message);
}
