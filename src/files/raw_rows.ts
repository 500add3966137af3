/**
 * Rows of files with any columns, as values by name: CSV, JSON lines, Parquet.
 * What the values mean is decided by a stream's definition. Digits are kept: a
 * number of CSV is its text, and a JSON number of more than 15 digits too.
 */
import { counted } from "../base/counted.ts";
import { DataError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import { STANDARD_STREAM } from "../base/output_file.ts";
import type { RawValue } from "../definition/rejection.ts";
import {
  CsvCutter,
  type CsvRecords,
  type Separator,
  splitRecord,
} from "./csv_records.ts";
import { type DaySource, formatOfContent } from "./day_source.ts";
import { openInputStream } from "./input_stream.ts";
import { type JsonRow, jsonRow, putValues, restOf } from "./json_row.ts";
import { type ByteSource, type LineBlock, lineBlocks } from "./line_block.ts";
import { rawParquetRows } from "./raw_parquet_rows.ts";
import { placesOf, type RawBatch } from "./raw_batch.ts";
import type { RowDefect, RowOptions } from "./row_batch.ts";

/** Rows of one input, batch after batch; the input is open only while they are read. Throws DataError. */
export async function* rawRows(
  source: DaySource,
  options: RowOptions,
): AsyncGenerator<RawBatch> {
  const { path, name } = source;
  if (path === STANDARD_STREAM) {
    yield* rawStream(Deno.stdin, undefined, source, options);
    return;
  }
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw fileError(error, "read", name);
  }
  try {
    yield* rawStream(file, file, source, options);
  } finally {
    file.close();
  }
}

/** The rows in a text: of CSV with a header, or of a JSON object in each line. Throws DataError. */
export function rawTextRows(
  text: string,
  format: "csv" | "jsonl",
  options: RowOptions,
): AsyncGenerator<RawBatch> {
  const source = bytesOf(text);
  return format === "csv"
    ? rawCsvRows(source, options)
    : rawJsonRows(source, options);
}

function bytesOf(text: string): ByteSource {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return {
    read(into) {
      const some = bytes.subarray(at, at + into.length);
      into.set(some);
      at += some.length;
      return Promise.resolve(some.length > 0 ? some.length : null);
    },
  };
}

async function* rawStream(
  source: ByteSource,
  file: Deno.FsFile | undefined,
  { name, format }: DaySource,
  options: RowOptions,
): AsyncGenerator<RawBatch> {
  if (format === "parquet" && file !== undefined) {
    yield* rawParquetRows(file, options);
    return;
  }
  const stream = await openInputStream(source, options);
  try {
    const found = format ?? formatOfContent(stream);
    if (found === "parquet") {
      throw new DataError(
        `${name}: Parquet can't be read from a pipe or under another name; ` +
          "name the file NAME.parquet",
      );
    }
    if (found === "csv") yield* rawCsvRows(stream, options);
    else yield* rawJsonRows(stream, options);
  } finally {
    stream.close();
  }
}

const SEPARATORS: readonly Separator[] = [",", ";", "\t"];

