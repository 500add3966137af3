import assert from "node:assert/strict";
import fc from "fast-check";
import type { Outcome } from "../../src/report/feature_statistics.ts";
import { FrequentValues } from "../../src/report/frequent_values.ts";

interface Row {
  readonly value: number;
  readonly outcome: Outcome;
}

const row: fc.Arbitrary<Row> = fc.record({
  // Some are frequent, most are rare.
  value: fc.oneof(fc.nat(3), fc.nat(40)),
  outcome: fc.constantFrom<Outcome>("genuine", "fraud", "unknown"),
});

/** A value that comes several times, and others once. */
const burst = fc.tuple(row, fc.nat(12), fc.array(row, { maxLength: 8 })).map(
  (
    [one, times, others],
  ) => [...Array.from({ length: times }, () => one), ...others],
);

function countsOf(rows: readonly Row[], remembered: number) {
  const counter = new FrequentValues(remembered);
  for (const { value, outcome } of rows) {
    counter.add(value, outcome, () => `value ${value}`);
  }
  const plain = (value: string) =>
    rows.filter((row) => `value ${row.value}` === value);
  return { all: counter.top(Infinity), counter, plain };
}

Deno.test("FrequentValues of few values are those of plain counting", () => {
  fc.assert(fc.property(fc.array(row), (rows) => {
    const { all, counter, plain } = countsOf(rows, 41);
    assert.equal(all.length, new Set(rows.map(({ value }) => value)).size);
    for (const { value, payments, missed, known, frauds } of all) {
      const own = plain(value);
      assert.equal(missed, 0);
      assert.equal(payments, own.length);
      assert.equal(known, own.filter((r) => r.outcome !== "unknown").length);
      assert.equal(frauds, own.filter((r) => r.outcome === "fraud").length);
    }
    const order = all.map(({ payments }) => payments);
    assert.deepEqual(order, order.toSorted((a, b) => b - a));
    assert.deepEqual(counter.top(3), all.slice(0, 3));
  }));
});

Deno.test("FrequentValues of many values are bounded, and say what they may lack", () => {
  fc.assert(fc.property(fc.array(burst, { maxLength: 60 }), (bursts) => {
    const rows = bursts.flat();
    const remembered = 4;
    const { all, plain } = countsOf(rows, remembered);
    assert.ok(all.length <= 2 * remembered);
    for (const { value, payments, missed } of all) {
      const { length } = plain(value);
      assert.ok(payments <= length && length <= payments + missed, value);
    }
    // The test's own bound: one in as many as are remembered.
    const values = new Set(all.map(({ value }) => value));
    for (const { value } of rows) {
      const text = `value ${value}`;
      if (values.has(text)) continue;
      assert.ok(plain(text).length <= rows.length / remembered, text);
    }
  }));
});
