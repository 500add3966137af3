/**
 * A prediction as a JSON record: the payment's keys, its score, whether it is
 * an alert, the version of the model, if enabled the strongest contributions to
 * the score, and where the stream has rules what they decided. Written with no
 * spaces and keys in this order, read in any valid spelling.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import { parseDatetime } from "./calendar.ts";
import { JsonScanner, type Literal, literal } from "./json_scanner.ts";
import { parseObject } from "./payment_json.ts";
import {
  type PredictedDecision,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "./prediction.ts";
import { jsonMarks, RecordScanner, RecordWriter } from "./record_codec.ts";
import {
  HANDBOOK_SHAPE,
  paymentFields,
  type PaymentShape,
} from "./payment_shape.ts";
import {
  type Field,
  PREDICTION_RECORD,
  predictionFields,
} from "./record_field.ts";
import type { TextHeap } from "./text_heap.ts";
import { checkedText, type Defect } from "./validation.ts";

const SHADOWS = literal(',"SHADOW_SCORES":');
const VERSION = literal(',"MODEL_VERSION":"');
const CONTRIBUTIONS = literal('","CONTRIBUTIONS":{');
const COLON = literal('":');
const QUOTE = literal('"');
const COMMA_QUOTE = literal(',"');
const CLOSE = literal("}");

/** How many inputs a prediction names: those that contribute most to its score. */
export const CONTRIBUTIONS_MAX = 5;

/** The inputs that pushed most, either way, the strongest first, as their places in `contributions`; `order` is room to work in. */
export function strongest(
  contributions: Float64Array,
  order: number[] = [],
): number[] {
  order.length = 0;
  for (let input = 0; input < contributions.length; input++) {
    if (contributions[input] !== 0) order.push(input);
  }
  order.sort((a, b) =>
    Math.abs(contributions[b]) - Math.abs(contributions[a]) || a - b
  );
  return order.slice(0, CONTRIBUTIONS_MAX);
}

/** A shadow model and its scores of a step. */
export interface ShadowScores {
  /** The model's version. */
  readonly version: string;
  /** The scores, one for each payment of the step. */
  readonly scores: Float64Array;
}

/** The shadow scores of a prediction by version; none where it has none. */
export function readShadowScores(
  json: string | null | undefined,
): ReadonlyMap<string, number> {
  if (json === null || json === undefined) return new Map();
  const scores: Record<string, number> = JSON.parse(json);
  return new Map(Object.entries(scores));
}

/** Writes predictions. */
export class PredictionJsonWriter {
  readonly #fields: RecordWriter;
  readonly #cells = new Float64Array(PREDICTION_CELLS);
  readonly #order: number[] = [];

  /** Writes predictions about payments of a shape. */
  constructor(shape: PaymentShape = HANDBOOK_SHAPE) {
    const fields = fieldsOf(shape);
    this.#fields = new RecordWriter(fields, jsonMarks(fields));
  }

  /**
   * Appends a prediction about the payment in cells `at` …, whose texts are in
   * `texts`; the inputs' contributions are ranked and named where they are
   * given. What rules decided is given as members of JSON, each behind a comma.
   * Of each of `shadows` the score at `row` is named.
   */
  write(
    writer: ByteWriter,
    cells: Float64Array,
    at: number,
    prediction: {
      readonly score: number;
      readonly alert: boolean;
      readonly version: string;
      readonly inputs: readonly string[];
      readonly contributions: Float64Array | undefined;
      readonly decision?: Uint8Array | undefined;
      readonly shadows?: readonly ShadowScores[];
    },
    texts?: TextHeap,
    row = 0,
  ): void {
    // The fields that both have are in the same cells.
    const own = this.#cells;
    for (let i = 0; i < PREDICTION_CELL.score; i++) own[i] = cells[at + i];
    own[PREDICTION_CELL.score] = prediction.score;
    own[PREDICTION_CELL.alert] = prediction.alert ? 1 : 0;
    this.#fields.write(writer, own, 0, texts);
    const { shadows = [] } = prediction;
    if (shadows.length > 0) this.#shadows(writer, shadows, row);
    writer.bytes(VERSION.bytes);
    writer.ascii(prediction.version);
    const { inputs, contributions, decision } = prediction;
    if (contributions === undefined) writer.bytes(QUOTE.bytes);
    else this.#contributions(writer, inputs, contributions);
    if (decision) writer.bytes(decision);
    writer.bytes(CLOSE.bytes);
  }

