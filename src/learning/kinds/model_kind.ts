/**
 * The record that describes a kind of model to the rest of the program.
 * Commands, model files, ONNX export and the trainer use only this record, so
 * a new kind is one file and one line in kinds.ts.
 */
import type { CheckedJson } from "../../base/checked_json.ts";
import type { InputNumbers, OnnxNodes } from "../onnx/onnx_writer.ts";
import type { Examples, Scorer } from "./model.ts";

/** A setting of a fit: a number and its range. */
export interface Setting {
  /** Its name on the command line. */
  readonly flag: string;
  /** Its default. */
  readonly initial: number;
  /** Whether it must be a whole number. */
  readonly whole: boolean;
  /** Least value. */
  readonly min: number;
  /** Greatest value. */
  readonly max: number;
  /** Whether the value must be greater than `min`. */
  readonly open: boolean;
}

/** Values of settings, by the names used in model files. */
export type Settings = Readonly<Record<string, number>>;

/** A model that `evaluate` judges by default. */
export interface Evaluated {
  /** Its settings as after --model=KIND: "depth=0"; "" for the defaults. */
  readonly settings: string;
  /** AUC ROC, average precision and card precision@100 that the handbook prints for its test. */
  readonly handbook?: readonly [number, number, number];
}

/** What all models with the same form of data share, such as linear ones or sums of trees. */
export interface ModelForm<Part extends object = object> {
  /** Whether it learns from rows that lack values of nullable inputs, and scores them. */
  readonly takesMissing: boolean;
  /** Reads a model over this many inputs from the body of a model file. Throws the file's error if a value would break scoring. */
  read(
    file: CheckedJson,
    body: Readonly<Record<string, unknown>>,
    inputs: number,
  ): Part;
  /** A scorer for rows of `inputs`. Throws ModelError if the model is broken or has other inputs. */
  scorer(part: Part, inputs: readonly string[]): Scorer;
  /** The model as ONNX nodes that compute `label` and `probabilities` from `values` (float64). Throws ModelError if `numbers` cannot hold it. */
  onnx(part: Part, numbers: InputNumbers): OnnxNodes;
}

/**
 * A kind of model. A linear model that is fitted in one pass, with one setting:
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { linearForm, type LinearPart } from "./linear.ts";
 * import { type ModelKind, numberSetting } from "./model_kind.ts";
 *
 * const meanDifference: ModelKind<LinearPart, { readonly scale: number }> = {
 *   ...linearForm,
 *   name: "mean-difference",
 *   settings: { scale: numberSetting("scale", 1, 0, 1e6) },
 *   grid: { scale: [0.5, 1, 2] },
 *   evaluated: [{ settings: "" }],
 *   fit({ columns, labels, rows }, { scale }) {
 *     const frauds = labels.reduce((sum, label) => sum + label, 0);
 *     const mean = columns.map((column) => {
 *       return column.reduce((sum, value) => sum + value, 0) / rows;
 *     });
 *     const deviation = columns.map((column, input) => {
 *       const squares = column.map((value) => (value - mean[input]) ** 2);
 *       return Math.sqrt(squares.reduce((a, b) => a + b, 0) / rows) || 1;
 *     });
 *     const coefficients = columns.map((column, input) => {
 *       const ofFrauds = column.filter((_, row) => labels[row] === 1);
 *       const sum = ofFrauds.reduce((sum, value) => sum + value, 0);
 *       return scale * (sum / frauds - mean[input]) / deviation[input];
 *     });
 *     const intercept = Math.log(frauds / (rows - frauds));
 *     return { linear: { mean, deviation, intercept, coefficients } };
 *   },
 * };
 *
 * const examples = {
 *   inputs: ["TX_AMOUNT"],
 *   rows: 4,
 *   columns: [Float64Array.of(1, 2, 3, 4)],
 *   labels: Uint8Array.of(0, 0, 0, 1),
 * };
 * const part = meanDifference.fit(examples, { scale: 1 });
 * const scores = new Float64Array(4);
 * meanDifference.scorer(part, examples.inputs)
 *   .score(examples.columns[0], 4, scores);
 * assert.ok(scores[3] > scores[0]);
 * ```
 */
export interface ModelKind<
  Part extends object = object,
  Values extends Settings = Settings,
> extends ModelForm<Part> {
  /** Its name on the command line and in model files. */
  readonly name: string;
  /** Its settings, in the order in which messages list them. */
  readonly settings: Readonly<Record<keyof Values & string, Setting>>;
  /** The values that `select` tries by default. */
  readonly grid: Readonly<Partial<Record<keyof Values, readonly number[]>>>;
  /** The models that `evaluate` judges by default. */
  readonly evaluated: readonly Evaluated[];
  /**
   * Fits a model; the same examples and settings give the same model. The
   * caller has checked that all values are finite and both classes exist.
   * Throws ModelError if the examples still do not allow a model.
   */
  fit(examples: Examples, settings: Values): Part;
}

/** A setting that is a whole number from `min` to `max`. */
export function wholeSetting(
  flag: string,
  initial: number,
  min: number,
  max: number,
): Setting {
  return { flag, initial, whole: true, min, max, open: false };
}

/** A setting that is any number from `min` to `max`. */
export function numberSetting(
  flag: string,
  initial: number,
  min: number,
  max: number,
): Setting {
  return { flag, initial, whole: false, min, max, open: false };
}

/** A setting that is a number greater than 0, up to `max`. */
export function positiveSetting(
  flag: string,
  initial: number,
  max: number,
): Setting {
  return { flag, initial, whole: false, min: 0, max, open: true };
}
