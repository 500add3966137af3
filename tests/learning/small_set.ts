/** Small sets to learn from: the golden one, and random ones. */
import fc from "fast-check";
import type { Examples } from "../../src/learning/kinds/model.ts";
import type { LinearBody } from "../../src/learning/kinds/linear.ts";
import type { Tree, TreesBody } from "../../src/learning/kinds/tree.ts";
import { treesScorer } from "../../src/learning/kinds/trees.ts";
import golden from "../data/learning/models.json" with { type: "json" };

/** What scikit-learn and XGBoost learned from the golden set (make_models.py). */
export const GOLDEN: {
  readonly logisticRegression: LinearBody;
  readonly decisionTrees: readonly {
    readonly depthMax: number;
    readonly leafRowsMin: number;
    readonly tree: Tree;
  }[];
  readonly boosting: {
    readonly base: number;
    readonly trees: readonly Tree[];
    readonly margins: readonly number[];
    readonly contributions: readonly (readonly number[])[];
  };
} = golden;

/** Rows of `columns`, an array each, with their labels. */
export function toExamples(
  columns: readonly (readonly number[])[],
  labels: readonly number[],
): Examples {
  return {
    inputs: columns.map((_, input) => `INPUT_${input}`),
    rows: labels.length,
    columns: columns.map((column) => Float64Array.from(column)),
    labels: Uint8Array.from(labels),
  };
}

/** The golden set. */
export const GOLDEN_SET: Examples = {
  ...toExamples(golden.columns, golden.labels),
  inputs: golden.inputs,
};

/** The rows of examples, one after another. */
export function toRows({ rows, columns }: Examples): Float64Array {
  const values = new Float64Array(rows * columns.length);
  columns.forEach((column, input) => {
    for (let row = 0; row < rows; row++) {
      values[row * columns.length + input] = column[row];
    }
  });
  return values;
}

/** Numbers from 0 to 1: Park and Miller's generator, good enough to be varied. */
function drawsOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271 + 11) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/**
 * Sets of both classes with inputs of few and of many values. They come from a
 * seed, so that a set of many rows is one draw.
 */
export const RANDOM_SET: fc.Arbitrary<Examples> = fc.record({
  seed: fc.nat(),
  rows: fc.integer({ min: 2, max: 300 }),
  share: fc.constantFrom(0.02, 0.2, 0.5),
}).map(({ seed, rows, share }) => {
  const draw = drawsOf(seed);
  const labels = Array.from({ length: rows }, () => draw() < share ? 1 : 0);
  labels[0] = 0;
  labels[rows - 1] = 1;
  const spread = [1, 3, 20, 100, 100_000];
  const columns = spread.map((values, input) =>
    labels.map((label) =>
      Math.floor(draw() * values + (input % 2) * label * draw() * values / 2) /
      4
    )
  );
  return toExamples(columns, labels);
});

/** Such sets whose inputs lack some values: none of them, few, most, or all, for one class more often. */
export const RANDOM_MISSING_SET: fc.Arbitrary<Examples> = fc.tuple(
  RANDOM_SET,
  fc.nat(),
).map(([examples, seed]) => {
  const draw = drawsOf(seed);
  const shares = [0, 0.05, 0.4, 0.9, 1];
  const columns = examples.columns.map((column, input) =>
    column.map((value, row) => {
      const share = shares[input] / (examples.labels[row] + 1);
      return shares[input] === 1 || draw() < share ? NaN : value;
    })
  );
  return { ...examples, columns, nullable: examples.inputs };
});

/** The scores that trees give the rows of examples. */
export function scoresOf(
  body: TreesBody,
  examples: Examples,
): Float64Array {
  const scores = new Float64Array(examples.rows);
  treesScorer(body, examples.inputs)
    .score(toRows(examples), examples.rows, scores);
  return scores;
}
