/**
 * Predictions in the store: the table `transaction_prediction`, whose rows are
 * a function of the prediction topic: they are written as upserts by
 * TRANSACTION_ID and may be repeated. And `model_metrics`: how well the models
 * do, by day, as labels become known.
 */
import type { TransactionId } from "../payment/payment.ts";
import {
  emptyPredictions,
  type PredictionRows,
} from "../payment/prediction.ts";
import type { RowTable } from "./positions.ts";
import {
  refuseBadRow,
  type StoredRow,
  type StoredRowReader,
} from "./stored_row.ts";
import type { ModelMetric } from "./tables.ts";

/** What a table of predictions holds. */
export interface PredictionStatus {
  /** Number of predictions. */
  readonly rows: number;
  /** How many of them are alerts. */
  readonly alerts: number;
}

/** Reads rows of predictions that a driver has found. Throws StoreError for one that is unusable. */
export function foundPredictions(
  reader: StoredRowReader,
  found: readonly StoredRow[],
): PredictionRows {
  const rows = emptyPredictions(found.length);
  for (const row of found) {
    const bad = reader.read(row, rows, rows.count++);
    if (bad) refuseBadRow(bad);
  }
  return rows;
}

/** The predictions of a store. */
export interface PredictionStore extends RowTable<PredictionRows> {
  /** The prediction about a payment as the only row; undefined without one. Throws StoreError for a row that another program has made unusable. */
  find(transactionId: TransactionId): Promise<PredictionRows | undefined>;
  /**
   * The predictions about those of these payments that have one, in no order,
   * each once; its own rows, which stay valid. Throws StoreError if one of them
   * has been made unusable by another program.
   */
  findAll(transactionIds: readonly TransactionId[]): Promise<PredictionRows>;
  /** Counts what is there. */
  status(): Promise<PredictionStatus>;
  /** Writes metrics, replacing those of the same day, model and name; a value of NaN removes them. */
  writeMetrics(
    metrics: readonly ModelMetric[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** All metrics, by day, version and name. */
  metrics(): Promise<ModelMetric[]>;
}
