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
import type { Field, FieldKind } from "./record_field.ts";
import { isAmount } from "./validation.ts";

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
  readonly max: number;
  readonly cell: number;

  constructor({ kind, max, cell }: Field, mark: Literal) {
    this.mark = mark;
    this.code = CODES[kind];
    this.max = max;
    this.cell = cell;
  }
}

const WHOLE = 0;
const NUMBER = 1;
const AMOUNT = 2;
const DATETIME = 3;
const DAY = 4;

const CODES: Readonly<Record<FieldKind, number>> = {
  whole: WHOLE,
  flag: WHOLE,
  number: NUMBER,
  amount: AMOUNT,
  datetime: DATETIME,
  day: DAY,
};

/** Writes fields of rows of cells. */
export class RecordWriter {
  readonly #steps: readonly Step[];
  #day = NaN;
  #dayText: Uint8Array = new Uint8Array(0);

  /** Writes these fields, each behind its mark. */
  constructor(fields: readonly Field[], marks: readonly Literal[]) {
    this.#steps = fields.map((field, i) => new Step(field, marks[i]));
  }

  /** Appends the fields of the row that begins at `at`. The caller closes the record. */
  write(writer: ByteWriter, cells: Float64Array, at: number): void {
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) {
      const { mark, code, cell } = steps[i];
      writer.bytes(mark.bytes);
      const value = cells[at + cell];
      if (code === WHOLE) writer.whole(value);
      else if (code < DATETIME) writer.number(value);
      else if (code === DATETIME) this.#datetime(writer, value);
      else writer.whole(Math.floor(value / DAY_SECONDS));
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
   * than that of the time. The caller reads what follows them.
   */
  scan(scanner: JsonScanner, cells: Float64Array, at: number): boolean {
    const steps = this.#steps;
    for (let i = 0; i < steps.length; i++) {
      const { mark, code, max, cell } = steps[i];
      if (!scanner.expect(mark)) return false;
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
