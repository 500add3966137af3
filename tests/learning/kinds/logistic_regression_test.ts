import assert from "node:assert/strict";
import fc from "fast-check";
import { fitLogisticRegression } from "../../../src/learning/kinds/logistic_regression.ts";
import type { Examples } from "../../../src/learning/kinds/model.ts";
import type { LinearBody } from "../../../src/learning/kinds/linear.ts";
import { GOLDEN, GOLDEN_SET, RANDOM_SET, toExamples } from "../small_set.ts";

/** The objective, row by row, and its slope in each direction. */
function slopes(
  { rows, columns, labels }: Examples,
  { mean, deviation, coefficients, intercept }: LinearBody,
  lossWeight: number,
): number[] {
  const slope = [...coefficients, 0];
  for (let row = 0; row < rows; row++) {
    const scaled = columns.map((column, input) =>
      (column[row] - mean[input]) / deviation[input]
    );
    const margin = scaled.reduce(
      (sum, value, input) => sum + value * coefficients[input],
      intercept,
    );
    const pull = lossWeight * (1 / (1 + Math.exp(-margin)) - labels[row]);
    scaled.forEach((value, input) => slope[input] += pull * value);
    slope[coefficients.length] += pull;
  }
  return slope;
}

Deno.test("fitLogisticRegression() finds scikit-learn's coefficients", () => {
  const ours = fitLogisticRegression(GOLDEN_SET, { lossWeight: 1 });
  const theirs = GOLDEN.logisticRegression;
  for (const part of ["mean", "deviation", "coefficients"] as const) {
    ours[part].forEach((value, input) => {
      const distance = Math.abs(value - theirs[part][input]);
      assert.ok(distance < 1e-8, `${part} ${input}`);
    });
  }
  assert.ok(Math.abs(ours.intercept - theirs.intercept) < 1e-8);
});

Deno.test("nothing is better nearby: the objective has no slope at the end", () => {
  fc.assert(
    fc.property(
      RANDOM_SET,
      fc.constantFrom(0.01, 1, 100),
      (examples, lossWeight) => {
        const body = fitLogisticRegression(examples, { lossWeight });
        for (const slope of slopes(examples, body, lossWeight)) {
          assert.ok(Math.abs(slope) < 1e-5 * (1 + lossWeight));
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("classes that a line parts have finite coefficients", () => {
  const examples = toExamples([[1, 2, 3, 4], [7, 7, 7, 7]], [0, 0, 1, 1]);
  for (const lossWeight of [1, 1e6]) {
    const body = fitLogisticRegression(examples, { lossWeight });
    assert.ok(body.coefficients[0] > 0 && body.coefficients[0] < 1e3);
    assert.ok(Math.abs(body.intercept) < 1e-6);
    // A constant says nothing.
    assert.equal(body.coefficients[1], 0);
    assert.deepEqual([body.mean[1], body.deviation[1]], [7, 1]);
  }
});

Deno.test("a constant that is no sum of powers of two is a constant", () => {
  const column = Array.from({ length: 1000 }, () => 0.1);
  const body = fitLogisticRegression(
    toExamples([column], column.map((_, row) => row % 2)),
    { lossWeight: 1 },
  );
  assert.deepEqual(body.mean, [0.1]);
  assert.deepEqual(body.deviation, [1]);
});

Deno.test("values too large to be squared are refused", () => {
  const examples = toExamples([[1, 1e300, -1e300]], [0, 1, 0]);
  assert.throws(
    () => fitLogisticRegression(examples, { lossWeight: 1 }),
    /^ModelError: INPUT_0 has values too large/,
  );
});
