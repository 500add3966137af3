/**
 * The stream with answers that survive a power cut: before the answer to a
 * payment leaves, the log is synced. Answers that are ready while a sync runs
 * share the next one.
 */
import { unlessLate } from "../base/unless_stopped.ts";
import type { LogSync } from "../log/log.ts";
import { unknownOutcome } from "./problem.ts";
import { counter, type StreamApi } from "./stream_api.ts";

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
      const leftMs = asked + deadlineMs - decided;
      await unlessLate(log.sync(), leftMs, unknownOutcome);
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
