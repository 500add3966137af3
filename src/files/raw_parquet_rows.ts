/**
 * Rows of a Parquet file with any columns, as values by name. Whole numbers of
 * 64 bits keep their digits. A float of 32 bits is the shortest number that it
 * stands for. A timestamp without a zone is text, so that the definition's zone
 * applies; one in UTC is a Date.
 */
import type { SchemaElement } from "hyparquet";
import type { RawValue } from "../definition/rejection.ts";
import { parquetSlices } from "./parquet_rows.ts";
import { jsonMember, placesOf, type RawBatch } from "./raw_batch.ts";
import type { RowOptions } from "./row_batch.ts";

/** Rows decoded at once; a row may have hundreds of columns. */
const SLICE_ROWS = 16_384;

/** Rows of a Parquet file, batch after batch. Throws DataError for a file that isn't one. */
export async function* rawParquetRows(
  file: Deno.FsFile,
  options: RowOptions,
): AsyncGenerator<RawBatch> {
  const slices = parquetSlices(file, options, {
    columnsOf: flatColumns,
    most: SLICE_ROWS,
  });
  for await (const { rows, from, columns } of slices) {
    yield parquetBatch(rows, from + 1, columns, options.name);
  }
}

/** The columns that hold values, not lists or further columns. */
function flatColumns(elements: readonly SchemaElement[]): SchemaElement[] {
  return elements.filter((element) =>
    (element.num_children ?? 0) === 0 &&
    element.repetition_type !== "REPEATED"
  );
}

function parquetBatch(
  rows: readonly (readonly unknown[])[],
  firstRow: number,
  elements: readonly SchemaElement[],
  name: string,
): RawBatch {
  const columns = elements.map((element) => element.name);
  let known: readonly string[] | undefined;
  let places: readonly number[] = [];
  const rest = (index: number, isRest: (field: string) => boolean) => {
    const row = rows[index];
    return [...columns.keys()].filter((place) => isRest(columns[place]))
      .map((place) => {
        const value = rawValue(row[place], elements[place]);
        return jsonMember(columns[place], value);
      }).join();
  };
  return {
    length: rows.length,
    columns,
    line: (index) => firstRow + index,
    values(index, fields, into) {
      if (fields !== known) {
        places = placesOf(fields, columns, name);
        known = fields;
      }
      const row = rows[index];
      for (let at = 0; at < places.length; at++) {
        const place = places[at];
        into[at] = rawValue(row[place], elements[place]);
      }
      return undefined;
    },
    rest,
    text: (index) => `{${rest(index, () => true)}}`,
  };
}

/** The value of a column before the column's type rounded it. */
function rawValue(value: unknown, element: SchemaElement): RawValue {
  const { type, scale, converted_type: converted, logical_type: logical } =
    element;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) return null;
    const text = value.toISOString();
    if (converted === "DATE" || logical?.type === "DATE") {
      return text.slice(0, 10);
    }
    const isLocal = logical?.type === "TIMESTAMP" && !logical.isAdjustedToUTC;
    return isLocal ? text.slice(0, -1) : value;
  }
  if (typeof value !== "number") return value as RawValue;
  if (converted === "DECIMAL") return Number(value.toFixed(scale ?? 0));
  return type === "FLOAT" ? shortest(value) : value;
}

/** The number with the fewest digits that a 32-bit float stands for. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const number = Number(value.toPrecision(digits));
    if (Math.fround(number) === value) return number;
  }
  return value;
}
