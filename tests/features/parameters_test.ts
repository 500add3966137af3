import assert from "node:assert/strict";
import fc from "fast-check";
import {
  customerReachSeconds,
  featureCount,
  featureNames,
  HANDBOOK_FEATURES,
  longestWindowSeconds,
  totalsLayout,
  totalsToCanonical,
  totalsToValues,
  valuesToTotals,
  wholeFeatures,
} from "../../src/features/parameters.ts";

Deno.test("featureNames() are the handbook's 14 in the canonical order", () => {
  assert.deepEqual(featureNames(HANDBOOK_FEATURES), [
    "TX_DURING_WEEKEND",
    "TX_DURING_NIGHT",
    "CUSTOMER_ID_NB_TX_1DAY_WINDOW",
    "CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW",
    "CUSTOMER_ID_NB_TX_7DAY_WINDOW",
    "CUSTOMER_ID_AVG_AMOUNT_7DAY_WINDOW",
    "CUSTOMER_ID_NB_TX_30DAY_WINDOW",
    "CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW",
    "TERMINAL_ID_NB_TX_1DAY_WINDOW",
    "TERMINAL_ID_RISK_1DAY_WINDOW",
    "TERMINAL_ID_NB_TX_7DAY_WINDOW",
    "TERMINAL_ID_RISK_7DAY_WINDOW",
    "TERMINAL_ID_NB_TX_30DAY_WINDOW",
    "TERMINAL_ID_RISK_30DAY_WINDOW",
  ]);
});

Deno.test("the extended set's features stand behind the handbook's, one total each", () => {
  const extended = { ...HANDBOOK_FEATURES, set: "extended" } as const;
  const names = featureNames(extended);
  assert.deepEqual(names.slice(0, 14), featureNames(HANDBOOK_FEATURES));
  assert.equal(names.length, 35);
  assert.equal(new Set(names).size, 35);
  assert.equal(featureCount(extended), 35);
  assert.equal(totalsLayout(extended).scales.length, 21);
  assert.deepEqual(
    names.filter((_, i) => !wholeFeatures(extended)[i]),
    names.filter((name) => /_AVG_|_RISK_|_RATIO_/.test(name)),
  );
});

Deno.test("extended totals come back from their values, and are their own canonical values", () => {
  const layout = {
    windows: 1,
    scales: [1, 1000],
    amountScale: 100,
    declared: [],
  };
  fc.assert(
    fc.property(fc.nat(10 ** 7), fc.nat(10 ** 6), (whole, thousandths) => {
      const values: number[] = [];
      const canonical: number[] = [];
      const back: number[] = [];
      const totals = [1, 0, 0, 0, 0, 0, whole, thousandths];
      totalsToValues(totals, layout, values);
      totalsToCanonical(totals, layout, canonical);
      valuesToTotals(values, layout, back);
      assert.deepEqual(values, [...totals.slice(0, 7), thousandths / 1000]);
      assert.deepEqual(canonical, values);
      assert.deepEqual(back, totals);
    }),
  );
});

Deno.test("a card's reach is the longest window, behind the delay where labels of the card count", () => {
  const days = (set: "handbook" | "extended") =>
    customerReachSeconds({ ...HANDBOOK_FEATURES, set }) / 86_400;
  assert.deepEqual([days("handbook"), days("extended")], [30, 37]);
});

Deno.test("featureCount() is the number of names, whatever the windows", () => {
  for (const windowDays of [[1], [1, 7, 30], [2, 3, 5, 8, 13]]) {
    const parameters = { ...HANDBOOK_FEATURES, windowDays };
    assert.equal(featureCount(parameters), featureNames(parameters).length);
  }
  assert.equal(longestWindowSeconds(HANDBOOK_FEATURES), 30 * 86_400);
});

/** The layout of so many windows and nothing more. */
function windowsOf(windows: number) {
  return { windows, scales: [], amountScale: 100, declared: [] };
}

const count = fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(70));

/** Totals of one window for each side: a count, then a sum that fits it. */
const totalsOfOneWindow = fc.record({
  flags: fc.tuple(fc.nat(1), fc.nat(1)),
  customer: fc.tuple(count, fc.integer({ min: 0, max: 10 ** 13 })),
  terminal: fc.tuple(count, fc.double({ min: 0, max: 1, noNaN: true })),
}).map(({ flags, customer: [n, cents], terminal: [m, share] }) => [
  ...flags,
  n,
  n === 0 ? 0 : cents,
  m,
  Math.round(m * share),
]);

