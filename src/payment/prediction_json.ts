/**
 * A prediction as a JSON record: the payment's keys, its score, whether it is
 * an alert, which model said so and, where it was asked for, what pushed the
 * score most. Written with no spaces and keys in this order, read in any valid
 * spelling.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { formatDate, parseDatetime } from "./calendar.ts";
import { JsonScanner, type Literal, literal } from "./json_scanner.ts";
import { AMOUNT_MAX, DAY_SECONDS, INT_MAX } from "./payment.ts";
import { parseObject } from "./payment_json.ts";
import type { Defect } from "./validation.ts";
import { PREDICTION_CELLS, type PredictionRows } from "./prediction.ts";

const ID = literal('{"TRANSACTION_ID":');
const DATETIME = literal(',"TX_DATETIME":"');
const CUSTOMER = literal('","CUSTOMER_ID":');
const TERMINAL = literal(',"TERMINAL_ID":');
const AMOUNT = literal(',"TX_AMOUNT":');
const SECONDS = literal(',"TX_TIME_SECONDS":');
const SCORE = literal(',"SCORE":');
const ALERT = literal(',"ALERT":');
const VERSION = literal(',"MODEL_VERSION":"');
const CONTRIBUTIONS = literal('","CONTRIBUTIONS":{');
const COLON = literal('":');
const QUOTE = literal('"');
const COMMA_QUOTE = literal(',"');
const CLOSE = literal("}");
const CLOSE_TEXT = literal('"}');

/** Inputs that a prediction names: those that pushed its score most. */
export const CONTRIBUTIONS_MAX = 5;

/** Writes predictions. */
export class PredictionJsonWriter {
  readonly #order: number[] = [];
  #day = NaN;
  #dayText: Uint8Array = new Uint8Array(0);

  /**
   * Appends a prediction about the payment in cells `at` …; the inputs'
   * contributions are ranked and named where they are given.
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
    },
  ): void {
    const datetime = cells[at + 1];
    const day = Math.floor(datetime / DAY_SECONDS);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayText = literal(formatDate(datetime) + " ").bytes;
    }
    writer.bytes(ID.bytes);
    writer.whole(cells[at]);
    writer.bytes(DATETIME.bytes);
    writer.bytes(this.#dayText);
    writer.timeOfDay(datetime - day * DAY_SECONDS);
    writer.bytes(CUSTOMER.bytes);
    writer.whole(cells[at + 2]);
    writer.bytes(TERMINAL.bytes);
    writer.whole(cells[at + 3]);
    writer.bytes(AMOUNT.bytes);
    writer.number(cells[at + 4]);
    writer.bytes(SECONDS.bytes);
    writer.whole(cells[at + 5]);
    writer.bytes(SCORE.bytes);
    writer.number(prediction.score);
    writer.bytes(ALERT.bytes);
    writer.whole(prediction.alert ? 1 : 0);
    writer.bytes(VERSION.bytes);
    writer.ascii(prediction.version);
    const { inputs, contributions } = prediction;
    if (contributions === undefined) {
      writer.bytes(CLOSE_TEXT.bytes);
      return;
    }
    writer.bytes(CONTRIBUTIONS.bytes);
    let first = true;
    for (const input of this.#ranked(contributions)) {
      writer.bytes(first ? QUOTE.bytes : COMMA_QUOTE.bytes);
      first = false;
      writer.ascii(inputs[input]);
      writer.bytes(COLON.bytes);
      writer.number(contributions[input]);
    }
    writer.bytes(CLOSE.bytes);
    writer.bytes(CLOSE.bytes);
  }

  /** The inputs that pushed most, either way, the strongest first. */
  #ranked(contributions: Float64Array): number[] {
    const order = this.#order;
    order.length = 0;
    for (let input = 0; input < contributions.length; input++) {
      if (contributions[input] !== 0) order.push(input);
    }
    order.sort((a, b) =>
      Math.abs(contributions[b]) - Math.abs(contributions[a]) || a - b
    );
    return order.slice(0, CONTRIBUTIONS_MAX);
  }
}

const DECODER = new TextDecoder();

/** Reads predictions into rows of a store. */
export class PredictionJsonReader {
  readonly #scanner = new JsonScanner();
  #versionText: Literal = literal("");
  #version = "";

