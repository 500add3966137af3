/**
 * A model of any kind: named inputs, a score for each row, and the
 * contributions to the score. Models are plain data (see model_file.ts); the
 * record of a kind has its operations (model_kind.ts).
 */

/** Rows to learn from or to judge by, as columns of equal length. */
export interface Examples {
  /** Names of the inputs: TX_AMOUNT and the features. */
  readonly inputs: readonly string[];
  /** Number of rows. */
  readonly rows: number;
  /** The values of each input, in the order of the names; NaN where one is missing. */
  readonly columns: readonly Float64Array[];
  /** Names of the inputs that may be missing; left out, none may be. */
  readonly nullable?: readonly string[] | undefined;
  /** 1 for a fraud, 0 for a genuine payment. */
  readonly labels: Uint8Array;
}

/** A model that scores. */
export interface Scorer {
  /** Names of the inputs, in the order in which a row has them. */
  readonly inputs: readonly string[];
  /** Names of those whose values may be missing; left out, none may be. */
  readonly nullable?: readonly string[] | undefined;
  /**
   * Writes the probability of fraud of each of `rows` rows to `scores`. The
   * values stand row after row, each `inputs.length` long; NaN is a missing
   * one, where the model was trained for it. A model in another runtime returns
   * a promise.
   */
  score(
    values: Float64Array,
    rows: number,
    scores: Float64Array,
  ): void | Promise<void>;
  /**
   * Writes what each input added to the margin of the row that begins at
   * `values[at]` into `into`, and returns the margin of a row without known
   * inputs: together they are exactly the row's margin (the log odds of the
   * score, or the score itself for models that average). Absent where a model
   * from elsewhere does not tell.
   */
  explain?(values: Float64Array, at: number, into: Float64Array): number;
}

/**
 * A model that was trained here, as data: the core of a model file, which can
 * also cross threads. It has the name of its kind, and a part that only the
 * kind knows.
 */
export type ModelBody<Part extends object = object> = Part & {
  /** Name of its kind. */
  readonly kind: string;
};
