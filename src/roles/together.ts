/** Runs parts of a role concurrently in its thread. */
/**
 * Runs parts until all are done. If one fails, the others end after their
 * current step, and its error is thrown.
 */
export async function runTogether<C extends { readonly signal: AbortSignal }>(
  context: C,
  parts: readonly ((context: C) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const runs = parts.map((run) =>
    run({ ...context, signal }).catch((error) => {
      failed.abort();
      throw error;
    })
  );
  for (const outcome of await Promise.allSettled(runs)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
