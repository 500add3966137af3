/**
 * The stream with answers that survive a power cut: before the answer to a
 * payment leaves, the log is synced. Answers that are ready while a sync runs
 * share the next one.
 */
import type { LogSync } from "../log/log.ts";
import { Problem } from "./problem.ts";
import type { ApiMetric, StreamApi } from "./stream_api.ts";

/** The methods of a stream that have to do with syncs. */
export type SyncedMethods = Pick<StreamApi, "score" | "metrics">;

/** The methods with a sync before a payment is answered; one that is not done by the request's deadline leaves the outcome unknown. */
export function syncedApi(
  api: SyncedMethods,
  log: LogSync,
  deadlineMs: number,
): SyncedMethods {
  return {
    async score(body, withFeatures) {
      const asked = performance.now();
      const answer = await api.score(body, withFeatures);
      const decided = performance.now();
      await inTime(log.sync(), asked + deadlineMs - decided);
      if (answer.waitedMs + answer.decidedMs === 0) return answer;
      const syncMs = performance.now() - decided;
      return { ...answer, decidedMs: answer.decidedMs + syncMs };
    },
    async metrics() {
      const metrics = await api.metrics();
      const { count, milliseconds } = log.syncs;
      return [
        ...metrics,
        counter("syncs_total", count, "Syncs of the log"),
        counter(
          "sync_seconds_total",
          milliseconds / 1000,
          "Seconds that syncs of the log took",
        ),
      ];
    },
  };
}

/** Waits for a sync so long. Throws Problem if it takes longer. */
async function inTime(sync: Promise<void>, leftMs: number): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = setTimeout(
    () =>
      reject(new Problem("unknown", "unknown, ask again", { retryAfter: 1 })),
    Math.max(0, leftMs),
  );
  try {
    await Promise.race([sync, promise]);
  } finally {
    clearTimeout(late);
  }
}

function counter(name: string, value: number, help: string): ApiMetric {
  return { name, kind: "counter", help, value };
}
