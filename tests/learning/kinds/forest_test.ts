import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fitDecisionTree,
  fitRandomForest,
  forestTrees,
  type RandomForestOptions,
} from "../../../src/learning/kinds/forest.ts";
import type { Examples, Tree } from "../../../src/learning/kinds/model.ts";
import { treesScorer } from "../../../src/learning/kinds/trees.ts";
import {
  GOLDEN,
  GOLDEN_SET,
  RANDOM_SET,
  toExamples,
  toRows,
} from "../small_set.ts";

const OPTIONS: RandomForestOptions = {
  trees: 10,
  depthMax: 0,
  leafRowsMin: 1,
  splitInputs: 0,
  seed: 7,
};

function scoresOf(
  body: Parameters<typeof treesScorer>[0],
  examples: Examples,
): Float64Array {
  const scores = new Float64Array(examples.rows);
  treesScorer(body, examples.inputs)
    .score(toRows(examples), examples.rows, scores);
  return scores;
}

for (const { depthMax, leafRowsMin, tree } of GOLDEN.decisionTrees) {
  Deno.test(
    `fitDecisionTree() finds scikit-learn's tree: depth ${depthMax}, leaves from ${leafRowsMin}`,
    () => {
      const body = fitDecisionTree(GOLDEN_SET, { depthMax, leafRowsMin });
      assert.deepEqual([body.link, body.base], ["identity", 0]);
      const [ours] = body.trees;
      for (const part of ["input", "left", "right", "cover"] as const) {
        assert.deepEqual(ours[part], tree[part], part);
      }
      for (const part of ["threshold", "value"] as const) {
        ours[part].forEach((value, node) => {
          assert.ok(Math.abs(value - tree[part][node]) < 1e-12, part);
        });
      }
    },
  );
}

Deno.test("a tree without limits knows all rows that differ", () => {
  fc.assert(
    fc.property(RANDOM_SET, (examples) => {
      const scores = scoresOf(
        fitDecisionTree(examples, { depthMax: 0, leafRowsMin: 1 }),
        examples,
      );
      // Rows that are equal in all inputs share a leaf and its share of frauds.
      const groups = new Map<string, number[]>();
      examples.labels.forEach((_, row) => {
        const key = examples.columns.map((column) => column[row]).join();
        groups.set(key, [...groups.get(key) ?? [], row]);
      });
      for (const rows of groups.values()) {
        const frauds = rows.reduce((sum, row) => sum + examples.labels[row], 0);
        for (const row of rows) assert.equal(scores[row], frauds / rows.length);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("exclusive or needs a split that alone gains nothing", () => {
  const examples = toExamples([[0, 0, 1, 1], [0, 1, 0, 1]], [0, 1, 1, 0]);
  const body = fitDecisionTree(examples, { depthMax: 2, leafRowsMin: 1 });
  assert.deepEqual([...scoresOf(body, examples)], [0, 1, 1, 0]);
});

Deno.test("inputs that are all constant give one leaf: the share of frauds", () => {
  const examples = toExamples([[5, 5, 5, 5], [0, 0, 0, 0]], [0, 1, 0, 0]);
  const tree = fitDecisionTree(examples, { depthMax: 0, leafRowsMin: 1 });
  assert.deepEqual(tree.trees[0].value, [0.25]);
  const forest = fitRandomForest(examples, OPTIONS);
  assert.ok(forest.trees.every(({ input }) => input.length === 1));
});

Deno.test("a forest is the same for its seed, whoever grows which trees", () => {
  const forest = fitRandomForest(GOLDEN_SET, OPTIONS);
  assert.deepEqual(fitRandomForest(GOLDEN_SET, OPTIONS), forest);
  assert.deepEqual(
    [
      ...forestTrees(GOLDEN_SET, OPTIONS, 0, 3),
      ...forestTrees(GOLDEN_SET, OPTIONS, 3, 10),
    ],
    forest.trees,
  );
  assert.notDeepEqual(
    fitRandomForest(GOLDEN_SET, { ...OPTIONS, seed: 8 }).trees,
    forest.trees,
  );
});

Deno.test("a forest's trees are grown on as many rows as there are, and averaged", () => {
  const { trees } = fitRandomForest(GOLDEN_SET, { ...OPTIONS, leafRowsMin: 3 });
  assert.equal(trees.length, 10);
  for (const tree of trees) {
    assert.equal(tree.cover[0], GOLDEN_SET.rows);
    tree.input.forEach((input, node) => {
      if (input < 0) {
        assert.ok(tree.cover[node] >= 3);
        assert.ok(tree.value[node] >= 0 && tree.value[node] <= 0.1);
      } else {
        assert.equal(
          tree.cover[node],
          tree.cover[tree.left[node]] + tree.cover[tree.right[node]],
        );
      }
    });
  }
  const scores = scoresOf({ link: "identity", base: 0, trees }, GOLDEN_SET);
  assert.ok(scores.every((score) => score >= 0 && score <= 1 + 1e-12));
});

Deno.test("a forest tries as many inputs at a node as it is told", () => {
  // Only the first input tells; with all inputs at hand every root takes it.
  const labels = Array.from({ length: 64 }, (_, row) => row % 2);
  const noise = labels.map((_, row) => (row * 37) % 64);
  const examples = toExamples(
    [labels, noise, noise.map((value) => (value * 11) % 64)],
    labels,
  );
  const roots = (splitInputs: number) =>
    fitRandomForest(examples, { ...OPTIONS, trees: 40, splitInputs }).trees
      .map((tree: Tree) => tree.input[0]);
  assert.ok(roots(3).every((input) => input === 0));
  const drawn = roots(1);
  for (const input of [0, 1, 2]) assert.ok(drawn.includes(input));
});
