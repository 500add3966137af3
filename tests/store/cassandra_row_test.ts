import assert from "node:assert/strict";
import fc from "fast-check";
import { StoreError } from "../../src/error/error.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import {
  CellReader,
  RowEncoder,
  type RowValues,
} from "../../src/store/cassandra_row.ts";
import {
  type Column,
  type CqlType,
  tablesOf,
} from "../../src/store/cassandra_schema.ts";
import { formatDatetime } from "../../src/transaction/calendar.ts";
import { INT_MAX } from "../../src/transaction/transaction.ts";
import { cellsOf, oneRow, storedRows } from "./store_contract.ts";

const { transactions, byCustomer } = tablesOf(HANDBOOK_FEATURES, "bigint");

/** The values as Cassandra's protocol has them, read by its rules: big-endian. */
function decode(row: RowValues, columns: readonly Column[]): unknown[] {
  const read: Record<CqlType, (at: Uint8Array, view: DataView) => unknown> = {
    int: (_, view) => view.getInt32(0),
    bigint: (_, view) => view.getBigInt64(0),
    double: (_, view) => view.getFloat64(0),
    text: (bytes) => new TextDecoder().decode(bytes),
  };
  return columns.map(({ type }, i) => {
    const bytes = row.values[i];
    const { buffer, byteOffset, length } = bytes;
    return read[type](bytes, new DataView(buffer, byteOffset, length));
  });
}

Deno.test("a row is encoded and read back bit for bit", () => {
  const encoder = new RowEncoder("shop.transactions", transactions.columns);
  const reader = new CellReader("shop.transactions", transactions.columns);
  fc.assert(fc.property(storedRows(HANDBOOK_FEATURES), (stored) => {
    for (const { row, values } of stored) {
      const { cells } = cellsOf([{ row, values }]);
      const encoded = encoder.encode(cells, 0);
      const decoded = decode(encoded, transactions.columns);
      assert.equal(decoded[0], BigInt(row.transactionId));
      assert.equal(decoded[1], formatDatetime(row.datetimeSeconds));
      assert.equal(decoded[6], Math.floor(row.timeSeconds / 86_400));
      const found = new Float64Array(cells.length);
      const named = transactions.columns.map(({ name }, i) =>
        [name, decoded[i]] as const
      );
      reader.read(Object.fromEntries(named), found, 0);
      assert.deepEqual(found, cells);
      // Used again at once, for the next row.
      encoder.release([encoded]);
    }
  }));
});

Deno.test("a card's row has its period of 30 days", () => {
  const encoder = new RowEncoder("shop.byCustomer", byCustomer.columns);
  const { row, values } = oneRow(HANDBOOK_FEATURES);
  const periods = [0, 29, 30, 59, 60].map((day) => {
    const at = { ...row, timeSeconds: day * 86_400 + 86_399 };
    const { cells } = cellsOf([{ row: at, values }]);
    return decode(encoder.encode(cells, 0), byCustomer.columns)[1];
  });
  assert.deepEqual(periods, [0, 0, 1, 1, 2]);
});

Deno.test("rows in use are never handed out a second time", () => {
  const encoder = new RowEncoder("t", transactions.columns);
  const { cells } = cellsOf([oneRow(HANDBOOK_FEATURES)]);
  const first = encoder.encode(cells, 0);
  const second = encoder.encode(cells, 0);
  assert.notEqual(first, second);
  encoder.release([first]);
  assert.equal(encoder.encode(cells, 0), first);
  assert.notEqual(encoder.encode(cells, 0), second);
});

Deno.test("a number that its column cannot hold is refused, an id with what to do", () => {
  const { columns } = tablesOf(HANDBOOK_FEATURES, "int").transactions;
  const encoder = new RowEncoder("shop.transactions", columns);
  const { cells } = cellsOf([oneRow(HANDBOOK_FEATURES)]);
  const refusal = (at: number, value: number, message: RegExp) => {
    const changed = cells.slice();
    changed[at] = value;
    assert.throws(
      () => encoder.encode(changed, 0),
      (error) => error instanceof StoreError && message.test(error.message),
    );
  };
  refusal(0, INT_MAX + 1, /^transaction 2147483648: .*--bigint-ids/);
  refusal(10, 2 ** 32, /customer_id_nb_tx_1day_window is 4294967296/);
  refusal(10, 0.5, /customer_id_nb_tx_1day_window is 0\.5/);
  refusal(6, NaN, /tx_fraud is NaN/);
});

Deno.test("a row with nothing in a column, or no date, is refused by its id", () => {
  const reader = new CellReader("shop.transactions", transactions.columns);
  const row = Object.fromEntries(
    transactions.columns.map(({ name }) => [name, 1 as unknown]),
  );
  const cells = new Float64Array(transactions.columns.length);
  const good = {
    ...row,
    "transaction_id": 17n,
    "tx_datetime": "2018-04-01 00:00:31",
  };
  reader.read(good, cells, 0);
  for (const nothing of [null, undefined]) {
    assert.throws(
      () => reader.read({ ...good, terminal_id: nothing }, cells, 0),
      /transaction 17 in shop\.transactions has no terminal_id/,
    );
  }
  assert.throws(
    () => reader.read({ ...good, tx_datetime: "yesterday" }, cells, 0),
    /transaction 17 in shop\.transactions has the tx_datetime yesterday/,
  );
});
