/** What is learned from the handbook's own training days, against scikit-learn. */
import assert from "node:assert/strict";
import { loadPayments } from "../../src/cli/labelled_payments.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { fitDecisionTree } from "../../src/learning/forest.ts";
import { fitLogisticRegression } from "../../src/learning/logistic_regression.ts";
import type { Examples } from "../../src/learning/model.ts";
import { examplesOf } from "../../src/learning/payments.ts";
import { HANDBOOK_PERIOD, trainRows } from "../../src/learning/split.ts";
import { testReading } from "../permission.ts";
import reference from "../data/learning/handbook_split.json" with {
  type: "json",
};

let examples: Promise<Examples> | undefined;

/** The 67,240 payments of the training days. */
function trainingDays(): Promise<Examples> {
  const { startDay, trainDays } = HANDBOOK_PERIOD;
  examples ??= loadPayments({}, HANDBOOK_FEATURES, {
    endDay: startDay + trainDays,
    spanDays: trainDays,
  }).then((payments) =>
    examplesOf(payments, trainRows(payments, HANDBOOK_PERIOD))
  );
  return examples;
}

testReading("the tree of depth 2 is scikit-learn's", async () => {
  const { inputs, ...rest } = await trainingDays();
  const { trees: [tree] } = fitDecisionTree({ inputs, ...rest }, {
    depthMax: 2,
    leafRowsMin: 1,
  });
  reference.decision_tree_depth_2.forEach((theirs, node) => {
    const leaf = theirs.feature === null;
    assert.equal(leaf ? null : inputs[tree.input[node]], theirs.feature);
    assert.equal(tree.cover[node], theirs.n);
    // Theirs was grown on scaled inputs of single precision.
    const threshold = theirs.threshold_raw_units ?? 0;
    assert.ok(Math.abs(tree.threshold[node] - threshold) < 1e-5);
    if (leaf) {
      assert.ok(Math.abs(tree.value[node] - theirs.fraud_share) < 1e-12);
    }
  });
});

testReading(
  "the logistic regression's coefficients are scikit-learn's",
  async () => {
    const body = fitLogisticRegression(await trainingDays(), { lossWeight: 1 });
    const theirs = reference.logistic_regression;
    theirs.coefficients.forEach((coefficient, input) => {
      assert.ok(Math.abs(body.coefficients[input] - coefficient) < 1e-6);
    });
    assert.ok(Math.abs(body.intercept - theirs.intercept) < 1e-6);
  },
);
