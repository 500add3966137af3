import assert from "node:assert/strict";
import { ModelError } from "../../../src/base/error.ts";
import {
  cheapestThreshold,
  type PricedScores,
  thresholdTable,
  USUAL_THRESHOLDS,
} from "../../../src/learning/judge/thresholds.ts";
import { GOLDEN_METRICS as cases, type GoldenMetrics } from "../golden.ts";

function priced(golden: GoldenMetrics): PricedScores {
  return {
    labels: Uint8Array.from(golden.label),
    scores: Float64Array.from(golden.score),
    amount: Float64Array.from(golden.amount),
  };
}

for (const golden of cases) {
  Deno.test(`threshold rates are scikit-learn's: ${golden.name}`, () => {
    const thresholds = golden.thresholds.map(({ threshold }) => threshold);
    const table = thresholdTable(priced(golden), thresholds, 0);
    golden.thresholds.forEach((expected, at) => {
      const row = table[at];
      for (const [name, value] of Object.entries(expected)) {
        const actual = row[name as keyof typeof row];
        if (value === null) assert.ok(Number.isNaN(actual), name);
        else assert.ok(Math.abs(actual - value) <= 1e-12, `${name} ${actual}`);
      }
    });
  });
}

Deno.test("money: every fraud is stopped or missed, and alerts cost", () => {
  for (const golden of cases) {
    const rows = priced(golden);
    const all = golden.amount.reduce((sum, amount, at) => {
      return sum + golden.label[at] * amount;
    }, 0);
    for (const row of thresholdTable(rows, USUAL_THRESHOLDS, 2.5)) {
      const sum = row.stoppedAmount + row.missedAmount;
      assert.ok(Math.abs(sum - all) < 1e-6);
      assert.equal(row.cost, row.missedAmount + 2.5 * row.alerts);
    }
  }
});

Deno.test("cheapestThreshold() costs no more than any threshold there is", () => {
  for (const golden of cases) {
    const rows = priced(golden);
    for (const alertCost of [0, 10, 1e6]) {
      const best = cheapestThreshold(rows, alertCost);
      for (
        const row of thresholdTable(rows, [...golden.score, 2], alertCost)
      ) {
        assert.ok(best.cost <= row.cost);
      }
      if (alertCost === 1e6) assert.equal(best.alerts, 0);
      if (alertCost === 0) assert.equal(best.missedAmount, 0);
    }
  }
});

Deno.test("a cost below 0 is refused", () => {
  for (const cost of [-1, NaN, Infinity]) {
    assert.throws(
      () => thresholdTable(priced(cases[0]), [0.5], cost),
      ModelError,
    );
  }
});
