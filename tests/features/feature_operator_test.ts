import assert from "node:assert/strict";
import fc from "fast-check";
import { FeatureOperator } from "../../src/features/feature_operator.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToCanonical,
} from "../../src/features/parameters.ts";
import { parseDatetime } from "../../src/transaction/calendar.ts";
import {
  DAY_SECONDS,
  emptyTransaction,
  type Transaction,
  TRANSACTION_FIELDS,
} from "../../src/transaction/transaction.ts";
import { fillTransaction } from "../../src/transaction/validation.ts";
import { testReading } from "../permission.ts";
import { streamTotals } from "./oracle.ts";

const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;
const SLACK_SECONDS = 3600;

function run(
  rows: readonly Transaction[],
  parameters: FeatureParameters,
): number[][] {
  const operator = new FeatureOperator(parameters, SLACK_SECONDS);
  const totals = new Float64Array(featureCount(parameters));
  return rows.map((row) => {
    operator.process(row, totals);
    return [...totals];
  });
}

function rowAt(timeSeconds: number, more: Partial<Transaction> = {}) {
  return {
    ...emptyTransaction(),
    timeSeconds,
    datetimeSeconds: START_SECONDS + timeSeconds,
    ...more,
  };
}

/** Streams whose steps are equal times, edges of windows and of the delay, long gaps and steps back within the slack. */
function streamOf(parameters: FeatureParameters): fc.Arbitrary<Transaction[]> {
  const { windowDays, delayDays } = parameters;
  const edges = [
    delayDays,
    ...windowDays,
    ...windowDays.map((days) => days + delayDays),
  ].flatMap((days) => [-1, 0, 1].map((s) => days * DAY_SECONDS + s));
  const step = fc.record({
    step: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 7200 }) },
      { weight: 2, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.constantFrom(...edges) },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 31, max: 90 }).map((d) => d * DAY_SECONDS),
      },
    ),
    back: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: SLACK_SECONDS }) },
      { weight: 1, arbitrary: fc.constant(SLACK_SECONDS) },
    ),
    customerId: fc.nat(2),
    terminalId: fc.nat(2),
    cents: fc.nat(1_000_000),
    fraud: fc.nat(1),
  });
  return fc.array(step, { maxLength: 120 }).map((steps) => {
    let progress = SLACK_SECONDS;
    return steps.map(({ step, back, cents, ...row }, transactionId) => {
      progress += step;
      return rowAt(progress - back, {
        ...row,
        transactionId,
        amount: cents / 100,
      });
    });
  });
}

const parameterSets: FeatureParameters[] = [
  HANDBOOK_FEATURES,
  { set: "handbook", windowDays: [1, 7, 30], delayDays: 7, useLabels: false },
  { set: "handbook", windowDays: [2], delayDays: 1, useLabels: true },
  {
    set: "handbook",
    windowDays: [1, 2, 3, 14],
    delayDays: 20,
    useLabels: true,
  },
];

for (const parameters of parameterSets) {
  const { windowDays, delayDays, useLabels } = parameters;
  Deno.test(`process() equals the filter over all rows: windows ${windowDays}, delay ${delayDays}, labels ${useLabels}`, () => {
    fc.assert(
      fc.property(streamOf(parameters), (rows) => {
        assert.deepEqual(run(rows, parameters), streamTotals(rows, parameters));
      }),
      { numRuns: 100 },
    );
  });
}

/** Totals of the last of some rows, flags left out. */
function lastOf(rows: Transaction[], parameters = HANDBOOK_FEATURES) {
  return run(rows, parameters)[rows.length - 1].slice(2);
}

const D = DAY_SECONDS;
const NOTHING = [0, 0, 0, 0, 0, 0];

Deno.test("a customer's first payment counts itself alone", () => {
  const totals = lastOf([
    rowAt(5, { customerId: 1, amount: 10 }),
    rowAt(10, { customerId: 2, amount: 2.5 }),
  ]);
  assert.deepEqual(totals, [1, 250, 1, 250, 1, 250, ...NOTHING]);
});

