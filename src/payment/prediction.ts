/** Predictions as rows of cells, side by side: what the scorer writes and the store keeps. */

/** Cells of a prediction: TRANSACTION_ID, seconds since 1970, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_TIME_SECONDS, score, alert. */
export const PREDICTION_CELLS = 8;

/** Predictions side by side. */
export interface PredictionRows {
  /** The cells, PREDICTION_CELLS a row. */
  readonly cells: Float64Array;
  /** Version of the model that made each. */
  readonly versions: string[];
  /** What pushed the score of each most, as JSON, or null. */
  readonly contributions: (string | null)[];
  /** Number of rows. */
  count: number;
}

/** Room for predictions. */
export function emptyPredictions(capacity: number): PredictionRows {
  return {
    cells: new Float64Array(capacity * PREDICTION_CELLS),
    versions: Array(capacity).fill(""),
    contributions: Array(capacity).fill(null),
    count: 0,
  };
}
