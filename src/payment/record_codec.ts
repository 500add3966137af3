/**
 * Writes the fields of a record from a row of cells, and reads them back where
 * they are spelled as they are written: in one order, with known text between
 * the values. This decides speed and never what is accepted. Other spellings
 * take a slow path that names what is wrong.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { formatDate } from "./calendar.ts";
import { type JsonScanner, type Literal, literal } from "./json_scanner.ts";
import { DAY_SECONDS } from "./payment.ts";
import { FRAUD_UNKNOWN } from "./payment_cells.ts";
import type { Field, FieldKind } from "./record_field.ts";
import { NO_TEXT, TextHeap } from "./text_heap.ts";
import { writeJsonText } from "./text_json.ts";
import { isAmount, isAmountOf } from "./validation.ts";

/** The text before each field of a JSON object. */
export function jsonMarks(fields: readonly Field[]): Literal[] {
  return fields.map(({ name, kind }, i) => {
    const quote = fields[i - 1]?.kind === "datetime" ? '"' : "";
    const open = i === 0 ? "{" : `${quote},`;
    return literal(`${open}"${name}":${kind === "datetime" ? '"' : ""}`);
  });
}

/** The text before each field of a CSV record. */
export function csvMarks(fields: readonly Field[]): Literal[] {
  return fields.map((_, i) => literal(i === 0 ? "" : ","));
}

/** A field prepared for the loops below, which run for every value of every record: all of one shape, the kind a number. */
class Step {
  readonly mark: Literal;
  readonly code: number;
  readonly min: number;
  readonly max: number;
  readonly cell: number;
  readonly decimals: number;

  constructor({ kind, min, max, cell, decimals }: Field, mark: Literal) {
    this.mark = mark;
    const isOwn = kind === "amount" && decimals !== undefined;
    this.code = isOwn ? OWN_AMOUNT : CODES[kind];
    this.min = min ?? 0;
    this.max = max;
    this.cell = cell;
    this.decimals = decimals ?? 2;
  }
}

const WHOLE = 0;
const NUMBER = 1;
const AMOUNT = 2;
const DATETIME = 3;
const DAY = 4;
// What only streams with a definition have.
const OWN = 5;
const OWN_AMOUNT = 5;
const TEXT = 6;
const KEPT_TEXT = 7;
const KEPT_NUMBER = 8;
const KEPT_TIME = 9;
const SIGNED = 10;
const LABEL = 11;

const CODES: Readonly<Record<FieldKind, number>> = {
  whole: WHOLE,
  flag: WHOLE,
  number: NUMBER,
  amount: AMOUNT,
  datetime: DATETIME,
  day: DAY,
  signed: SIGNED,
  label: LABEL,
  text: TEXT,
  keptText: KEPT_TEXT,
  keptNumber: KEPT_NUMBER,
  keptTime: KEPT_TIME,
};

const NULL = literal("null");
const QUOTE = literal('"');
/** For records without texts. */
const NO_TEXTS = new TextHeap();

/** Writes fields of rows of cells. */
export class RecordWriter {
  readonly #steps: readonly Step[];
  #day = NaN;
  #dayText: Uint8Array = new Uint8Array(0);

  /** Writes these fields, each behind its mark. */
  constructor(fields: readonly Field[], marks: readonly Literal[]) {
    this.#steps = fields.map((field, i) => new Step(field, marks[i]));
  }

