import assert from "node:assert/strict";
import type {
  FitOutcome,
  ModelSpec,
} from "../../../src/learning/fit/fit_task.ts";
import type { MetricValues } from "../../../src/learning/judge/judgement.ts";
import {
  bestBy,
  selectionResults,
  selectionTasks,
  spreads,
} from "../../../src/learning/judge/selection.ts";
import { HANDBOOK_PERIOD } from "../../../src/learning/data/split.ts";

const CANDIDATES: ModelSpec[] = [1, 2, 3].map((depthMax) => {
  return { kind: "decision-tree", settings: { depthMax } };
});

function metrics(value: number): MetricValues {
  return {
    "auc_roc": value,
    "average_precision": value / 2,
    "card_precision_100": -value,
  };
}

function outcome(value: number): FitOutcome {
  return {
    body: { kind: "decision-tree" },
    tests: [{
      judgement: { metrics: metrics(value), days: [] },
      scores: new Float64Array(),
    }],
    fitSeconds: 1,
  };
}

Deno.test("selectionTasks() are each candidate's validation and test folds", () => {
  const tasks = selectionTasks(CANDIDATES, HANDBOOK_PERIOD, 2);
  assert.deepEqual(
    tasks.map(({ model, period }) => [
      model.settings.depthMax,
      period.startDay,
    ]),
    [1, 2, 3].flatMap((depth) =>
      [101, 94, 122, 115].map((startDay) => [depth, startDay])
    ),
  );
  for (const { period, judgedBy } of tasks) {
    assert.deepEqual(judgedBy, [period]);
  }
});

Deno.test("the best is chosen by validation folds alone, the first of equals", () => {
  // Candidates: good in tests alone, best in validation, as good as that.
  const values = [[1, 1, 9, 9], [2, 4, 0, 0], [3, 3, 5, 5]];
  const results = selectionResults(
    CANDIDATES,
    2,
    values.flat().map((value) => outcome(value)),
  );
  assert.equal(bestBy(results, "auc_roc"), results[1]);
  assert.equal(bestBy(results, "card_precision_100"), results[0]);
  assert.deepEqual(results[1].validation.auc_roc, { mean: 3, deviation: 1 });
  assert.deepEqual(results[0].test.auc_roc, { mean: 9, deviation: 0 });
  assert.deepEqual(results[1].validationFolds, [metrics(2), metrics(4)]);
});

Deno.test("a fold without a value leaves the candidate without a mean, never the best", () => {
  const missing = spreads([metrics(1), metrics(NaN)]);
  assert.ok(Number.isNaN(missing.auc_roc.mean));
  const values = [[NaN, 9, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]];
  const results = selectionResults(
    CANDIDATES,
    2,
    values.flat().map((value) => outcome(value)),
  );
  assert.equal(bestBy(results, "auc_roc"), results[1]);
  assert.equal(bestBy([results[0]], "auc_roc"), undefined);
});
