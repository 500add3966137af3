/**
 * A payment as a JSON record: the keys of PAYMENT_FIELDS in their order, no
 * spaces, numbers as JavaScript prints them. It is written in this form and
 * read in any valid spelling: other keys are ignored, order and spaces are
 * free.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { JsonScanner, literal } from "./json_scanner.ts";
import { type Payment, PAYMENT_FIELDS } from "./payment.ts";
import { fromCells, PAYMENT_CELLS, toCells } from "./payment_cells.ts";
import { jsonMarks, RecordScanner, RecordWriter } from "./record_codec.ts";
import { PAYMENT_RECORD } from "./record_field.ts";
import { checkStart, type Defect, fillPayment } from "./validation.ts";

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
): ParsedObject {
  if (end - start > RECORD_BYTES_MAX) {
    const message = `a record of ${end - start} bytes; the longest that is ` +
      `read has ${RECORD_BYTES_MAX}`;
    return { defect: { reason: "out of range", message } };
  }
  let value: unknown;
  try {
    value = JSON.parse(DECODER.decode(bytes.subarray(start, end)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { defect: { reason: "not JSON", message } };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { defect: { reason: "not JSON", message: "not a JSON object" } };
  }
  return { object: value as Record<string, unknown> };
}
