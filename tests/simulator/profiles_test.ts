import assert from "node:assert/strict";
import { NumpyRandom } from "../../src/simulator/random/numpy_random.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { drawCustomer, drawTerminal } from "../../src/simulator/profiles.ts";

const random = new NumpyRandom(new SeededSource("profiles"));
const customers = Array.from(
  { length: 4000 },
  (_, i) => drawCustomer(i, random),
);

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

Deno.test("drawCustomer() keeps every field in the handbook's range", () => {
  for (const customer of customers) {
    const { x, y, meanAmount, stdAmount, meanPaymentsPerDay } = customer;
    assert.ok(x >= 0 && x < 100 && y >= 0 && y < 100);
    assert.ok(meanAmount >= 5 && meanAmount < 100);
    assert.equal(stdAmount, meanAmount / 2);
    assert.ok(meanPaymentsPerDay >= 0 && meanPaymentsPerDay < 4);
  }
});

Deno.test("drawCustomer() spreads its fields evenly over their ranges", () => {
  // Five standard errors of the mean of 4,000 uniform values.
  const share = 5 / Math.sqrt(12 * 4000);
  const near = (values: number[], low: number, high: number) =>
    assert.ok(
      Math.abs(mean(values) - (low + high) / 2) < (high - low) * share,
    );
  near(customers.map((c) => c.x), 0, 100);
  near(customers.map((c) => c.y), 0, 100);
  near(customers.map((c) => c.meanAmount), 5, 100);
  near(customers.map((c) => c.meanPaymentsPerDay), 0, 4);
});

Deno.test("drawTerminal() draws x, then y", () => {
  const draws = new NumpyRandom(new SeededSource("terminal"));
  const x = draws.uniform(0, 100);
  const y = draws.uniform(0, 100);
  const again = new NumpyRandom(new SeededSource("terminal"));
  assert.deepEqual(drawTerminal(7, again), { terminalId: 7, x, y });
});
