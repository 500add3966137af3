/**
 * What a model is, whoever made it: named inputs, a score for each row, and
 * what made the score. Models are plain data (model_file.ts keeps them); the
 * fitting and the arithmetic of each kind live in files of their own.
 */

/** The kinds of model that are trained here. */
export const MODEL_KINDS = [
  "logistic-regression",
  "decision-tree",
  "random-forest",
  "gradient-boosting",
] as const;

/** One of the kinds that are trained here. */
export type ModelKind = typeof MODEL_KINDS[number];

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

/** A linear model on scaled inputs: margin = intercept + sum of coefficient · (value − mean) / deviation. */
export interface LinearBody {
  /** Mean of each input in the training rows. */
  readonly mean: readonly number[];
  /** Population standard deviation of each input, 1 where it is constant. */
  readonly deviation: readonly number[];
  /** Margin of a row of means. */
  readonly intercept: number;
  /** A coefficient for each scaled input. */
  readonly coefficients: readonly number[];
}

/** A binary tree as columns; node 0 is the root. */
export interface Tree {
  /** Input that a node splits by, -1 at a leaf. */
  readonly input: readonly number[];
  /** A row goes left where its value is at most this; 0 at a leaf. */
  readonly threshold: readonly number[];
  /** Node of the rows that go left, 0 at a leaf. */
  readonly left: readonly number[];
  /** Node of the others, 0 at a leaf. */
  readonly right: readonly number[];
  /** What a row that ends in the leaf adds to the margin, 0 at an inner node. */
  readonly value: readonly number[];
  /** Training rows (or their weight) that came through the node. */
  readonly cover: readonly number[];
}

/** A sum of trees: margin = base + the value of each tree's leaf. */
export interface TreesBody {
  /** How a margin becomes a score: the logistic function, or as it is. */
  readonly link: "logistic" | "identity";
  /** The margin before the trees. */
  readonly base: number;
  /** The trees. */
  readonly trees: readonly Tree[];
}

/** A model that was trained here, as data: what a model file holds at its core. */
export type ModelBody =
  | { readonly kind: "logistic-regression"; readonly linear: LinearBody }
  | {
    readonly kind: "decision-tree" | "random-forest" | "gradient-boosting";
    readonly ensemble: TreesBody;
  };
