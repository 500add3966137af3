import assert from "node:assert/strict";
import fc from "fast-check";
import { labelCorrelation, Moments } from "../../src/report/moments.ts";

function momentsOf(values: readonly number[]): Moments {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  return moments;
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Pearson's correlation by its definition. */
function pearson(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  const products = x.map((value, at) => (value - mx) * (y[at] - my));
  const squares = (values: readonly number[], middle: number) =>
    values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return products.reduce((sum, value) => sum + value, 0) /
    Math.sqrt(squares(x, mx) * squares(y, my));
}

const value = fc.integer({ min: -10_000, max: 10_000 });

Deno.test("Moments have the mean and the deviation of the numbers", () => {
  fc.assert(fc.property(fc.array(value, { minLength: 1 }), (values) => {
    const moments = momentsOf(values);
    const middle = mean(values);
    const deviation = Math.sqrt(mean(values.map((v) => (v - middle) ** 2)));
    assert.ok(Math.abs(moments.mean - middle) < 1e-8);
    assert.ok(Math.abs(moments.deviation - deviation) < 1e-6);
  }));
});

Deno.test("Moments do not lose a small deviation beside a great mean", () => {
  const moments = momentsOf([1e9 + 1, 1e9 + 2, 1e9 + 3]);
  assert.ok(Math.abs(moments.deviation - Math.sqrt(2 / 3)) < 1e-9);
});

Deno.test("labelCorrelation() is Pearson's correlation with the label", () => {
  const rows = fc.array(fc.tuple(value, fc.constantFrom(0, 1)));
  fc.assert(fc.property(rows, (rows) => {
    const of = (label: number) =>
      rows.filter((row) => row[1] === label).map(([x]) => x);
    const found = labelCorrelation(momentsOf(of(0)), momentsOf(of(1)));
    const x = rows.map(([value]) => value);
    const varies = new Set(x).size > 1 && of(0).length > 0 && of(1).length > 0;
    if (!varies) assert.ok(Number.isNaN(found));
    else {
      const wanted = pearson(x, rows.map(([, label]) => label));
      assert.ok(Math.abs(found - wanted) < 1e-9, `${found} ${wanted}`);
    }
  }));
});
