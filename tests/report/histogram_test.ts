import assert from "node:assert/strict";
import fc from "fast-check";
import {
  COARSE_BINS_MAX,
  coarseWidth,
  Histogram,
} from "../../src/report/histogram.ts";

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

const amount = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 1_000_000 }).map((cents) => cents / 100),
  fc.double({ min: 0.001, max: 1e9, noNaN: true }),
);

Deno.test("Histogram.coarse() counts as a plain count does, for any power of two", () => {
  const sizes = fc.tuple(
    fc.integer({ min: -6, max: 20 }),
    fc.integer({ min: 1, max: COARSE_BINS_MAX }),
  );
  fc.assert(fc.property(fc.array(amount), sizes, (values, [power, bins]) => {
    const width = 2 ** power;
    const coarse = histogramOf(values).coarse(0, width, bins);
    const counts = Array.from({ length: bins }, (_, bin) => {
      return values.filter((value) => {
        // Nearer to 0 than the finest bin is 0.
        const seen = value < 2 ** -16 ? 0 : value;
        return seen >= bin * width && seen < (bin + 1) * width;
      }).length;
    });
    assert.deepEqual([...coarse.counts], counts);
    assert.equal(
      coarse.above,
      values.filter((value) => value >= bins * width).length,
    );
    assert.equal(coarse.below, 0);
  }));
});

Deno.test("Histogram.coarse() counts negative numbers to their bins", () => {
  const coarse = histogramOf([-3.5, -1.5, -1.25, -0.5, 0, 0.5, 2.5, 9])
    .coarse(-3, 1, 6);
  assert.deepEqual([...coarse.counts], [0, 2, 1, 2, 0, 1]);
  assert.deepEqual([coarse.below, coarse.above], [1, 1]);
});

Deno.test("Histogram.quantile() is the sorted numbers' to under 0.8 %, and exact for whole numbers below 256", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const values = fc.array(amount, { minLength: 1 });
  fc.assert(fc.property(values, share, (values, share) => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = Math.max(1, Math.ceil(share * values.length)) - 1;
    const wanted = sorted[at];
    const found = histogramOf(values).quantile(share);
    assert.ok(found <= wanted, `${found} is above ${wanted}`);
    assert.ok(found >= wanted * (1 - 1 / 128) - 2 ** -16);
    if (Number.isInteger(wanted) && wanted < 256) assert.equal(found, wanted);
  }));
});

Deno.test("Histogram of nothing has no quantile and no range", () => {
  const empty = new Histogram();
  assert.equal(empty.count, 0);
  assert.ok(Number.isNaN(empty.quantile(0.5)));
  assert.deepEqual([empty.min, empty.max], [Infinity, -Infinity]);
  assert.deepEqual([...empty.coarse(0, 1, 2).counts], [0, 0]);
});

Deno.test("Histogram takes what no bin can hold, and no NaN", () => {
  const histogram = histogramOf([1e-300, 1e300, NaN]);
  assert.equal(histogram.count, 2);
  assert.equal(histogram.max, 1e300);
  assert.equal(histogram.coarse(0, 1, 1).counts[0], 1);
});

Deno.test("coarseWidth() cuts a range into as many bins as wanted, up to twice", () => {
  const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const size = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
  fc.assert(fc.property(number, size, (low, range) => {
    const width = coarseWidth(low, low + range, 24);
    const bins = (low + range - low) / width;
    assert.ok(bins >= 24 && bins < 48.001, `${bins} bins`);
    assert.ok(Number.isInteger(Math.log2(width)));
  }));
  assert.equal(coarseWidth(3, 3, 24), 1);
});
