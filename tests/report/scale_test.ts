import assert from "node:assert/strict";
import fc from "fast-check";
import {
  dayTicks,
  grouped,
  percent,
  roundTicks,
  roundUp,
  scaleOf,
  shortNumber,
  some,
  threeDigits,
} from "../../src/report/scale.ts";

const START = Date.UTC(2018, 3, 1) / 1000;
const texts = (ticks: readonly { text: string }[]) =>
  ticks.map(({ text }) => text);

Deno.test("grouped() has commas between thousands and a true minus sign", () => {
  assert.equal(grouped(0), "0");
  assert.equal(grouped(999), "999");
  assert.equal(grouped(1_754_155), "1,754,155");
  assert.equal(grouped(-1234.5, 2), "−1,234.50");
  assert.equal(grouped(-0.001, 2), "0.00");
  assert.equal(grouped(NaN), "none");
});

Deno.test("numbers for tables have about three digits", () => {
  const shown = [0.00483, 1.234, 53.21, 131.7, 12_345.6, 7].map(threeDigits);
  assert.deepEqual(shown, ["0.0048", "1.23", "53.2", "132", "12,346", "7"]);
});

Deno.test("percent() keeps number and sign on one line", () => {
  assert.equal(percent(0.00837), "0.84\u00a0%");
  assert.equal(percent(0 / 0), "none");
});

Deno.test("some() says one thing without an s", () => {
  assert.deepEqual([some(1, "day"), some(2000, "day")], [
    "1 day",
    "2,000 days",
  ]);
});

Deno.test("roundTicks() are round, ascending, within the range and not too many", () => {
  const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  const size = fc.double({ min: 1e-3, max: 1e7, noNaN: true });
  fc.assert(fc.property(number, size, (low, range) => {
    const ticks = roundTicks(low, low + range, 5);
    assert.ok(ticks.length <= 6);
    ticks.forEach(({ value }, at) => {
      assert.ok(value >= low - range * 1e-6);
      assert.ok(value <= low + range * (1 + 1e-6));
      if (at > 0) assert.ok(value > ticks[at - 1].value);
    });
  }));
  assert.deepEqual(
    texts(roundTicks(0, 1, 5)),
    ["0", "0.2", "0.4", "0.6", "0.8", "1"],
  );
  assert.deepEqual(texts(roundTicks(0, 2000, 4)), [
    "0",
    "500",
    "1,000",
    "1,500",
    "2,000",
  ]);
});

Deno.test("roundUp() is at least the number, and has a tick of its own", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (value) => {
      const top = roundUp(value);
      assert.ok(top >= value * (1 - 1e-9) && top <= 2 * value);
      const last = roundTicks(0, top, 5).at(-1);
      assert.ok(Math.abs((last?.value ?? NaN) - top) <= 1e-9 * top);
    }),
  );
  assert.equal(roundUp(0), 1);
});

Deno.test("scaleOf() maps the ends of a range to the ends of an axis", () => {
  const { place } = scaleOf([10, 20], [100, 0], []);
  assert.deepEqual([place(10), place(15), place(20)], [100, 50, 0]);
});

Deno.test("dayTicks() are days of a short time, months and years of a long one", () => {
  assert.deepEqual(texts(dayTicks(START, 0, 2, 8)), [
    "1 Apr",
    "2 Apr",
    "3 Apr",
  ]);
  assert.deepEqual(
    texts(dayTicks(START, 0, 182, 7)).slice(0, 2),
    ["Apr 2018", "May 2018"],
  );
  const years = texts(dayTicks(START, 0, 3650, 12));
  assert.equal(years[0], "2019");
  assert.ok(years.length <= 12);
});

Deno.test("dayTicks() are never more than wanted", () => {
  const length = fc.integer({ min: 1, max: 24_855 });
  fc.assert(
    fc.property(length, fc.integer({ min: 3, max: 12 }), (days, most) => {
      assert.ok(dayTicks(START, 0, days - 1, most).length <= most + 1);
    }),
  );
});

Deno.test("shortNumber() has the decimals that a number has", () => {
  const shown = [0, 0.5, 12_000, 0.000001, 1e-7].map(shortNumber);
  assert.deepEqual(shown, ["0", "0.5", "12,000", "0.000001", "1e-7"]);
});
