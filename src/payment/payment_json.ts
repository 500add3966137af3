/**
 * A payment as a JSON record: the keys of its stream's shape in their order
 * (the handbook's are PAYMENT_FIELDS), no spaces, numbers as JavaScript prints
 * them. It is written in this form and read in any valid spelling: other keys
 * are ignored, order and spaces are free.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { JsonScanner, type Literal, literal } from "./json_scanner.ts";
import { type Payment, PAYMENT_FIELDS } from "./payment.ts";
import { CELL, fromCells, PAYMENT_CELLS, toCells } from "./payment_cells.ts";
import { jsonMarks, RecordScanner, RecordWriter } from "./record_codec.ts";
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import {
  absentCells,
  keptFields,
  labelCells,
  labelFields,
  paymentFields,
  type PaymentShape,
} from "./payment_shape.ts";
import { type Field, PAYMENT_RECORD } from "./record_field.ts";
import { NO_TEXT, TextHeap } from "./text_heap.ts";
import {
  checkDay,
  checkedText,
  checkedValue,
  checkStart,
  type Defect,
  fillPayment,
} from "./validation.ts";

/** Longest record that is read, in bytes. */
export const RECORD_BYTES_MAX = 65_536;

const MARKS = jsonMarks(PAYMENT_RECORD);
const CLOSE = literal("}");

/** Writes payments as JSON. */
export class PaymentJsonWriter {
  readonly #writer = new RecordWriter(PAYMENT_RECORD, MARKS);
  readonly #cells = new Float64Array(PAYMENT_CELLS);

  /** Appends a payment's object, closed unless `open`: then more keys may follow. */
  write(writer: ByteWriter, row: Payment, open = false): void {
    toCells(row, this.#cells, 0);
    this.#writer.write(writer, this.#cells, 0);
    if (!open) writer.bytes(CLOSE.bytes);
  }
}

/** Reads payments from JSON. */
export class PaymentJsonReader {
  readonly #scanner = new JsonScanner();
  readonly #fields = new RecordScanner(PAYMENT_RECORD, MARKS);
  readonly #cells = new Float64Array(PAYMENT_CELLS);

  /**
   * Fills `into` with the payment in bytes `start` … `end`, or returns what
   * is wrong with it; see fillPayment for the rules and `startSeconds`.
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
    into: Payment,
  ): Defect | undefined {
    if (this.scan(bytes, start, end, into)) {
      return checkStart(into.timeSeconds, into.datetimeSeconds, startSeconds);
    }
    const { object, defect } = parseObject(bytes, start, end);
    if (!object) return defect;
    return fillPayment(paymentValues(object), startSeconds, into);
  }

  /** Fills `into` if the payment is spelled as it is written here and keeps all rules but that of the start. */
  scan(bytes: Uint8Array, start: number, end: number, into: Payment): boolean {
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    const known = this.#fields.scan(scanner, this.#cells, 0) &&
      scanner.expect(CLOSE) && scanner.atEnd;
    if (known) fromCells(this.#cells, 0, into);
    return known;
  }
}

/** The fields of a payment's record: its own, then the kept ones, which begin at cell `keptFrom` of a row. */
export function recordFields(
  shape: PaymentShape,
  keptFrom: number = PAYMENT_CELLS,
): readonly Field[] {
  return [...paymentFields(shape), ...keptFields(shape, keptFrom)];
}

/** Writes payments of any shape from rows of cells. */
export class ShapedJsonWriter {
  readonly #writer: RecordWriter;

  /** Writes payments of a shape; the kept fields of a row begin at cell `keptFrom`. */
  constructor(shape: PaymentShape, keptFrom: number = PAYMENT_CELLS) {
    const fields = recordFields(shape, keptFrom);
    this.#writer = new RecordWriter(fields, jsonMarks(fields));
  }

  /** Appends the object of the row that begins at `at`. `rest` holds further members, without braces. */
  write(
    writer: ByteWriter,
    cells: Float64Array,
    at: number,
    texts?: TextHeap,
    rest: string = "",
  ): void {
    this.#writer.write(writer, cells, at, texts);
    if (rest !== "") {
      writer.bytes(COMMA.bytes);
      writer.text(rest);
    }
    writer.bytes(CLOSE.bytes);
  }
}

const COMMA = literal(",");
const CLOSE_TEXT = literal('"}');
const KNOWN_TIME = literal('","KNOWN_TIME":"');

/**
 * Writes label records: every field of the payment, TX_FRAUD (null withdraws
 * the labels before), TX_FRAUD_SCENARIO, and KNOWN_AT, when that was known in
 * event time. In the topic of accepted labels they have KNOWN_TIME, too, from
 * when on they can be learned from.
 */
export class LabelJsonWriter {
  readonly #writer: RecordWriter;

