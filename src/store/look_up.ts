/**
 * What people look up in a store: one payment with its features, what a card
 * or a terminal did in a range of time, and what analysts have decided about a
 * payment. Each answer is bounded. The verdicts lie in a table of their own,
 * which the writer never touches: its rows are a function of the log, a
 * verdict is not.
 */
import { fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { emptyPayment, type Payment } from "../payment/payment.ts";
import {
  badRow,
  refuseBadRow,
  shown,
  type StoredPaymentReader,
  type StoredRow,
  type StoredRowReader,
} from "./stored_row.ts";

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
  /** At most so many, the newest. */
  readonly limit: number;
}

/** What an analyst has decided about a payment, and when. */
export interface Verdict {
  /** TRANSACTION_ID. */
  readonly transactionId: number;
  /** Clock time of the decision, ISO 8601 with milliseconds, UTC. */
  readonly decidedAt: string;
  /** 1: it is a fraud; 0: it is not. */
  readonly label: 0 | 1;
  /** Who decided. */
  readonly analyst: string;
  /** Why, in their words; may be empty. */
  readonly note: string;
}

/** Looks things up in a store. */
export interface LookUp {
  /** A payment with its features; undefined if it is not stored. */
  payment(transactionId: number): Promise<StoredCase | undefined>;
  /** A card's payments in a range, newest first. */
  ofCustomer(customerId: number, range: TimeRange): Promise<StoredPayment[]>;
  /** A terminal's payments in a range, newest first. */
  ofTerminal(terminalId: number, range: TimeRange): Promise<StoredPayment[]>;
  /** Keeps a verdict beside those that a payment already has. */
  addVerdict(verdict: Verdict): Promise<void>;
  /** All verdicts about a payment, newest first. */
  verdicts(transactionId: number): Promise<Verdict[]>;
}

/** The table of verdicts, in either store. */
export const VERDICT_TABLE = "transaction_verdict";

/** A payment from a row of either store's tables; throws StoreError for a row that others have made unusable. */
export function paymentOf(
  reader: StoredPaymentReader,
  row: StoredRow,
): StoredPayment {
  const into = emptyPayment();
  const bad = reader.read(row, into);
  if (bad) refuseBadRow(bad);
  return storedPayment(into);
}

/** A payment and its features from a row of either store's table; throws like paymentOf(). */
export function caseOf(reader: StoredRowReader, row: StoredRow): StoredCase {
  const cells = new Float64Array(reader.width);
  const bad = reader.read(row, cells, 0);
  if (bad) refuseBadRow(bad);
  const into = emptyPayment();
  fromCells(cells, 0, into);
  return {
    payment: storedPayment(into),
    features: [...cells.subarray(PAYMENT_CELLS)],
  };
}

function storedPayment(row: Payment): StoredPayment {
  const { datetimeSeconds, ...payment } = row;
  return { ...payment, datetime: formatDatetime(datetimeSeconds) };
}

/** A verdict from a row of either store's table; throws like paymentOf(). */
export function verdictOf(row: StoredRow): Verdict {
  const { label, analyst, note } = row;
  if (label !== 0 && label !== 1) {
    const problem = `label ${shown(label)} is not 0 or 1`;
    refuseBadRow(badRow(VERDICT_TABLE, row, problem));
  }
  return {
    transactionId: Number(row.transaction_id),
    decidedAt: String(row.decided_at),
    label,
    analyst: String(analyst ?? ""),
    note: String(note ?? ""),
  };
}
