/** The example of a kind of model in docs/EXTENDING.md learns. */
import assert from "node:assert/strict";
import { meanDifference } from "../../docs/examples/mean_difference.ts";
import { ModelError } from "../../src/base/error.ts";
import { aucRoc, rankScores } from "../../src/learning/judge/metrics.ts";
import { GOLDEN_SET, toExamples, toRows } from "../learning/small_set.ts";

Deno.test("a kind of one's own finds frauds and explains its scores", () => {
  const { inputs, rows, labels } = GOLDEN_SET;
  const part = meanDifference.fit(GOLDEN_SET, { scale: 1 });
  const scorer = meanDifference.scorer(part, inputs);
  const values = toRows(GOLDEN_SET);
  const scores = new Float64Array(rows);
  scorer.score(values, rows, scores);
  assert.ok(aucRoc(rankScores(labels, scores)) > 0.75);
  const parts = new Float64Array(inputs.length);
  const expected = scorer.explain?.(values, 0, parts) ?? NaN;
  const margin = parts.reduce((sum, part) => sum + part, expected);
  assert.ok(Math.abs(1 / (1 + Math.exp(-margin)) - scores[0]) < 1e-12);
});

Deno.test("a kind of one's own refuses what it cannot learn from", () => {
  const genuine = toExamples([[1, 2, 3]], [0, 0, 0]);
  assert.throws(() => meanDifference.fit(genuine, { scale: 1 }), ModelError);
});
