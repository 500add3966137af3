/**
 * Gradient-boosted trees for the logistic loss, of second order as in XGBoost:
 * each tree fits the loss's derivatives at the margins so far (Friedman,
 * "Greedy function approximation", 2001; Chen and Guestrin, 2016), by exact
 * splits. The default settings are close to the best of the means over the four
 * prequential validation folds (docs/LEARNING.md).
 */
import { SeededSource } from "../../simulator/random/seeded_source.ts";
import { countFrauds } from "../data/examples.ts";
import { rankByFrauds } from "../data/ranked_columns.ts";
import type { Examples } from "./model.ts";
import {
  type ModelKind,
  numberSetting,
  positiveSetting,
} from "./model_kind.ts";
import {
  depthSetting,
  nullableInputs,
  seedSetting,
  type Tree,
  type TreesBody,
  treesSetting,
} from "./tree.ts";
import { type GrownTree, TreeGrower } from "./tree_grower.ts";
import { treesForm, type TreesPart } from "./trees.ts";

/** From here on doubles are whole: twice the greatest number to be rounded, and more. */
const ROUNDER = 1.5 * 2 ** 52;

/** Odds beyond this count as certain. */
const ODDS_MAX = 1e300;

/** How trees are boosted. */
export type GradientBoostingSettings = {
  /** Number of trees. */
  readonly trees: number;
  /** Most levels below the root. */
  readonly depthMax: number;
  /** The share of its best step that a tree takes, above 0 up to 1. */
  readonly learningRate: number;
  /** Penalty on the square of a leaf's value. */
  readonly lambda: number;
  /** Least sum of second derivatives in a leaf. */
  readonly childWeightMin: number;
  /** Least gain of a split. */
  readonly gainMin: number;
  /** Share of the rows that a tree learns from. */
  readonly rowShare: number;
  /** Share of the inputs that a tree may split by. */
  readonly inputShare: number;
  /** The seed of the random draws. */
  readonly seed: number;
};

/** Gradient boosting; the grid and the results are those of the handbook's XGBoost, chapters 5 and 3. */
export const gradientBoosting: ModelKind<TreesPart, GradientBoostingSettings> =
  {
    ...treesForm,
    name: "gradient-boosting",
    settings: {
      trees: treesSetting(200),
      depthMax: depthSetting(4),
      learningRate: positiveSetting("learning-rate", 0.05, 1),
      lambda: numberSetting("lambda", 1, 0, 1e12),
      childWeightMin: numberSetting("child-weight", 1, 0, 1e12),
      gainMin: numberSetting("gain", 0, 0, 1e12),
      rowShare: positiveSetting("row-share", 0.8, 1),
      inputShare: positiveSetting("input-share", 1, 1),
      seed: seedSetting,
    },
    grid: {
      trees: [25, 50, 100],
      depthMax: [3, 6, 9],
      learningRate: [0.1, 0.3],
    },
    evaluated: [{ settings: "", handbook: [0.862, 0.639, 0.273] }],
    fit: (examples, settings) => ({
      ensemble: fitGradientBoosting(examples, settings),
    }),
  };

/** Fits boosted trees. The margin before the trees is the log odds of the share of frauds. */
export function fitGradientBoosting(
  examples: Examples,
  settings: GradientBoostingSettings,
): TreesBody {
  const { rows } = examples;
  const frauds = countFrauds(examples);
  const base = Math.log(frauds / (rows - frauds));
  const grower = new TreeGrower(rankByFrauds(examples));
  const pairs = new Float64Array(2 * rows);
  // Odds against fraud, e^-margin. A leaf's value multiplies them: one
  // exponential per leaf instead of one per row.
  const against = new Float64Array(rows).fill((rows - frauds) / frauds);
  const order = new Int32Array(rows);
  // Derivatives as whole numbers: as fine as sums over all rows stay exact.
  const unit = 2 ** (52 - Math.ceil(Math.log2(rows + 1)));
  const trees: Tree[] = [];
  for (let index = 0; index < settings.trees; index++) {
    const source = new SeededSource(`boosting ${settings.seed} ${index}`);
    setDerivatives(pairs, examples.labels, against, unit);
    if (settings.rowShare < 1) leaveOut(pairs, settings.rowShare, source);
    for (let row = 0; row < rows; row++) order[row] = row;
    const columns = drawColumns(
      examples.inputs.length,
      settings.inputShare,
      source,
    );
    const grown = grower.grow(pairs, order, {
      depthMax: settings.depthMax,
      weightMin: settings.childWeightMin * unit,
      lambda: settings.lambda * unit,
      gainMin: settings.gainMin * unit,
      valueScale: settings.learningRate,
      classes: false,
      sameColumns: true,
      columns(into) {
        into.set(columns);
        return { must: columns.length, all: columns.length };
      },
    });
    addTree(against, order, grown);
    trees.push(grown.tree);
  }
  return { link: "logistic", base, ...nullableInputs(examples), trees };
}

/** Derivatives of the log likelihood by the margin: label − p, and p · (1 − p). */
function setDerivatives(
  pairs: Float64Array,
  labels: Uint8Array,
  against: Float64Array,
  unit: number,
): void {
  for (let row = 0; row < against.length; row++) {
    const score = 1 / (1 + against[row]);
    const curve = score * (1 - score);
    // Adding and subtracting this rounds to a whole number.
    pairs[2 * row] = (labels[row] - score) * unit + ROUNDER - ROUNDER;
    // Never 0, which would mean that the row does not count.
    pairs[2 * row + 1] = Math.max(1, curve * unit + ROUNDER - ROUNDER);
  }
}

/** Sets the weight of all rows but a random share to 0. */
function leaveOut(
  pairs: Float64Array,
  share: number,
  source: SeededSource,
): void {
  for (let at = 0; at < pairs.length; at += 2) {
    if (source.double() < share) continue;
    pairs[at] = 0;
    pairs[at + 1] = 0;
  }
}

/** A share of the columns, at least one, ascending. */
function drawColumns(
  width: number,
  share: number,
  source: SeededSource,
): Int32Array {
  const columns = Int32Array.from({ length: width }, (_, column) => column);
  const count = Math.max(1, Math.round(share * width));
  if (count >= width) return columns;
  for (let at = 0; at < count; at++) {
    const other = at + Math.floor(source.double() * (width - at));
    const column = columns[other];
    columns[other] = columns[at];
    columns[at] = column;
  }
  return columns.slice(0, count).sort();
}

/** Adds each leaf's value to the margins of its rows. */
function addTree(
  against: Float64Array,
  order: Int32Array,
  { tree, from, to }: GrownTree,
): void {
  for (let node = 0; node < from.length; node++) {
    const factor = Math.exp(-tree.value[node]);
    for (let at = from[node]; at < to[node]; at++) {
      const row = order[at];
      // Kept finite and above 0, even with extreme leaves.
      against[row] = Math.min(
        ODDS_MAX,
        Math.max(1 / ODDS_MAX, against[row] * factor),
      );
    }
  }
}
