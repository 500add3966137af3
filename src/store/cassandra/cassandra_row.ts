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
import type { Column, ColumnType, PaymentSource } from "../tables.ts";

import type { TextHeap } from "../../payment/text_heap.ts";
import { type OwnColumn, ownValue } from "../cell_rows.ts";

/** Length of 'YYYY-MM-DD HH:MM:SS'. */
const DATETIME_BYTES = 19;

/** One row's values, in the order of a table's columns. */
export class RowValues {
  /** The values, as bytes, or null for none; the driver's type is a mutable array, but it does not change it. */
  readonly values: (Buffer | null)[];
  readonly #view: DataView;

  /** Allocates a row of these columns. */
  constructor(columns: readonly Column<PaymentSource>[]) {
    const lengths = columns.map(({ type, cellKind }): number =>
      cellKind !== undefined
        ? 0
        : type === "text"
        ? DATETIME_BYTES
        : type === "int"
        ? 4
        : 8
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
  readonly #all: readonly Column<PaymentSource>[];
  /** Those of fixed length. */
  readonly #columns: readonly Column<PaymentSource>[];
  /** The columns whose values have no fixed length, and their places. */
  readonly #own: readonly OwnPlace[];
  readonly #datetime = new DatetimeFormatter();
  readonly #free: RowValues[] = [];

  /** Encodes rows of a table; its name, with the keyspace, is for messages. */
  constructor(table: string, columns: readonly Column<PaymentSource>[]) {
    this.#table = table;
    this.#columns = columns.filter(({ cellKind }) => cellKind === undefined);
    this.#all = columns;
    this.#own = columns.flatMap(({ source, cellKind, type }, place) =>
      cellKind !== undefined && typeof source === "number"
        ? [{ place, cell: source, cellKind, type }]
        : []
    );
  }

  /** The row in cells `at` …, whose texts are in `texts`; throws StoreError for a number that its column cannot hold. */
  encode(cells: Float64Array, at: number, texts?: TextHeap): RowValues {
    const row = this.#free.pop() ?? new RowValues(this.#all);
    const { view } = row;
    for (const { place, cell, cellKind, type } of this.#own) {
      const value = ownValue(cells[at + cell], cellKind, texts);
      row.values[place] = value === null ? null : encoded(value, type);
    }
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

/** A column whose cell is not simply its number. */
interface OwnPlace extends OwnColumn {
  /** Among the columns. */
  readonly place: number;
  readonly type: ColumnType;
}

/** A value of a column of text, int or double as bytes that nobody else has. */
function encoded(value: number | string, type: ColumnType): Buffer {
  if (typeof value === "string") return Buffer.from(value);
  const bytes = Buffer.alloc(type === "int" ? 4 : 8);
  if (type === "int") bytes.writeInt32BE(value);
  else bytes.writeDoubleBE(value);
  return bytes;
}
