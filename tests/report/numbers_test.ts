import assert from "node:assert/strict";
import { signed, threeDigits } from "../../src/report/numbers.ts";

Deno.test("numbers in sentences have about three digits", () => {
  const shown = [0.00483, 1.234, 53.21, 131.7, 12_345.6, 7].map(threeDigits);
  assert.deepEqual(shown, ["0.0048", "1.23", "53.2", "132", "12,346", "7"]);
});

Deno.test("signed() has a sign only where a digit is not 0", () => {
  const shown = [0.5, -0.25, 0.0001, 0, NaN].map(signed);
  assert.deepEqual(shown, ["+0.500", "−0.250", "0.000", "0.000", "none"]);
});
