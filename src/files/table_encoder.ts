/**
 * Rows to bytes in the two text formats. CSV is the canonical form: header
 * first, LF, numbers as JavaScript prints them, no quotes where none are
 * needed. JSONL is one object per line as JSON.stringify prints it.
 */
import { stringify } from "csv-stringify/sync";

/** Formats that tables are written in. */
export type TableFormat = "csv" | "jsonl" | "parquet";

/** All table formats, in the order that help and messages list them. */
export const TABLE_FORMATS: readonly TableFormat[] = [
  "csv",
  "jsonl",
  "parquet",
];

/** The type of a column; only Parquet needs it. */
export type ColumnKind = "int32" | "int64" | "double" | "text";

/** A column of a table. */
export interface TableColumn {
  /** Name, as header or key. */
  readonly name: string;
  /** What it holds. */
  readonly kind: ColumnKind;
}

/** The values of one column: numbers, or strings for kind "text". */
export type ColumnValues = ArrayLike<number> | ArrayLike<string>;

/** Turns batches of rows into the bytes of a file, in order. */
export interface TableEncoder {
  /** Bytes of rows `from` (inclusive) to `to` (exclusive); may hold rows back. */
  encode(
    values: readonly ColumnValues[],
    from: number,
    to: number,
  ): Uint8Array;
  /** The remaining bytes, after the last row. */
  finish(): Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** Encoder of canonical CSV. */
export function csvEncoder(columns: readonly TableColumn[]): TableEncoder {
  const text = new TextEncoder();
  let headerDue = true;
  const header = () => {
    headerDue = false;
    return stringify([columns.map((column) => column.name)]);
  };
  return {
    encode(values, from, to) {
      const records: (number | string)[][] = [];
      for (let row = from; row < to; row++) {
        const record: (number | string)[] = [];
        for (const column of values) record.push(column[row]);
        records.push(record);
      }
      const lines = stringify(records);
      return text.encode(headerDue ? header() + lines : lines);
    },
    finish: () => headerDue ? text.encode(header()) : NOTHING,
  };
}

/** Encoder of JSON lines with the columns as keys, in order. */
export function jsonlEncoder(columns: readonly TableColumn[]): TableEncoder {
  const text = new TextEncoder();
  const names = columns.map((column) => column.name);
  return {
    encode(values, from, to) {
      let lines = "";
      for (let row = from; row < to; row++) {
        const record: Record<string, number | string> = {};
        for (let at = 0; at < names.length; at++) {
          record[names[at]] = values[at][row];
        }
        lines += JSON.stringify(record) + "\n";
      }
      return text.encode(lines);
    },
    finish: () => NOTHING,
  };
}
