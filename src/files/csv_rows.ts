/**
 * Payments from CSV as raw rows. Columns are found by their header names, in
 * any order; other columns are ignored. A row is a line: a quoted field can't
 * span lines.
 */
import { parse } from "csv-parse/sync";
import { DataError } from "../error/error.ts";
import { TRANSACTION_FIELDS } from "../transaction/transaction.ts";
import { type ByteSource, type LineBlock, lineBlocks } from "./line_block.ts";
import type { BrokenRow, RowBatch, RowOptions } from "./row_batch.ts";

const DATETIME = TRANSACTION_FIELDS.indexOf("TX_DATETIME");

/** A decimal number as programs write one; Number() takes more: blanks, hex. */
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** Raw rows of a CSV stream, batch after batch. Throws DataError for a wrong header. */
export async function* csvRows(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  let header: Header | undefined;
  for await (let block of lineBlocks(source, options)) {
    if (header === undefined) {
      header = readHeader(block.text(0), options.name);
      block = block.withoutFirst();
    }
    yield new CsvBatch(block, header);
  }
  if (header === undefined) {
    throw new DataError(
      `${options.name}:1:1: the file is empty; it must begin with the header ` +
        TRANSACTION_FIELDS.join(","),
    );
  }
}

interface Header {
  /** Number of columns. */
  readonly width: number;
  /** Column of each of TRANSACTION_FIELDS. */
  readonly places: readonly number[];
}

function readHeader(line: string, name: string): Header {
  const wrong = (column: number, message: string) => {
    return new DataError(`${name}:1:${column}: ${message}`);
  };
  const names = splitLine(line);
  if (names === undefined) {
    throw wrong(1, "broken quotes in the header; quote whole names or none");
  }
  const places = TRANSACTION_FIELDS.map((field) => names.indexOf(field));
  if (places.every((place) => place < 0)) {
    for (const [separator, shown] of [[";", "';'"], ["\t", "tabs"]]) {
      if (!line.includes(separator)) continue;
      throw wrong(
        line.indexOf(separator) + 1,
        `the columns are separated by ${shown}; they must be separated by ','`,
      );
    }
    if (NUMBER.test(names[0])) {
      throw wrong(
        1,
        "the first line is a row, not a header; put the header before it: " +
          TRANSACTION_FIELDS.join(","),
      );
    }
  }
  const missing = TRANSACTION_FIELDS.filter((_, at) => places[at] < 0);
  if (missing.length > 0) {
    throw wrong(
      1,
      `the header lacks ${missing.join(", ")}; it must name all of ` +
        TRANSACTION_FIELDS.join(","),
    );
  }
  const twice = TRANSACTION_FIELDS.find((field) => {
    return names.indexOf(field) !== names.lastIndexOf(field);
  });
  if (twice !== undefined) {
    throw wrong(
      line.lastIndexOf(twice) + 1,
      `the header names ${twice} twice; rename or remove one of the columns`,
    );
  }
  return { width: names.length, places };
}

class CsvBatch implements RowBatch {
  readonly #block: LineBlock;
  readonly #header: Header;
  readonly #records: readonly (readonly string[] | undefined)[];

  constructor(block: LineBlock, header: Header) {
    this.#block = block;
    this.#header = header;
    this.#records = splitBlock(block);
  }

  get length(): number {
    return this.#block.starts.length;
  }

  get firstLine(): number {
    return this.#block.firstLine;
  }

  read(index: number, values: unknown[]): BrokenRow | undefined {
    const record = this.#records[index];
    const { width, places } = this.#header;
    if (record === undefined) {
      return { reason: "broken quotes", message: "a quote that isn't closed" };
    }
    if (record.length !== width) {
      if (record.length === 1 && record[0] === "") {
        return { reason: "empty line", message: "the line is empty" };
      }
      return {
        reason: "wrong number of columns",
        message: `${record.length} columns where the header has ${width}`,
      };
    }
    for (let field = 0; field < places.length; field++) {
      const text = record[places[field]];
      values[field] = field !== DATETIME && NUMBER.test(text)
        ? Number(text)
        : text;
    }
    return undefined;
  }

  column(index: number, field: string): number {
    const at = (TRANSACTION_FIELDS as readonly string[]).indexOf(field);
    const place = this.#header.places[at] ?? 0;
    let column = 1;
    let quoted = false;
    let passed = 0;
    for (const character of this.#block.text(index)) {
      if (passed === place) break;
      if (character === '"') quoted = !quoted;
      if (character === "," && !quoted) passed++;
      column++;
    }
    return column;
  }
}

/** Fields of each line; undefined for a line with broken quotes. */
function splitBlock(
  block: LineBlock,
): readonly (readonly string[] | undefined)[] {
  try {
    const records = parseCsv(block.bytes);
    // A quote left open swallows line ends; then the lines are taken singly.
    if (records.length === block.starts.length) return records;
  } catch {
    // A single line is at fault, and splitLine tells which.
  }
  return block.starts.map((_, index) => splitLine(block.text(index)));
}

/** Fields of one line, or undefined if its quotes are broken. */
function splitLine(line: string): readonly string[] | undefined {
  if (line === "") return [""];
  try {
    const records = parseCsv(line);
    return records.length === 1 ? records[0] : undefined;
  } catch {
    return undefined;
  }
}

function parseCsv(data: Uint8Array | string): string[][] {
  return parse(data, { record_delimiter: "\n", relax_column_count: true });
}
