/** Amounts in minor units, against BigInt arithmetic on the digits. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { amountReader } from "../../src/definition/amount.ts";
import type { AmountMapping } from "../../src/definition/stream_definition.ts";
import type { RawValue } from "../../src/definition/rejection.ts";
import { isLong } from "../long.ts";

const RUNS = { numRuns: isLong ? 200_000 : 2000 };

const PLAIN: AmountMapping = {
  from: "amt",
  decimals: 2,
  currency: null,
  prefix: null,
  decimal: ".",
  thousands: null,
  refunds: false,
};

/** The minor units of a value, or the reason why there are none. */
function read(
  value: RawValue,
  mapping: Partial<AmountMapping> = {},
): number | string {
  const found = amountReader({ ...PLAIN, ...mapping })(value);
  return typeof found === "number" ? found : found.reason;
}

Deno.test("decimal text is exact", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 11n }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 30 }),
      fc.boolean(),
      (units, decimals, zeros, negative) => {
        const digits = String(units).padStart(decimals + 1, "0");
        const whole = digits.slice(0, digits.length - decimals);
        const fraction = digits.slice(digits.length - decimals) +
          "0".repeat(zeros);
        const text = (negative ? "-" : "") + whole +
          (fraction === "" ? "" : `.${fraction}`);
        const expected = negative && units > 0n ? -units : units;
        assert.equal(
          read(text, { decimals, refunds: true }),
          Number(expected),
          text,
        );
      },
    ),
    RUNS,
  );
});

Deno.test("further decimals are accepted within 1e-6 of a minor unit, against BigInt", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 9n }),
      fc.stringMatching(
        /^(?:\d{1,12}|0000000\d{1,8}|99999999\d{0,8}|00000[01]\d{1,6})$/,
      ),
      (units, behind) => {
        const digits = String(units).padStart(3, "0");
        const text = `${digits.slice(0, -2)}.${digits.slice(-2)}${behind}`;
        const unit = 10n ** BigInt(behind.length);
        const rest = BigInt(behind);
        const up = rest * 2n >= unit ? 1n : 0n;
        const distance = rest > up * unit ? rest - up * unit : up * unit - rest;
        const expected = distance * 1_000_000n <= unit
          ? Number(units + up)
          : "not whole minor units";
        assert.equal(read(text), expected, text);
      },
    ),
    RUNS,
  );
});

Deno.test("doubles are the minor unit that they stand for", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 0, max: 4 }),
      (units, decimals) => {
        const double = units / 10 ** decimals;
        assert.equal(read(double, { decimals }), units);
        assert.equal(read(String(double), { decimals }), units);
      },
    ),
    RUNS,
  );
  assert.equal(read(0.1 + 0.2), 30);
  assert.equal(read(1.005), "not whole minor units");
  assert.equal(read(1e-9), 0);
  assert.equal(read(5e-324), 0);
});

Deno.test("prefix, thousands and decimal mark", () => {
  const dollars = { prefix: "$", refunds: true };
  assert.equal(read("$134.09", dollars), 13409);
  assert.equal(read("$-99.00", dollars), -9900);
  assert.equal(read("-$99", dollars), -9900);
  assert.equal(read("$ 5", dollars), 500);
  assert.equal(read("134.09", dollars), 13409);
  assert.equal(read("$-99.00", { prefix: "$" }), "negative amount");
  assert.equal(read("-$-1", dollars), "wrong type");
  assert.equal(read("€5", dollars), "wrong type");
  const grouped = { thousands: "," };
  assert.equal(read("1,234,567.89", grouped), 123456789);
  assert.equal(read("1234.5", grouped), 123450);
  assert.equal(read("12,34", grouped), "wrong type");
  assert.equal(read("1,2345", grouped), "wrong type");
  assert.equal(read("1,234", {}), "wrong type");
  const german = { decimal: ",", thousands: "." } as const;
  assert.equal(read("1.234,50", german), 123450);
  assert.equal(read("1234,5", german), 123450);
  assert.equal(read("1.234", german), 123400);
  assert.equal(read("12.50", german), "wrong type");
  // A number has a point, whatever its text would have.
  assert.equal(read(12.5, german), 1250);
  assert.equal(read("12.5", { decimal: "," }), "wrong type");
});

Deno.test("other forms of numbers, and what is no number", () => {
  const cases: [RawValue, number | string][] = [
    ["1.5e3", 150_000],
    ["15E-1", 150],
    ["1e-2", 1],
    ["1e-3", "not whole minor units"],
    ["1e400", "out of range"],
    [1e300, "out of range"],
    ["1e-400", 0],
    [".5", 50],
    ["5.", 500],
    ["+5", 500],
    [" 5.00 ", 500],
    ["007", 700],
    ["-0.00", 0],
    [-0, 0],
    [5n, 500],
    ["", "missing field"],
    [null, "missing field"],
    [undefined, "missing field"],
    ["NaN", "wrong type"],
    [NaN, "wrong type"],
    [Infinity, "wrong type"],
    [true, "wrong type"],
    [{}, "wrong type"],
    [".", "wrong type"],
    ["1.2.3", "wrong type"],
    ["1 000", "wrong type"],
    ["0x10", "wrong type"],
    ["-1", "negative amount"],
    ["1000000000", 1e11],
    ["1000000000.01", "out of range"],
    ["999999999999999999999", "out of range"],
  ];
  for (const [value, expected] of cases) {
    const found = read(value);
    assert.equal(found, expected, String(value));
    assert.ok(!Object.is(found, -0));
  }
});

Deno.test("messages name field, value and what to do", () => {
  const messageOf = (value: RawValue) => {
    const found = amountReader(PLAIN)(value);
    return typeof found === "number" ? found : found.message;
  };
  assert.equal(
    messageOf("-5"),
    `amt "-5" is negative; 'refunds: true' in the definition accepts refunds`,
  );
  assert.equal(messageOf("1.234"), 'amt "1.234" has more than 2 decimals');
  assert.equal(messageOf("x"), 'amt "x" is not an amount such as "1234.5"');
  assert.equal(messageOf(""), "amt is missing or empty");
  const long = messageOf("9".repeat(5000));
  assert.ok(String(long).length < 150);
});
