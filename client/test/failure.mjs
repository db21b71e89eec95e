// For tests.

// What the promise is rejected with; that it is fulfilled is the failure.
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("did not fail");
}
