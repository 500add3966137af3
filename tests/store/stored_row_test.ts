import assert from "node:assert/strict";
import { StoreError } from "../../src/base/error.ts";
import { PAYMENT_CELLS, toCells } from "../../src/payment/payment_cells.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import {
  badRowText,
  checkedObjectOf,
  objectCheck,
  objectValues,
  refuseBadRow,
  type StoredRow,
  StoredRowReader,
} from "../../src/store/stored_row.ts";
import {
  CHECK_COLUMN,
  METRICS,
  type ModelMetric,
  type ObjectTable,
  paymentTable,
  PREDICTIONS,
} from "../../src/store/tables.ts";
import { emptyPredictions } from "../../src/payment/prediction.ts";

const TABLE = "shop.transactions";
const READER = new StoredRowReader(TABLE, paymentTable(HANDBOOK_FEATURES));

/** A row as it comes from either store. */
const GOOD: StoredRow = {
  "transaction_id": 17n,
  "tx_datetime": "2018-04-02 00:00:31",
  "customer_id": 596,
  "terminal_id": 3156,
  "tx_amount": 57.16,
  "tx_time_seconds": 86_431,
  "tx_time_days": 1,
  "tx_fraud": 1,
  "tx_fraud_scenario": 3,
  ...Object.fromEntries(
    featureNames(HANDBOOK_FEATURES).map((name) => [name.toLowerCase(), 1]),
  ),
};

function problemOf(row: StoredRow): string | undefined {
  const cells = new Float64Array(READER.width);
  const bad = READER.read(row, { cells, count: 1 }, 0);
  return bad && badRowText(bad);
}

Deno.test("a row that is as it was written is read", () => {
  const cells = new Float64Array(READER.width);
  assert.equal(READER.read(GOOD, { cells, count: 1 }, 0), undefined);
  const expected = new Float64Array(PAYMENT_CELLS);
  toCells(
    {
      transactionId: 17,
      datetimeSeconds: Date.UTC(2018, 3, 2, 0, 0, 31) / 1000,
      customerId: 596,
      terminalId: 3156,
      amount: 57.16,
      timeSeconds: 86_431,
      fraud: 1,
      scenario: 3,
    },
    expected,
    0,
  );
  assert.deepEqual(cells.subarray(0, PAYMENT_CELLS), expected);
});

Deno.test("a null in any column names the row and the column", () => {
  for (const column of Object.keys(GOOD)) {
    if (column === "transaction_id") continue; // the primary key
    for (const nothing of [null, undefined]) {
      assert.equal(
        problemOf({ ...GOOD, [column]: nothing }),
        `${TABLE}, transaction_id 17: ${column} has no value`,
      );
    }
  }
});

Deno.test("an odd value in any column names the row and the column", () => {
  const cases: readonly [string, unknown, RegExp][] = [
    ["transaction_id", -1n, /: transaction_id -1 is not in 0…/],
    ["transaction_id", 2n ** 60n, /^\S+, transaction_id 1152921504606846976: /],
    ["tx_datetime", "yesterday", /: tx_datetime "yesterday" is not a date/],
    ["tx_datetime", "\x1b[31m", /: tx_datetime "\\u001b\[31m" is not a date/],
    ["tx_datetime", "2019-04-02 00:00:32", /another time of day/],
    ["customer_id", -5, /: customer_id -5 is not in/],
    ["terminal_id", 2 ** 31, /: terminal_id 2147483648 is not in/],
    ["tx_amount", -1, /: tx_amount -1 is not in/],
    ["tx_amount", Infinity, /: tx_amount Infinity is not in/],
    ["tx_amount", 0.001, /: tx_amount 0.001 is not a whole number of cents/],
    ["tx_time_seconds", 86_432, /: tx_time_seconds 86432 has another time/],
    ["tx_time_days", 2, /: tx_time_days 2 is not the day of tx_time_seconds/],
    ["tx_fraud", 7, /: tx_fraud 7 is not in 0…1/],
    ["tx_fraud", "", /: tx_fraud "" is not a whole number/],
    ["tx_fraud_scenario", 0.5, /: tx_fraud_scenario 0.5 is not a whole/],
    ["tx_during_night", 0.5, /: tx_during_night 0.5 is not a value of this/],
    ["tx_during_night", "a\nb", /: tx_during_night "a\\nb" is not a value/],
    ["tx_during_night", -1, /: tx_during_night -1 is not/],
    ["terminal_id_risk_1day_window", NaN, /: terminal_id_risk_1day_window NaN/],
  ];
  for (const [column, value, expected] of cases) {
    const problem = problemOf({ ...GOOD, [column]: value });
    assert.match(problem ?? "read without a word", expected, column);
    assert.ok(!/\n/.test(problem ?? "") && !problem?.includes("\x1b"));
  }
});

Deno.test("where every row is needed a bad one is a StoreError of one line", () => {
  assert.throws(
    () =>
      refuseBadRow({ table: TABLE, transactionId: "17", problem: "x is odd" }),
    (error) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /^shop\.transactions, transaction_id 17: x /);
      return true;
    },
  );
});

Deno.test("a prediction that others have touched is named", () => {
  const reader = new StoredRowReader(PREDICTIONS.name, PREDICTIONS);
  const rows = emptyPredictions(1);
  const good = {
    ...GOOD,
    score: 0.5,
    alert: 1,
    "model_version": "0123456789ab",
    contributions: null,
  };
  assert.equal(reader.read(good, rows, 0), undefined);
  assert.deepEqual(rows.versions, ["0123456789ab"]);
  const cases: readonly [string, unknown, RegExp][] = [
    ["score", null, /score null is not a number/],
    ["score", "0.5", /score "0.5" is not a number/],
    ["alert", 2, /alert 2 is not 0 or 1/],
    ["model_version", null, /model_version null is not a text/],
    ["tx_datetime", null, /tx_datetime has no value/],
    ["customer_id", null, /customer_id has no value/],
  ];
  for (const [column, value, expected] of cases) {
    const bad = reader.read({ ...good, [column]: value }, rows, 0);
    assert.match(bad ? badRowText(bad) : "read without a word", expected);
  }
});

Deno.test("a column that a table gets at its end leaves older rows' checksums right", () => {
  interface Noted extends ModelMetric {
    readonly note?: string;
  }
  const noted: ObjectTable<Noted> = {
    ...METRICS,
    columns: [
      ...METRICS.columns,
      { name: "note", type: "text", source: "note", nullable: true },
    ],
  };
  const metric = { day: 1, version: "a", metric: "AUC", value: 0.5 };
  const check = objectCheck(METRICS, metric);
  const names = METRICS.columns.map(({ name }) => name);
  const values = objectValues(METRICS.columns, metric);
  const older = {
    ...Object.fromEntries(names.map((name, i) => [name, values[i]])),
    note: null,
    [CHECK_COLUMN]: check,
  };
  assert.deepEqual(checkedObjectOf(noted, older), {
    ...metric,
    note: undefined,
  });
  assert.throws(() => checkedObjectOf(noted, { ...older, note: "x" }));
  assert.notEqual(objectCheck(noted, { ...metric, note: "x" }), check);
});
