import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type LinearBody,
  linearScorer,
} from "../../../src/learning/kinds/linear.ts";

const INPUTS = ["A", "B", "C"];
const NUMBER = fc.double({ min: -10, max: 10, noNaN: true });
const THREE = fc.array(NUMBER, { minLength: 3, maxLength: 3 });
const BODY: fc.Arbitrary<LinearBody> = fc.record({
  mean: THREE,
  deviation: THREE.map((values) => values.map((v) => Math.abs(v) + 0.1)),
  intercept: NUMBER,
  coefficients: THREE,
});

Deno.test("a linear score is the logistic function of the scaled sum, and contributions add up to it", () => {
  fc.assert(fc.property(BODY, fc.array(THREE), (body, rows) => {
    const scorer = linearScorer(body, INPUTS);
    const scores = new Float64Array(rows.length);
    const values = Float64Array.from(rows.flat());
    scorer.score(values, rows.length, scores);
    rows.forEach((row, index) => {
      const parts = row.map((value, input) =>
        body.coefficients[input] * ((value - body.mean[input]) /
          body.deviation[input])
      );
      const margin = parts.reduce((a, b) => a + b, body.intercept);
      const score = 1 / (1 + Math.exp(-margin));
      assert.ok(Math.abs(scores[index] - score) < 1e-12);
      const into = new Float64Array(3);
      assert.equal(scorer.explain?.(values, 3 * index, into), body.intercept);
      parts.forEach((part, input) => {
        assert.ok(Math.abs(part - into[input]) <= 1e-12 * (1 + Math.abs(part)));
      });
    });
  }));
});

Deno.test("a linear model refuses NaN, and bodies that do not fit", () => {
  const body: LinearBody = {
    mean: [0, 0, 0],
    deviation: [1, 1, 1],
    intercept: 0,
    coefficients: [1, 2, 3],
  };
  const scorer = linearScorer(body, INPUTS);
  const values = Float64Array.of(0, 0, NaN);
  assert.throws(
    () => scorer.score(values, 1, new Float64Array(1)),
    /^ModelError: C of row 0 is NaN/,
  );
  assert.throws(
    () => scorer.explain?.(values, 0, new Float64Array(3)),
    /^ModelError: C of row 0 is NaN/,
  );
  const broken: [Partial<LinearBody>, RegExp][] = [
    [{ coefficients: [1, 2] }, /has 2 values of coefficients for 3 inputs/],
    [{ mean: [0, NaN, 0] }, /mean of B is NaN/],
    [{ deviation: [1, 1, 0] }, /deviation of C is 0/],
    [{ intercept: Infinity }, /intercept is Infinity/],
  ];
  for (const [part, message] of broken) {
    assert.throws(() => linearScorer({ ...body, ...part }, INPUTS), {
      name: "ModelError",
      message,
    });
  }
});
