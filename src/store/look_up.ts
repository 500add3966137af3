/**
 * Look-ups in a store: one payment with its features, the payments of a card or
 * a terminal in a range of time, and the verdicts about a payment. Each answer
 * is bounded. The verdicts have their own table, which the writer never
 * touches: its rows are a function of the log, a verdict is not.
 */
import { CELL, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { formatDatetime } from "../payment/calendar.ts";
import type { TransactionId } from "../payment/payment.ts";
import type { PredictionRows } from "../payment/prediction.ts";
import type { IdKind } from "../payment/payment_shape.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { ownValue } from "./cell_rows.ts";
import {
  refuseBadRow,
  type StoredRow,
  type StoredRowReader,
} from "./stored_row.ts";
import type { Verdict } from "../payment/label_json.ts";

/** A payment without its features. Its ids are texts where the stream's definition says so. */
export interface StoredPayment {
  /** TRANSACTION_ID. */
  readonly transactionId: TransactionId;
  /** TX_DATETIME, 'YYYY-MM-DD HH:MM:SS'. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customerId: number | string;
  /** TERMINAL_ID. */
  readonly terminalId: number | string;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** TX_TIME_SECONDS. */
  readonly timeSeconds: number;
  /** TX_FRAUD, 0 or 1; FRAUD_UNKNOWN where it is not known. */
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
  /** The values of its kept fields, in their order, as the store holds them; null for none. */
  readonly kept: readonly (number | string | null)[];
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
  /** The prediction about a payment as the only row; undefined if none is stored. */
  prediction(transactionId: TransactionId): Promise<PredictionRows | undefined>;
  /**
   * A payment with its features; undefined if it is not stored. With a signal
   * it waits however long the store does not answer; the signal ends that wait,
   * and its reason is thrown.
   */
  payment(
    transactionId: TransactionId,
    signal?: AbortSignal,
  ): Promise<StoredCase | undefined>;
  /** A card's payments in a range, newest first. */
  ofCustomer(
    customerId: number | string,
    range: TimeRange,
  ): Promise<StoredPayment[]>;
  /** A terminal's payments in a range, newest first. */
  ofTerminal(
    terminalId: number | string,
    range: TimeRange,
  ): Promise<StoredPayment[]>;
  /** Adds a verdict to those that a payment already has. */
  addVerdict(verdict: Verdict): Promise<void>;
  /** Removes a verdict that was withdrawn; nothing happens where it is not kept. */
  removeVerdict(
    verdict: Pick<Verdict, "transactionId" | "decidedAt">,
  ): Promise<void>;
  /** All verdicts about a payment, newest first. */
  verdicts(transactionId: TransactionId): Promise<Verdict[]>;
}

/** A payment and its features from a row of either store's tables; throws StoreError for a row that another program has made unusable. */
export function caseOf(reader: StoredRowReader, row: StoredRow): StoredCase {
  const { width, shape, keptColumns } = reader;
  const cells = new Float64Array(width);
  const texts = new TextHeap();
  const bad = reader.read(row, { cells, count: 1, texts }, 0);
  if (bad) refuseBadRow(bad);
  const id = (kind: IdKind, cell: number) =>
    kind === "text" ? texts.text(cells[cell]) ?? "" : cells[cell];
  return {
    payment: {
      transactionId: id(shape.transactionId, CELL.id),
      customerId: id(shape.customerId, CELL.customer),
      terminalId: id(shape.terminalId, CELL.terminal),
      amount: cells[CELL.amount],
      timeSeconds: cells[CELL.time],
      fraud: cells[CELL.fraud],
      scenario: cells[CELL.scenario],
      datetime: formatDatetime(cells[CELL.datetime]),
    },
    features: [...cells.subarray(PAYMENT_CELLS, width - keptColumns.length)],
    kept: keptColumns.map(({ cell, cellKind }) =>
      ownValue(cells[cell], cellKind, texts)
    ),
  };
}
