import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fitGradientBoosting,
  type GradientBoostingSettings,
} from "../../../src/learning/kinds/gradient_boosting.ts";
import { treesScorer } from "../../../src/learning/kinds/trees.ts";
import {
  GOLDEN,
  GOLDEN_SET,
  RANDOM_SET,
  toExamples,
  toRows,
} from "../small_set.ts";

const OPTIONS: GradientBoostingSettings = {
  trees: 6,
  depthMax: 3,
  learningRate: 0.3,
  lambda: 1,
  childWeightMin: 1,
  gainMin: 0,
  rowShare: 1,
  inputShare: 1,
  seed: 0,
};

const { boosting } = GOLDEN;
const GOLDEN_BODY = {
  link: "logistic",
  base: boosting.base,
  trees: boosting.trees,
} as const;

Deno.test("trees of XGBoost give its scores and its contributions", () => {
  const scorer = treesScorer(GOLDEN_BODY, GOLDEN_SET.inputs);
  const values = toRows(GOLDEN_SET);
  const scores = new Float64Array(GOLDEN_SET.rows);
  scorer.score(values, GOLDEN_SET.rows, scores);
  const into = new Float64Array(GOLDEN_SET.inputs.length);
  boosting.margins.forEach((margin, row) => {
    const expected = scorer.explain?.(values, row * into.length, into);
    // XGBoost adds up in single precision.
    assert.ok(Math.abs(scores[row] - 1 / (1 + Math.exp(-margin))) < 1e-6);
    [...into, expected ?? NaN].forEach((contribution, input) => {
      const theirs = boosting.contributions[row][input];
      assert.ok(Math.abs(contribution - theirs) < 2e-6);
    });
  });
});

Deno.test("fitGradientBoosting() finds XGBoost's trees", () => {
  const body = fitGradientBoosting(GOLDEN_SET, OPTIONS);
  assert.ok(Math.abs(body.base - boosting.base) < 1e-12);
  const values = toRows(GOLDEN_SET);
  const ours = new Float64Array(GOLDEN_SET.rows);
  const theirs = new Float64Array(GOLDEN_SET.rows);
  treesScorer(body, GOLDEN_SET.inputs).score(values, ours.length, ours);
  treesScorer(GOLDEN_BODY, GOLDEN_SET.inputs)
    .score(values, ours.length, theirs);
  ours.forEach((score, row) => {
    assert.ok(Math.abs(score - theirs[row]) < 1e-5, `row ${row}`);
  });
});

/** Mean log loss of a model on its own rows. */
function lossOf(
  examples: typeof GOLDEN_SET,
  options: GradientBoostingSettings,
): number {
  const scores = new Float64Array(examples.rows);
  treesScorer(fitGradientBoosting(examples, options), examples.inputs)
    .score(toRows(examples), examples.rows, scores);
  return examples.labels.reduce(
    (sum, label, row) => sum - Math.log(label ? scores[row] : 1 - scores[row]),
    0,
  ) / examples.rows;
}

Deno.test("more trees never fit worse", () => {
  fc.assert(
    fc.property(RANDOM_SET, (examples) => {
      const none = examples.labels.reduce((a, b) => a + b, 0) / examples.rows;
      let before = -none * Math.log(none) - (1 - none) * Math.log(1 - none);
      for (const trees of [1, 3, 9]) {
        const loss = lossOf(examples, { ...OPTIONS, trees });
        assert.ok(loss <= before + 1e-12);
        before = loss;
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("boosting is the same for its seed, and draws only where told", () => {
  const fit = (changed: Partial<GradientBoostingSettings>) =>
    fitGradientBoosting(GOLDEN_SET, { ...OPTIONS, ...changed });
  assert.deepEqual(fit({ seed: 1 }), fit({ seed: 2 }));
  for (const share of [{ rowShare: 0.5 }, { inputShare: 0.6 }]) {
    assert.deepEqual(fit({ ...share, seed: 1 }), fit({ ...share, seed: 1 }));
    assert.notDeepEqual(
      fit({ ...share, seed: 1 }),
      fit({ ...share, seed: 2 }),
    );
  }
});

Deno.test("a tree splits by its share of the inputs", () => {
  const { trees } = fitGradientBoosting(GOLDEN_SET, {
    ...OPTIONS,
    trees: 30,
    inputShare: 0.4,
  });
  const used = trees.map(({ input }) =>
    new Set(input.filter((column) => column >= 0))
  );
  assert.ok(used.every(({ size }) => size <= 2));
  assert.equal(new Set(used.flatMap((inputs) => [...inputs])).size, 5);
});

Deno.test("leaves have the weight, and splits the gain, that is asked for", () => {
  const count = (changed: Partial<GradientBoostingSettings>) =>
    fitGradientBoosting(GOLDEN_SET, { ...OPTIONS, ...changed }).trees
      .reduce((sum, { input }) => sum + input.length, 0);
  assert.equal(count({ childWeightMin: 1000 }), 6);
  assert.equal(count({ gainMin: 1000 }), 6);
  assert.ok(count({ childWeightMin: 5 }) < count({}));
  assert.ok(count({ gainMin: 2 }) < count({}));
});

Deno.test("constant inputs, and rows that contradict each other, leave the share", () => {
  const examples = toExamples([[5, 5, 5, 5]], [0, 1, 0, 0]);
  const scores = new Float64Array(4);
  treesScorer(fitGradientBoosting(examples, OPTIONS), examples.inputs)
    .score(toRows(examples), 4, scores);
  for (const score of scores) assert.ok(Math.abs(score - 0.25) < 1e-9);
});

Deno.test("without any penalty scores stay finite", () => {
  const examples = toExamples([[1, 2, 3, 4]], [0, 0, 1, 1]);
  const body = fitGradientBoosting(examples, {
    ...OPTIONS,
    trees: 60,
    learningRate: 1,
    lambda: 0,
    childWeightMin: 0,
  });
  const scores = new Float64Array(4);
  treesScorer(body, examples.inputs).score(toRows(examples), 4, scores);
  assert.deepEqual([...scores].map(Math.round), [0, 0, 1, 1]);
});
