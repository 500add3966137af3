import assert from "node:assert/strict";
import {
  shortened,
  signed,
  sumOf,
  threeDigits,
  unitsOf,
} from "../../src/report/numbers.ts";

Deno.test("numbers in sentences have about three digits", () => {
  const shown = [0.00483, 1.234, 53.21, 131.7, 12_345.6, 7].map(threeDigits);
  assert.deepEqual(shown, ["0.0048", "1.23", "53.2", "132", "12,346", "7"]);
});

Deno.test("signed() has a sign only where a digit is not 0", () => {
  const shown = [0.5, -0.25, 0.0001, 0, NaN].map(signed);
  assert.deepEqual(shown, ["+0.500", "−0.250", "0.000", "0.000", "none"]);
});

Deno.test("amounts have their currency and decimals, great sums are short", () => {
  const dollars = { currency: "USD", decimals: 2 };
  const yen = { currency: "JPY", decimals: 0 };
  const none = { currency: null, decimals: 4 };
  assert.equal(unitsOf(-123_456, dollars), "−$1,234.56");
  assert.equal(unitsOf(123_456, yen), "¥123,456");
  assert.equal(unitsOf(123_456, none), "12.3456");
  assert.equal(sumOf(123_456, dollars), "$1,235");
  assert.equal(sumOf(-107_123_456_789, dollars), "−$1.071B");
  assert.equal(sumOf(2e9, yen), "¥2B");
});

Deno.test("shortened() keeps the beginning and the end, and shows what is invisible", () => {
  assert.equal(shortened("short"), "short");
  assert.equal(shortened("fraud_Kirlin and Sons 639", 16), "fraud_Kirl…s 639");
  assert.equal(shortened("a\u202eb\u200d"), "a\\u202eb\\u200d");
  const emoji = shortened("😀".repeat(50));
  assert.equal([...emoji].length, 40);
  assert.ok(emoji.isWellFormed());
});
