import assert from "node:assert/strict";
import fc from "fast-check";
import { ModelError } from "../../../src/base/error.ts";
import { dayOf } from "../../../src/learning/data/payments.ts";
import {
  countRows,
  endDayOf,
  HANDBOOK_PERIOD,
  idsSum,
  type Period,
  prequentialPeriods,
  rowsByDay,
  rowsFingerprint,
  splitPayments,
  testStartOf,
} from "../../../src/learning/data/split.ts";
import { type SmallPayment, smallPayments } from "../small_payments.ts";

const PERIOD: Period = {
  startDay: 1,
  trainDays: 2,
  delayDays: 2,
  testDays: 2,
  historyDays: 0,
};

const small = fc.record({
  day: fc.nat(7),
  card: fc.nat(4),
  fraud: fc.integer({ min: 0, max: 1 }),
});

/** The rows of the split, by the plain words of the handbook. */
function plainSplit(rows: readonly SmallPayment[], period: Period) {
  const { startDay, trainDays, delayDays, testDays } = period;
  const inTraining = ({ day }: SmallPayment) =>
    day >= startDay && day < startDay + trainDays;
  const train = rows.flatMap((row, at) => inTraining(row) ? [at] : []);
  const test: number[] = [];
  for (let k = 0; k < testDays; k++) {
    const known = new Set<number>();
    for (const row of rows) {
      const inDelay = row.day >= startDay + trainDays - 1 &&
        row.day <= startDay + trainDays - 1 + k;
      if (row.fraud === 1 && (inTraining(row) || inDelay)) known.add(row.card);
    }
    rows.forEach(({ day, card }, at) => {
      const testDay = startDay + trainDays + delayDays + k;
      if (day === testDay && !known.has(card)) test.push(at);
    });
  }
  return { train, test };
}

Deno.test("splitPayments() takes the rows that the handbook's words take", () => {
  fc.assert(fc.property(
    fc.array(small, { minLength: 1, maxLength: 60 }),
    fc.record({
      startDay: fc.nat(2),
      trainDays: fc.integer({ min: 1, max: 3 }),
      delayDays: fc.nat(2),
      testDays: fc.integer({ min: 1, max: 3 }),
      historyDays: fc.constant(0),
    }),
    (unsorted, period) => {
      const rows = unsorted.toSorted((left, right) => left.day - right.day);
      const expected = plainSplit(rows, period);
      const payments = smallPayments(rows);
      if (expected.train.length === 0 || expected.test.length === 0) {
        assert.throws(() => splitPayments(payments, period), ModelError);
        return;
      }
      const { train, test } = splitPayments(payments, period);
      assert.deepEqual([...train], expected.train);
      assert.deepEqual([...test], expected.test);
    },
  ));
});

Deno.test("a longer history changes the training and not the test", () => {
  const rows = Array.from({ length: 8 }, (_, day) => [
    { day, card: 1, fraud: day === 0 ? 1 : 0 },
    { day, card: 2, fraud: day === 2 ? 1 : 0 },
  ]).flat();
  const payments = smallPayments(rows);
  const short = splitPayments(payments, PERIOD);
  const long = splitPayments(payments, { ...PERIOD, historyDays: 1 });
  assert.deepEqual(long.test, short.test);
  assert.deepEqual(countRows(payments, short.train), { rows: 4, frauds: 1 });
  assert.deepEqual(countRows(payments, long.train), { rows: 6, frauds: 2 });
});

Deno.test("an empty training or test says what there is", () => {
  const payments = smallPayments([{ day: 1, card: 1, fraud: 0 }]);
  assert.throws(
    () => splitPayments(payments, PERIOD),
    /the test has no payment: days 5 \(2018-04-06\) to 6 .* end on day 1 \(2018-04-02\)/,
  );
  assert.throws(
    () => splitPayments(smallPayments([]), PERIOD),
    /the training has no payment.* there are no payments at all/,
  );
});

Deno.test("a test of known compromised cards alone is empty", () => {
  const payments = smallPayments([
    { day: 1, card: 1, fraud: 1 },
    { day: 5, card: 1, fraud: 1 },
  ]);
  assert.throws(() => splitPayments(payments, PERIOD), /the test has no/);
});

Deno.test("the handbook's days are those of July and August 2018", () => {
  assert.deepEqual(
    [testStartOf(HANDBOOK_PERIOD), endDayOf(HANDBOOK_PERIOD)],
    [129, 136],
  );
});

Deno.test("prequentialPeriods() are the handbook's; no validation label is of a test", () => {
  const { validation, test } = prequentialPeriods(HANDBOOK_PERIOD, 4);
  assert.deepEqual(validation.map(({ startDay }) => startDay), [
    101,
    94,
    87,
    80,
  ]);
  assert.deepEqual(test.map(({ startDay }) => startDay), [136, 129, 122, 115]);
  const firstTest = Math.min(...test.map(testStartOf));
  for (const period of validation) assert.ok(endDayOf(period) <= firstTest);
});

Deno.test("rowsByDay() gives every row once, by its day", () => {
  fc.assert(fc.property(fc.array(small, { maxLength: 30 }), (unsorted) => {
    const rows = unsorted.toSorted((left, right) => left.day - right.day);
    const payments = smallPayments(rows);
    const some = Int32Array.from(rows.keys().filter((row) => row % 3 !== 0));
    const byDay = rowsByDay(payments, some);
    assert.deepEqual([...byDay.values()].flatMap((ofDay) => [...ofDay]), [
      ...some,
    ]);
    for (const [day, ofDay] of byDay) {
      for (const row of ofDay) assert.equal(dayOf(payments, row), day);
    }
  }));
});

Deno.test("the sums tell rows, labels and inputs apart", () => {
  const rows = [{ day: 0, card: 1, fraud: 0 }, { day: 0, card: 2, fraud: 0 }];
  const all = Int32Array.of(0, 1);
  const same = smallPayments(rows);
  const relabelled = smallPayments([rows[0], { ...rows[1], fraud: 1 }]);
  const dearer = smallPayments([rows[0], { ...rows[1], amount: 2 }]);
  assert.equal(idsSum(same, all), idsSum(relabelled, all));
  assert.notEqual(idsSum(same, all), idsSum(same, all.subarray(1)));
  const sums = [same, relabelled, dearer].map((payments) =>
    rowsFingerprint(payments, all)
  );
  assert.equal(new Set(sums).size, 3);
  assert.equal(rowsFingerprint(smallPayments(rows), all), sums[0]);
});
