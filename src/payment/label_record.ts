/**
 * The records of the payments' topic in a stream whose labels arrive later than
 * their payments. A payment is a record without TX_FRAUD and TX_FRAUD_SCENARIO;
 * where it has them, they are ignored. A label record has every field of its
 * payment, TX_FRAUD (0, 1, or null, which withdraws the labels before) and
 * KNOWN_AT, when that was known in event time: a record with KNOWN_AT is a
 * label. Both are written in one form and read in any valid spelling.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import {
  formatDatetime,
  parseDatetime,
  parseEpoch,
  parseIsoDatetime,
} from "./calendar.ts";
import { JsonScanner, literal } from "./json_scanner.ts";
import { INT_MAX, type Payment, PAYMENT_FIELDS } from "./payment.ts";
import { fromCells, PAYMENT_CELLS, toCells } from "./payment_cells.ts";
import { parseObject, paymentValues } from "./payment_json.ts";
import { jsonMarks, RecordScanner, RecordWriter } from "./record_codec.ts";
import { type Field, PAYMENT_RECORD } from "./record_field.ts";
import { checkStart, type Defect, fillPayment } from "./validation.ts";

/** TX_FRAUD of a label record that withdraws the labels before. */
export const WITHDRAWN: number = -1;

/** The fields of a payment whose label arrives later. */
export const UNLABELLED_RECORD: readonly Field[] = PAYMENT_RECORD.filter(
  ({ name }) => !name.startsWith("TX_FRAUD"),
);

const MARKS = jsonMarks(UNLABELLED_RECORD);
const CLOSE = literal("}");
const FRAUD = literal(',"TX_FRAUD":');
const NULL = literal("null");
const SCENARIO = literal(',"TX_FRAUD_SCENARIO":');
const KNOWN_AT = literal(',"KNOWN_AT":"');
const CLOSE_TEXT = literal('"}');
const FRAUD_PLACE = PAYMENT_FIELDS.indexOf("TX_FRAUD");
const SCENARIO_PLACE = PAYMENT_FIELDS.indexOf("TX_FRAUD_SCENARIO");

/** Writes payments without labels, and label records. */
export class UnlabelledJsonWriter {
  readonly #writer = new RecordWriter(UNLABELLED_RECORD, MARKS);
  readonly #cells = new Float64Array(PAYMENT_CELLS);

  /** Appends a payment's object, closed unless `open`: then more keys may follow. */
  write(writer: ByteWriter, row: Payment, open = false): void {
    toCells(row, this.#cells, 0);
    this.#writer.write(writer, this.#cells, 0);
    if (!open) writer.bytes(CLOSE.bytes);
  }

  /**
   * Appends a label record. TX_FRAUD of the payment may be WITHDRAWN;
   * `knownSeconds` counts as its TX_TIME_SECONDS does. In the topic of accepted
   * labels it has KNOWN_TIME, too, from when on it can be learned from.
   */
  writeLabel(
    writer: ByteWriter,
    row: Payment,
    knownSeconds: number,
    knownTimeSeconds?: number,
  ): void {
    this.write(writer, row, true);
    writer.bytes(FRAUD.bytes);
    if (row.fraud === WITHDRAWN) writer.bytes(NULL.bytes);
    else writer.whole(row.fraud);
    writer.bytes(SCENARIO.bytes);
    writer.whole(row.scenario);
    const start = row.datetimeSeconds - row.timeSeconds;
    writer.bytes(KNOWN_AT.bytes);
    writer.ascii(formatDatetime(start + knownSeconds));
    if (knownTimeSeconds !== undefined) {
      writer.ascii('","KNOWN_TIME":"');
      writer.ascii(formatDatetime(start + knownTimeSeconds));
    }
    writer.bytes(CLOSE_TEXT.bytes);
  }
}

/** Reads payments without labels, and label records. */
export class UnlabelledJsonReader {
  /** Whether the record read last is a label. */
  isLabel = false;
  /** KNOWN_AT of that label, counted as TX_TIME_SECONDS is. */
  knownSeconds = 0;
  readonly #scanner = new JsonScanner();
  readonly #fields = new RecordScanner(UNLABELLED_RECORD, MARKS);
  readonly #cells = new Float64Array(PAYMENT_CELLS);

  /**
   * Fills `into` with the payment in bytes `start` … `end`, or returns what is
   * wrong with the record; see fillPayment for the rules and `startSeconds`. Of
   * a payment TX_FRAUD and TX_FRAUD_SCENARIO are 0.
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    startSeconds: number | undefined,
    into: Payment,
  ): Defect | undefined {
    this.isLabel = false;
    if (this.#scan(bytes, start, end, into)) {
      return checkStart(into.timeSeconds, into.datetimeSeconds, startSeconds) ??
        this.#checkKnown();
    }
    const { object, defect } = parseObject(bytes, start, end);
    if (!object) return defect;
    this.isLabel = object.KNOWN_AT !== undefined;
    const values = paymentValues(object);
    const isWithdrawn = this.isLabel && object.TX_FRAUD === null;
    if (!this.isLabel || isWithdrawn) values[FRAUD_PLACE] = 0;
    if (!this.isLabel) values[SCENARIO_PLACE] = 0;
    else values[SCENARIO_PLACE] ??= 0;
    const wrong = fillPayment(values, startSeconds, into);
    if (wrong || !this.isLabel) return wrong;
    if (isWithdrawn) into.fraud = WITHDRAWN;
    const known = momentOf(object.KNOWN_AT);
    if (known === undefined) {
      return {
        reason: "wrong type",
        message: `KNOWN_AT ${JSON.stringify(object.KNOWN_AT).slice(0, 60)} ` +
          `is not a date and time of the form 'YYYY-MM-DD HH:MM:SS'`,
      };
    }
    this.knownSeconds = known - (into.datetimeSeconds - into.timeSeconds);
    return this.#checkKnown();
  }

  /** Whether the record is spelled as it is written here; fills `into` then. */
  #scan(bytes: Uint8Array, start: number, end: number, into: Payment): boolean {
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    if (!this.#fields.scan(scanner, this.#cells, 0)) return false;
    let fraud = 0;
    let scenario = 0;
    if (!scanner.expect(CLOSE)) {
      if (!scanner.expect(FRAUD)) return false;
      const isWithdrawn = scanner.expect(NULL);
      fraud = isWithdrawn ? WITHDRAWN : scanner.whole();
      if (!isWithdrawn && !(fraud === 0 || fraud === 1)) return false;
      if (!scanner.expect(SCENARIO)) return false;
      scenario = scanner.whole();
      if (scenario < 0 || scenario > INT_MAX) return false;
      if (!scanner.expect(KNOWN_AT)) return false;
      this.knownSeconds = scanner.datetime();
      if (!scanner.expect(CLOSE_TEXT)) return false;
      this.isLabel = true;
    }
    if (!scanner.atEnd) return false;
    fromCells(this.#cells, 0, into);
    into.fraud = fraud;
    into.scenario = scenario;
    this.knownSeconds -= into.datetimeSeconds - into.timeSeconds;
    return true;
  }

  #checkKnown(): Defect | undefined {
    if (!this.isLabel || this.knownSeconds >= 0) return undefined;
    return {
      reason: "out of range",
      message: "KNOWN_AT is before the first day of the stream",
    };
  }
}

function momentOf(value: unknown): number | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string") return undefined;
  return parseDatetime(text) ?? parseIsoDatetime(text) ?? parseEpoch(text);
}
