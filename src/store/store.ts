/**
 * The store, which answers look-ups. Its rows are a function of the log, so a
 * write is a plain upsert by TRANSACTION_ID and may be repeated.
 */
import type { LabelStore } from "./labels.ts";
import type { LookUp } from "./look_up.ts";
import type { TextHeap } from "../payment/text_heap.ts";
import type { RowTable } from "./positions.ts";
import type { PredictionStore } from "./predictions.ts";

/** Rows of a payment and its feature values, side by side in cells (see feature_row.ts). */
export interface StoreRows {
  /** The cells, `width` per row. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
  /** What the cells of texts refer to, in a stream whose rows have some. */
  readonly texts?: TextHeap;
}

/** What a store holds. */
export interface StoreStatus {
  /** Number of rows in the table of payments. */
  readonly rows: number;
  /** How many of them are frauds. */
  readonly frauds: number;
}

/** A table of payments with their features. */
export interface Store extends RowTable<StoreRows>, AsyncDisposable {
  /** Throws StoreError if the store's own check finds damage. */
  verify(): Promise<void>;
  /** Counts what is there. */
  status(): Promise<StoreStatus>;
  /** Looks up single payments, and keeps verdicts, as long as the store is open. */
  lookUp(): LookUp;
  /** The predictions and the models' metrics, as long as the store is open. */
  predictions(): PredictionStore;
  /** The labels that have arrived later, as long as the store is open. */
  labels(): LabelStore;
}
