/**
 * Logistic regression on standardised inputs with a penalty on the square of
 * the coefficients, the objective of scikit-learn's LogisticRegression:
 * sum of squares / 2 + C · sum of the rows' log loss, the intercept free. It is
 * strictly convex, so there is one optimum also for separable data and constant
 * inputs (their coefficient is 0). Newton's method finds it to the last digits
 * in some ten steps of one pass each (Hastie, Tibshirani, Friedman, "The
 * elements of statistical learning", 4.4.1).
 */
import { ModelError } from "../../base/error.ts";
import { countFrauds } from "../data/examples.ts";
import {
  type LinearBody,
  linearForm,
  type LinearPart,
  logistic,
} from "./linear.ts";
import type { Examples } from "./model.ts";
import { type ModelKind, positiveSetting } from "./model_kind.ts";

/** How a logistic regression is fitted. */
export type LogisticRegressionSettings = {
  /** C: weight of the rows' loss against the penalty. */
  readonly lossWeight: number;
};

/** Logistic regression; the grid and the result are those of the handbook's chapters 5 and 3. */
export const logisticRegression: ModelKind<
  LinearPart,
  LogisticRegressionSettings
> = {
  ...linearForm,
  name: "logistic-regression",
  settings: { lossWeight: positiveSetting("c", 1, 1e12) },
  grid: { lossWeight: [0.1, 1, 10, 100] },
  evaluated: [{ settings: "", handbook: [0.871, 0.606, 0.291] }],
  fit: (examples, settings) => ({
    linear: fitLogisticRegression(examples, settings),
  }),
};

const STEPS_MAX = 100;
const HALVINGS_MAX = 40;

/** The search ends when a step promises less than this part of the loss. */
const TOLERANCE = 1e-14;

/** Rows that are summed before they are added to the totals; they stay in the cache. */
const BLOCK_ROWS = 128;

/** Fits a logistic regression; throws ModelError for one class only. */
export function fitLogisticRegression(
  examples: Examples,
  { lossWeight }: LogisticRegressionSettings,
): LinearBody {
  const { rows, inputs } = examples;
  const width = inputs.length + 1;
  const { scaled, mean, deviation } = standardise(examples);
  const weights = new Float64Array(width);
  const frauds = countFrauds(examples);
  weights[width - 1] = Math.log(frauds / (rows - frauds));
  const trial = new Float64Array(width);
  const problem: Problem = {
    scaled,
    labels: examples.labels,
    width,
    lossWeight,
  };
  let loss = lossOf(problem, weights);
  for (let round = 0;; round++) {
    if (round === STEPS_MAX) {
      throw new ModelError(
        `the logistic regression did not converge in ${STEPS_MAX} steps; ` +
          "choose a smaller loss weight, such as c=0.1",
      );
    }
    const { gradient, hessian } = derivatives(problem, weights);
    const step = solve(hessian, gradient, width);
    let promise = 0;
    for (let at = 0; at < width; at++) promise += step[at] * gradient[at];
    if (!(promise > TOLERANCE * (1 + loss))) break;
    let scale = 1;
    let next = loss;
    for (let halving = 0; halving < HALVINGS_MAX; halving++, scale /= 2) {
      for (let at = 0; at < width; at++) {
        trial[at] = weights[at] - scale * step[at];
      }
      next = lossOf(problem, trial);
      if (next < loss) break;
    }
    if (!(next < loss)) break; // no better within rounding
    loss = next;
    weights.set(trial);
  }
  return {
    mean: [...mean],
    deviation: [...deviation],
    intercept: weights[width - 1],
    coefficients: [...weights.subarray(0, width - 1)],
  };
}

/** Scaled inputs as columns, followed by a column of 1 for the intercept. */
interface Problem {
  readonly scaled: readonly Float64Array[];
  readonly labels: Uint8Array;
  readonly width: number;
  readonly lossWeight: number;
}

function standardise({ rows, columns, inputs }: Examples): {
  scaled: Float64Array[];
  mean: Float64Array;
  deviation: Float64Array;
} {
  const scaled: Float64Array[] = [];
  const mean = new Float64Array(columns.length);
  const deviation = new Float64Array(columns.length);
  columns.forEach((column, input) => {
    // Relative to the first value, so that sums keep their digits and a
    // constant has a deviation of 0.
    const first = column[0];
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += column[row] - first;
    const shift = sum / rows;
    let squares = 0;
    for (let row = 0; row < rows; row++) {
      const distance = column[row] - first - shift;
      squares += distance * distance;
    }
    mean[input] = first + shift;
    deviation[input] = Math.sqrt(squares / rows) || 1;
    if (!Number.isFinite(squares)) {
      throw new ModelError(
        `${inputs[input]} has values too large to be squared`,
      );
    }
    scaled.push(
      column.map((value) => (value - mean[input]) / deviation[input]),
    );
  });
  scaled.push(new Float64Array(rows).fill(1));
  return { scaled, mean, deviation };
}

