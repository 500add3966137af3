/**
 * Payments of one day as columns, with any TRANSACTION_IDs, as the reader of
 * files returns them.
 */
import type { Payment } from "../payment/payment.ts";
import { NO_TEXTS, type TextHeap } from "../payment/text_heap.ts";

const CAPACITY_MIN = 256;

/** Payments of one day (same TX_TIME_DAYS) in order of time, to be read row by row or by column. */
export class PaymentDay {
  /** TX_TIME_DAYS of all rows. */
  readonly day: number;
  /** Ids are numbers. */
  readonly texts: TextHeap = NO_TEXTS;
  #length = 0;
  #transactionId: Float64Array;
  #datetimeSeconds: Float64Array;
  #customerId: Int32Array;
  #terminalId: Int32Array;
  #amount: Float64Array;
  #timeSeconds: Int32Array;
  #fraud: Uint8Array;
  #scenario: Int32Array;

  /** Makes an empty day with room for some rows; it grows as needed. */
  constructor(day: number, capacity: number = CAPACITY_MIN) {
    const room = Math.max(CAPACITY_MIN, capacity);
    this.day = day;
    this.#transactionId = new Float64Array(room);
    this.#datetimeSeconds = new Float64Array(room);
    this.#customerId = new Int32Array(room);
    this.#terminalId = new Int32Array(room);
    this.#amount = new Float64Array(room);
    this.#timeSeconds = new Int32Array(room);
    this.#fraud = new Uint8Array(room);
    this.#scenario = new Int32Array(room);
  }

  /** Number of rows. */
  get length(): number {
    return this.#length;
  }

  /** TRANSACTION_ID of each row. */
  get transactionId(): Float64Array {
    return this.#transactionId.subarray(0, this.#length);
  }

  /** CUSTOMER_ID of each row. */
  get customerId(): Int32Array {
    return this.#customerId.subarray(0, this.#length);
  }

  /** TERMINAL_ID of each row. */
  get terminalId(): Int32Array {
    return this.#terminalId.subarray(0, this.#length);
  }

  /** TX_AMOUNT of each row. */
  get amount(): Float64Array {
    return this.#amount.subarray(0, this.#length);
  }

  /** TX_TIME_SECONDS of each row. */
  get timeSeconds(): Int32Array {
    return this.#timeSeconds.subarray(0, this.#length);
  }

  /** TX_FRAUD of each row. */
  get fraud(): Uint8Array {
    return this.#fraud.subarray(0, this.#length);
  }

  /** TX_FRAUD_SCENARIO of each row. */
  get scenario(): Int32Array {
    return this.#scenario.subarray(0, this.#length);
  }

  /** Fills `into` with row `index`. */
  read(index: number, into: Payment): void {
    into.transactionId = this.#transactionId[index];
    into.datetimeSeconds = this.#datetimeSeconds[index];
    into.customerId = this.#customerId[index];
    into.terminalId = this.#terminalId[index];
    into.amount = this.#amount[index];
    into.timeSeconds = this.#timeSeconds[index];
    into.fraud = this.#fraud[index];
    into.scenario = this.#scenario[index];
  }

  /** Such rows keep no other fields. */
  readKept(): void {}

  /** Appends a copy of a row. */
  append(row: Payment): void {
    if (this.#length === this.#amount.length) this.#grow();
    const index = this.#length++;
    this.#transactionId[index] = row.transactionId;
    this.#datetimeSeconds[index] = row.datetimeSeconds;
    this.#customerId[index] = row.customerId;
    this.#terminalId[index] = row.terminalId;
    this.#amount[index] = row.amount;
    this.#timeSeconds[index] = row.timeSeconds;
    this.#fraud[index] = row.fraud;
    this.#scenario[index] = row.scenario;
  }

  #grow(): void {
    const change = <T extends Column>(column: T): T => {
      const larger = new (column.constructor as new (
        length: number,
      ) => T)(2 * column.length);
      larger.set(column);
      return larger;
    };
    this.#transactionId = change(this.#transactionId);
    this.#datetimeSeconds = change(this.#datetimeSeconds);
    this.#customerId = change(this.#customerId);
    this.#terminalId = change(this.#terminalId);
    this.#amount = change(this.#amount);
    this.#timeSeconds = change(this.#timeSeconds);
    this.#fraud = change(this.#fraud);
    this.#scenario = change(this.#scenario);
  }
}

type Column = Float64Array | Int32Array | Uint8Array;
