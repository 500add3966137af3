/**
 * Payments from Parquet, some rows of a row group at a time. Whole numbers may
 * have any integer type, or be doubles; amounts may be doubles, floats or
 * decimals; the label may be boolean; TX_DATETIME may be text or a timestamp of
 * any unit (UTC).
 */
import {
  type AsyncBuffer,
  parquetMetadataAsync,
  parquetRead,
  type SchemaElement,
} from "hyparquet";
import { DataError } from "../base/error.ts";
import { type Payment, PAYMENT_FIELDS } from "../payment/payment.ts";
import { fillFields, REQUIRED_FIELDS } from "../payment/validation.ts";
import { checkPages } from "./parquet_limits.ts";
import { parquetCompressors } from "./parquet_codecs.ts";
import type {
  FieldPlace,
  RowBatch,
  RowDefect,
  RowOptions,
} from "./row_batch.ts";

/** Rows decoded at once. */
const SLICE_ROWS = 131_072;

/** Rows of a Parquet file, batch after batch. Throws DataError for a file that isn't one. */
export async function* parquetRows(
  file: Deno.FsFile,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  const slices = parquetSlices(file, options, {
    columnsOf: (elements) => columnsOf(elements, options.name),
    most: SLICE_ROWS,
  });
  for await (const { rows, from, columns } of slices) {
    yield new ParquetBatch(rows, from + 1, columns);
  }
}

/** Consecutive rows of a row group, decoded. */
export interface ParquetSlice<Column> {
  /** Of each row, the values of the columns. */
  readonly rows: unknown[][];
  /** Number of the first row in the file, from 0. */
  readonly from: number;
  /** The columns. */
  readonly columns: readonly Column[];
}

/**
 * Some of the columns directly below the root of a Parquet file, at most `most`
 * rows at once. Throws DataError for a file that isn't one.
 *
 * @internal (deno doc --lint would want hyparquet documented)
 */
export async function* parquetSlices<
  Column extends { readonly name: string },
>(
  file: Deno.FsFile,
  { name, signal }: RowOptions,
  { columnsOf, most }: {
    readonly columnsOf: (
      elements: readonly SchemaElement[],
    ) => readonly Column[];
    readonly most: number;
  },
): AsyncGenerator<ParquetSlice<Column>> {
  const buffer = fileBuffer(file);
  const metadata = await trying(name, () => parquetMetadataAsync(buffer));
  const columns = columnsOf(topLevel(metadata.schema));
  const compressors = await trying(name, () => parquetCompressors(metadata));
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = groupStart + Number(group.num_rows);
    await trying(name, () => checkPages(buffer, group, columns, name));
    for (let from = groupStart; from < groupEnd; from += most) {
      signal.throwIfAborted();
      const rowEnd = Math.min(groupEnd, from + most);
      let rows: unknown[][] = [];
      await trying(name, () =>
        parquetRead({
          file: buffer,
          metadata,
          compressors,
          columns: columns.map((column) => column.name),
          rowStart: from,
          rowEnd,
          onComplete: (read: unknown[][]) => rows = read,
        }));
      if (rows.length !== rowEnd - from) {
        throw damaged(name, "rows are missing");
      }
      yield { rows, from, columns };
    }
    groupStart = groupEnd;
  }
}

/** A column that holds a field of a payment. */
interface FieldColumn {
  readonly name: string;
  /** Its place in PAYMENT_FIELDS. */
  readonly field: number;
  readonly element: SchemaElement;
}

function columnsOf(
  elements: readonly SchemaElement[],
  name: string,
): FieldColumn[] {
  const columns = PAYMENT_FIELDS.flatMap((field, at) => {
    const element = elements.find((element) => element.name === field);
    return element ? [{ name: field, field: at, element }] : [];
  });
  const missing = REQUIRED_FIELDS.filter((field) =>
    columns.every((column) => column.name !== field)
  );
  if (missing.length > 0) {
    throw new DataError(
      `${name}: the columns lack ${missing.join(", ")}; required are ` +
        REQUIRED_FIELDS.join(", "),
    );
  }
  for (const { name: field, element } of columns) {
    if ((element.num_children ?? 0) > 0) {
      throw new DataError(`${name}: ${field} is a nested column, not a value`);
    }
    if (element.converted_type === "DATE") {
      throw new DataError(
        `${name}: ${field} is a column of dates without a time of day; write ` +
          "timestamps",
      );
    }
  }
  return columns;
}

/** The elements directly below the root. */
function topLevel(schema: readonly SchemaElement[]): SchemaElement[] {
  const elements: SchemaElement[] = [];
  for (let at = 1; at < schema.length;) {
    elements.push(schema[at]);
    let open = 1;
    while (open > 0 && at < schema.length) {
      open += (schema[at++].num_children ?? 0) - 1;
    }
  }
  return elements;
}

class ParquetBatch implements RowBatch {
  readonly #rows: readonly (readonly unknown[])[];
  readonly #firstRow: number;
  readonly #columns: readonly FieldColumn[];

  constructor(
    rows: readonly (readonly unknown[])[],
    firstRow: number,
    columns: readonly FieldColumn[],
  ) {
    this.#rows = rows;
    this.#firstRow = firstRow;
    this.#columns = columns;
  }

  get length(): number {
    return this.#rows.length;
  }

  line(index: number): number {
    return this.#firstRow + index;
  }

  read(index: number, into: Payment): RowDefect | undefined {
    const values: unknown[] = new Array(PAYMENT_FIELDS.length);
    const row = this.#rows[index];
    this.#columns.forEach(({ field, element }, at) => {
      values[field] = exactValue(row[at] ?? null, element);
    });
    return fillFields(values, into);
  }

  place(index: number): FieldPlace {
    return { line: this.line(index), column: undefined };
  }
}

/** The value of a column before the column's type rounded it. */
function exactValue(value: unknown, element: SchemaElement): unknown {
  if (typeof value !== "number") return value;
  if (element.converted_type === "DECIMAL") {
    return Number(value.toFixed(element.scale ?? 0));
  }
  if (element.type === "FLOAT") return fromFloat(value);
  return value;
}

/**
 * The whole cent that a 32-bit float stands for; the number itself where it
 * stands for none, or for several.
 */
function fromFloat(value: number): number {
  const cents = Math.round(value * 100);
  const meant = [cents - 1, cents, cents + 1].filter((near) => {
    return Math.fround(near / 100) === value;
  });
  return meant.length === 1 ? meant[0] / 100 : value;
}

/** The result of an attempt to read a Parquet file; its errors become DataErrors that name the file. */
async function trying<T>(
  name: string,
  attempt: () => T | Promise<T>,
): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw damaged(name, error);
  }
}

/** The error about a file that is damaged, or no Parquet file. */
function damaged(name: string, error: unknown): DataError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataError(
    `${name}: not a readable Parquet file (${reason}); write it again`,
    { cause: error },
  );
}

/**
 * A file as hyparquet reads it.
 */
function fileBuffer(file: Deno.FsFile): AsyncBuffer {
  const byteLength = file.statSync().size;
  return {
    byteLength,
    slice(start, end = byteLength) {
      // Sizes in a damaged file must not decide how much memory is taken.
      if (!(start >= 0 && end >= start && end <= byteLength)) {
        throw new Error("an offset lies outside of the file");
      }
      // Synchronous, so that two concurrent slices can't mix their seeks and
      // reads.
      const bytes = new Uint8Array(end - start);
      file.seekSync(start, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) {
        const count = file.readSync(bytes.subarray(at));
        if (count === null) throw new Error("the file ends early");
        at += count;
      }
      return bytes.buffer;
    },
  };
}
