/** Predictions as rows of cells, side by side: what the scorer writes and the store keeps. */

import { TextHeap } from "./text_heap.ts";

/** Cells of a prediction: TRANSACTION_ID, seconds since 1970, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_TIME_SECONDS, score, alert. */
export const PREDICTION_CELLS = 8;

/** Place of each cell in a prediction's row. */
export const PREDICTION_CELL = {
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
  /** Score, 0 to 1. */
  score: 6,
  /** 1 for an alert. */
  alert: 7,
} as const;

/** Predictions side by side. */
export interface PredictionRows {
  /** The cells, PREDICTION_CELLS a row. */
  readonly cells: Float64Array;
  /** Version of the model that made each. */
  readonly versions: string[];
  /** The strongest contributions to each score, as JSON, or null. */
  readonly contributions: (string | null)[];
  /** What the cells of texts refer to. */
  readonly texts: TextHeap;
  /** Number of rows. */
  count: number;
}

/** Room for predictions. */
export function emptyPredictions(capacity: number): PredictionRows {
  return {
    cells: new Float64Array(capacity * PREDICTION_CELLS),
    versions: Array(capacity).fill(""),
    contributions: Array(capacity).fill(null),
    texts: new TextHeap(),
    count: 0,
  };
}
