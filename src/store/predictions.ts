/**
 * Predictions in the store: a table of its own, `transaction_prediction`,
 * whose rows are a function of the prediction topic: written as upserts by
 * TRANSACTION_ID, repeated at will. And `model_metrics`: how the models do,
 * by day, as labels become known.
 */
import type { StoredTable, StreamPosition } from "./positions.ts";
import type { PredictionRows } from "../payment/prediction.ts";
import type { BadRowHandler } from "./stored_row.ts";

/** The table of predictions, in either store. */
export const PREDICTION_TABLE = "transaction_prediction";

/** The table of the models' metrics, in either store. */
export const METRIC_TABLE = "model_metrics";

/** What a table of predictions holds. */
export interface PredictionStatus {
  /** Number of predictions. */
  readonly rows: number;
  /** How many of them are alerts. */
  readonly alerts: number;
}

/** A metric of a model on a day. */
export interface ModelMetric {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Version of the model. */
  readonly version: string;
  /** Name of the metric. */
  readonly metric: string;
  /** Its value. */
  readonly value: number;
}

/** The predictions of a store. */
export interface PredictionStore extends StoredTable {
  /** Writes predictions, replacing those of the same payments, and the positions that they reach; see Store.write for the signal. */
  write(
    rows: PredictionRows,
    signal?: AbortSignal,
    positions?: readonly StreamPosition[],
  ): Promise<void>;
  /** All predictions, ascending TRANSACTION_ID, some thousand at a time; valid until the next. Bad rows: see Store.rows. */
  rows(
    signal?: AbortSignal,
    onBadRow?: BadRowHandler,
  ): AsyncIterable<PredictionRows>;
  /** Counts what is there. */
  status(): Promise<PredictionStatus>;
  /** Writes metrics, replacing those of the same day, model and name. */
  writeMetrics(
    metrics: readonly ModelMetric[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** All metrics, by day, version and name. */
  metrics(): Promise<ModelMetric[]>;
}
