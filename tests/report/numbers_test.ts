import assert from "node:assert/strict";
import { evenDigits, some, threeDigits } from "../../src/report/numbers.ts";

Deno.test("numbers in sentences have about three digits", () => {
  const shown = [0.00483, 1.234, 53.21, 131.7, 12_345.6, 7].map(threeDigits);
  assert.deepEqual(shown, ["0.0048", "1.23", "53.2", "132", "12,346", "7"]);
});

Deno.test("evenDigits() gives all numbers the decimals of the smallest", () => {
  assert.deepEqual(evenDigits([12.5, 1.25, 300]), ["12.50", "1.25", "300.00"]);
  assert.deepEqual(evenDigits([1, 2000]), ["1", "2,000"]);
  assert.deepEqual(evenDigits([NaN, 0.5]), ["none", "0.5000"]);
});

Deno.test("some() says one thing without an s", () => {
  assert.deepEqual([some(1, "day"), some(2000, "day"), some(1, "a", "b")], [
    "1 day",
    "2,000 days",
    "1 a",
  ]);
});
