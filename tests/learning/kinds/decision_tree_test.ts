import assert from "node:assert/strict";
import fc from "fast-check";
import golden from "../../data/learning/missing.json" with { type: "json" };
import { fitDecisionTree } from "../../../src/learning/kinds/decision_tree.ts";
import {
  GOLDEN,
  GOLDEN_SET,
  RANDOM_SET,
  scoresOf,
  toExamples,
} from "../small_set.ts";

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
});

Deno.test("rows that lack values get the scores of scikit-learn's trees", () => {
  const { columns, labels, scores } = golden;
  const numbers = columns.map((column) => column.map((value) => value ?? NaN));
  const examples = toExamples(numbers, labels);
  const { inputs } = examples;
  for (const [depth, expected] of Object.entries(scores)) {
    const body = fitDecisionTree({ ...examples, nullable: inputs }, {
      depthMax: Number(depth),
      leafRowsMin: 12,
    });
    const found = scoresOf(body, examples);
    assert.equal(found.length, expected.length);
    expected.forEach((score, row) => {
      const apart = Math.abs(found[row] - score);
      assert.ok(apart < 1e-12, `depth ${depth}, row ${row}`);
    });
  }
});
