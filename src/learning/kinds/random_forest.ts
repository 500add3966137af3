/**
 * The random forest (Breiman, "Random forests", 2001): decision trees on
 * bootstrap samples that try few inputs, drawn again at each node. A score is
 * the mean over trees of the share of frauds in the leaf.
 *
 * Tree t of a forest depends on the seed and t alone, so a forest is the same
 * on any number of threads. The default settings are close to the best of the
 * means over the four prequential validation folds (docs/LEARNING.md).
 */
import { SeededSource } from "../../simulator/random/seeded_source.ts";
import { rankValues } from "../data/ranked_columns.ts";
import { classRule, type DecisionTreeSettings } from "./decision_tree.ts";
import type { Examples } from "./model.ts";
import { type ModelKind, wholeSetting } from "./model_kind.ts";
import {
  depthSetting,
  nullableInputs,
  seedSetting,
  type Tree,
  type TreesBody,
  treesSetting,
} from "./tree.ts";
import { TreeGrower } from "./tree_grower.ts";
import { treesForm, type TreesPart } from "./trees.ts";

/** How a forest is fitted. */
export type RandomForestSettings = DecisionTreeSettings & {
  /** Number of trees. */
  readonly trees: number;
  /** Inputs to try at a node; 0 for the root of their number, rounded down. */
  readonly splitInputs: number;
  /** The seed of the random draws. */
  readonly seed: number;
};

/** Random forests; the grid and the results are those of the handbook's chapters 5 and 3. */
export const randomForest: ModelKind<TreesPart, RandomForestSettings> = {
  ...treesForm,
  name: "random-forest",
  settings: {
    trees: treesSetting(100),
    depthMax: depthSetting(20),
    leafRowsMin: wholeSetting("leaf-rows", 2, 1, 1e9),
    splitInputs: wholeSetting("split-inputs", 0, 0, 1e6),
    seed: seedSetting,
  },
  grid: { trees: [25, 50, 100], depthMax: [5, 10, 20, 50] },
  evaluated: [{ settings: "", handbook: [0.867, 0.658, 0.287] }],
  fit: (examples, settings) => ({
    ensemble: fitRandomForest(examples, settings),
  }),
};

/** Fits a random forest; rows count as often as they were drawn. */
export function fitRandomForest(
  examples: Examples,
  settings: RandomForestSettings,
): TreesBody {
  const trees = forestTrees(examples, settings, 0, settings.trees);
  return { link: "identity", base: 0, ...nullableInputs(examples), trees };
}

/** The trees from number `from` up to `to` of the forest of these settings. */
export function forestTrees(
  examples: Examples,
  settings: RandomForestSettings,
  from: number,
  to: number,
): Tree[] {
  const grower = new TreeGrower(rankValues(examples));
  const trees: Tree[] = [];
  for (let index = from; index < to; index++) {
    trees.push(forestTree(grower, examples, settings, index));
  }
  return trees;
}

function forestTree(
  grower: TreeGrower,
  { rows, labels, inputs }: Examples,
  settings: RandomForestSettings,
  index: number,
): Tree {
  const source = new SeededSource(`forest ${settings.seed} ${index}`);
  const pairs = new Float64Array(2 * rows);
  for (let draw = 0; draw < rows; draw++) {
    const row = Math.floor(source.double() * rows);
    pairs[2 * row] += labels[row];
    pairs[2 * row + 1]++;
  }
  const drawn = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (pairs[2 * row + 1] > 0) drawn[count++] = row;
  }
  const width = inputs.length;
  const must = settings.splitInputs > 0
    ? Math.min(settings.splitInputs, width)
    : Math.floor(Math.sqrt(width));
  return grower.grow(pairs, drawn.subarray(0, count), {
    ...classRule(settings, 1 / settings.trees),
    sameColumns: false,
    columns(into) {
      for (let at = 0; at < width; at++) into[at] = at;
      for (let at = 0; at < width - 1; at++) {
        const other = at + Math.floor(source.double() * (width - at));
        const column = into[other];
        into[other] = into[at];
        into[at] = column;
      }
      return { must, all: width };
    },
  }).tree;
}
