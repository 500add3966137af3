/**
 * A payment with its features, in the two forms that travel: a row of cells
 * (doubles side by side, for packs, stores and files) and the JSON record of
 * the sink topic, the payment's keys followed by the features'.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { JsonScanner, type Literal, literal } from "../payment/json_scanner.ts";
import {
  emptyPayment,
  INT_MAX,
  type Payment,
  PAYMENT_FIELDS,
} from "../payment/payment.ts";
import {
  parseObject,
  PaymentJsonReader,
  PaymentJsonWriter,
} from "../payment/payment_json.ts";
import { PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { checkTimes, type Defect, fillPayment } from "../payment/validation.ts";
import {
  featureNames,
  type FeatureParameters,
  wholeFeatures,
} from "./parameters.ts";

/** Writes feature rows as JSON. */
export class FeatureJsonWriter {
  readonly #head = new PaymentJsonWriter();
  readonly #keys: readonly Literal[];
  readonly #close = literal("}");

  /** Writes the features of these parameters. */
  constructor(parameters: FeatureParameters) {
    this.#keys = featureNames(parameters).map((name) => literal(`,"${name}":`));
  }

  /** Appends a payment with its feature values. */
  write(writer: ByteWriter, row: Payment, values: Float64Array): void {
    this.#head.write(writer, row, true);
    for (let i = 0; i < this.#keys.length; i++) {
      writer.bytes(this.#keys[i].bytes);
      writer.number(values[i]);
    }
    writer.bytes(this.#close.bytes);
  }
}

/** Reads feature rows from JSON. */
export class FeatureJsonReader {
  readonly #head = new PaymentJsonReader();
  readonly #scanner = new JsonScanner();
  readonly #names: readonly string[];
  readonly #keys: readonly Literal[];
  readonly #close = literal("}");
  readonly #whole: readonly boolean[];
  readonly #row = emptyPayment();

  /** Reads the features of these parameters. */
  constructor(parameters: FeatureParameters) {
    this.#names = featureNames(parameters);
    this.#whole = wholeFeatures(parameters);
    this.#keys = this.#names.map((name) => literal(`,"${name}":`));
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
    this.#scanner.start(bytes, start, end);
    const known = this.#scan(cells, at + PAYMENT_CELLS);
    const defect = known
      ? checkTimes(this.#row, this.#head.timeDays, startSeconds)
      : this.#parse(bytes, start, end, startSeconds, cells, at);
    if (!defect) toCells(this.#row, cells, at);
    return defect;
  }

  #scan(cells: Float64Array, at: number): boolean {
    const scanner = this.#scanner;
    if (!this.#head.scan(scanner, this.#row)) return false;
    for (let i = 0; i < this.#keys.length; i++) {
      if (!scanner.expect(this.#keys[i])) return false;
      const value = scanner.decimal();
      if (!isFeature(value, this.#whole[i])) return false;
      cells[at + i] = value;
    }
    return scanner.expect(this.#close) && scanner.atEnd;
  }

  #parse(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
    cells: Float64Array,
    at: number,
  ): Defect | undefined {
    const parsed = parseObject(bytes, start, end);
    if (!parsed.object) return parsed.defect;
    const { object } = parsed;
    const values = PAYMENT_FIELDS.map((field) => object[field]);
    const defect = fillPayment(values, startSeconds, this.#row);
    if (defect) return defect;
    for (const [i, name] of this.#names.entries()) {
      const value = object[name];
      if (value === undefined) {
        return { reason: "missing field", message: `${name} is missing` };
      }
      if (typeof value !== "number" || !isFeature(value, this.#whole[i])) {
        const kind = this.#whole[i] ? "whole number" : "number";
        const message = `${name} is not a ${kind} from 0 to ` +
          (this.#whole[i] ? INT_MAX : Number.MAX_VALUE);
        return { reason: "wrong type", message };
      }
      cells[at + PAYMENT_CELLS + i] = value;
    }
    return undefined;
  }
}

/** Whether a number can be the value of a feature: a whole one fits an int, as columns of stores and files are. */
export function isFeature(value: number, whole: boolean): boolean {
  if (!(value >= 0 && value < Infinity)) return false;
  return !whole || (value <= INT_MAX && Number.isInteger(value));
}
