import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import {
  otherTables,
  tablesOf,
} from "../../../src/store/cassandra/cassandra_schema.ts";
import {
  usedColumns,
  WritePlanner,
} from "../../../src/store/cassandra/cassandra_writes.ts";
import type { Payment } from "../../../src/payment/payment.ts";
import {
  emptyPredictions,
  type PredictionRows,
} from "../../../src/payment/prediction.ts";
import { cellsOf, oneRow } from "../store_contract.ts";

const DAY = 86_400;

/** The requests for these payments: their table, and the ids in each. */
function plan(payments: readonly Partial<Payment>[]): [string, number[]][] {
  const { row, values } = oneRow(HANDBOOK_FEATURES);
  const stored = payments.map((changes, transactionId) => ({
    row: { ...row, fraud: 0, ...changes, transactionId },
    values,
  }));
  const tables = tablesOf(HANDBOOK_FEATURES);
  const planner = new WritePlanner("shop", tables);
  return [...planner.writes(cellsOf(stored))].map(({ cql, rows }) => {
    const [, name, columns] = /INTO shop\.(\w+) \(([^)]*)\)/.exec(cql) ?? [];
    const id = columns.split(", ").indexOf("transaction_id");
    return [
      name,
      rows.map(({ values }) => Number((values[id] as Buffer).readBigInt64BE())),
    ];
  });
}

function of(table: string, writes: [string, number[]][]): number[][] {
  return writes.filter(([name]) => name === table).map(([, ids]) => ids)
    .sort(([a], [b]) => a - b);
}

Deno.test("each payment is one request, each partition of a query table one more", () => {
  const writes = plan([
    { customerId: 1, terminalId: 9, timeSeconds: 0 },
    { customerId: 2, terminalId: 9, timeSeconds: 1 },
    { customerId: 1, terminalId: 8, timeSeconds: 2 },
    // The same card and terminal in the next period.
    { customerId: 1, terminalId: 9, timeSeconds: 30 * DAY },
  ]);
  assert.deepEqual(of("transactions", writes), [[0], [1], [2], [3]]);
  assert.deepEqual(of("transactions_by_customer", writes), [[0, 2], [1], [3]]);
  assert.deepEqual(of("transactions_by_terminal", writes), [[0, 1], [2], [3]]);
  assert.deepEqual(of("frauds_by_day", writes), []);
});

Deno.test("rows without shadow scores and decisions are written without their columns, which would be tombstones", () => {
  const { predictions } = otherTables();
  const names = predictions.columns.map(({ name }) => name);
  const last = (rows: PredictionRows) =>
    names[usedColumns(predictions, rows) - 1];
  const rows = { ...emptyPredictions(3), count: 2 };
  // What lies behind the rows is from others.
  rows.shadowScores[2] = '{"a":0.5}';
  assert.equal(last(rows), "record_offset");
  rows.shadowScores[1] = '{"a":0.5}';
  assert.equal(last(rows), "shadow_scores");
  rows.decisions[0] = {
    ...{ decision: "approve", rulesVersion: "a", listsVersion: null },
    ...{ rules: null, shadowRules: null, reasons: null, threshold: null },
  };
  assert.equal(last(rows), names.at(-1));
});

Deno.test("cards and periods never share a partition by accident", () => {
  // Both would be 62 if periods were counted as 60 a card.
  const writes = plan([
    { customerId: 1, timeSeconds: 2 * 30 * DAY },
    { customerId: 0, timeSeconds: 62 * 30 * DAY },
    { customerId: 2, timeSeconds: 0 },
  ]);
  assert.deepEqual(of("transactions_by_customer", writes), [[0], [1], [2]]);
});

Deno.test("frauds alone go to the day of the fraud", () => {
  const writes = plan([
    { fraud: 1, timeSeconds: DAY - 1 },
    { fraud: 0, timeSeconds: DAY - 1 },
    { fraud: 1, timeSeconds: 5 },
    { fraud: 1, timeSeconds: DAY },
  ]);
  assert.deepEqual(of("frauds_by_day", writes), [[0, 2], [3]]);
});

Deno.test("at most 32 rows go together, and none is left out", () => {
  const writes = plan(Array.from({ length: 70 }, () => ({
    customerId: 5,
    timeSeconds: 1,
  })));
  const ids = of("transactions_by_customer", writes);
  assert.deepEqual(ids.map(({ length }) => length), [32, 32, 6]);
  assert.deepEqual(
    ids.flat().toSorted((a, b) => a - b),
    Array.from({ length: 70 }, (_, id) => id),
  );
});
