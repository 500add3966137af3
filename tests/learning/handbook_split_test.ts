/** What is learned from the handbook's own training days, against scikit-learn. */
import assert from "node:assert/strict";
import {
  loadPayments,
  readPaymentInput,
} from "../../src/cli/commands/labelled_payments.ts";
import { fitModel, scorerOf } from "../../src/learning/kinds/kinds.ts";
import { judge } from "../../src/learning/judge/judgement.ts";
import type { LinearPart } from "../../src/learning/kinds/linear.ts";
import type { TreesPart } from "../../src/learning/kinds/trees.ts";
import type { Examples, ModelBody } from "../../src/learning/kinds/model.ts";
import {
  examplesOf,
  type LabelledPayments,
  scoreRows,
} from "../../src/learning/data/payments.ts";
import {
  endDayOf,
  HANDBOOK_PERIOD,
  type Split,
  splitPayments,
} from "../../src/learning/data/split.ts";
import { testReading } from "../permission.ts";
import reference from "../data/learning/handbook_split.json" with {
  type: "json",
};

/** The best of scikit-learn's forest and XGBoost, each with its defaults. */
const BEST_OF_DEFAULTS = {
  "average_precision": 0.658,
  "auc_roc": 0.867,
  "card_precision_100": 0.287,
};

interface Experiment {
  readonly payments: LabelledPayments;
  readonly split: Split;
  /** The 67,240 payments of the training days. */
  readonly examples: Examples;
}

let experiment: Promise<Experiment> | undefined;

/** Simulated once, for all tests here. */
function theExperiment(): Promise<Experiment> {
  experiment ??= loadExperiment();
  return experiment;
}

async function loadExperiment(): Promise<Experiment> {
  const payments = await loadPayments(readPaymentInput({}), {
    endDay: endDayOf(HANDBOOK_PERIOD),
    spanDays: endDayOf(HANDBOOK_PERIOD) - HANDBOOK_PERIOD.startDay,
  });
  const split = splitPayments(payments, HANDBOOK_PERIOD);
  return { payments, split, examples: examplesOf(payments, split.train) };
}

testReading("the tree of depth 2 is scikit-learn's", async () => {
  const { examples } = await theExperiment();
  const body = fitModel("decision-tree", examples, { depthMax: 2 });
  assert.equal(body.kind, "decision-tree");
  const { trees: [tree] } = (body as ModelBody<TreesPart>).ensemble;
  reference.decision_tree_depth_2.forEach((theirs, node) => {
    const leaf = theirs.feature === null;
    const input = leaf ? null : examples.inputs[tree.input[node]];
    assert.equal(input, theirs.feature);
    assert.equal(tree.cover[node], theirs.n);
    // Theirs was grown on scaled inputs of single precision.
    const threshold = theirs.threshold_raw_units ?? 0;
    assert.ok(Math.abs(tree.threshold[node] - threshold) < 1e-5);
    if (!leaf) return;
    assert.ok(Math.abs(tree.value[node] - theirs.fraud_share) < 1e-12);
  });
});

testReading(
  "the logistic regression's coefficients are scikit-learn's",
  async () => {
    const { examples } = await theExperiment();
    const body = fitModel("logistic-regression", examples);
    assert.equal(body.kind, "logistic-regression");
    const { coefficients, intercept } = (body as ModelBody<LinearPart>).linear;
    const theirs = reference.logistic_regression;
    theirs.coefficients.forEach((coefficient, input) => {
      assert.ok(Math.abs(coefficients[input] - coefficient) < 1e-6);
    });
    assert.ok(Math.abs(intercept - theirs.intercept) < 1e-6);
  },
);

for (const kind of ["random-forest", "gradient-boosting"] as const) {
  testReading(`${kind} is no worse than others by default`, async () => {
    const { payments, split, examples } = await theExperiment();
    const scorer = scorerOf(fitModel(kind, examples), examples.inputs);
    const scores = await scoreRows(scorer, payments, split.test);
    const { metrics } = judge(payments, split.test, scores);
    for (const [name, least] of Object.entries(BEST_OF_DEFAULTS)) {
      const reached = metrics[name as keyof typeof BEST_OF_DEFAULTS];
      assert.ok(reached >= least, `${name} ${reached}`);
    }
  });
}