  /** Fills row `index` with the prediction in bytes `start` … `end`, or returns what is wrong with it. */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    rows: PredictionRows,
    index: number,
  ): Defect | undefined {
    this.#scanner.start(bytes, start, end);
    if (this.#scan(bytes, end, rows, index)) return undefined;
    const parsed = parseObject(bytes, start, end);
    if (!parsed.object) return parsed.defect;
    return fill(parsed.object, rows, index);
  }

  /** Reads a prediction in the spelling that is written here, without contributions. */
  #scan(
    bytes: Uint8Array,
    end: number,
    { cells, versions, contributions }: PredictionRows,
    index: number,
  ): boolean {
    const scanner = this.#scanner;
    const at = index * PREDICTION_CELLS;
    if (!scanner.expect(ID)) return false;
    cells[at] = scanner.whole();
    if (!scanner.expect(DATETIME)) return false;
    cells[at + 1] = scanner.datetime();
    if (!scanner.expect(CUSTOMER)) return false;
    cells[at + 2] = scanner.whole();
    if (!scanner.expect(TERMINAL)) return false;
    cells[at + 3] = scanner.whole();
    if (!scanner.expect(AMOUNT)) return false;
    cells[at + 4] = scanner.decimal();
    if (!scanner.expect(SECONDS)) return false;
    cells[at + 5] = scanner.whole();
    if (!scanner.expect(SCORE)) return false;
    cells[at + 6] = scanner.decimal();
    if (!scanner.expect(ALERT)) return false;
    cells[at + 7] = scanner.whole();
    // The same version as before, up to the end: the usual case.
    if (!scanner.expect(VERSION)) return false;
    if (!scanner.expect(this.#versionText) || !scanner.expect(CLOSE_TEXT)) {
      return this.#learnVersion(bytes, end);
    }
    if (!scanner.atEnd || this.#version === "") return false;
    for (let i = 0; i < PREDICTION_CELLS; i++) {
      if (!(cells[at + i] >= 0)) return false;
    }
    if (cells[at + 2] > INT_MAX || cells[at + 3] > INT_MAX) return false;
    if (cells[at + 4] > AMOUNT_MAX || cells[at + 5] > INT_MAX) return false;
    if (cells[at + 6] > 1 || cells[at + 7] > 1) return false;
    versions[index] = this.#version;
    contributions[index] = null;
    return true;
  }

  /** Remembers the version that the record ends with, for the next; this one is read the slow way. */
  #learnVersion(bytes: Uint8Array, end: number): false {
    const text = DECODER.decode(bytes.subarray(Math.max(0, end - 66), end));
    const version = /"MODEL_VERSION":"([\w.-]{1,48})"\}$/.exec(text)?.[1];
    if (version === undefined) return false;
    this.#version = version;
    this.#versionText = literal(version);
    return false;
  }
}

/** Fills a row with a prediction in any spelling. */
function fill(
  object: Readonly<Record<string, unknown>>,
  { cells, versions, contributions }: PredictionRows,
  index: number,
): Defect | undefined {
  const at = index * PREDICTION_CELLS;
  const limits = [
    ["TRANSACTION_ID", Number.MAX_SAFE_INTEGER, 0, true],
    ["CUSTOMER_ID", INT_MAX, 2, true],
    ["TERMINAL_ID", INT_MAX, 3, true],
    ["TX_AMOUNT", AMOUNT_MAX, 4, false],
    ["TX_TIME_SECONDS", INT_MAX, 5, true],
    ["SCORE", 1, 6, false],
    ["ALERT", 1, 7, true],
  ] as const;
  for (const [name, max, cell, whole] of limits) {
    const value = object[name];
    if (value === undefined) return missing(name);
    if (typeof value !== "number" || whole && !Number.isInteger(value)) {
      const kind = whole ? "whole number" : "number";
      return { reason: "wrong type", message: `${name} is not a ${kind}` };
    }
    if (!(value >= 0 && value <= max)) {
      const message = `${name} ${value} is not in 0…${max}`;
      return { reason: "out of range", message };
    }
    cells[at + cell] = value;
  }
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
  cells[at + 1] = datetime;
  const why = object.CONTRIBUTIONS;
  if (why !== undefined && !isContributions(why)) {
    const message = "CONTRIBUTIONS is not an object of numbers";
    return { reason: "wrong type", message };
  }
  versions[index] = object.MODEL_VERSION as string;
  contributions[index] = why === undefined ? null : JSON.stringify(why);
  return undefined;
}

function missing(name: string): Defect {
  return { reason: "missing field", message: `${name} is missing` };
}

function isContributions(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((number) => typeof number === "number");
}
