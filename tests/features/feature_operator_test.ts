import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CustomerOperator,
  FeatureOperator,
  TerminalOperator,
} from "../../src/features/feature_operator.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToCanonical,
} from "../../src/features/parameters.ts";
import { parseDatetime } from "../../src/payment/calendar.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
  PAYMENT_FIELDS,
} from "../../src/payment/payment.ts";
import { fillPayment } from "../../src/payment/validation.ts";
import { testReading } from "../permission.ts";
import { streamTotals } from "./oracle.ts";
import { StatePieces } from "./state_pieces.ts";

const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;
const SLACK_SECONDS = 3600;

function run(
  rows: readonly Payment[],
  parameters: FeatureParameters,
): number[][] {
  const operator = new FeatureOperator(parameters, SLACK_SECONDS);
  const totals = new Float64Array(featureCount(parameters));
  return rows.map((row) => {
    operator.process(row, totals);
    return [...totals];
  });
}

function rowAt(timeSeconds: number, more: Partial<Payment> = {}) {
  return {
    ...emptyPayment(),
    timeSeconds,
    datetimeSeconds: START_SECONDS + timeSeconds,
    ...more,
  };
}

/** Streams whose steps are equal times, edges of windows and of the delay, long gaps and steps back within the slack. */
function streamOf(parameters: FeatureParameters): fc.Arbitrary<Payment[]> {
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
  { ...HANDBOOK_FEATURES, set: "extended" },
  { set: "extended", windowDays: [2], delayDays: 1, useLabels: true },
  { set: "extended", windowDays: [1, 30], delayDays: 3, useLabels: false },
];

for (const parameters of parameterSets) {
  const { set, windowDays, delayDays, useLabels } = parameters;
  Deno.test(`process() equals the filter over all rows: ${set}, windows ${windowDays}, delay ${delayDays}, labels ${useLabels}`, () => {
    fc.assert(
      fc.property(streamOf(parameters), (rows) => {
        assert.deepEqual(run(rows, parameters), streamTotals(rows, parameters));
      }),
      { numRuns: 100 },
    );
  });
}

const EXTENDED: FeatureParameters = { ...HANDBOOK_FEATURES, set: "extended" };

/** Streams of two cards and a terminal with more payments in a window than are looked back on, many in one second, amounts often five times the usual. */
const busyStream = fc.array(
  fc.record({
    step: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 0, max: 2 * DAY_SECONDS / 10 }),
    ),
    back: fc.oneof(fc.constant(0), fc.nat(SLACK_SECONDS)),
    customerId: fc.nat(1),
    cents: fc.constantFrom(0, 100, 199, 200, 201, 250, 499, 500, 1000),
    fraud: fc.oneof(fc.constant(0), fc.nat(1)),
  }),
  { minLength: 150, maxLength: 250, size: "max" },
).map((steps) => {
  let progress = SLACK_SECONDS;
  return steps.map(({ step, back, cents, ...row }, transactionId) => {
    progress += step;
    const amount = cents / 100;
    return rowAt(progress - back, { ...row, transactionId, amount });
  });
});

Deno.test("the extended set looks back on the newest payments only, whatever comes in one second", () => {
  fc.assert(
    fc.property(busyStream, (rows) => {
      assert.deepEqual(run(rows, EXTENDED), streamTotals(rows, EXTENDED));
    }),
    { numRuns: 30 },
  );
});

/** The extended totals of the last of some rows, by name. */
function extendedOf(rows: Payment[]): Record<string, number> {
  const totals = run(rows, EXTENDED)[rows.length - 1];
  const named = featureNames(EXTENDED).map((name, i) => [name, totals[i]]);
  return Object.fromEntries(named);
}

Deno.test("a card's and a terminal's first payment has defined extended features", () => {
  const totals = extendedOf([rowAt(500, { amount: 12 })]);
  const W = 30 * DAY_SECONDS;
  const D = 7 * DAY_SECONDS;
  const names = featureNames(EXTENDED).slice(14);
  assert.deepEqual(Object.fromEntries(names.map((n) => [n, totals[n]])), {
    CUSTOMER_ID_SECONDS_SINCE_LAST_TX: W,
    CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN: 1000,
    CUSTOMER_ID_AMOUNT_RATIO_TO_MAX: 1000,
    CUSTOMER_ID_NB_TX_AS_LARGE: 0,
    CUSTOMER_ID_NB_OUTLIERS_1DAY_WINDOW: 0,
    CUSTOMER_ID_NB_OUTLIERS_7DAY_WINDOW: 0,
    CUSTOMER_ID_NB_OUTLIERS_30DAY_WINDOW: 0,
    CUSTOMER_ID_SECONDS_SINCE_OUTLIER: W,
    CUSTOMER_ID_NB_KNOWN_FRAUDS: 0,
    CUSTOMER_ID_SECONDS_SINCE_KNOWN_FRAUD: D + W,
    TERMINAL_ID_FRAUD_STREAK: 0,
    TERMINAL_ID_SECONDS_SINCE_STREAK_BEGAN: 0,
    TERMINAL_ID_SECONDS_SINCE_GENUINE: D + W,
    TERMINAL_ID_SECONDS_SINCE_FRAUD: D + W,
    TERMINAL_ID_NB_TX_SINCE_FRAUD: 0,
    TERMINAL_ID_NB_USUAL_FRAUDS_1DAY_WINDOW: 0,
    TERMINAL_ID_NB_USUAL_FRAUDS_7DAY_WINDOW: 0,
    TERMINAL_ID_NB_USUAL_FRAUDS_30DAY_WINDOW: 0,
    TERMINAL_ID_SECONDS_SINCE_USUAL_FRAUD: D + W,
    TERMINAL_ID_SECONDS_SINCE_FIRST_USUAL_FRAUD: D + W,
    TERMINAL_ID_NB_GENUINE_SINCE_USUAL_FRAUD: 0,
  });
});

