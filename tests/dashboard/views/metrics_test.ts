/** What Prometheus reads of a stream whose labels arrive later, and of one whose payments carry theirs. */
import assert from "node:assert/strict";
import { metricsOf } from "../../../src/dashboard/views/metrics.ts";
import { noCounters } from "../../../src/stream/commit.ts";
import type { StageStatus, StreamStatus } from "../../../src/stream/status.ts";

function stage(name: string, labels = 0): StageStatus {
  const counters = { ...noCounters(), read: 9, emitted: 9, frauds: 2, labels };
  const group = `fraudstream-${name.replace(" ", "-")}`;
  const place = { name, group, topic: "t", lag: 0, progress: 0 };
  return { ...place, counters, isPositionKnown: true };
}

async function textOf(more: readonly StageStatus[]): Promise<string> {
  const status: StreamStatus = {
    startSeconds: 0,
    simulated: true,
    produced: 9,
    complete: false,
    stages: [
      stage("customer windows", 3),
      stage("terminal windows", 3),
      stage("writer"),
      ...more,
    ],
    deadLetters: 0,
  };
  return await metricsOf(() => ({
    status,
    totals: { scored: 0, alerts: 0 },
    openAlerts: 0,
    latency: undefined,
    clients: 0,
    skipped: 0,
    memoryBytes: 1,
  })).text();
}

Deno.test("stages count frauds where payments carry labels, and labels where these arrive later", async () => {
  const carried = await textOf([]);
  assert.match(
    carried,
    /^fraudstream_stage_frauds_total\{stage="writer"\} 2$/m,
  );
  assert.doesNotMatch(carried, /^fraudstream_stage_labels_total\{/m);
  const later = await textOf([stage("label intake")]);
  assert.doesNotMatch(later, /^fraudstream_stage_frauds_total\{/m);
  assert.match(
    later,
    /^fraudstream_stage_labels_total\{stage="customer_windows"\} 3$/m,
  );
});
