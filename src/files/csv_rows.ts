/**
 * Payments from CSV (RFC 4180). Columns are found by their header names, in any
 * order; other columns are ignored. The header determines the separator: a
 * comma, a semicolon or a tab. With the latter two, numbers may have a decimal
 * comma.
 */
import { counted } from "../base/counted.ts";
import { DataError } from "../base/error.ts";
import { JsonScanner } from "../payment/json_scanner.ts";
import { type Payment, PAYMENT_FIELDS } from "../payment/payment.ts";
import { fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { csvMarks, RecordScanner } from "../payment/record_codec.ts";
import { PAYMENT_RECORD } from "../payment/record_field.ts";
import { fillFields, REQUIRED_FIELDS } from "../payment/validation.ts";
import {
  CsvCutter,
  type CsvRecords,
  type Separator,
  splitRecord,
} from "./csv_records.ts";
import { type ByteSource, lineBlocks } from "./line_block.ts";
import type {
  FieldPlace,
  RowBatch,
  RowDefect,
  RowOptions,
} from "./row_batch.ts";

const DATETIME = PAYMENT_FIELDS.indexOf("TX_DATETIME");

/** Reads a record of the canonical form. */
const FIELDS = new RecordScanner(PAYMENT_RECORD, csvMarks(PAYMENT_RECORD));

const SEPARATORS: readonly Separator[] = [",", ";", "\t"];

/** A decimal number, also with leading zeros or an exponent. */
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** Rows of a CSV stream, batch after batch. Throws DataError for a wrong header. */
export async function* csvRows(
  source: ByteSource,
  options: RowOptions,
): AsyncGenerator<RowBatch> {
  let reader: CsvReader | undefined;
  for await (const block of lineBlocks(source, options)) {
    reader ??= new CsvReader(readHeader(block.text(0), options.name));
    yield reader.batch(reader.cutter.cut(block));
  }
  if (reader === undefined) {
    throw new DataError(
      `${options.name}:1:1: the file is empty; it must begin with a header, ` +
        `such as ${PAYMENT_FIELDS.join(",")}`,
    );
  }
  yield reader.batch(reader.cutter.finish());
}

interface Header {
  readonly separator: Separator;
  /** Number of columns. */
  readonly width: number;
  /** Column of each of PAYMENT_FIELDS; -1 for one that is derived. */
  readonly places: readonly number[];
}

function readHeader(line: string, name: string): Header {
  const wrong = (column: number, message: string) => {
    return new DataError(`${name}:1:${column}: ${message}`);
  };
  const bareReturn = line.indexOf("\r");
  if (bareReturn >= 0 && bareReturn < line.length - 1) {
    throw wrong(
      bareReturn + 1,
      "a carriage return within the header: the lines end in CR alone; save " +
        "the file with LF or CR LF line ends",
    );
  }
  const { separator, names, places } = bestSplit(line);
  if (names.length === 0) {
    throw wrong(1, "broken quotes in the header; quote whole names or none");
  }
  if (places.every((place) => place < 0) && NUMBER.test(names[0])) {
    throw wrong(
      1,
      "the first line is a row, not a header; put a header before it, such " +
        `as ${PAYMENT_FIELDS.join(",")}`,
    );
  }
  const missing = REQUIRED_FIELDS.filter((field) => !names.includes(field));
  if (missing.length > 0) {
    throw wrong(
      1,
      `the header lacks ${missing.join(", ")}; required are ` +
        `${REQUIRED_FIELDS.join(", ")}; for other columns, say what they are ` +
        "with --definition",
    );
  }
  const twice = PAYMENT_FIELDS.find((field) => {
    return names.indexOf(field) !== names.lastIndexOf(field);
  });
  if (twice !== undefined) {
    throw wrong(
      line.lastIndexOf(twice) + 1,
      `the header names ${twice} twice; rename or remove one of the columns`,
    );
  }
  return { separator, width: names.length, places };
}

/** The header split so that most of the fields are found in it. */
function bestSplit(
  line: string,
): { separator: Separator; names: readonly string[]; places: number[] } {
  const splits = SEPARATORS.map((separator) => {
    const names = splitRecord(line, separator) ?? [];
    const places = PAYMENT_FIELDS.map((field) => names.indexOf(field));
    const found = places.filter((place) => place >= 0).length;
    return { separator, names, places, found };
  });
  return splits.reduce((best, split) => {
    return split.found > best.found ? split : best;
  });
}

/** What the batches of one file share. */
class CsvReader {
  readonly header: Header;
  readonly cutter: CsvCutter;
  /** Whether the columns are those of the canonical form, in its order. */
  readonly canonical: boolean;
  readonly scanner = new JsonScanner();
  readonly cells = new Float64Array(PAYMENT_CELLS);
  /** The decimal mark of the numbers so far, in a file that is not separated by commas. */
  mark: string | undefined;
  #headerDue = true;

  constructor(header: Header) {
    const { separator, width, places } = header;
    this.header = header;
    this.cutter = new CsvCutter(separator, (fields) => {
      return fields.length === width &&
        places.every((place) => place < 0 || !fields[place].includes("\n"));
    });
    this.canonical = separator === "," && width === PAYMENT_FIELDS.length &&
      places.every((place, at) => place === at);
  }

  batch(records: CsvRecords): RowBatch {
    const first = this.#headerDue ? 1 : 0;
    this.#headerDue = false;
    return new CsvBatch(records, first, this);
  }
}

class CsvBatch implements RowBatch {
  readonly length: number;
  readonly #records: CsvRecords;
  readonly #first: number;
  readonly #reader: CsvReader;

  /** The records from number `first` on. */
  constructor(records: CsvRecords, first: number, reader: CsvReader) {
    this.#records = records;
    this.#first = first;
    this.#reader = reader;
    this.length = Math.max(0, records.starts.length - first);
  }

  line(index: number): number {
    return this.#records.lines[this.#first + index];
  }

  read(index: number, into: Payment): RowDefect | undefined {
    const { canonical, scanner, cells } = this.#reader;
    if (canonical) {
      const { bytes, starts, ends } = this.#records;
      const record = this.#first + index;
      scanner.start(bytes, starts[record], ends[record] - 1);
      if (FIELDS.scan(scanner, cells, 0) && scanner.atEnd) {
        fromCells(cells, 0, into);
        return undefined;
      }
    }
    return this.#split(this.#text(index), into);
  }

  #split(text: string, into: Payment): RowDefect | undefined {
    const { separator, width, places } = this.#reader.header;
    const fields = splitRecord(text, separator);
    if (fields === undefined) {
      return { reason: "broken quotes", message: "a quote that isn't closed" };
    }
    if (fields.length !== width) {
      if (text === "") {
        return { reason: "empty line", message: "the line is empty" };
      }
      return {
        reason: "wrong number of columns",
        message: `${
          counted(fields.length, "column")
        } where the header has ${width}`,
      };
    }
    const values: (string | undefined)[] = [];
    for (let field = 0; field < places.length; field++) {
      const value = places[field] < 0 ? undefined : fields[places[field]];
      const number = value === undefined || field === DATETIME
        ? value
        : this.#number(value, PAYMENT_FIELDS[field]);
      if (typeof number === "object") return number;
      values.push(number);
    }
    return fillFields(values, into);
  }

  /** The text of a number with a decimal point and without leading zeros; other text as it is. */
  #number(text: string, field: string): string | RowDefect {
    let number = text;
    if (this.#reader.header.separator !== ",") {
      const marked = /^-?(\d+)([.,])(\d+)$/.exec(text);
      if (marked) {
        const [, whole, mark, decimals] = marked;
        if (decimals.length === 3 && /^[1-9]\d{0,2}$/.test(whole)) {
          return ambiguous(field, text, "may mean thousands or decimals");
        }
        this.#reader.mark ??= mark;
        if (mark !== this.#reader.mark) {
          return ambiguous(
            field,
            text,
            `has the decimal mark '${mark}', rows above have ` +
              `'${this.#reader.mark}'`,
          );
        }
        number = text.replace(",", ".");
      }
    }
    return NUMBER.test(number) ? number.replace(/^(-?)0+(?=\d)/, "$1") : text;
  }

  #text(index: number): string {
    const { bytes, starts, ends } = this.#records;
    const record = this.#first + index;
    return DECODER.decode(bytes.subarray(starts[record], ends[record] - 1));
  }

  place(index: number, field: string): FieldPlace {
    const { separator, places } = this.#reader.header;
    const at = (PAYMENT_FIELDS as readonly string[]).indexOf(field);
    const place = places[at] ?? 0;
    let line = this.line(index);
    let column = 1;
    let quoted = false;
    let passed = 0;
    for (const character of this.#text(index)) {
      if (passed >= place) break;
      if (character === '"') quoted = !quoted;
      if (character === separator && !quoted) passed++;
      column++;
      if (character !== "\n") continue;
      line++;
      column = 1;
    }
    return { line, column };
  }
}

const DECODER = new TextDecoder();

function ambiguous(field: string, text: string, why: string): RowDefect {
  return {
    reason: "ambiguous number",
    message: `${field} ${JSON.stringify(text)} ${why}`,
  };
}
