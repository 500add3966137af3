/**
 * A decision tree (CART: Gini impurity, exact splits) and the random forest
 * (Breiman, "Random forests", 2001): trees on bootstrap samples that try few
 * inputs, drawn anew, at each node. A score is the mean over trees of the share
 * of frauds in the leaf.
 *
 * Tree t of a forest depends on the seed and t alone, so a forest is the same
 * whoever grows which of its trees.
 */
import { SeededSource } from "../../simulator/random/seeded_source.ts";
import { checkExamples } from "../data/examples.ts";
import type { Examples, Tree, TreesBody } from "./model.ts";
import { rankValues } from "../data/ranked_columns.ts";
import { type GrowthRule, TreeGrower } from "./tree_grower.ts";

/** How a decision tree is fitted. */
export interface DecisionTreeOptions {
  /** Levels below the root at most; 0 for no limit. */
  readonly depthMax: number;
  /** Rows that a leaf has at least. */
  readonly leafRowsMin: number;
}

/** How a forest is fitted. */
export interface RandomForestOptions extends DecisionTreeOptions {
  /** Number of trees. */
  readonly trees: number;
  /** Inputs to try at a node; 0 for the root of their number, rounded down. */
  readonly splitInputs: number;
  /** What the draws depend on. */
  readonly seed: number;
}

/** Fits a decision tree. Of splits that are as good the first input's lowest is taken. */
export function fitDecisionTree(
  examples: Examples,
  options: DecisionTreeOptions,
): TreesBody {
  checkExamples(examples);
  const { rows, labels } = examples;
  const grower = new TreeGrower(rankValues(examples));
  const pairs = new Float64Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    pairs[2 * row] = labels[row];
    pairs[2 * row + 1] = 1;
  }
  const width = examples.inputs.length;
  const { tree } = grower.grow(
    pairs,
    Int32Array.from(labels, (_, row) => row),
    {
      ...classRule(options, 1),
      sameColumns: true,
      columns(into) {
        for (let column = 0; column < width; column++) into[column] = column;
        return { must: width, all: width };
      },
    },
  );
  return { link: "identity", base: 0, trees: [tree] };
}

/** Fits a random forest; rows count as often as they were drawn. */
export function fitRandomForest(
  examples: Examples,
  options: RandomForestOptions,
): TreesBody {
  const trees = forestTrees(examples, options, 0, options.trees);
  return { link: "identity", base: 0, trees };
}

/** The trees from number `from` up to `to` of the forest of these options. */
export function forestTrees(
  examples: Examples,
  options: RandomForestOptions,
  from: number,
  to: number,
): Tree[] {
  checkExamples(examples);
  const grower = new TreeGrower(rankValues(examples));
  const trees: Tree[] = [];
  for (let index = from; index < to; index++) {
    trees.push(forestTree(grower, examples, options, index));
  }
  return trees;
}

function forestTree(
  grower: TreeGrower,
  { rows, labels, inputs }: Examples,
  options: RandomForestOptions,
  index: number,
): Tree {
  const source = new SeededSource(`forest ${options.seed} ${index}`);
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
  const must = options.splitInputs > 0
    ? Math.min(options.splitInputs, width)
    : Math.floor(Math.sqrt(width));
  return grower.grow(pairs, drawn.subarray(0, count), {
    ...classRule(options, 1 / options.trees),
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

/** Splits by Gini impurity down to pure leaves, also where a split alone gains nothing. */
function classRule(
  { depthMax, leafRowsMin }: DecisionTreeOptions,
  valueScale: number,
): Omit<GrowthRule, "columns" | "sameColumns"> {
  return {
    depthMax: depthMax > 0 ? depthMax : Infinity,
    weightMin: leafRowsMin,
    lambda: 0,
    valueScale,
    gainMin: -1,
    classes: true,
  };
}
