import assert from "node:assert/strict";
import { DataError } from "../../src/base/error.ts";
import type { CaseStep, Decision } from "../../src/stream/case_events.ts";
import {
  importVerdicts,
  type VerdictRecord,
  verdictRecords,
} from "../../src/stream/verdict_records.ts";

const UUIDS = [1, 2, 3, 4].map((n) =>
  `0000000${n}-0000-4000-8000-000000000000`
);

/** A verdict on payment 7, `minute` minutes past midnight. */
function record(
  minute: number,
  label: 0 | 1,
  change: Partial<VerdictRecord> = {},
): VerdictRecord {
  return {
    eventId: UUIDS[minute],
    transactionId: 7,
    label,
    who: "ann",
    at: `2026-01-01T00:0${minute}:00.000Z`,
    note: "",
    ...change,
  };
}

/** The decisions of a log that holds these steps. */
function decisionsOf(steps: readonly CaseStep[]): Decision[] {
  const events = steps.map(({ event }) => event);
  return events.filter(({ kind }) => kind === "verdict").map((event) => ({
    ...event,
    undone: events.find(({ undoes }) => undoes === event.eventId),
  }));
}

const importOf = (
  records: readonly VerdictRecord[],
  decisions: readonly Decision[] = [],
) => importVerdicts(records, decisions, (id) => Number(id) * 1000);

Deno.test("verdicts go into a stream and come out as they were, withdrawn ones too", () => {
  const records = [
    record(0, 1, { note: "seen before", decisionId: UUIDS[3] }),
    record(1, 0, {
      withdrawn: {
        eventId: UUIDS[2],
        who: "bob",
        at: "2026-01-01T00:05:00.000Z",
      },
    }),
    record(1, 0, { eventId: UUIDS[3], transactionId: 8 }),
  ];
  const found = importOf(records);
  assert.deepEqual([found.verdicts, found.withdrawals], [3, 1]);
  assert.equal(found.payments.length, 2);
  const steps = found.payments.flat();
  // The label of payment 7 is the verdict that stands.
  assert.deepEqual(
    steps.map(({ event, label, timestampMs }) => [
      event.kind,
      event.transactionId,
      label,
      timestampMs,
    ]),
    [
      ["verdict", 7, undefined, 7000],
      ["verdict", 7, undefined, 7000],
      ["undo", 7, 1, 7000],
      ["verdict", 8, 0, 8000],
    ],
  );
  assert.deepEqual(verdictRecords(decisionsOf(steps)), records);
  const again = importOf(records, decisionsOf(steps));
  assert.deepEqual(again, { payments: [], verdicts: 0, withdrawals: 0 });
});

Deno.test("an older verdict changes no label, and a withdrawal alone is taken", () => {
  const now = decisionsOf(importOf([record(2, 1)]).payments.flat());
  const older = importOf([record(0, 0)], now);
  assert.deepEqual(older.payments.flat().map(({ label }) => label), [
    undefined,
  ]);
  const withdrawn = {
    eventId: "",
    who: "bob",
    at: "2026-01-01T00:05:00.000Z",
  };
  const undo = importOf([record(2, 1, { withdrawn })], now);
  assert.deepEqual([undo.verdicts, undo.withdrawals], [0, 1]);
  const [step] = undo.payments.flat();
  assert.deepEqual(
    [step.event.kind, step.event.undoes, step.label],
    ["undo", UUIDS[2], null],
  );
  const twice = importOf(
    [record(2, 1, { withdrawn })],
    now.map((decision) => ({ ...decision, undone: step.event })),
  );
  assert.deepEqual(twice, { payments: [], verdicts: 0, withdrawals: 0 });
});

Deno.test("a verdict known by its place in a log is another in another log", () => {
  const place = { eventId: "label_topic/0/3" };
  const old = record(0, 1, place);
  const own: Decision = { ...old, kind: "verdict", undone: undefined };
  // In its own stream it is known; in one where the place is another's, it is new.
  assert.equal(importOf([old], [own]).verdicts, 0);
  const foreign = importOf([old], [{ ...own, transactionId: 9 }]);
  assert.equal(foreign.verdicts, 1);
  const [{ event }] = foreign.payments.flat();
  assert.match(event.eventId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const then = decisionsOf(foreign.payments.flat());
  assert.equal(importOf([old], then).verdicts, 0);
});

Deno.test("a label that withdraws all before it is the withdrawal of each verdict", () => {
  const decisions: Decision[] = [0, 1, 2].map((minute) => {
    const { label, ...rest } = record(minute, 1, {
      eventId: `label_topic/0/${minute}`,
    });
    const event = { ...rest, kind: "verdict" as const, undone: undefined };
    return minute === 1 ? event : { ...event, label };
  });
  const found = verdictRecords(decisions);
  assert.deepEqual(
    found.map(({ eventId, withdrawn }) => [eventId, withdrawn?.eventId]),
    [["label_topic/0/0", "label_topic/0/1"], ["label_topic/0/2", undefined]],
  );
  assert.deepEqual(importOf(found, decisions).payments, []);
});

Deno.test("one EVENT_ID for two payments is refused", () => {
  assert.throws(
    () => importOf([record(0, 1), record(0, 1, { transactionId: 8 })]),
    (error) =>
      error instanceof DataError &&
      /EVENT_ID .* of payment 8 is that of a verdict on payment 7/.test(
        error.message,
      ),
  );
});
