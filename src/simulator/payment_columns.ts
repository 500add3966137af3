/**
 * Payments in the making: columns that grow, in the order of drawing, until
 * they are put in the order of a table.
 */

/** Columns of payments not yet numbered or labelled. */
export class PaymentColumns {
  /** Number of payments. */
  length = 0;
  /** CUSTOMER_ID of each payment; only the first `length` count, as below. */
  customerId: Int32Array;
  /** TERMINAL_ID of each payment. */
  terminalId: Int32Array;
  /** TX_AMOUNT of each payment. */
  amount: Float64Array;
  /** TX_TIME_SECONDS of each payment. */
  timeSeconds: Int32Array;

  /** Empty columns with room for `capacity` payments before they must grow. */
  constructor(capacity: number) {
    const rows = Math.max(16, Math.ceil(capacity));
    this.customerId = new Int32Array(rows);
    this.terminalId = new Int32Array(rows);
    this.amount = new Float64Array(rows);
    this.timeSeconds = new Int32Array(rows);
  }

  /** Adds one payment. */
  push(
    customerId: number,
    terminalId: number,
    amount: number,
    timeSeconds: number,
  ): void {
    const row = this.length++;
    if (row === this.amount.length) this.#grow();
    this.customerId[row] = customerId;
    this.terminalId[row] = terminalId;
    this.amount[row] = amount;
    this.timeSeconds[row] = timeSeconds;
  }

  #grow(): void {
    const rows = Math.ceil(this.amount.length * 1.5);
    const old = {
      customerId: this.customerId,
      terminalId: this.terminalId,
      amount: this.amount,
      timeSeconds: this.timeSeconds,
    };
    this.customerId = new Int32Array(rows);
    this.terminalId = new Int32Array(rows);
    this.amount = new Float64Array(rows);
    this.timeSeconds = new Int32Array(rows);
    this.customerId.set(old.customerId);
    this.terminalId.set(old.terminalId);
    this.amount.set(old.amount);
    this.timeSeconds.set(old.timeSeconds);
  }
}