  /** Writes labels of payments of a shape. */
  constructor(shape: PaymentShape, { isAccepted }: { isAccepted: boolean }) {
    const fields = [...recordFields(shape), ...labelFields(shape)];
    if (isAccepted) {
      const cell = labelCells(shape).knownTime;
      const kind = "datetime";
      fields.push({ name: "KNOWN_TIME", kind, max: Infinity, cell });
    }
    this.#writer = new RecordWriter(fields, jsonMarks(fields));
  }

  /** Appends the label in the row that begins at `at`: a payment's with its label, and behind the kept fields KNOWN_AT and KNOWN_TIME. */
  write(
    writer: ByteWriter,
    cells: Float64Array,
    at: number,
    texts?: TextHeap,
  ): void {
    this.#writer.write(writer, cells, at, texts);
    writer.bytes(CLOSE_TEXT.bytes);
  }
}

/**
 * Reads payments of any shape into a row of cells, and among them labels where
 * the shape has them: a record with KNOWN_AT is a label. TX_FRAUD and
 * TX_FRAUD_SCENARIO of a payment are ignored where the shape has none.
 */
export class ShapedJsonReader {
  /** The row read last: the payment's cells, its kept fields, and of a label KNOWN_AT and KNOWN_TIME, which is KNOWN_AT where there is none, as seconds since 1970. */
  readonly cells: Float64Array;
  /** Whether the record read last is a label. */
  isLabel = false;
  /** Its texts. */
  readonly texts: TextHeap = new TextHeap();
  readonly #shape: PaymentShape;
  readonly #scanner = new JsonScanner();
  readonly #fields: readonly Field[];
  readonly #record: RecordScanner;
  readonly #labelFields: readonly Field[];
  readonly #labelMark: Literal;
  readonly #label: RecordScanner;
  readonly #places: ReturnType<typeof labelCells>;
  readonly #isKnown: (bytes: Uint8Array, from: number, to: number) => boolean;

