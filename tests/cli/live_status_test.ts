/** The live line of a run, on narrow and wide terminals. */
import assert from "node:assert/strict";
import { liveLine } from "../../src/cli/output/live_status.ts";
import { noCounters } from "../../src/stream/commit.ts";
import type { StageStatus, StreamStatus } from "../../src/stream/status.ts";

const MILLION = 1_754_155;

function stage(name: string, rows: number, lag: number): StageStatus {
  const counters = { ...noCounters(), read: rows, emitted: rows, frauds: rows };
  const isPositionKnown = true;
  return {
    name,
    group: name,
    topic: name,
    counters,
    lag,
    progress: 15_811_199,
    isPositionKnown,
  };
}

/** A stream whose scorer has taken so many of the payments that are processed. */
function status(processed: number, scored: number, lag = 0): StreamStatus {
  const scorer = stage("scorer", scored, processed - scored);
  return {
    startSeconds: Date.UTC(2018, 3, 1) / 1000,
    simulated: true,
    produced: processed,
    complete: false,
    stages: [
      stage("customer windows", processed, lag),
      stage("terminal windows", processed, lag),
      stage("writer", processed, lag),
      { ...scorer, scoring: { alerts: 10_577, unscored: 0 } },
    ],
    deadLetters: 1234,
  };
}

for (const columns of [80, 100, 200]) {
  for (const scored of [0, MILLION / 5, MILLION]) {
    Deno.test(`${columns} columns have room for alerts, lag and p99 with ${scored} scored`, () => {
      const before = status(MILLION, 0);
      const now = status(MILLION, Math.floor(scored), 123_456);
      const line = liveLine(
        { status: now, before, rate: 121_000, p99: 31_234 },
        columns,
      );
      assert.ok(line.length < columns, line);
      assert.match(
        line,
        /^2018-09-30 .* alerts 10,577 .*lag [\d,]+ .*p99 31 s$/,
      );
      const past = /scoring the past: (\d+) %/.exec(line)?.[1];
      assert.equal(
        past,
        scored === MILLION ? undefined : scored === 0 ? "0" : "20",
      );
      assert.equal(/produced/.test(line), columns === 200, line);
    });
  }
}

Deno.test("a stream whose payments come by the API waits for them", () => {
  const begun: StreamStatus = {
    ...status(0, 0),
    simulated: false,
    produced: 0,
    stages: [
      { ...stage("customer windows", 0, 0), progress: 0 },
      { ...stage("terminal windows", 0, 0), progress: 0 },
      { ...stage("writer", 0, 0), progress: 0 },
    ],
  };
  const lineOf = (status: StreamStatus) =>
    liveLine({ status, before: begun, rate: 0, p99: undefined }, 300);
  assert.match(lineOf(begun), /^waiting for payments {2}processed 0 /);
  const taken = lineOf({ ...status(5, 5), simulated: false, produced: 0 });
  assert.match(taken, /^2018-09-30 23:59 {2}processed 5 /);
});

Deno.test("where labels arrive later the line counts labels, not frauds", () => {
  const { stages: [customer, ...stages], ...all } = status(1000, 1000);
  const counters = { ...customer.counters, labels: 7 };
  const intake = {
    ...stage("label intake", 7, 0),
    group: "fraudstream-label-intake",
  };
  const later: StreamStatus = {
    ...all,
    stages: [{ ...customer, counters }, stages[0], stages[1], intake],
  };
  const lineOf = (status: StreamStatus) =>
    liveLine({ status, before: status, rate: 1, p99: 1 }, 300);
  assert.match(lineOf(later), / labels 7 /);
  assert.doesNotMatch(lineOf(later), /frauds/);
  assert.match(lineOf(status(1000, 1000)), / frauds 1,000 /);
});