  #shadows(
    writer: ByteWriter,
    shadows: readonly ShadowScores[],
    row: number,
  ): void {
    writer.bytes(SHADOWS.bytes);
    writer.ascii("{");
    for (const [i, { version, scores }] of shadows.entries()) {
      writer.bytes(i === 0 ? QUOTE.bytes : COMMA_QUOTE.bytes);
      writer.ascii(version);
      writer.bytes(COLON.bytes);
      writer.number(scores[row]);
    }
    writer.bytes(CLOSE.bytes);
  }

  #contributions(
    writer: ByteWriter,
    inputs: readonly string[],
    contributions: Float64Array,
  ): void {
    writer.bytes(CONTRIBUTIONS.bytes);
    let first = true;
    for (const input of strongest(contributions, this.#order)) {
      writer.bytes(first ? QUOTE.bytes : COMMA_QUOTE.bytes);
      first = false;
      writer.ascii(inputs[input]);
      writer.bytes(COLON.bytes);
      writer.number(contributions[input]);
    }
    writer.bytes(CLOSE.bytes);
  }
}

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** Longest end of a record that is remembered. */
const TAIL_BYTES_MAX = 1024;

function fieldsOf(shape: PaymentShape): readonly Field[] {
  return shape === HANDBOOK_SHAPE
    ? PREDICTION_RECORD
    : predictionFields(paymentFields(shape));
}

/** Reads predictions into rows of a store. */
export class PredictionJsonReader {
  readonly #scanner = new JsonScanner();
  /** Of a shape with a definition. */
  readonly #own: readonly Field[] | undefined;
  readonly #fields: RecordScanner;
  /** What followed VERSION in the record before that had no contributions. */
  #tail: Literal | undefined;
  #version = "";
  #decision: PredictedDecision | null = null;

  /** Reads predictions about payments of a shape. */
  constructor(shape: PaymentShape = HANDBOOK_SHAPE) {
    const fields = fieldsOf(shape);
    this.#own = shape === HANDBOOK_SHAPE ? undefined : fields;
    this.#fields = new RecordScanner(fields, jsonMarks(fields));
  }

  /** Fills row `index` with the prediction in bytes `start` … `end`, or returns what is wrong with it. Reading row 0 forgets the texts of all rows before. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    rows: PredictionRows,
    index: number,
  ): Defect | undefined {
    if (index === 0) rows.texts.clear();
    this.#scanner.start(bytes, start, end);
    if (this.#scan(bytes, end, rows, index)) return undefined;
    const own = this.#own;
    const parse = own && parseExactly;
    const parsed = parseObject(bytes, start, end, parse);
    if (!parsed.object) return parsed.defect;
    return fillCells(parsed.object, own ?? PREDICTION_RECORD, rows, index) ??
      fillTexts(parsed.object, rows, index);
  }

  /** Reads a prediction in the spelling that is written here, without contributions. */
  #scan(
    bytes: Uint8Array,
    end: number,
    { cells, texts, versions, contributions, decisions, shadowScores }:
      PredictionRows,
    index: number,
  ): boolean {
    const scanner = this.#scanner;
    const at = index * PREDICTION_CELLS;
    if (!this.#fields.scan(scanner, cells, at, texts)) return false;
    const shadows = scanner.expect(SHADOWS) ? scanner.numbers() : null;
    if (shadows === undefined || !scanner.expect(VERSION)) return false;
    // The same up to the end as before: the usual case.
    const tail = this.#tail;
    if (!tail || !scanner.expect(tail) || !scanner.atEnd) {
      return this.#learnTail(bytes, end);
    }
    if (Number.isNaN(cells[at + PREDICTION_CELL.score]) && !this.#decision) {
      return false;
    }
    versions[index] = this.#version;
    shadowScores[index] = shadows;
    contributions[index] = null;
    decisions[index] = this.#decision;
    return true;
  }

  /** Remembers what the record ends with, for the next; this one takes the slow path. */
  #learnTail(bytes: Uint8Array, end: number): false {
    const from = Math.max(0, end - TAIL_BYTES_MAX);
    const text = DECODER.decode(bytes.subarray(from, end));
    // Within a text the quotes of this name would have backslashes.
    const [, tail] = /,"MODEL_VERSION":"([^"\\]{1,48}".*)$/s.exec(text) ?? [];
    if (tail === undefined || tail.includes('"CONTRIBUTIONS"')) return false;
    const alone = ENCODER.encode(`{"MODEL_VERSION":"${tail}`);
    const { object } = parseObject(alone, 0, alone.length);
    if (!object) return false;
    const decision = decisionOf(object);
    if (decision && "reason" in decision) return false;
    this.#version = String(object.MODEL_VERSION);
    this.#decision = decision;
    this.#tail = literal(tail);
    return false;
  }
}