  /** Appends the fields of the row that begins at `at`, whose texts are in `texts`. The caller closes the record. */
  write(
    writer: ByteWriter,
    cells: Float64Array,
    at: number,
    texts: TextHeap = NO_TEXTS,
  ): void {
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) {
      const { mark, code, cell } = steps[i];
      writer.bytes(mark.bytes);
      const value = cells[at + cell];
      if (code === WHOLE) writer.whole(value);
      else if (code < DATETIME) writer.number(value);
      else if (code === DATETIME) this.#datetime(writer, value);
      else if (code === DAY) writer.whole(Math.floor(value / DAY_SECONDS));
      else this.#own(writer, code, value, texts);
    }
  }

  #own(
    writer: ByteWriter,
    code: number,
    value: number,
    texts: TextHeap,
  ): void {
    if (code === OWN_AMOUNT || code === SIGNED) writer.number(value);
    else if (code === LABEL) {
      if (value === FRAUD_UNKNOWN) writer.bytes(NULL.bytes);
      else writer.whole(value);
    } else if (code === TEXT || code === KEPT_TEXT) {
      if (value === NO_TEXT) writer.bytes(NULL.bytes);
      else writeJsonText(writer, texts, value);
    } else if (Number.isNaN(value)) writer.bytes(NULL.bytes);
    else if (code === KEPT_NUMBER) writer.number(value);
    else {
      writer.bytes(QUOTE.bytes);
      this.#datetime(writer, value);
      writer.bytes(QUOTE.bytes);
    }
  }

  #datetime(writer: ByteWriter, seconds: number): void {
    const day = Math.floor(seconds / DAY_SECONDS);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayText = literal(formatDate(seconds) + " ").bytes;
    }
    writer.bytes(this.#dayText);
    writer.timeOfDay(seconds - day * DAY_SECONDS);
  }
}

/** Reads fields into rows of cells. */
export class RecordScanner {
  readonly #steps: readonly Step[];

  /** Reads these fields, each behind its mark. */
  constructor(fields: readonly Field[], marks: readonly Literal[]) {
    this.#steps = fields.map((field, i) => new Step(field, marks[i]));
  }

  /**
   * Fills the row that begins at `at`; false, and the row undefined, if the
   * fields are spelled otherwise, out of their range, or the day is another
   * than that of the time. Texts are added to `texts`. The caller reads what
   * follows the fields.
   */
  scan(
    scanner: JsonScanner,
    cells: Float64Array,
    at: number,
    texts: TextHeap = NO_TEXTS,
  ): boolean {
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) {
      const { mark, code, max, cell } = steps[i];
      if (!scanner.expect(mark)) return false;
      if (code >= OWN) {
        const value = ownValue(scanner, steps[i], texts);
        if (value === undefined) return false;
        cells[at + cell] = value;
        continue;
      }
      if (code === DAY) {
        const day = Math.floor(cells[at + cell] / DAY_SECONDS);
        if (scanner.whole() !== day) return false;
        continue;
      }
      const value = code === WHOLE
        ? scanner.whole()
        : code === DATETIME
        ? scanner.datetime()
        : scanner.decimal();
      if (code === DATETIME ? value !== value : !(value >= 0 && value <= max)) {
        return false;
      }
      if (code === AMOUNT && !isAmount(value)) return false;
      cells[at + cell] = value;
    }
    return true;
  }
}

/** The cell of a field that only streams with a definition have; undefined if it is spelled otherwise or out of its range. */
function ownValue(
  scanner: JsonScanner,
  { code, min, max, decimals }: Step,
  texts: TextHeap,
): number | undefined {
  if (code === TEXT) return scanner.text(texts, max, "id");
  if (code === LABEL) {
    if (scanner.expect(NULL)) return FRAUD_UNKNOWN;
    const label = scanner.whole();
    return label === 0 || label === 1 ? label : undefined;
  }
  const isNullable = code !== OWN_AMOUNT && code !== SIGNED;
  if (isNullable && scanner.expect(NULL)) {
    return code === KEPT_TEXT ? NO_TEXT : NaN;
  }
  if (code === KEPT_TEXT) return scanner.text(texts, max, "kept");
  if (code === KEPT_TIME) {
    if (!scanner.expect(QUOTE)) return undefined;
    const seconds = scanner.datetime();
    return scanner.expect(QUOTE) && !Number.isNaN(seconds)
      ? seconds
      : undefined;
  }
  const value = scanner.number();
  if (code !== OWN_AMOUNT) {
    return value >= min && value <= max ? value : undefined;
  }
  return isAmountOf(value, min, max, decimals) ? value : undefined;
}