  /** Reads payments of a shape. */
  constructor(shape: PaymentShape) {
    this.#shape = shape;
    this.#fields = recordFields(shape);
    this.#record = new RecordScanner(this.#fields, jsonMarks(this.#fields));
    const all = [...this.#fields, ...labelFields(shape)];
    this.#labelFields = shape.hasLabels ? all.slice(this.#fields.length) : [];
    const [mark, ...marks] = jsonMarks(all).slice(this.#fields.length);
    this.#labelMark = mark;
    this.#label = new RecordScanner(this.#labelFields, [literal(""), ...marks]);
    this.#places = labelCells(shape);
    this.cells = new Float64Array(this.#places.width);
    const names = this.#fields.map(({ name }) => name);
    this.#isKnown = nameTest(shape.hasLabels ? [...names, "KNOWN_AT"] : names);
  }

  /** KNOWN_AT of the label read last, counted as TX_TIME_SECONDS is. */
  get knownSeconds(): number {
    const { cells } = this;
    const start = cells[CELL.datetime] - cells[CELL.time];
    return cells[this.#places.knownAt] - start;
  }

  /** Reads the payment in bytes `start` … `end`, or returns what is wrong with it; the row is then undefined. See fillPayment for the rules and `startSeconds`. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
  ): Defect | undefined {
    const { cells, texts } = this;
    const scanner = this.#scanner;
    texts.clear();
    absentCells(this.#shape, cells, 0);
    this.isLabel = false;
    scanner.start(bytes, start, end);
    const known = end - start <= RECORD_BYTES_MAX &&
      this.#record.scan(scanner, cells, 0, texts) && this.#scanRest(scanner) &&
      scanner.atEnd;
    if (!known) {
      texts.clear();
      const { object, defect } = parseObject(bytes, start, end, parseExactly);
      if (!object) return defect;
      const wrong = this.#fill(object);
      if (wrong) return wrong;
    }
    return checkStart(cells[CELL.time], cells[CELL.datetime], startSeconds) ??
      this.#checkKnown();
  }

  /** Reads what follows the payment's fields: of a label its own, otherwise what does not matter. */
  #scanRest(scanner: JsonScanner): boolean {
    if (!this.#shape.hasLabels || !scanner.expect(this.#labelMark)) {
      return scanner.members(this.#isKnown) && scanner.expect(CLOSE);
    }
    const { cells } = this;
    const { knownAt, knownTime } = this.#places;
    if (!this.#label.scan(scanner, cells, 0)) return false;
    cells[knownTime] = scanner.expect(KNOWN_TIME)
      ? scanner.datetime()
      : cells[knownAt];
    this.isLabel = true;
    return scanner.expect(CLOSE_TEXT) && !Number.isNaN(cells[knownTime]);
  }

  /** Fills the row from an object, or returns what is wrong with it. */
  #fill(object: Record<string, unknown>): Defect | undefined {
    const { cells, texts } = this;
    absentCells(this.#shape, cells, 0);
    this.isLabel = this.#shape.hasLabels && object.KNOWN_AT !== undefined;
    if (!this.isLabel) return fillRow(object, this.#fields, cells, 0, texts);
    object.TX_FRAUD_SCENARIO ??= 0;
    const fields = [...this.#fields, ...this.#labelFields];
    const wrong = fillRow(object, fields, cells, 0, texts);
    if (wrong) return wrong;
    const name = object.KNOWN_TIME === undefined ? "KNOWN_AT" : "KNOWN_TIME";
    const cell = this.#places.knownTime;
    const field: Field = { name, kind: "datetime", max: Infinity, cell };
    const value = checkedValue(field, digitsOf(object[name]) ?? object[name]);
    if (typeof value !== "number") return value;
    cells[cell] = value;
    return undefined;
  }

  #checkKnown(): Defect | undefined {
    if (!this.isLabel || this.knownSeconds >= 0) return undefined;
    return {
      reason: "out of range",
      message: "KNOWN_AT is before the first day of the stream",
    };
  }
}

/** Whether bytes are one of some names. */
function nameTest(
  names: readonly string[],
): (bytes: Uint8Array, from: number, to: number) => boolean {
  const known = names.map((name) => new TextEncoder().encode(name));
  return (bytes, from, to) =>
    known.some((name) => {
      if (name.length !== to - from) return false;
      for (let i = 0; i < name.length; i++) {
        if (bytes[from + i] !== name[i]) return false;
      }
      return true;
    });
}

/** Fills the row that begins at `at` from an object, or returns the first defect. Texts are added to `texts`. */
export function fillRow(
  object: Readonly<Record<string, unknown>>,
  fields: readonly Field[],
  cells: Float64Array,
  at: number,
  texts: TextHeap,
): Defect | undefined {
  let day = 0;
  for (const field of fields) {
    const { kind, cell, name } = field;
    const isKept = kind === "keptText" || kind === "keptNumber" ||
      kind === "keptTime";
    const raw = object[name] ?? (isKept ? null : undefined);
    const isNull = object[name] === null && kind === "label";
    if (raw === undefined && !isNull) {
      return { reason: "missing field", message: `${name} is missing` };
    }
    if (kind === "text" || kind === "keptText") {
      const text = checkedText(field, raw);
      if (typeof text === "object" && text !== null) return text;
      cells[at + cell] = text === null ? NO_TEXT : texts.addText(text);
      continue;
    }
    const value = checkedValue(field, isNull ? null : digitsOf(raw) ?? raw);
    if (typeof value !== "number") return value;
    if (kind === "day") day = value;
    else cells[at + cell] = value;
  }
  return checkDay(cells[at + CELL.time], day);
}

/** The values of a payment's fields in an object, for fillPayment() and fillFields(). */
export function paymentValues(
  object: Readonly<Record<string, unknown>>,
): unknown[] {
  return PAYMENT_FIELDS.map((field) => object[field]);
}

const DECODER = new TextDecoder("utf-8", { fatal: true });

/** The result of parseObject(): an object, or what is wrong. */
export type ParsedObject =
  | { readonly object: Record<string, unknown>; readonly defect?: never }
  | { readonly object?: never; readonly defect: Defect };

/** The JSON object in bytes `start` … `end`. */
export function parseObject(
  bytes: Uint8Array,
  start: number,
  end: number,
  parse: (text: string) => unknown = JSON.parse,
): ParsedObject {
  if (end - start > RECORD_BYTES_MAX) {
    const message = `a record of ${end - start} bytes; the longest that is ` +
      `read has ${RECORD_BYTES_MAX}`;
    return { defect: { reason: "out of range", message } };
  }
  let value: unknown;
  try {
    value = parse(DECODER.decode(bytes.subarray(start, end)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { defect: { reason: "not JSON", message } };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { defect: { reason: "not JSON", message: "not a JSON object" } };
  }
  return { object: value as Record<string, unknown> };
}
