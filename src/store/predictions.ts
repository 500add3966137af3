/**
 * Predictions in the store: the table `transaction_prediction`, whose rows are
 * a function of the prediction topic: they are written as upserts by
 * TRANSACTION_ID and may be repeated. And `model_metrics`: how well the models
 * do, by day, as labels become known.
 */
import type { TransactionId } from "../payment/payment.ts";
import type { PredictionRows } from "../payment/prediction.ts";
import type { RowTable } from "./positions.ts";
import type { ModelMetric } from "./tables.ts";

/** What a table of predictions holds. */
export interface PredictionStatus {
  /** Number of predictions. */
  readonly rows: number;
  /** How many of them are alerts. */
  readonly alerts: number;
}

/** The predictions of a store. */
export interface PredictionStore extends RowTable<PredictionRows> {
  /** The prediction about a payment as the only row; undefined without one. Throws StoreError for a row that another program has made unusable. */
  find(transactionId: TransactionId): Promise<PredictionRows | undefined>;
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
