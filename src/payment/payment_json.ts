/**
 * A payment as a JSON record: the keys of PAYMENT_FIELDS in their order,
 * no spaces, numbers as JavaScript prints them. Written so, and read in any
 * valid spelling: other keys are ignored, order and spaces are free.
 */
import type { ByteWriter } from "../base/byte_writer.ts";
import { formatDate } from "./calendar.ts";
import { JsonScanner, literal } from "./json_scanner.ts";
import {
  DAY_SECONDS,
  INT_MAX,
  type Payment,
  PAYMENT_FIELDS,
} from "./payment.ts";
import {
  checkTimes,
  type Defect,
  fillPayment,
  isAmount,
} from "./validation.ts";

/** Longest record that is read, in bytes. */
export const RECORD_BYTES_MAX = 65_536;

const ID = literal('{"TRANSACTION_ID":');
const DATETIME = literal(',"TX_DATETIME":"');
const CUSTOMER = literal('","CUSTOMER_ID":');
const TERMINAL = literal(',"TERMINAL_ID":');
const AMOUNT = literal(',"TX_AMOUNT":');
const SECONDS = literal(',"TX_TIME_SECONDS":');
const DAYS = literal(',"TX_TIME_DAYS":');
const FRAUD = literal(',"TX_FRAUD":');
const SCENARIO = literal(',"TX_FRAUD_SCENARIO":');
const CLOSE = literal("}");

/** Writes payments as JSON. */
export class PaymentJsonWriter {
  #day = NaN;
  #dayText: Uint8Array = new Uint8Array(0);

  /** Appends a payment's object, closed unless `open`: then more keys may follow. */
  write(writer: ByteWriter, row: Payment, open = false): void {
    const day = Math.floor(row.datetimeSeconds / DAY_SECONDS);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayText = literal(formatDate(row.datetimeSeconds) + " ").bytes;
    }
    writer.bytes(ID.bytes);
    writer.whole(row.transactionId);
    writer.bytes(DATETIME.bytes);
    writer.bytes(this.#dayText);
    writer.timeOfDay(row.datetimeSeconds - day * DAY_SECONDS);
    writer.bytes(CUSTOMER.bytes);
    writer.whole(row.customerId);
    writer.bytes(TERMINAL.bytes);
    writer.whole(row.terminalId);
    writer.bytes(AMOUNT.bytes);
    writer.number(row.amount);
    writer.bytes(SECONDS.bytes);
    writer.whole(row.timeSeconds);
    writer.bytes(DAYS.bytes);
    writer.whole(Math.floor(row.timeSeconds / DAY_SECONDS));
    writer.bytes(FRAUD.bytes);
    writer.whole(row.fraud);
    writer.bytes(SCENARIO.bytes);
    writer.whole(row.scenario);
    if (!open) writer.bytes(CLOSE.bytes);
  }
}

/** Reads payments from JSON. */
export class PaymentJsonReader {
  readonly #scanner = new JsonScanner();
  #timeDays = 0;

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
    const scanner = this.#scanner;
    scanner.start(bytes, start, end);
    const known = this.scan(scanner, into) && scanner.expect(CLOSE) &&
      scanner.atEnd;
    if (known) return checkTimes(into, this.#timeDays, startSeconds);
    const { object, defect } = parseObject(bytes, start, end);
    if (!object) return defect;
    const values = PAYMENT_FIELDS.map((field) => object[field]);
    return fillPayment(values, startSeconds, into);
  }

  /**
   * Reads the payment's own keys of a record in canonical spelling, up to but
   * not including what follows them; false if it is spelled otherwise or a
   * value is out of its range.
   */
  scan(scanner: JsonScanner, into: Payment): boolean {
    if (!scanner.expect(ID)) return false;
    into.transactionId = scanner.whole();
    if (!scanner.expect(DATETIME)) return false;
    into.datetimeSeconds = scanner.datetime();
    if (!scanner.expect(CUSTOMER)) return false;
    into.customerId = scanner.whole();
    if (!scanner.expect(TERMINAL)) return false;
    into.terminalId = scanner.whole();
    if (!scanner.expect(AMOUNT)) return false;
    into.amount = scanner.decimal();
    if (!scanner.expect(SECONDS)) return false;
    into.timeSeconds = scanner.whole();
    if (!scanner.expect(DAYS)) return false;
    this.#timeDays = scanner.whole();
    if (!scanner.expect(FRAUD)) return false;
    into.fraud = scanner.whole();
    if (!scanner.expect(SCENARIO)) return false;
    into.scenario = scanner.whole();
    return into.transactionId >= 0 && into.datetimeSeconds === into
          .datetimeSeconds &&
      isInt(into.customerId) && isInt(into.terminalId) &&
      isAmount(into.amount) && isInt(into.timeSeconds) &&
      isInt(this.#timeDays) && isInt(into.scenario) &&
      (into.fraud === 0 || into.fraud === 1);
  }

  /** TX_TIME_DAYS of the payment that scan() read last. */
  get timeDays(): number {
    return this.#timeDays;
  }
}

function isInt(value: number): boolean {
  return value >= 0 && value <= INT_MAX;
}

const DECODER = new TextDecoder("utf-8", { fatal: true });

/** What parseObject found: an object, or why there is none. */
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
    return { defect: { reason: "not JSON", message: `not JSON: ${message}` } };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { defect: { reason: "not JSON", message: "not a JSON object" } };
  }
  return { object: value as Record<string, unknown> };
}
