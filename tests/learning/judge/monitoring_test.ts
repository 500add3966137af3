import assert from "node:assert/strict";
import fc from "fast-check";
import {
  brierScore,
  calibrationError,
  stabilityIndex,
} from "../../../src/learning/judge/monitoring.ts";

Deno.test("a perfect probability has no error, a wrong certainty the greatest", () => {
  const labels = Uint8Array.of(0, 1, 1, 0);
  assert.equal(brierScore(labels, Float64Array.of(0, 1, 1, 0)), 0);
  assert.equal(brierScore(labels, Float64Array.of(1, 0, 0, 1)), 1);
  assert.equal(calibrationError(labels, Float64Array.of(0, 1, 1, 0)), 0);
  assert.equal(calibrationError(labels, Float64Array.of(1, 0, 0, 1)), 1);
  // Half of the payments with score 0.5 are frauds: calibrated, not sharp.
  const even = Float64Array.of(0.5, 0.5, 0.5, 0.5);
  assert.equal(calibrationError(labels, even), 0);
  assert.equal(brierScore(labels, even), 0.25);
});

Deno.test("the stability index is 0 for the same values, never negative, and grows with a shift", () => {
  const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
    minLength: 1,
  });
  fc.assert(fc.property(values, values, (past, now) => {
    const [before, after] = [Float64Array.from(past), Float64Array.from(now)];
    assert.ok(stabilityIndex(before, after) >= 0);
    assert.ok(Math.abs(stabilityIndex(before, before)) < 1e-12);
  }));
  const past = Float64Array.from({ length: 1000 }, (_, i) => i / 1000);
  const shifted = (by: number) => stabilityIndex(past, past.map((x) => x + by));
  assert.ok(shifted(0.01) < 0.1);
  assert.ok(shifted(0.3) > 0.25);
  assert.ok(shifted(0.6) > shifted(0.3));
});

Deno.test("the stability index of deciles is the one that the definition gives", () => {
  const past = Float64Array.from({ length: 10 }, (_, i) => i);
  const now = Float64Array.of(0, 0, 0, 0, 0, 9, 9, 9, 9, 9);
  // Ten ranges of one past value each; half a value more in every range.
  const share = (count: number) => (count + 0.5) / 15;
  let expected = 0;
  for (let bin = 0; bin < 10; bin++) {
    const count = bin === 0 || bin === 9 ? 5 : 0;
    expected += (share(count) - share(1)) * Math.log(share(count) / share(1));
  }
  assert.ok(Math.abs(stabilityIndex(past, now) - expected) < 1e-12);
});

Deno.test("missing values are a range of the stability index, wherever they are", () => {
  const past = Float64Array.from({ length: 1000 }, (_, i) => i);
  const gone = (share: number) =>
    past.map((value, at) => at % 100 < 100 * share ? NaN : value);
  assert.ok(Math.abs(stabilityIndex(gone(0.3), gone(0.3))) < 1e-12);
  assert.ok(stabilityIndex(past, gone(0.02)) > 0.05);
  assert.ok(stabilityIndex(past, gone(0.5)) > 0.25);
  assert.ok(stabilityIndex(gone(0.5), past) > 0.25);
  const none = past.map(() => NaN);
  assert.ok(stabilityIndex(none, past) > 0.25);
  assert.ok(stabilityIndex(past, none) > 0.25);
});

Deno.test("without values on either side there is no stability index", () => {
  const none = new Float64Array(0);
  assert.ok(Number.isNaN(stabilityIndex(none, Float64Array.of(1))));
  assert.ok(Number.isNaN(stabilityIndex(Float64Array.of(1), none)));
});
