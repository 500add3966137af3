/**
 * A payment with its features, in the two forms that travel: a row of cells
 * (doubles side by side, for packs, stores and files) and the JSON record of
 * the sink topic, the payment's keys followed by the features'.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { JsonScanner, literal } from "../payment/json_scanner.ts";
import { emptyPayment, INT_MAX, type Payment } from "../payment/payment.ts";
import { CELL, PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import {
  parseObject,
  PaymentJsonWriter,
  paymentValues,
} from "../payment/payment_json.ts";
import {
  jsonMarks,
  RecordScanner,
  RecordWriter,
} from "../payment/record_codec.ts";
import {
  UNLABELLED_RECORD,
  UnlabelledJsonWriter,
} from "../payment/label_record.ts";
import { type Field, PAYMENT_RECORD } from "../payment/record_field.ts";
import { checkStart, type Defect, fillPayment } from "../payment/validation.ts";
import {
  featureNames,
  type FeatureParameters,
  wholeFeatures,
} from "./parameters.ts";

const CLOSE = literal("}");

/** The features as fields of a row whose first of them is cell `from`. */
export function featureFields(
  parameters: FeatureParameters,
  from = PAYMENT_CELLS,
): Field[] {
  const whole = wholeFeatures(parameters);
  return featureNames(parameters).map((name, i) => ({
    name,
    kind: whole[i] ? "whole" : "number",
    max: whole[i] ? INT_MAX : Number.MAX_VALUE,
    cell: from + i,
  }));
}

/** Writes feature rows as JSON. */
export class FeatureJsonWriter {
  readonly #head: PaymentJsonWriter | UnlabelledJsonWriter;
  readonly #features: RecordWriter;

  /** Writes the features of these parameters. */
  constructor(parameters: FeatureParameters) {
    const fields = featureFields(parameters, 0);
    const head = headOf(parameters);
    const marks = jsonMarks([...head, ...fields]);
    this.#head = head === PAYMENT_RECORD
      ? new PaymentJsonWriter()
      : new UnlabelledJsonWriter();
    this.#features = new RecordWriter(fields, marks.slice(head.length));
  }

  /** Appends a payment with its feature values. */
  write(writer: ByteWriter, row: Payment, values: Float64Array): void {
    this.#head.write(writer, row, true);
    this.#features.write(writer, values, 0);
    writer.bytes(CLOSE.bytes);
  }
}

/** The fields of a payment in a row: without its label where that arrives later. */
function headOf({ graceSeconds }: FeatureParameters): readonly Field[] {
  return graceSeconds === undefined ? PAYMENT_RECORD : UNLABELLED_RECORD;
}

/** Reads feature rows from JSON; TX_FRAUD is 0 where labels arrive later. */
export class FeatureJsonReader {
  readonly #features: readonly Field[];
  readonly #isLabelled: boolean;
  readonly #scanner = new JsonScanner();
  readonly #fields: RecordScanner;
  readonly #row = emptyPayment();

  /** Reads the features of these parameters. */
  constructor(parameters: FeatureParameters) {
    const head = headOf(parameters);
    this.#isLabelled = head === PAYMENT_RECORD;
    this.#features = featureFields(parameters);
    const fields = [...head, ...this.#features];
    this.#fields = new RecordScanner(fields, jsonMarks(fields));
  }

  /** Fills cells from `at` on with the row in bytes `start` … `end`, or returns what is wrong with it. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
    cells: Float64Array,
    at: number,
  ): Defect | undefined {
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    const known = this.#fields.scan(scanner, cells, at) &&
      scanner.expect(CLOSE) && scanner.atEnd;
    if (!known) return this.#parse(bytes, start, end, startSeconds, cells, at);
    if (!this.#isLabelled) {
      cells[at + CELL.fraud] = cells[at + CELL.scenario] = 0;
    }
    const [time, datetime] = [cells[at + CELL.time], cells[at + CELL.datetime]];
    return checkStart(time, datetime, startSeconds);
  }

  #parse(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
    cells: Float64Array,
    at: number,
  ): Defect | undefined {
    const { object, defect } = parseObject(bytes, start, end);
    if (!object) return defect;
    if (!this.#isLabelled) object.TX_FRAUD = object.TX_FRAUD_SCENARIO = 0;
    const bad = fillPayment(paymentValues(object), startSeconds, this.#row);
    if (bad) return bad;
    toCells(this.#row, cells, at);
    for (const { name, kind, max, cell } of this.#features) {
      const value = object[name];
      if (value === undefined) {
        return { reason: "missing field", message: `${name} is missing` };
      }
      const isWhole = kind === "whole";
      if (typeof value !== "number" || !isFeature(value, isWhole)) {
        const number = isWhole ? "whole number" : "number";
        const message = `${name} is not a ${number} from 0 to ${max}`;
        return { reason: "wrong type", message };
      }
      cells[at + cell] = value;
    }
    return undefined;
  }
}

/** Whether a number can be the value of a feature: a whole one fits an int, as columns of stores and files are. */
export function isFeature(value: number, whole: boolean): boolean {
  if (!(value >= 0 && value < Infinity)) return false;
  return !whole || (value <= INT_MAX && Number.isInteger(value));
}
