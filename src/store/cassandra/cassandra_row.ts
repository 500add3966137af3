/**
 * Rows in the binary form that Cassandra's protocol has for ints, bigints,
 * doubles and text, written into reused buffers: the driver sends these bytes
 * as they are, without creating objects.
 */
import { Buffer } from "node:buffer";
import { StoreError } from "../../base/error.ts";
import { DatetimeFormatter } from "../../payment/calendar.ts";
import { INT_MAX } from "../../payment/payment.ts";
import { CELL } from "../../payment/payment_cells.ts";
import { dayOf } from "../cell_rows.ts";
import type { Column, PaymentSource } from "../tables.ts";

/** Length of 'YYYY-MM-DD HH:MM:SS'. */
const DATETIME_BYTES = 19;

/** One row's values, in the order of a table's columns. */
export class RowValues {
  /** The values, as bytes; the driver's type is a mutable array, but it does not change it. */
  readonly values: Buffer[];
  readonly #view: DataView;

  /** Allocates a row of these columns. */
  constructor(columns: readonly Column<PaymentSource>[]) {
    const lengths = columns.map(({ type }): number =>
      type === "text" ? DATETIME_BYTES : type === "int" ? 4 : 8
    );
    const bytes = Buffer.alloc(lengths.reduce((sum, length) => sum + length));
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    this.values = lengths.map((length) =>
      bytes.subarray(at, at += length) as Buffer
    );
  }

  /** The bytes of the whole row. */
  get view(): DataView {
    return this.#view;
  }
}

/** Fills rows of one table, and keeps unused rows for reuse. */
export class RowEncoder {
  readonly #table: string;
  readonly #columns: readonly Column<PaymentSource>[];
  readonly #datetime = new DatetimeFormatter();
  readonly #free: RowValues[] = [];

  /** Encodes rows of a table; its name, with the keyspace, is for messages. */
  constructor(table: string, columns: readonly Column<PaymentSource>[]) {
    this.#table = table;
    this.#columns = columns;
  }

  /** The row in cells `at` …; throws StoreError for a number that its column cannot hold. */
  encode(cells: Float64Array, at: number): RowValues {
    const row = this.#free.pop() ?? new RowValues(this.#columns);
    const { view } = row;
    let to = 0;
    for (const column of this.#columns) {
      const { type, source } = column;
      if (source === "datetime") {
        const text = this.#datetime.format(cells[at + CELL.datetime]);
        for (let i = 0; i < DATETIME_BYTES; i++) {
          view.setUint8(to + i, text.charCodeAt(i));
        }
        to += DATETIME_BYTES;
        continue;
      }
      const value = typeof source === "number"
        ? cells[at + source]
        : dayOf(source, cells[at + CELL.time]);
      switch (type) {
        case "int":
          if (value !== (value | 0)) this.#refuse(column, value, cells[at]);
          view.setInt32(to, value);
          to += 4;
          break;
        case "bigint":
          // Without a BigInt, which would cost an object per row and table.
          view.setInt32(to, Math.floor(value / 2 ** 32));
          view.setUint32(to + 4, value);
          to += 8;
          break;
        default:
          view.setFloat64(to, value);
          to += 8;
      }
    }
    return row;
  }

  /** Takes back rows that have been written. */
  release(rows: readonly RowValues[]): void {
    for (const row of rows) this.#free.push(row);
  }

  #refuse(column: Column<PaymentSource>, value: number, id: number): never {
    throw new StoreError(
      `transaction ${id}: ${column.name} is ${value}, but the column of ` +
        `${this.#table} is an int (up to ${INT_MAX})`,
    );
  }
}
