/**
 * A payment with its features, in the two forms that travel: a row of cells
 * (doubles side by side, for packs, stores and files) and the JSON record of
 * the sink topic, the payment's keys followed by the features'.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { JsonScanner, literal } from "../payment/json_scanner.ts";
import { emptyPayment, INT_MAX, type Payment } from "../payment/payment.ts";
import { CELL, PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import {
  fillRow,
  parseObject,
  paymentValues,
  recordFields,
} from "../payment/payment_json.ts";
import {
  absentCells,
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import {
  jsonMarks,
  RecordScanner,
  RecordWriter,
} from "../payment/record_codec.ts";
import type { Field } from "../payment/record_field.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { checkStart, type Defect, fillPayment } from "../payment/validation.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  includedCount,
  isAmountFeature,
  nullableFeatures,
  wholeFeatures,
} from "./parameters.ts";

const CLOSE = literal("}");
/** For rows without texts. */
const NO_TEXTS = new TextHeap();

/** The features as fields of a row whose first of them is cell `from`. */
export function featureFields(
  parameters: FeatureParameters,
  from = PAYMENT_CELLS,
): Field[] {
  const whole = wholeFeatures(parameters);
  const nullable = nullableFeatures(parameters);
  const declaredFrom = includedCount(parameters);
  return featureNames(parameters).map((name, i): Field => {
    const cell = from + i;
    const isSigned = i >= declaredFrom
      ? nullable[i] || !whole[i]
      : parameters.refunds && isAmountFeature(name);
    if (isSigned) {
      const kind = nullable[i] ? "keptNumber" : "signed";
      const max = Number.MAX_VALUE;
      return { name, kind, max, cell, min: whole[i] ? 0 : -max };
    }
    return {
      name,
      kind: whole[i] ? "whole" : "number",
      max: whole[i] ? INT_MAX : Number.MAX_VALUE,
      cell,
    };
  });
}

/** Cells of a row with its features: those of the payment, the features, the kept fields. */
export function featureRowCells(
  parameters: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): number {
  return PAYMENT_CELLS + featureCount(parameters) + shape.kept.length;
}

/** Writes feature rows as JSON. */
export class FeatureJsonWriter {
  readonly #head: RecordWriter;
  readonly #features: RecordWriter;
  readonly #cells = new Float64Array(PAYMENT_CELLS);

  /** Writes the features of these parameters; the kept fields of a row begin at cell `keptFrom`. */
  constructor(
    parameters: FeatureParameters,
    shape: PaymentShape = HANDBOOK_SHAPE,
    keptFrom = PAYMENT_CELLS,
  ) {
    const head = recordFields(shape, keptFrom);
    const fields = featureFields(parameters, 0);
    const marks = jsonMarks([...head, ...fields]);
    this.#head = new RecordWriter(head, marks);
    this.#features = new RecordWriter(fields, marks.slice(head.length));
  }

  /** Appends a payment of the handbook's shape with its feature values. */
  write(writer: ByteWriter, row: Payment, values: Float64Array): void {
    toCells(row, this.#cells, 0);
    this.writeCells(writer, this.#cells, 0, values);
  }

  /** Appends the payment in the row that begins at `at`, with its feature values. */
  writeCells(
    writer: ByteWriter,
    cells: Float64Array,
    at: number,
    values: Float64Array,
    texts?: TextHeap,
  ): void {
    this.#head.write(writer, cells, at, texts);
    this.#features.write(writer, values, 0);
    writer.bytes(CLOSE.bytes);
  }
}

/** Reads feature rows from JSON. */
export class FeatureJsonReader {
  readonly #shape: PaymentShape;
  readonly #head: readonly Field[];
  readonly #features: readonly Field[];
  readonly #scanner = new JsonScanner();
  readonly #fields: RecordScanner;
  readonly #row = emptyPayment();

  /** Reads the features of these parameters. The cells of a row are those of the payment, the features, and the kept fields. */
  constructor(
    parameters: FeatureParameters,
    shape: PaymentShape = HANDBOOK_SHAPE,
  ) {
    this.#shape = shape;
    this.#features = featureFields(parameters);
    this.#head = recordFields(shape, PAYMENT_CELLS + this.#features.length);
    const fields = [...this.#head, ...this.#features];
    this.#fields = new RecordScanner(fields, jsonMarks(fields));
  }

  /** Fills cells from `at` on with the row in bytes `start` … `end`, or returns what is wrong with it. Texts are added to `texts`. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
    cells: Float64Array,
    at: number,
    texts: TextHeap = NO_TEXTS,
  ): Defect | undefined {
    if (this.#shape !== HANDBOOK_SHAPE) {
      absentCells(this.#shape, cells, at);
    }
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    const known = this.#fields.scan(scanner, cells, at, texts) &&
      scanner.expect(CLOSE) && scanner.atEnd;
    if (!known) {
      const defect = this.#shape === HANDBOOK_SHAPE
        ? this.#parse(bytes, start, end, startSeconds, cells, at)
        : this.#parseOwn(bytes, start, end, cells, at, texts);
      if (defect) return defect;
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
    const bad = fillPayment(paymentValues(object), startSeconds, this.#row);
    if (bad) return bad;
    toCells(this.#row, cells, at);
    return this.#fillFeatures(object, cells, at);
  }

  #parseOwn(
    bytes: Uint8Array,
    start: number,
    end: number,
    cells: Float64Array,
    at: number,
    texts: TextHeap,
  ): Defect | undefined {
    const { object, defect } = parseObject(bytes, start, end, parseExactly);
    if (!object) return defect;
    return fillRow(object, this.#head, cells, at, texts) ??
      this.#fillFeatures(object, cells, at);
  }

  #fillFeatures(
    object: Readonly<Record<string, unknown>>,
    cells: Float64Array,
    at: number,
  ): Defect | undefined {
    for (const { name, kind, min = 0, max, cell } of this.#features) {
      const digits = digitsOf(object[name]);
      const value = digits === undefined ? object[name] : Number(digits);
      if (value === undefined) {
        return { reason: "missing field", message: `${name} is missing` };
      }
      if (value === null && kind === "keptNumber") {
        cells[at + cell] = NaN;
        continue;
      }
      const isWhole = kind === "whole";
      const isRight = typeof value === "number" &&
        isFeature(min < 0 ? Math.abs(value) : value, isWhole);
      if (!isRight) {
        const number = isWhole ? "whole number" : "number";
        const message = min < 0
          ? `${name} is not a number`
          : `${name} is not a ${number} from 0 to ${max}`;
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
