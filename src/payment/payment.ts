/**
 * What a payment, a customer and a terminal are: the public field names, the
 * ranges that a valid row keeps, and the columnar table that the simulator
 * produces. Names and order of the fields are a public interface.
 */

/** ISO 4217 code of the amounts, as page and report write them; the handbook names none. */
export const CURRENCY = "EUR";

/** Seconds in a day. */
export const DAY_SECONDS = 86_400;

/** Greatest TRANSACTION_ID: 2^53 - 1. */
export const TRANSACTION_ID_MAX: number = Number.MAX_SAFE_INTEGER;

/** A TRANSACTION_ID outside of cells: a number, or a text where the stream's definition says so. */
export type TransactionId = number | string;

/** Whether a value from outside can be a TRANSACTION_ID: a whole number from 0 on. */
export function isTransactionId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) &&
    value >= 0 && value <= TRANSACTION_ID_MAX;
}

/** Greatest value of every other whole-number field: 2^31 - 1. */
export const INT_MAX = 0x7fff_ffff;

/** Greatest TX_AMOUNT, so that sums of whole cents stay exact in a double. */
export const AMOUNT_MAX = 1e9;

/** Field names of a payment, in the order of every file and JSON record. */
export const PAYMENT_FIELDS = [
  "TRANSACTION_ID",
  "TX_DATETIME",
  "CUSTOMER_ID",
  "TERMINAL_ID",
  "TX_AMOUNT",
  "TX_TIME_SECONDS",
  "TX_TIME_DAYS",
  "TX_FRAUD",
  "TX_FRAUD_SCENARIO",
] as const;

/**
 * One payment. Mutable on purpose: hot paths reuse one object for every row.
 */
export interface Payment {
  /** TRANSACTION_ID, 0 … 2^53 - 1. */
  transactionId: number;
  /** TX_DATETIME as seconds since 1970-01-01T00:00:00Z. */
  datetimeSeconds: number;
  /** CUSTOMER_ID, 0 … 2^31 - 1. */
  customerId: number;
  /** TERMINAL_ID, 0 … 2^31 - 1. */
  terminalId: number;
  /** TX_AMOUNT, the double as it was read; within 1e-6 of a whole cent. */
  amount: number;
  /** TX_TIME_SECONDS, seconds since the start date, 0 … 2^31 - 1. */
  timeSeconds: number;
  /** TX_FRAUD, 0 or 1. */
  fraud: number;
  /** TX_FRAUD_SCENARIO, 0 … 2^31 - 1; 0 for a genuine payment. */
  scenario: number;
}

/** A payment with every field 0, to be filled and reused. */
export function emptyPayment(): Payment {
  return {
    transactionId: 0,
    datetimeSeconds: 0,
    customerId: 0,
    terminalId: 0,
    amount: 0,
    timeSeconds: 0,
    fraud: 0,
    scenario: 0,
  };
}

/**
 * Payments as columns of equal length, ascending TRANSACTION_ID without gaps:
 * row i has TRANSACTION_ID `firstId + i`. TX_FRAUD is 1 where the scenario is
 * not 0. TX_DATETIME is the start date plus TX_TIME_SECONDS.
 */
export interface PaymentTable {
  /** TRANSACTION_ID of row 0. */
  readonly firstId: number;
  /** Number of rows. */
  readonly length: number;
  /** CUSTOMER_ID of each row. */
  readonly customerId: Int32Array;
  /** TERMINAL_ID of each row. */
  readonly terminalId: Int32Array;
  /** TX_AMOUNT of each row. */
  readonly amount: Float64Array;
  /** TX_TIME_SECONDS of each row, never descending. */
  readonly timeSeconds: Int32Array;
  /** TX_FRAUD_SCENARIO of each row, 0 for genuine. */
  readonly scenario: Uint8Array;
}

/** A customer (a card): where it lives and how it spends. */
export interface Customer {
  /** CUSTOMER_ID. */
  readonly customerId: number;
  /** X_CUSTOMER_ID, 0 … 100. */
  readonly x: number;
  /** Y_CUSTOMER_ID, 0 … 100. */
  readonly y: number;
  /** MEAN_ACCOUNT: mean amount of a payment. */
  readonly meanAmount: number;
  /** STD_ACCOUNT: standard deviation of the amount. */
  readonly stdAmount: number;
  /** MEAN_NB_TX_PER_DAY: mean number of payments per day. */
  readonly meanPaymentsPerDay: number;
}

/** A payment terminal and its place. */
export interface Terminal {
  /** TERMINAL_ID. */
  readonly terminalId: number;
  /** X_TERMINAL_ID, 0 … 100. */
  readonly x: number;
  /** Y_TERMINAL_ID, 0 … 100. */
  readonly y: number;
}

/** Rows `from` (inclusive) to `to` (exclusive) of a table, sharing memory. */
export function sliceTable(
  table: PaymentTable,
  from: number,
  to: number,
): PaymentTable {
  return {
    firstId: table.firstId + from,
    length: to - from,
    customerId: table.customerId.subarray(from, to),
    terminalId: table.terminalId.subarray(from, to),
    amount: table.amount.subarray(from, to),
    timeSeconds: table.timeSeconds.subarray(from, to),
    scenario: table.scenario.subarray(from, to),
  };
}

/** Fills `into` with row `index` of a table whose stream began at `startSeconds` (seconds since 1970). */
export function readTableRow(
  table: PaymentTable,
  index: number,
  startSeconds: number,
  into: Payment,
): void {
  const timeSeconds = table.timeSeconds[index];
  const scenario = table.scenario[index];
  into.transactionId = table.firstId + index;
  into.datetimeSeconds = startSeconds + timeSeconds;
  into.customerId = table.customerId[index];
  into.terminalId = table.terminalId[index];
  into.amount = table.amount[index];
  into.timeSeconds = timeSeconds;
  into.fraud = scenario === 0 ? 0 : 1;
  into.scenario = scenario;
}
