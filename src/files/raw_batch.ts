/** Rows of any columns between a file and a definition: the interface of their readers. */
import { DataError } from "../base/error.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { RowDefect } from "./row_batch.ts";

/** Some consecutive rows of one file. */
export interface RawBatch {
  /** Number of rows. */
  readonly length: number;
  /** Names of the columns; of JSON lines those of its first row. */
  readonly columns: readonly string[];
  /** Number of the line (of a text file) or row (of Parquet) where row `index` begins, from 1. */
  line(index: number): number;
  /**
   * Puts the values of some fields into `into`, in their order, or returns why
   * the row cannot be read. Throws DataError where a file with a header has no
   * such column, or two of that name.
   */
  values(
    index: number,
    fields: readonly string[],
    into: RawValue[],
  ): RowDefect | undefined;
  /**
   * The fields of a readable row that `isRest` chooses, in their order, as the
   * members of a JSON object without its braces; "" where there are none.
   */
  rest(index: number, isRest: (field: string) => boolean): string;
  /** The row as it stands in a text file, without its line end; a row of Parquet as JSON. */
  text(index: number): string;
}

/** A member of a JSON object. Values that JSON does not have are text, whole numbers keep their digits. */
export function jsonMember(field: string, value: unknown): string {
  const json = typeof value === "bigint"
    ? String(value)
    : JSON.stringify(value) ?? "null";
  return `${JSON.stringify(field)}:${json}`;
}

/** The places of fields among the columns of a header. Throws DataError for a field without a column, or with two. */
export function placesOf(
  fields: readonly string[],
  columns: readonly string[],
  name: string,
): number[] {
  return fields.map((field) => {
    const place = columns.indexOf(field);
    if (place < 0) {
      const shown = columns.slice(0, 30).map((column) => `'${column}'`);
      throw new DataError(
        `${name}: no column '${field}', which the definition reads; the ` +
          `columns are ${shown.join(", ")}${columns.length > 30 ? ", …" : ""}`,
      );
    }
    if (columns.indexOf(field, place + 1) < 0) return place;
    throw new DataError(
      `${name}: two columns are named '${field}', which the definition reads; ` +
        "rename one",
    );
  });
}
