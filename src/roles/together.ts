/** Runs parts of a role concurrently in its thread. */
import type { StreamContext } from "../stream/stream_context.ts";

/**
 * Runs parts until all are done. If one fails, the others end after their
 * current step, and its error is thrown.
 */
export async function runTogether(
  context: StreamContext,
  parts: readonly ((context: StreamContext) => Promise<void>)[],
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
