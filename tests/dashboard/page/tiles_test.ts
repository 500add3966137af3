import assert from "node:assert/strict";
import { tilesOf } from "../../../src/dashboard/page/tiles.js";
import {
  shownShape,
  type Snapshot,
} from "../../../src/dashboard/views/snapshot.ts";
import { HANDBOOK_SHAPE } from "../../../src/payment/payment_shape.ts";

/** A state of the page in the middle of a stream. */
function snapshot(over: Partial<Snapshot> = {}): Snapshot {
  return {
    server: "one",
    at: 0,
    shape: shownShape(HANDBOOK_SHAPE, "EUR", false),
    problem: undefined,
    reading: undefined,
    produced: 1100,
    complete: false,
    processed: 1000,
    stored: 1000,
    deadLetters: 0,
    eventTime: "2018-04-09 10:11:12",
    startSeconds: 1_522_540_800,
    stages: [],
    latency: undefined,
    totals: {
      payments: 1000,
      amount: 50_000,
      alerts: 20,
      scored: 1000,
      frauds: 3,
      fraudAmount: 300,
      stoppedAmount: 200,
    },
    open: { alerts: 12, amount: 1234.5 },
    seconds: { from: 0, payments: [0, 10, 20, 30, 40, 50], alerts: [] },
    days: [],
    recent: [],
    truth: {
      totals: { frauds: 9, fraudAmount: 900, stoppedAmount: 700 },
      days: [],
      recent: [],
    },
    ...over,
  };
}

Deno.test("while history is read, no tile shows a number that this changes", () => {
  const reading = { what: "history", share: 0.4199 } as const;
  const tiles = tilesOf(snapshot({ reading }));
  for (const name of ["rate", "frauds", "alerts", "risk", "stopped"] as const) {
    assert.deepEqual(tiles[name], ["–", "reading history, 41 %"], name);
  }
  assert.equal(tiles.stored[0], "1,000");
  assert.equal(tiles.time[0], "2018-04-09");
});

Deno.test("stored payments are compared with those that the producer or, without one, the processor knows", () => {
  const note = (over: Partial<Snapshot>) => tilesOf(snapshot(over)).stored[1];
  assert.equal(note({}), "of 1,100 published");
  const elsewhere = { produced: undefined, processed: 1003, deadLetters: 2 };
  assert.equal(note(elsewhere), "of 1,003 processed, 2 dead letters");
});

Deno.test("tiles show what is known, and the simulation's truth only if asked for", () => {
  const known = tilesOf(snapshot());
  assert.deepEqual(known.rate, ["30", "mean of 5 seconds"]);
  assert.deepEqual(known.frauds, ["3", "in 1,000 payments"]);
  assert.deepEqual(known.alerts, [
    "12",
    "of 20 alerts in 1,000 scored payments",
  ]);
  assert.equal(known.risk[0], "€1,234.50");
  assert.deepEqual(known.stopped, ["€200.00", "of €300.00 in known frauds"]);
  const all = Object.values(known).flat().join();
  assert.doesNotMatch(all, /truth|900|700/);
  const truth = tilesOf(snapshot(), true);
  assert.deepEqual(truth.frauds, [
    "3",
    "9 in truth, 0.9 % of the payments",
    true,
  ]);
  assert.deepEqual(truth.stopped, [
    "€200.00",
    "in truth €700.00 of €900.00",
    true,
  ]);
});

Deno.test("one of a thing is written as one", () => {
  const { totals } = snapshot();
  const one = snapshot({
    deadLetters: 1,
    totals: { ...totals, payments: 1, scored: 1, alerts: 1 },
    stages: [{
      name: "writer",
      lag: 1,
      emitted: 0,
      deadLettered: 0,
      duplicates: 0,
    }],
  });
  const tiles = tilesOf(one);
  assert.equal(tiles.frauds[1], "in 1 payment");
  assert.equal(tiles.alerts[1], "of 1 alert in 1 scored payment");
  assert.equal(tiles.stored[1], "of 1,100 published, 1 dead letter");
  assert.equal(tiles.lag[0], "1 record");
});