Deno.test("no extended feature knows a label that is younger than the delay", () => {
  const rows = (fraud: number) =>
    [0, 1, 2].map((i) => rowAt(1000 + i, { amount: 5, fraud })).concat(
      rowAt(1000 + 7 * DAY_SECONDS - 1, { amount: 5 }),
    );
  assert.deepEqual(extendedOf(rows(1)), extendedOf(rows(0)));
  const known = (fraud: number) =>
    extendedOf([...rows(fraud), rowAt(1000 + 7 * DAY_SECONDS)]);
  assert.notDeepEqual(known(1), known(0));
});

Deno.test("a fraud of a usual amount is told from one that the amount explains", () => {
  const usual = (cents: number) =>
    extendedOf([
      ...[0, 1, 2].map((i) => rowAt(i, { amount: 10, terminalId: 9 })),
      rowAt(3, { amount: cents / 100, fraud: 1 }),
      rowAt(3 + 7 * DAY_SECONDS, { customerId: 5 }),
    ]).TERMINAL_ID_NB_USUAL_FRAUDS_1DAY_WINDOW;
  assert.deepEqual([1999, 2000].map(usual), [1, 0]);
});

/** Totals of the last of some rows, flags left out. */
function lastOf(rows: Payment[], parameters = HANDBOOK_FEATURES) {
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
    assert.equal(header, PAYMENT_FIELDS.join(","));
    const operator = new FeatureOperator(HANDBOOK_FEATURES);
    const totals = new Float64Array(14);
    const values = new Float64Array(14);
    const row = emptyPayment();
    const made = lines.map((line) => {
      const cells = line.split(",").map((cell, i) =>
        i === 1 ? cell : Number(cell)
      );
      assert.equal(fillPayment(cells, START_SECONDS, row), undefined);
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

for (const parameters of [HANDBOOK_FEATURES, EXTENDED]) {
  Deno.test(`processBlock() gives what process() gives, in blocks of any size: ${parameters.set}`, () => {
    fc.assert(
      fc.property(
        streamOf(parameters),
        fc.integer({ min: 1, max: 50 }),
        (rows, size) => {
          const operator = new FeatureOperator(parameters, SLACK_SECONDS);
          const width = featureCount(parameters);
          const found: number[][] = [];
          const totals = new Float64Array(size * width);
          for (let from = 0; from < rows.length; from += size) {
            const length = Math.min(size, rows.length - from);
            operator.processBlock(
              length,
              { read: (index, row) => Object.assign(row, rows[from + index]) },
              totals,
            );
            for (let i = 0; i < length; i++) {
              found.push([...totals.subarray(i * width, (i + 1) * width)]);
            }
          }
          assert.deepEqual(found, run(rows, parameters));
        },
      ),
    );
  });
}

for (const parameters of [HANDBOOK_FEATURES, EXTENDED]) {
  Deno.test(`operators that were saved and loaded go on as if nothing had been: ${parameters.set}`, () => {
    const operators = () =>
      [
        new CustomerOperator(parameters, SLACK_SECONDS),
        new TerminalOperator(parameters, SLACK_SECONDS),
      ] as const;
    fc.assert(
      fc.property(
        fc.oneof(streamOf(parameters), busyStream),
        fc.nat(250),
        (rows, cut) => {
          const totals = new Float64Array(featureCount(parameters));
          let [customer, terminal] = operators();
          let progress = 0;
          const found = rows.map((row, i) => {
            if (i === cut) {
              const pieces = new StatePieces();
              customer.save(pieces);
              terminal.save(pieces);
              [customer, terminal] = operators();
              customer.load(pieces);
              terminal.load(pieces);
              assert.ok(pieces.isAtEnd);
            }
            progress = Math.max(progress, row.timeSeconds);
            customer.process(row, progress, totals);
            terminal.process(row, progress, totals);
            return [...totals];
          });
          assert.deepEqual(found, run(rows, parameters));
        },
      ),
      { numRuns: 60 },
    );
  });
}
