/**
 * The lines of a day's file in a folder of days: a payment with its kept fields
 * and features, as the record of the sink topic or as a row of CSV; and the file
 * of a complete day, sorted by TRANSACTION_ID.
 */
import { stringify } from "csv-stringify/sync";
import type { ByteWriter } from "../base/byte_writer.ts";
import { FeatureJsonWriter } from "../features/feature_row.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
} from "../features/parameters.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import {
  hasText,
  keptFields,
  paymentFields,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import type { Field } from "../payment/record_field.ts";
import { compareIds, type TextHeap } from "../payment/text_heap.ts";
import { splitRecord } from "./csv_records.ts";
import type { DayFormat } from "./day_manifest.ts";

/** What the lines are of. */
export interface DayLinesOptions {
  /** Their form. */
  readonly format: DayFormat;
  /** The features of the payments. */
  readonly features: FeatureParameters;
  /** The form of the payments. */
  readonly shape: PaymentShape;
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DIGIT_0 = 0x30;

const ID_KEY_BYTES = '{"TRANSACTION_ID":'.length;

/** Writes and sorts lines. */
export class DayLines {
  /** The first line of a file; "" for JSON lines. */
  readonly header: string;
  readonly #isJson: boolean;
  readonly #hasTextIds: boolean;
  readonly #mayBreak: boolean;
  readonly #json: FeatureJsonWriter;
  readonly #fields: readonly Field[];
  readonly #keptFrom: number;

  /** Lines of such payments. */
  constructor({ format, features, shape }: DayLinesOptions) {
    const keptFrom = PAYMENT_CELLS + featureCount(features);
    this.#keptFrom = keptFrom;
    this.#isJson = format === "jsonl";
    this.#hasTextIds = shape.transactionId === "text";
    // A kept text of CSV may hold line ends.
    this.#mayBreak = !this.#isJson && hasText(shape);
    this.#json = new FeatureJsonWriter(features, shape, keptFrom);
    this.#fields = [...paymentFields(shape), ...keptFields(shape, keptFrom)];
    const names = this.#fields.map(({ name }) => name);
    this.header = this.#isJson
      ? ""
      : [...names, ...featureNames(features)].join(",") + "\n";
  }

  /** Appends the line of a row: the cells of the payment, its features, its kept fields. */
  write(writer: ByteWriter, cells: Float64Array, texts: TextHeap): void {
    const features = cells.subarray(PAYMENT_CELLS, this.#keptFrom);
    if (this.#isJson) {
      this.#json.writeCells(writer, cells, 0, features, texts);
      writer.ascii("\n");
      return;
    }
    const values = [
      ...this.#fields.map((field) => csvValue(field, cells, texts)),
      ...Array.from(features, (value) => Number.isNaN(value) ? "" : value),
    ];
    if (this.#mayBreak) writer.text(stringify([values]));
    else writer.ascii(values.join(",") + "\n");
  }

  /** Lines by TRANSACTION_ID, behind the header; texts by their bytes. */
  sorted(bytes: Uint8Array): Uint8Array {
    const lines: { from: number; to: number; id: number | string }[] = [];
    for (let from = 0; from < bytes.length;) {
      const to = this.#mayBreak
        ? recordEnd(bytes, from)
        : bytes.indexOf(NEWLINE, from) + 1;
      lines.push({ from, to, id: this.#idOf(bytes, from, to) });
      from = to;
    }
    lines.sort((a, b) => compareIds(a.id, b.id));
    const header = new TextEncoder().encode(this.header);
    const sorted = new Uint8Array(header.length + bytes.length);
    sorted.set(header);
    let length = header.length;
    for (const { from, to } of lines) {
      sorted.set(bytes.subarray(from, to), length);
      length += to - from;
    }
    return sorted;
  }

  #idOf(bytes: Uint8Array, from: number, to: number): number | string {
    const at = this.#isJson ? from + ID_KEY_BYTES : from;
    if (!this.#hasTextIds) return wholeNumber(bytes, at);
    const line = bytes.subarray(at, to);
    if (this.#isJson) {
      return JSON.parse(DECODER.decode(line.subarray(0, stringEnd(line))));
    }
    return splitRecord(DECODER.decode(line), ",")?.[0] ?? "";
  }
}

const DECODER = new TextDecoder();

/** A field as CSV has it; null for none. */
function csvValue(
  { kind, cell }: Field,
  cells: Float64Array,
  texts: TextHeap,
): number | string | null {
  const value = cells[cell];
  if (kind === "text" || kind === "keptText") return texts.text(value);
  if (Number.isNaN(value)) return null;
  if (kind === "day") return Math.floor(value / DAY_SECONDS);
  return kind === "datetime" || kind === "keptTime"
    ? formatDatetime(value)
    : value;
}

/** The whole number that begins at a place. */
function wholeNumber(bytes: Uint8Array, from: number): number {
  let number = 0;
  for (let at = from; isDigit(bytes[at]); at++) {
    number = 10 * number + bytes[at] - DIGIT_0;
  }
  return number;
}

function isDigit(byte: number): boolean {
  return byte >= DIGIT_0 && byte < DIGIT_0 + 10;
}

/** The place behind the JSON string that bytes begin with. */
function stringEnd(bytes: Uint8Array): number {
  let at = 1;
  while (bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** The place behind the record of CSV that begins at a place. */
function recordEnd(bytes: Uint8Array, from: number): number {
  let isQuoted = false;
  let at = from;
  for (; isQuoted || bytes[at] !== NEWLINE; at++) {
    if (bytes[at] === QUOTE) isQuoted = !isQuoted;
  }
  return at + 1;
}
