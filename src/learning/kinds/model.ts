/**
 * What a model is, whatever trained it: named inputs, a score for each row, and
 * what made the score. Models are plain data (model_file.ts keeps them); what a
 * kind of model can do is its record (model_kind.ts).
 */

/** Rows to learn from or to judge by, as columns of equal length. */
export interface Examples {
  /** Names of the inputs: TX_AMOUNT and the features. */
  readonly inputs: readonly string[];
  /** Number of rows. */
  readonly rows: number;
  /** The values of each input, in the order of the names. */
  readonly columns: readonly Float64Array[];
  /** 1 for a fraud, 0 for a genuine payment. */
  readonly labels: Uint8Array;
}

/** A model that scores. */
export interface Scorer {
  /** Names of the inputs, in the order in which a row has them. */
  readonly inputs: readonly string[];
  /**
   * Writes the probability of fraud of each of `rows` rows to `scores`. The
   * values stand row after row, each `inputs.length` long. A model that runs
   * elsewhere answers by a promise.
   */
  score(
    values: Float64Array,
    rows: number,
    scores: Float64Array,
  ): void | Promise<void>;
  /**
   * Writes what each input added to the margin of the row that begins at
   * `values[at]` into `into`, and gives the margin of a row of which nothing is
   * known: both together are the row's margin, exactly (the log odds of the
   * score, or the score itself for models that average). Absent where a model
   * from elsewhere does not tell.
   */
  explain?(values: Float64Array, at: number, into: Float64Array): number;
}

/**
 * A model that was trained here, as data: what a model file holds at its core,
 * and what crosses threads. Beside the name of its kind stands the part that
 * only the kind knows.
 */
export type ModelBody<Part extends object = object> = Part & {
  /** Name of its kind. */
  readonly kind: string;
};
