import assert from "node:assert/strict";
import fc from "fast-check";
import { StoreError } from "../../../src/base/error.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import {
  RowEncoder,
  type RowValues,
} from "../../../src/store/cassandra/cassandra_row.ts";
import {
  tablesOf,
  withFoundIds,
} from "../../../src/store/cassandra/cassandra_schema.ts";
import type { Column, ColumnType } from "../../../src/store/tables.ts";
import { StoredRowReader } from "../../../src/store/stored_row.ts";
import { formatDatetime } from "../../../src/payment/calendar.ts";
import { INT_MAX } from "../../../src/payment/payment.ts";
import { cellsOf, oneRow, storedRows } from "../store_contract.ts";

const { transactions, byCustomer } = tablesOf(HANDBOOK_FEATURES);

/** The values as Cassandra's protocol has them, read by its rules: big-endian. */
function decode(row: RowValues, columns: readonly Column[]): unknown[] {
  const read: Record<ColumnType, (at: Uint8Array, view: DataView) => unknown> =
    {
      int: (_, view) => view.getInt32(0),
      bigint: (_, view) => view.getBigInt64(0),
      double: (_, view) => view.getFloat64(0),
      text: (bytes) => new TextDecoder().decode(bytes),
    };
  return columns.map(({ type }, i) => {
    const bytes = row.values[i];
    if (bytes === null) return null;
    const { buffer, byteOffset, length } = bytes;
    return read[type](bytes, new DataView(buffer, byteOffset, length));
  });
}

Deno.test("a row is encoded and read back bit for bit", () => {
  const encoder = new RowEncoder("shop.transactions", transactions.columns);
  const reader = new StoredRowReader("shop.transactions", transactions);
  fc.assert(fc.property(storedRows(HANDBOOK_FEATURES), (stored) => {
    for (const { row, values } of stored) {
      const { cells } = cellsOf([{ row, values }]);
      const encoded = encoder.encode(cells, 0);
      const decoded = decode(encoded, transactions.columns);
      assert.equal(decoded[0], BigInt(row.transactionId));
      assert.equal(decoded[1], formatDatetime(row.datetimeSeconds));
      assert.equal(decoded[6], Math.floor(row.timeSeconds / 86_400));
      const found = { cells: new Float64Array(cells.length), count: 1 };
      const named = transactions.columns.map(({ name }, i) =>
        [name, decoded[i]] as const
      );
      assert.equal(reader.read(Object.fromEntries(named), found, 0), undefined);
      assert.deepEqual(found.cells, cells);
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

Deno.test("a number that its column cannot hold is refused", () => {
  const { columns } = withFoundIds(transactions, [
    { name: "transaction_id", type: "int", kind: "partition_key" },
  ]);
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
  refusal(0, INT_MAX + 1, /^transaction 2147483648: transaction_id is 2147/);
  refusal(10, 2 ** 32, /customer_id_nb_tx_1day_window is 4294967296/);
  refusal(10, 0.5, /customer_id_nb_tx_1day_window is 0\.5/);
  refusal(6, NaN, /tx_fraud is NaN/);
});