/** Writes the margins of `rows` rows from `from` on. */
function setMargins(
  { scaled }: Problem,
  from: number,
  rows: number,
  weights: Float64Array,
  margins: Float64Array,
): void {
  margins.fill(0);
  for (let at = 0; at < scaled.length; at++) {
    const column = scaled[at];
    const weight = weights[at];
    for (let index = 0; index < rows; index++) {
      margins[index] += weight * column[from + index];
    }
  }
}

function lossOf(problem: Problem, weights: Float64Array): number {
  const { labels, width, lossWeight } = problem;
  const margins = new Float64Array(BLOCK_ROWS);
  let loss = 0;
  for (let from = 0; from < labels.length; from += BLOCK_ROWS) {
    const rows = Math.min(BLOCK_ROWS, labels.length - from);
    setMargins(problem, from, rows, weights, margins);
    for (let index = 0; index < rows; index++) {
      const margin = margins[index];
      // log(1 + e^margin) − label · margin, without overflow.
      loss += Math.max(margin, 0) + Math.log1p(Math.exp(-Math.abs(margin))) -
        labels[from + index] * margin;
    }
  }
  let penalty = 0;
  for (let at = 0; at < width - 1; at++) penalty += weights[at] * weights[at];
  return penalty / 2 + lossWeight * loss;
}

/** Gradient and lower half of the Hessian of the loss. */
function derivatives(
  problem: Problem,
  weights: Float64Array,
): { gradient: Float64Array; hessian: Float64Array } {
  const { scaled, labels, width, lossWeight } = problem;
  const gradient = new Float64Array(width);
  const hessian = new Float64Array(width * width);
  const margins = new Float64Array(BLOCK_ROWS);
  const pull = new Float64Array(BLOCK_ROWS);
  const curve = new Float64Array(BLOCK_ROWS);
  const curved = new Float64Array(BLOCK_ROWS);
  for (let from = 0; from < labels.length; from += BLOCK_ROWS) {
    const rows = Math.min(BLOCK_ROWS, labels.length - from);
    setMargins(problem, from, rows, weights, margins);
    for (let index = 0; index < rows; index++) {
      const score = logistic(margins[index]);
      pull[index] = lossWeight * (score - labels[from + index]);
      curve[index] = lossWeight * score * (1 - score);
    }
    for (let i = 0; i < width; i++) {
      const column = scaled[i];
      gradient[i] += dot(pull, column, from, rows);
      for (let index = 0; index < rows; index++) {
        curved[index] = curve[index] * column[from + index];
      }
      for (let j = 0; j <= i; j++) {
        hessian[i * width + j] += dot(curved, scaled[j], from, rows);
      }
    }
  }
  for (let at = 0; at < width - 1; at++) {
    gradient[at] += weights[at];
    hessian[at * width + at] += 1;
  }
  return { gradient, hessian };
}

/** Scalar product with a part of a column; four sums in parallel, since each addition waits for the one before. */
function dot(
  block: Float64Array,
  column: Float64Array,
  from: number,
  rows: number,
): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  let index = 0;
  for (; index + 4 <= rows; index += 4) {
    sum0 += block[index] * column[from + index];
    sum1 += block[index + 1] * column[from + index + 1];
    sum2 += block[index + 2] * column[from + index + 2];
    sum3 += block[index + 3] * column[from + index + 3];
  }
  for (; index < rows; index++) sum0 += block[index] * column[from + index];
  return sum0 + sum1 + (sum2 + sum3);
}

/** Solves matrix · x = right by Cholesky's method; it uses and overwrites the lower half of the matrix. */
function solve(
  matrix: Float64Array,
  right: Float64Array,
  width: number,
): Float64Array {
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * width + j];
      for (let k = 0; k < j; k++) {
        sum -= matrix[i * width + k] * matrix[j * width + k];
      }
      // Far from the optimum all scores are 0 or 1, and the curvature of the
      // intercept vanishes.
      matrix[i * width + j] = i === j
        ? Math.sqrt(Math.max(sum, Number.MIN_VALUE * 2 ** 60))
        : sum / matrix[j * width + j];
    }
  }
  const x = Float64Array.from(right);
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < i; k++) x[i] -= matrix[i * width + k] * x[k];
    x[i] /= matrix[i * width + i];
  }
  for (let i = width - 1; i >= 0; i--) {
    for (let k = i + 1; k < width; k++) x[i] -= matrix[k * width + i] * x[k];
    x[i] /= matrix[i * width + i];
  }
  return x;
}
