import assert from "node:assert/strict";
import {
  fitRandomForest,
  forestTrees,
  type RandomForestSettings,
} from "../../../src/learning/kinds/random_forest.ts";
import type { Tree } from "../../../src/learning/kinds/tree.ts";
import { GOLDEN_SET, scoresOf, toExamples } from "../small_set.ts";

const OPTIONS: RandomForestSettings = {
  trees: 10,
  depthMax: 0,
  leafRowsMin: 1,
  splitInputs: 0,
  seed: 7,
};

Deno.test("inputs that are all constant give trees of one leaf", () => {
  const examples = toExamples([[5, 5, 5, 5], [0, 0, 0, 0]], [0, 1, 0, 0]);
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
