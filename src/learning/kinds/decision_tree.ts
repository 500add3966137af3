/**
 * A decision tree (CART: Gini impurity, exact splits). A score is the share of
 * frauds in the leaf.
 */
import { rankValues } from "../data/ranked_columns.ts";
import type { Examples } from "./model.ts";
import { type ModelKind, wholeSetting } from "./model_kind.ts";
import { depthSetting, nullableInputs, type TreesBody } from "./tree.ts";
import { type GrowthRule, TreeGrower } from "./tree_grower.ts";
import { treesForm, type TreesPart } from "./trees.ts";

/** How a decision tree is fitted. */
export type DecisionTreeSettings = {
  /** Most levels below the root; 0 for no limit. */
  readonly depthMax: number;
  /** Fewest rows of a leaf. */
  readonly leafRowsMin: number;
};

/** Decision trees; the grid and the results are those of the handbook's chapters 5 and 3. */
export const decisionTree: ModelKind<TreesPart, DecisionTreeSettings> = {
  ...treesForm,
  name: "decision-tree",
  settings: {
    depthMax: depthSetting(2),
    leafRowsMin: wholeSetting("leaf-rows", 1, 1, 1e9),
  },
  grid: { depthMax: [2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 50] },
  evaluated: [
    { settings: "", handbook: [0.763, 0.496, 0.241] },
    { settings: "depth=0", handbook: [0.788, 0.309, 0.243] },
  ],
  fit: (examples, settings) => ({
    ensemble: fitDecisionTree(examples, settings),
  }),
};

/** Fits a decision tree. Of equally good splits it takes the lowest of the first input. */
export function fitDecisionTree(
  examples: Examples,
  settings: DecisionTreeSettings,
): TreesBody {
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
      ...classRule(settings, 1),
      sameColumns: true,
      columns(into) {
        for (let column = 0; column < width; column++) into[column] = column;
        return { must: width, all: width };
      },
    },
  );
  return {
    link: "identity",
    base: 0,
    ...nullableInputs(examples),
    trees: [tree],
  };
}

/** Splits by Gini impurity down to pure leaves, also where a split alone gains nothing. */
export function classRule(
  { depthMax, leafRowsMin }: DecisionTreeSettings,
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