Deno.test("a payment exactly a window's length back is out of the customer's window", () => {
  const at = (time: number) => rowAt(time, { amount: 1 });
  assert.deepEqual(lastOf([at(0), at(D - 1)]).slice(0, 2), [2, 200]);
  assert.deepEqual(lastOf([at(0), at(D)]).slice(0, 2), [1, 100]);
});

Deno.test("a fraud counts from exactly the delay on", () => {
  const fraud = rowAt(1000, { fraud: 1, scenario: 1 });
  const at = (time: number) => lastOf([fraud, rowAt(time)]).slice(6);
  assert.deepEqual(at(1000 + 7 * D - 1), NOTHING);
  assert.deepEqual(at(1000 + 7 * D), [1, 1, 1, 1, 1, 1]);
  assert.deepEqual(at(1000 + 8 * D - 1), [1, 1, 1, 1, 1, 1]);
  assert.deepEqual(at(1000 + 8 * D), [0, 0, 1, 1, 1, 1]);
  assert.deepEqual(at(1000 + 37 * D), NOTHING);
});

Deno.test("a payment's own label never counts for itself", () => {
  const rows = [0, 3 * D, 6 * D].map((time) => rowAt(time, { fraud: 1 }));
  assert.deepEqual(lastOf(rows).slice(6), NOTHING);
});

Deno.test("without labels the terminal's payments count and its risk is 0", () => {
  const parameters = { ...HANDBOOK_FEATURES, useLabels: false };
  const rows = [rowAt(0, { fraud: 1 }), rowAt(7 * D)];
  assert.deepEqual(lastOf(rows, parameters).slice(6), [1, 0, 1, 0, 1, 0]);
});

Deno.test("payments of the same second count in the order of arrival", () => {
  const rows = [1, 2, 3].map((amount) => rowAt(77, { amount }));
  assert.deepEqual(
    run(rows, HANDBOOK_FEATURES).map((totals) => totals.slice(2, 4)),
    [[1, 100], [2, 300], [3, 600]],
  );
});

function linesOf(path: string): string[] {
  const url = new URL(`../data/A/${path}`, import.meta.url);
  return Deno.readTextFileSync(url).trimEnd().split("\n");
}

testReading(
  "set A's payments give set A's canonical features, byte for byte",
  () => {
    const [header, ...lines] = linesOf("transactions.csv");
    assert.equal(header, TRANSACTION_FIELDS.join(","));
    const operator = new FeatureOperator(HANDBOOK_FEATURES);
    const totals = new Float64Array(14);
    const values = new Float64Array(14);
    const row = emptyTransaction();
    const made = lines.map((line) => {
      const cells = line.split(",").map((cell, i) =>
        i === 1 ? cell : Number(cell)
      );
      assert.equal(fillTransaction(cells, START_SECONDS, row), undefined);
      assert.equal(row.datetimeSeconds, parseDatetime(String(cells[1])));
      operator.process(row, totals);
      totalsToCanonical(totals, totalsLayout(HANDBOOK_FEATURES), values);
      return `${row.transactionId},${values.join(",")}`;
    });
    const names = ["TRANSACTION_ID", ...featureNames(HANDBOOK_FEATURES)];
    assert.deepEqual(
      [names.join(","), ...made],
      linesOf("features_canonical.csv"),
    );
  },
);

Deno.test("processBlock() gives what process() gives, in blocks of any size", () => {
  fc.assert(
    fc.property(
      streamOf(HANDBOOK_FEATURES),
      fc.integer({ min: 1, max: 50 }),
      (rows, size) => {
        const operator = new FeatureOperator(HANDBOOK_FEATURES, SLACK_SECONDS);
        const width = featureCount(HANDBOOK_FEATURES);
        const found: number[][] = [];
        const totals = new Float64Array(size * width);
        for (let from = 0; from < rows.length; from += size) {
          const length = Math.min(size, rows.length - from);
          operator.processBlock(
            length,
            (index, row) => Object.assign(row, rows[from + index]),
            totals,
          );
          for (let i = 0; i < length; i++) {
            found.push([...totals.subarray(i * width, (i + 1) * width)]);
          }
        }
        assert.deepEqual(found, run(rows, HANDBOOK_FEATURES));
      },
    ),
  );
});
