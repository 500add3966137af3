import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CASE_KINDS,
  type CaseEvent,
  caseEventJson,
  readCaseEvent,
} from "../../src/payment/case_json.ts";

function read(text: string): CaseEvent | undefined {
  const bytes = new TextEncoder().encode(text);
  return readCaseEvent(bytes, 0, bytes.length);
}

const time = fc.date({
  min: new Date("2000-01-01"),
  max: new Date("2100-01-01"),
  noInvalidDate: true,
}).map((date) => date.toISOString());

const event: fc.Arbitrary<CaseEvent> = fc.record({
  eventId: fc.uuid(),
  transactionId: fc.maxSafeNat(),
  kind: fc.constantFrom(...CASE_KINDS),
  who: fc.string({ minLength: 1 }),
  at: time,
  label: fc.constantFrom(0 as const, 1 as const),
  note: fc.string(),
  until: time,
  undoes: fc.uuid(),
  decisionId: fc.uuid(),
}).map(({ label, until, undoes, decisionId, ...rest }) => ({
  ...rest,
  ...rest.kind === "verdict" && { label, decisionId },
  ...rest.kind === "snooze" && { until },
  ...rest.kind === "undo" && { undoes },
}));

Deno.test("a case event is read back as it was written", () => {
  fc.assert(fc.property(event, (event) => {
    assert.deepEqual(read(caseEventJson(event)), event);
  }));
});

Deno.test("what is no case event is skipped, and times have one form", () => {
  const good = {
    EVENT_ID: "a",
    TRANSACTION_ID: 1,
    KIND: "verdict",
    WHO: "Ada",
    AT: "2026-03-01T12:00:00Z",
    LABEL: 1,
  };
  assert.equal(read(JSON.stringify(good))?.at, "2026-03-01T12:00:00.000Z");
  const changes: Record<string, unknown>[] = [
    { EVENT_ID: "" },
    { EVENT_ID: 7 },
    { TRANSACTION_ID: -1 },
    { TRANSACTION_ID: 1.5 },
    { TRANSACTION_ID: "1" },
    { KIND: "sentence" },
    { WHO: "" },
    { AT: "2026-03-01" },
    { AT: "2026-13-01T12:00:00Z" },
    { LABEL: 2 },
    { LABEL: null },
    { NOTE: 7 },
    { KIND: "snooze" },
    { KIND: "snooze", UNTIL: "tomorrow" },
    { KIND: "undo" },
  ];
  for (const change of changes) {
    const text = JSON.stringify({ ...good, ...change });
    assert.equal(read(text), undefined, text);
  }
  for (const text of ["", "{", "null", "[]", "7"]) {
    assert.equal(read(text), undefined);
  }
});
