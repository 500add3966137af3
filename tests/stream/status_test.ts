/** How far a stream is, and what of its counts does not add up. */
import assert from "node:assert/strict";
import { noCounters } from "../../src/stream/commit.ts";
import { Control } from "../../src/stream/control.ts";
import {
  discrepancies,
  pastScored,
  readStatus,
  scorerStatus,
  type StageStatus,
  type StreamStatus,
} from "../../src/stream/status.ts";
import { SCORER_GROUP, SINK_TOPIC } from "../../src/stream/topics.ts";
import { testWriting } from "../permission.ts";
import { openFolder, parametersOf } from "../roles/pipeline.ts";
import { appendPayments, paymentAt, StageDriver } from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";

testWriting(
  "the start of another program's payments is known once a row is made of one",
  async () => {
    await using folder = temporaryFolder();
    const parameters = parametersOf(2);
    await using opened = await openFolder(folder.path, parameters);
    const { log } = opened;
    const payment = paymentAt(90_000, { customerId: 3 });
    await appendPayments(log, 1, ["no payment", payment]);
    const control = new Control(log);
    const before = await readStatus(log, control);
    assert.equal(before.startSeconds, undefined);
    for (const make of [StageDriver.customers, StageDriver.terminals]) {
      await (await make.call(StageDriver, log, parameters)).drain([0, 1]);
    }
    const { startSeconds, simulated, stages } = await readStatus(log, control);
    assert.equal(startSeconds, payment.datetimeSeconds - payment.timeSeconds);
    assert.equal(simulated, false);
    assert.equal(stages[1].progress, 90_000);
  },
);

function stage(read: number, change: Partial<StageStatus>): StageStatus {
  return {
    name: "writer",
    group: "a group",
    topic: SINK_TOPIC,
    counters: {
      ...noCounters(),
      read,
      emitted: 7,
      deadLettered: 2,
      duplicates: 1,
    },
    lag: 0,
    progress: 0,
    isPositionKnown: true,
    ...change,
  };
}

function stream(last: StageStatus): StreamStatus {
  return {
    startSeconds: 0,
    simulated: true,
    produced: 10,
    complete: true,
    stages: [stage(10, {}), stage(10, {}), last],
    deadLetters: 0,
  };
}

Deno.test("rows that were read and went nowhere are named with all counts", () => {
  assert.deepEqual(discrepancies(stream(stage(10, {}))), []);
  assert.deepEqual(discrepancies(stream(stage(11, {}))), [
    "writer: of 11 rows read 10 are accounted for: 7 emitted, " +
    "2 dead letters, 1 duplicate",
  ]);
});

Deno.test("a scorer's rows from before there was a model add up too", () => {
  const scorer = (unscored: number) =>
    stage(15, {
      name: "scorer",
      group: SCORER_GROUP,
      scoring: { alerts: 0, unscored },
    });
  assert.deepEqual(discrepancies(stream(scorer(5))), []);
  assert.deepEqual(discrepancies(stream(scorer(4))), [
    "scorer: of 15 rows read 14 are accounted for: 7 emitted, " +
    "2 dead letters, 1 duplicate, 4 without a model",
  ]);
  assert.equal(scorerStatus(stream(scorer(4)))?.name, "scorer");
  assert.equal(scorerStatus(stream(stage(1, {}))), undefined);
});

/** A stream of which so many payments are processed, and this many of them not scored; undefined where nothing is. */
function scoredStream(processed: number, lag: number | undefined) {
  const counters = { ...noCounters(), emitted: processed };
  const scoring = { alerts: 0, unscored: 0 };
  const scorer = { group: SCORER_GROUP, scoring, counters: noCounters() };
  const { stages: [first, , writer], ...rest } = stream(stage(0, {}));
  const before = [first, stage(0, { counters }), writer] as const;
  const stages: StreamStatus["stages"] = lag === undefined
    ? before
    : [...before, stage(0, { ...scorer, lag })];
  return { ...rest, stages };
}

Deno.test("the share of the past that is scored is the same for who began to look at another time", () => {
  const before = scoredStream(100_000, 80_000);
  const later = scoredStream(100_000, 40_000);
  const now = scoredStream(110_000, 35_000);
  assert.equal(pastScored(before, before), 0.2);
  assert.equal(pastScored(before, now), 0.75);
  assert.equal(pastScored(later, now), 0.75);
  // All of it is, and what came since does not count.
  assert.equal(pastScored(before, scoredStream(120_000, 20_000)), undefined);
});

Deno.test("a stream that gets its first model has all of its past unscored", () => {
  const before = scoredStream(100_000, undefined);
  assert.equal(pastScored(before, before), undefined);
  assert.equal(pastScored(before, scoredStream(100_000, 100_000)), 0);
  assert.equal(pastScored(before, scoredStream(100_000, 50_000)), 0.5);
});

Deno.test("few payments that are not scored are no past", () => {
  const few = scoredStream(1_000_000, 19_000);
  assert.equal(pastScored(few, few), undefined);
  const none = scoredStream(4000, 4000);
  assert.equal(pastScored(none, none), undefined);
});
