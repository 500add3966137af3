/**
 * Look-ups in a store: one payment with its features, the payments of a card or
 * a terminal in a range of time, and the verdicts about a payment. Each answer
 * is bounded. The verdicts have their own table, which the writer never
 * touches: its rows are a function of the log, a verdict is not.
 */
import { fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { emptyPayment } from "../payment/payment.ts";
import {
  refuseBadRow,
  type StoredRow,
  type StoredRowReader,
} from "./stored_row.ts";
import type { Verdict } from "../payment/label_json.ts";

/** A payment without its features. */
export interface StoredPayment {
  /** TRANSACTION_ID. */
  readonly transactionId: number;
  /** TX_DATETIME, 'YYYY-MM-DD HH:MM:SS'. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customerId: number;
  /** TERMINAL_ID. */
  readonly terminalId: number;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** TX_TIME_SECONDS. */
  readonly timeSeconds: number;
  /** TX_FRAUD, 0 or 1. */
  readonly fraud: number;
  /** TX_FRAUD_SCENARIO, 0 to 3. */
  readonly scenario: number;
}

/** A payment and the values of its features, in the order of their names. */
export interface StoredCase {
  /** The payment. */
  readonly payment: StoredPayment;
  /** Its features' values. */
  readonly features: readonly number[];
}

/** A range of TX_TIME_SECONDS, and how many payments of it are wanted. */
export interface TimeRange {
  /** Payments from this time on. */
  readonly fromSeconds: number;
  /** Payments up to this time, itself included. */
  readonly toSeconds: number;
  /** At most this many, the newest. */
  readonly limit: number;
}

/** Looks things up in a store. */
export interface LookUp {
  /** A payment with its features; undefined if it is not stored. */
  payment(transactionId: number): Promise<StoredCase | undefined>;
  /** A card's payments in a range, newest first. */
  ofCustomer(customerId: number, range: TimeRange): Promise<StoredPayment[]>;
  /** A terminal's payments in a range, newest first. */
  ofTerminal(terminalId: number, range: TimeRange): Promise<StoredPayment[]>;
  /** Adds a verdict to those that a payment already has. */
  addVerdict(verdict: Verdict): Promise<void>;
  /** Removes a verdict that was withdrawn; nothing happens where it is not kept. */
  removeVerdict(
    verdict: Pick<Verdict, "transactionId" | "decidedAt">,
  ): Promise<void>;
  /** All verdicts about a payment, newest first. */
  verdicts(transactionId: number): Promise<Verdict[]>;
}

/** A payment and its features from a row of either store's tables; throws StoreError for a row that another program has made unusable. */
export function caseOf(reader: StoredRowReader, row: StoredRow): StoredCase {
  const cells = new Float64Array(reader.width);
  const bad = reader.read(row, { cells, count: 1 }, 0);
  if (bad) refuseBadRow(bad);
  const into = emptyPayment();
  fromCells(cells, 0, into);
  const { datetimeSeconds, ...payment } = into;
  return {
    payment: { ...payment, datetime: formatDatetime(datetimeSeconds) },
    features: [...cells.subarray(PAYMENT_CELLS)],
  };
}
