/**
 * A payment as a row of cells: doubles side by side in a Float64Array, the form
 * in which rows travel between stages, files and stores. More cells may follow
 * those of the payment, for example features.
 */
import type { Payment } from "./payment.ts";

/** Number of cells of the payment itself; more cells may follow. */
export const PAYMENT_CELLS = 8;

/** Place of each cell in a row: `cells[at + CELL.time]` is TX_TIME_SECONDS of the row that begins at `at`. */
export const CELL = {
  /** TRANSACTION_ID. */
  id: 0,
  /** TX_DATETIME, seconds since 1970. */
  datetime: 1,
  /** CUSTOMER_ID. */
  customer: 2,
  /** TERMINAL_ID. */
  terminal: 3,
  /** TX_AMOUNT. */
  amount: 4,
  /** TX_TIME_SECONDS. */
  time: 5,
  /** TX_FRAUD. */
  fraud: 6,
  /** TX_FRAUD_SCENARIO. */
  scenario: 7,
} as const;

/** TX_FRAUD where it is not known: of a payment without a label, and of a label that withdraws those before. */
export const FRAUD_UNKNOWN: number = -1;

/** Puts a payment into the row that begins at `at`. */
export function toCells(
  payment: Payment,
  cells: Float64Array,
  at: number,
): void {
  cells[at + CELL.id] = payment.transactionId;
  cells[at + CELL.datetime] = payment.datetimeSeconds;
  cells[at + CELL.customer] = payment.customerId;
  cells[at + CELL.terminal] = payment.terminalId;
  cells[at + CELL.amount] = payment.amount;
  cells[at + CELL.time] = payment.timeSeconds;
  cells[at + CELL.fraud] = payment.fraud;
  cells[at + CELL.scenario] = payment.scenario;
}

/** Takes a payment out of the row that begins at `at`. */
export function fromCells(
  cells: Float64Array,
  at: number,
  payment: Payment,
): void {
  payment.transactionId = cells[at + CELL.id];
  payment.datetimeSeconds = cells[at + CELL.datetime];
  payment.customerId = cells[at + CELL.customer];
  payment.terminalId = cells[at + CELL.terminal];
  payment.amount = cells[at + CELL.amount];
  payment.timeSeconds = cells[at + CELL.time];
  payment.fraud = cells[at + CELL.fraud];
  payment.scenario = cells[at + CELL.scenario];
}