async function* rawCsvRows(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<RawBatch> {
  let reader: RawCsvReader | undefined;
  for await (const block of lineBlocks(source, options)) {
    reader ??= new RawCsvReader(block.text(0), options.name);
    yield reader.batch(reader.cutter.cut(block));
  }
  if (reader === undefined) {
    throw new DataError(
      `${options.name}:1:1: the file is empty; it must begin with a header`,
    );
  }
  yield reader.batch(reader.cutter.finish());
}

/** What the batches of one CSV file share. */
class RawCsvReader {
  readonly columns: readonly string[];
  readonly separator: Separator;
  readonly cutter: CsvCutter;
  readonly #name: string;
  #fields: readonly string[] | undefined;
  #places: readonly number[] = [];
  #isRest: ((field: string) => boolean) | undefined;
  #rests: readonly RestColumn[] = [];
  #headerDue = true;

  constructor(header: string, name: string) {
    const splits = SEPARATORS.map((separator) => {
      const columns = splitRecord(header, separator) ?? [];
      return { separator, columns };
    });
    const { separator, columns } = splits.reduce((best, split) =>
      split.columns.length > best.columns.length ? split : best
    );
    if (columns.length < 2) {
      throw new DataError(
        `${name}:1:1: the header has no columns that are separated by a ` +
          "comma, a semicolon or a tab",
      );
    }
    this.#name = name;
    this.columns = columns;
    this.separator = separator;
    this.cutter = new CsvCutter(separator, ({ length }) => {
      return length === columns.length;
    });
  }

  batch(records: CsvRecords): RawBatch {
    const first = this.#headerDue ? 1 : 0;
    this.#headerDue = false;
    const { starts, ends, bytes, lines } = records;
    const text = (index: number) => {
      const at = first + index;
      return DECODER.decode(bytes.subarray(starts[at], ends[at] - 1));
    };
    // The values and the rest of a row are asked for one after the other.
    let known = -1;
    let cells: readonly string[] | undefined;
    const cellsAt = (index: number) => {
      if (index !== known) cells = splitRecord(text(index), this.separator);
      known = index;
      return cells;
    };
    return {
      length: Math.max(0, starts.length - first),
      columns: this.columns,
      line: (index) => lines[first + index],
      values: (index, fields, into) =>
        this.#values(cellsAt(index), fields, into),
      rest: (index, isRest) => this.#rest(cellsAt(index) ?? [], isRest),
      text,
    };
  }

  #values(
    cells: readonly string[] | undefined,
    fields: readonly string[],
    into: RawValue[],
  ): RowDefect | undefined {
    if (fields !== this.#fields) {
      this.#places = placesOf(fields, this.columns, this.#name);
      this.#fields = fields;
    }
    if (cells === undefined) {
      return { reason: "broken quotes", message: "a quote that isn't closed" };
    }
    if (cells.length !== this.columns.length) {
      if (cells.length === 1 && cells.at(0) === "") {
        return { reason: "empty line", message: "the line is empty" };
      }
      return {
        reason: "wrong number of columns",
        message: `${counted(cells.length, "column")} where the header has ` +
          this.columns.length,
      };
    }
    const places = this.#places;
    for (let at = 0; at < places.length; at++) into[at] = cells[places[at]];
    return undefined;
  }

  #rest(
    cells: readonly string[],
    isRest: (field: string) => boolean,
  ): string {
    if (isRest !== this.#isRest) {
      this.#isRest = isRest;
      // Of columns with the same name the first counts.
      const places = [...this.columns.keys()].filter((place) => {
        const column = this.columns[place];
        return this.columns.indexOf(column) === place && isRest(column);
      });
      this.#rests = places.map((place, at) => {
        const name = JSON.stringify(this.columns[place]);
        return { place, mark: `${at > 0 ? "," : ""}${name}:` };
      });
    }
    let rest = "";
    for (const { place, mark } of this.#rests) {
      rest += mark + JSON.stringify(cells[place]);
    }
    return rest;
  }
}

/** A column that travels along. */
interface RestColumn {
  readonly place: number;
  /** What stands before its value in a row's rest. */
  readonly mark: string;
}

const DECODER = new TextDecoder();

async function* rawJsonRows(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<RawBatch> {
  let columns: readonly string[] | undefined;
  for await (const block of lineBlocks(source, options)) {
    columns ??= jsonRow(block.text(0))?.fields() ?? [];
    yield jsonBatch(block, columns);
  }
}

function jsonBatch(block: LineBlock, columns: readonly string[]): RawBatch {
  // The values and the rest of a row are asked for one after the other.
  let known = -1;
  let row: JsonRow | undefined;
  const rowAt = (index: number) => {
    if (index !== known) row = jsonRow(block.text(index));
    known = index;
    return row;
  };
  return {
    length: block.starts.length,
    columns,
    line: (index) => block.firstLine + index,
    values(index, fields, into) {
      const row = rowAt(index);
      if (row === undefined) {
        return {
          reason: "not JSON",
          message: "the line is not a JSON object",
        };
      }
      putValues(row, fields, into);
      return undefined;
    },
    rest(index, isRest) {
      const row = rowAt(index);
      return row ? restOf(row, isRest) : "";
    },
    text: (index) => block.text(index),
  };
}
