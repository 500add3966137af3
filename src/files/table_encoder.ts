/**
 * Rows to bytes in the two text formats. CSV is the canonical form: header
 * first, LF, numbers as JavaScript prints them, no quotes where none are
 * needed, nothing for null. JSONL is one object per line as JSON.stringify
 * prints it.
 */
import { stringify } from "csv-stringify/sync";
import { parseExactly } from "../base/exact_json.ts";
import { DatetimeFormatter } from "../payment/calendar.ts";

/** Formats that tables are written in. */
export type TableFormat = "csv" | "jsonl" | "parquet";

/** All table formats, in the order that help and messages list them. */
export const TABLE_FORMATS: readonly TableFormat[] = [
  "csv",
  "jsonl",
  "parquet",
];

/**
 * What a column holds. A timestamp is given in seconds since 1970; CSV has it
 * as 'YYYY-MM-DD HH:MM:SS', JSON lines as ISO 8601 in UTC, Parquet as a
 * timestamp. An instant is a clock time, given in milliseconds since 1970; CSV
 * and JSON lines have it as ISO 8601 with milliseconds. A json is given as JSON text, which JSON lines contain as it is.
 */
export type ColumnKind =
  | "int32"
  | "int64"
  | "double"
  | "text"
  | "timestamp"
  | "instant"
  | "json";

/** A column of a table. */
export interface TableColumn {
  /** Name, as header or key. */
  readonly name: string;
  /** What it holds. */
  readonly kind: ColumnKind;
  /** Whether its values may be null. */
  readonly nullable?: true;
}

/** The values of one column: strings for the kinds text and json, else numbers; null for none. */
export type ColumnValues = ArrayLike<number | null> | ArrayLike<string | null>;

/** A value of a column. */
type CellValue = number | string | null;

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
  const datetime = new DatetimeFormatter();
  return {
    encode(values, from, to) {
      const shown = columns.map(({ kind }, at) =>
        kind === "timestamp"
          ? withTimes(values[at], from, to, (time) => datetime.format(time))
          : kind === "instant"
          ? withTimes(values[at], from, to, isoInstant)
          : values[at]
      );
      const records: CellValue[][] = [];
      for (let row = from; row < to; row++) {
        const record: CellValue[] = [];
        for (const column of shown) record.push(column[row]);
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
  const datetime = new DatetimeFormatter();
  const isoTime = (time: number) =>
    `${datetime.format(time).replace(" ", "T")}Z`;
  return {
    encode(values, from, to) {
      const shown = columns.map(({ kind }, at) =>
        kind === "timestamp"
          ? withTimes(values[at], from, to, isoTime)
          : kind === "instant"
          ? withTimes(values[at], from, to, isoInstant)
          : values[at]
      );
      let lines = "";
      for (let row = from; row < to; row++) {
        const record: Record<string, unknown> = {};
        for (let at = 0; at < columns.length; at++) {
          const { name, kind } = columns[at];
          const value = shown[at][row];
          record[name] = kind === "json" && value !== null
            ? parseExactly(String(value))
            : value;
        }
        lines += JSON.stringify(record) + "\n";
      }
      return text.encode(lines);
    },
    finish: () => NOTHING,
  };
}

function isoInstant(ms: number): string {
  return new Date(ms).toISOString();
}

/** Rows `from` to `to` of a column of times as text, in their places. */
function withTimes(
  values: ColumnValues,
  from: number,
  to: number,
  format: (time: number) => string,
): (string | null)[] {
  const texts = new Array<string | null>(to);
  for (let row = from; row < to; row++) {
    const value = values[row];
    texts[row] = value === null ? null : format(Number(value));
  }
  return texts;
}