/** Fills the cells of a row, but that of the time, with a prediction in any spelling. */
function fillCells(
  object: Readonly<Record<string, unknown>>,
  fields: readonly Field[],
  { cells, texts }: PredictionRows,
  index: number,
): Defect | undefined {
  const at = index * PREDICTION_CELLS;
  for (const field of fields) {
    const { name, kind, min = 0, max, cell } = field;
    if (kind === "datetime") continue; // with the texts
    const raw = object[name];
    if (raw === undefined) return missing(name);
    if (kind === "text") {
      const text = checkedText(field, raw);
      if (typeof text !== "string") return text ?? missing(name);
      cells[at + cell] = texts.addText(text);
      continue;
    }
    if (kind === "keptNumber" && raw === null) {
      cells[at + cell] = NaN;
      continue;
    }
    const digits = digitsOf(raw);
    const value = digits === undefined ? raw : Number(digits);
    const whole = kind === "whole" || kind === "flag";
    if (typeof value !== "number" || whole && !Number.isInteger(value)) {
      const number = whole ? "whole number" : "number";
      return { reason: "wrong type", message: `${name} is not a ${number}` };
    }
    if (!(value >= min && value <= max)) {
      const message = `${name} ${value} is not in ${min}…${max}`;
      return { reason: "out of range", message };
    }
    cells[at + cell] = value;
  }
  return undefined;
}

/** Fills the rest of a row: the time, the version, the contributions and the decision. */
function fillTexts(
  object: Readonly<Record<string, unknown>>,
  { cells, versions, contributions, decisions, shadowScores }: PredictionRows,
  index: number,
): Defect | undefined {
  const at = index * PREDICTION_CELLS;
  for (const name of ["TX_DATETIME", "MODEL_VERSION"]) {
    if (object[name] === undefined) return missing(name);
    if (typeof object[name] === "string" && object[name] !== "") continue;
    return { reason: "wrong type", message: `${name} is not a text` };
  }
  const datetime = parseDatetime(object.TX_DATETIME as string);
  if (datetime === undefined) {
    const message = "TX_DATETIME is not a date and time of the form " +
      "'YYYY-MM-DD HH:MM:SS'";
    return { reason: "out of range", message };
  }
  cells[at + PREDICTION_CELL.datetime] = datetime;
  const why = object.CONTRIBUTIONS;
  if (why !== undefined && !isContributions(why)) {
    const message = "CONTRIBUTIONS is not an object of numbers";
    return { reason: "wrong type", message };
  }
  const shadows = object.SHADOW_SCORES;
  if (shadows !== undefined && !isContributions(shadows)) {
    const message = "SHADOW_SCORES is not an object of numbers";
    return { reason: "wrong type", message };
  }
  const decision = decisionOf(object);
  if (decision && "reason" in decision) return decision;
  const isScored = !Number.isNaN(cells[at + PREDICTION_CELL.score]);
  if (!isScored && !decision) return missing("SCORE");
  decisions[index] = decision;
  versions[index] = object.MODEL_VERSION as string;
  shadowScores[index] = shadows === undefined ? null : JSON.stringify(shadows);
  contributions[index] = why === undefined ? null : JSON.stringify(why);
  return undefined;
}

/** What rules decided, null where none did, or what is wrong with it. */
function decisionOf(
  object: Readonly<Record<string, unknown>>,
): PredictedDecision | Defect | null {
  const { DECISION, RULES_VERSION, LISTS_VERSION = null } = object;
  if (DECISION === undefined) return null;
  for (const [name, value] of Object.entries({ DECISION, RULES_VERSION })) {
    if (typeof value === "string" && value !== "") continue;
    return { reason: "wrong type", message: `${name} is not a text` };
  }
  const threshold = numberOrNull(object.THRESHOLD);
  if (threshold === undefined) {
    const message = "THRESHOLD is not a number or null";
    return { reason: "wrong type", message };
  }
  for (const name of ["RULES", "SHADOW_RULES", "REASONS"]) {
    if (isTexts(object[name])) continue;
    return { reason: "wrong type", message: `${name} is not a list of texts` };
  }
  const json = (value: unknown) =>
    value === undefined ? null : JSON.stringify(value);
  return {
    decision: String(DECISION),
    rules: json(object.RULES),
    shadowRules: json(object.SHADOW_RULES),
    reasons: json(object.REASONS),
    rulesVersion: String(RULES_VERSION),
    listsVersion: LISTS_VERSION === null ? null : String(LISTS_VERSION),
    threshold,
  };
}

function numberOrNull(value: unknown = null): number | null | undefined {
  if (value === null) return null;
  const digits = digitsOf(value);
  const number = digits === undefined ? value : Number(digits);
  return typeof number === "number" && number >= 0 && number <= 1
    ? number
    : undefined;
}

function isTexts(value: unknown = []): boolean {
  return Array.isArray(value) &&
    value.every((text) => typeof text === "string");
}

function missing(name: string): Defect {
  return { reason: "missing field", message: `${name} is missing` };
}

function isContributions(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((number) =>
      typeof number === "number" || digitsOf(number) !== undefined
    );
}
