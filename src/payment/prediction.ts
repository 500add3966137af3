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
  /** Score, 0 to 1; NaN without a model. */
  score: 6,
  /** 1 for an alert. */
  alert: 7,
} as const;

/** What rules decided about a payment; the lists as JSON. */
export interface PredictedDecision {
  /** approve, review or decline. */
  readonly decision: string;
  /** Ids of the live rules that fired, the one that decided first; null for none. */
  readonly rules: string | null;
  /** Ids of the shadow rules that fired; null for none. */
  readonly shadowRules: string | null;
  /** Reasons of the live rules that fired, in their order; null for none. */
  readonly reasons: string | null;
  /** Version of the rules. */
  readonly rulesVersion: string;
  /** Version of their lists; null where they ask none. */
  readonly listsVersion: string | null;
  /** Score from which on a payment was an alert; null where alerts have a quota. */
  readonly threshold: number | null;
}

/** MODEL_VERSION of a prediction that no model made. */
export const NO_MODEL = "none";

/** Partition and offset of a record whose place is not known: rows that an earlier release has stored have none. */
export const UNKNOWN_PLACE = -1;

/** Predictions side by side. */
export interface PredictionRows {
  /** The cells, PREDICTION_CELLS a row. */
  readonly cells: Float64Array;
  /** Version of the model that made each; NO_MODEL for none. */
  readonly versions: string[];
  /** The strongest contributions to each score, as JSON, or null. */
  readonly contributions: (string | null)[];
  /** What rules decided, where the stream has any. */
  readonly decisions: (PredictedDecision | null)[];
  /** Scores of the shadow models by their versions, as JSON, or null. */
  readonly shadowScores: (string | null)[];
  /** Partition of each one's record in the prediction topic; UNKNOWN_PLACE where it is not known. */
  readonly partitions: Int32Array;
  /** Its offset there; UNKNOWN_PLACE where it is not known. */
  readonly offsets: Float64Array;
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
    decisions: Array(capacity).fill(null),
    shadowScores: Array(capacity).fill(null),
    partitions: new Int32Array(capacity).fill(UNKNOWN_PLACE),
    offsets: new Float64Array(capacity).fill(UNKNOWN_PLACE),
    texts: new TextHeap(),
    count: 0,
  };
}
