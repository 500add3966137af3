import assert from "node:assert/strict";
import fc from "fast-check";
import { ModelError } from "../../../src/base/error.ts";
import {
  aucRoc,
  averagePrecision,
  precisionRecallCurve,
  rankScores,
  rocCurve,
} from "../../../src/learning/judge/metrics.ts";
import { GOLDEN_METRICS as cases } from "../golden.ts";

/** Scores with labels, ties among them. */
const scored = fc.array(
  fc.record({ label: fc.integer({ min: 0, max: 1 }), score: fc.nat(5) }),
  { minLength: 1, maxLength: 40 },
);

function near(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= 1e-12, `${what}: ${actual}`);
}

function nearAll(
  actual: Float64Array,
  expected: number[],
  what: string,
): void {
  assert.equal(actual.length, expected.length, what);
  expected.forEach((value, at) => near(actual[at], value, `${what}[${at}]`));
}

function rank(labels: number[], scores: number[]) {
  return rankScores(Uint8Array.from(labels), Float64Array.from(scores));
}

for (const golden of cases) {
  Deno.test(`metrics are scikit-learn's: ${golden.name}`, () => {
    const ranking = rank(golden.label, golden.score);
    near(aucRoc(ranking), golden.aucRoc, "AUC ROC");
    near(averagePrecision(ranking), golden.averagePrecision, "AP");
    if (golden.precisionRecall) {
      const curve = precisionRecallCurve(ranking);
      const { precision, recall, thresholds } = golden.precisionRecall;
      nearAll(curve.precision, precision, "precision");
      nearAll(curve.recall, recall, "recall");
      nearAll(curve.thresholds, thresholds, "thresholds");
    }
    if (golden.roc) {
      const curve = rocCurve(ranking);
      nearAll(curve.falsePositiveRate, golden.roc.falsePositiveRate, "FPR");
      nearAll(curve.truePositiveRate, golden.roc.truePositiveRate, "TPR");
      assert.equal(curve.thresholds[0], Infinity);
      nearAll(curve.thresholds.subarray(1), golden.roc.thresholds, "ROC");
    }
  });
}

Deno.test("aucRoc() is the share of pairs in order, ties counting half", () => {
  fc.assert(fc.property(scored, (rows) => {
    const frauds = rows.filter(({ label }) => label === 1);
    const genuine = rows.filter(({ label }) => label === 0);
    let wins = 0;
    for (const fraud of frauds) {
      for (const other of genuine) {
        wins += fraud.score > other.score
          ? 1
          : fraud.score === other.score
          ? 0.5
          : 0;
      }
    }
    const auc = aucRoc(
      rank(rows.map(({ label }) => label), rows.map(({ score }) => score)),
    );
    const pairs = frauds.length * genuine.length;
    if (pairs === 0) assert.ok(Number.isNaN(auc));
    else near(auc, wins / pairs, "AUC");
  }));
});

Deno.test("no metric depends on the order of the rows", () => {
  fc.assert(fc.property(scored, (rows) => {
    const both = [rows, rows.toReversed()].map((some) => {
      const ranking = rank(
        some.map(({ label }) => label),
        some.map(({ score }) => score),
      );
      return [aucRoc(ranking), averagePrecision(ranking)];
    });
    assert.deepEqual(both[0], both[1]);
  }));
});

Deno.test("metrics without a meaning are NaN: one class alone", () => {
  const genuine = rank([0, 0], [0.1, 0.2]);
  assert.ok(Number.isNaN(aucRoc(genuine)));
  assert.ok(Number.isNaN(averagePrecision(genuine)));
  const frauds = rank([1, 1], [0.1, 0.2]);
  assert.ok(Number.isNaN(aucRoc(frauds)));
  assert.equal(averagePrecision(frauds), 1);
});

Deno.test("rankScores() refuses what has no metric", () => {
  const wrong: [number[], number[], RegExp][] = [
    [[], [], /no score to judge/],
    [[1], [0.5, 0.5], /there are 2 scores and 1 labels/],
    [[0, 1], [0.5, NaN], /score NaN of test row 1 is not a finite number/],
    [[0, 1], [-Infinity, 1], /score -Infinity of test row 0/],
  ];
  for (const [labels, scores, message] of wrong) {
    assert.throws(
      () => rank(labels, scores),
      (error) => error instanceof ModelError && message.test(error.message),
    );
  }
});
