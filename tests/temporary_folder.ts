/** A folder that a test may fill, gone when the test is over. */
export interface TemporaryFolder extends AsyncDisposable {
  /** Its path. */
  readonly path: string;
}

/** Makes an empty folder; use it with `await using`. */
export function temporaryFolder(): TemporaryFolder {
  const path = Deno.makeTempDirSync({ prefix: "fraudstream-test-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
