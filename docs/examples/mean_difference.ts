/**
 * A kind of model: linear, fitted in one pass. Each scaled input counts by how
 * far its mean over the frauds is from its mean over all rows.
 * docs/EXTENDING.md explains it.
 */
import { checkExamples } from "../../src/learning/data/examples.ts";
import {
  linearForm,
  type LinearPart,
} from "../../src/learning/kinds/linear.ts";
import {
  type ModelKind,
  positiveSetting,
} from "../../src/learning/kinds/model_kind.ts";

/** How the model is fitted. */
export type MeanDifferenceSettings = {
  /** What the differences are multiplied by. */
  readonly scale: number;
};

/** The kind; one line in MODEL_KINDS makes it known everywhere. */
export const meanDifference: ModelKind<LinearPart, MeanDifferenceSettings> = {
  // How linear models are read, scored and exported to ONNX.
  ...linearForm,
  name: "mean-difference",
  settings: { scale: positiveSetting("scale", 1, 1e6) },
  grid: { scale: [0.5, 1, 2] },
  evaluated: [{ settings: "" }],
  fit(examples, { scale }) {
    // Throws ModelError for no rows, one class, or a value that is not finite.
    checkExamples(examples);
    const { columns, labels, rows } = examples;
    const meanOf = (column: Float64Array, wanted: (row: number) => boolean) => {
      const values = column.filter((_, row) => wanted(row));
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    const mean = columns.map((column) => meanOf(column, () => true));
    const deviation = columns.map((column, input) => {
      const squares = column.map((value) => (value - mean[input]) ** 2);
      return Math.sqrt(meanOf(squares, () => true)) || 1;
    });
    const coefficients = columns.map((column, input) => {
      const ofFrauds = meanOf(column, (row) => labels[row] === 1);
      return scale * (ofFrauds - mean[input]) / deviation[input];
    });
    const frauds = labels.reduce((sum, label) => sum + label, 0);
    const intercept = Math.log(frauds / (rows - frauds));
    return { linear: { mean, deviation, intercept, coefficients } };
  },
};