Deno.test("valuesToTotals() gives back the totals that totalsToValues() was given", () => {
  fc.assert(
    fc.property(totalsOfOneWindow, (totals) => {
      const values = new Float64Array(6);
      const back: number[] = [];
      totalsToValues(totals, windowsOf(1), values);
      valuesToTotals(values, windowsOf(1), back);
      assert.deepEqual(back, totals);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("totalsToValues() gives averages of money, shares of frauds, 0 for nothing", () => {
  const values: number[] = [];
  const totals = [1, 0, 4, 1001, 0, 0, 8, 3, 0, 0];
  totalsToValues(totals, windowsOf(2), values);
  assert.deepEqual(values, [1, 0, 4, 1001 / 400, 0, 0, 8, 0.375, 0, 0]);
});

/** n / d rounded half up to a whole number, in big integers throughout. */
function roundedHalfUp(n: bigint, d: bigint): bigint {
  return (2n * n + d) / (2n * d);
}

Deno.test("totalsToCanonical() rounds half up to 6 decimals, exactly, for all sizes", () => {
  fc.assert(
    fc.property(totalsOfOneWindow, (totals) => {
      const values: number[] = [];
      totalsToCanonical(totals, windowsOf(1), values);
      const micro = (total: number, count: number, scale: bigint) =>
        count === 0 ? 0n : roundedHalfUp(BigInt(total) * scale, BigInt(count));
      const [weekend, night, n, cents, m, frauds] = totals;
      assert.deepEqual(values, [
        weekend,
        night,
        n,
        Number(micro(cents, n, 10_000n)) / 1e6,
        m,
        Number(micro(frauds, m, 1_000_000n)) / 1e6,
      ]);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("totalsToCanonical() rounds every exact half up, where the double may round down", () => {
  let down = 0;
  for (const count of [32, 64, 96, 128, 640]) {
    for (let cents = 1; cents < 20_000; cents++) {
      const doubled = 20_000 * cents + count;
      if (doubled % (2 * count) !== 0) continue; // no exact half
      const values: number[] = [];
      totalsToCanonical([0, 0, count, cents, 0, 0], windowsOf(1), values);
      assert.equal(values[3], doubled / (2 * count) / 1e6);
      const plain = Number((cents / count / 100).toFixed(6));
      if (plain !== values[3]) down++;
    }
  }
  assert.ok(down > 0);
});

Deno.test("totalsToCanonical() is exact where the numerator exceeds 2^53", () => {
  const values: number[] = [];
  // 20,000 · 999,999,999,999 + 3 > 2^53; the average is 3,333,333,333.33.
  totalsToCanonical([0, 0, 3, 999_999_999_999, 0, 0], windowsOf(1), values);
  assert.equal(values[3], 3_333_333_333.33);
  totalsToCanonical([0, 0, 64, 2 * 10 ** 12 + 1, 0, 0], windowsOf(1), values);
  assert.equal(values[3], 312_500_000.000156);
});

Deno.test("totalsToCanonical() rounds down what lies the least possible below a half, up to 2^53", () => {
  for (let count = 3; count < 60_000; count += 2) {
    if (count % 5 === 0) continue; // 10,000 has no inverse
    // Cents whose average is the least possible below a half of a millionth:
    // cents · 10,000 = (count - 1) / 2 modulo count, as great as 2^53 allows.
    let cents = inverse(10_000 % count, count) * ((count - 1) / 2) % count;
    const most = Math.floor((Number.MAX_SAFE_INTEGER - count) / 20_000);
    cents += Math.floor((most - cents) / count) * count;
    const values: number[] = [];
    totalsToCanonical([0, 0, count, cents, 0, 0], windowsOf(1), values);
    const micro = roundedHalfUp(BigInt(cents) * 10_000n, BigInt(count));
    assert.equal(values[3], Number(micro) / 1e6, `${cents} / ${count}`);
  }
});

Deno.test("wholeFeatures() are those whose names are not of a mean, a share or a ratio", () => {
  const isWhole = (name: string) =>
    !/_(AVG_AMOUNT|RISK)_\d+DAY_WINDOW$|_RATIO_/.test(name);
  for (const set of ["handbook", "extended"] as const) {
    const parameters = { ...HANDBOOK_FEATURES, windowDays: [1, 365], set };
    const names = featureNames(parameters);
    assert.deepEqual(names.map(isWhole), wholeFeatures(parameters));
  }
});

/** The number whose product with `n` is 1 modulo `m`, for n and m without a common divisor. */
function inverse(n: number, m: number): number {
  let [a, b, x, y] = [n, m, 1, 0];
  while (b !== 0) {
    const quotient = Math.floor(a / b);
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % m) + m) % m;
}
