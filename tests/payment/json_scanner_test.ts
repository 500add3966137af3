import assert from "node:assert/strict";
import { chance, forEachSeed } from "../long.ts";
import { JsonScanner, literal } from "../../src/payment/json_scanner.ts";

const ENCODER = new TextEncoder();

/** What is read of a text, and whether that is all of it. */
function decimalOf(
  text: string,
  kind: "decimal" | "number" = "decimal",
): { value: number; atEnd: boolean } {
  const scanner = new JsonScanner();
  // Not at the beginning of its buffer, as a record in a batch.
  const bytes = ENCODER.encode(`xyz${text}`).subarray(1);
  scanner.start(bytes, 2, bytes.length);
  const value = scanner[kind]();
  return { value, atEnd: scanner.atEnd };
}

function digits(count: number, random: () => number): string {
  let text = "";
  for (let i = 0; i < count; i++) text += Math.floor(random() * 10);
  return text;
}

Deno.test("a decimal is the double nearest to its text, as JSON.parse has it", () =>
  forEachSeed(1, 20, (seed) => {
    const random = chance(seed);
    for (let i = 0; i < 200_000; i++) {
      // As doubles are printed: averages, shares, scores.
      const number = random() * 10 ** (Math.floor(random() * 14) - 5);
      const text = String(i % 2 ? number : Math.round(number * 1e6) / 7);
      if (text.includes("e")) continue;
      assert.deepEqual(decimalOf(text), {
        value: JSON.parse(text),
        atEnd: true,
      }, text);
    }
    for (let i = 0; i < 200_000; i++) {
      // Of any length, with zeros in front and behind.
      const whole = String(Number(digits(1 + i % 15, random)));
      const zeros = "0".repeat(Math.floor(random() * 8));
      const text = `${whole}.${zeros}${
        digits(1 + Math.floor(i / 15) % 22, random)
      }`;
      assert.deepEqual(decimalOf(text), {
        value: JSON.parse(text),
        atEnd: true,
      }, text);
    }
  }));

Deno.test("a decimal in the middle of two doubles, or next to it, is rounded as JSON.parse does", () =>
  forEachSeed(1, 20, (seed) => {
    const random = chance(seed);
    // 2^49 has neighbours at 1/8, and 1/16 behind it is half way.
    for (const power of [49, 46, 43, 40, 33, 20, 3, 0]) {
      for (let i = 0; i < 2000; i++) {
        const place = Math.floor(random() * 2 ** 20);
        const below = 2 ** power * (1 + place * 2 ** -52);
        const middle = BigInt(below * 2 ** (53 - power)) + 1n;
        const scaled = middle * 5n ** BigInt(53 - power);
        const exact = scaled.toString().padStart(54 - power, "0");
        const cut = exact.length - (53 - power);
        const text = `${exact.slice(0, cut)}.${exact.slice(cut)}`;
        // The middle itself, and as close to it as so many digits allow.
        for (let length = text.length; length > cut + 13; length--) {
          const shorter = text.slice(0, length);
          const { value } = decimalOf(shorter);
          assert.equal(value, JSON.parse(shorter), shorter);
        }
      }
    }
  }));

Deno.test("a number of either sign, with an exponent or without, is what JSON.parse has", () =>
  forEachSeed(1, 20, (seed) => {
    const random = chance(seed);
    const bits = new Int32Array(2);
    const double = new Float64Array(bits.buffer);
    for (let i = 0; i < 50_000; i++) {
      bits[0] = random() * 2 ** 32;
      bits[1] = random() * 2 ** 32;
      const short = Math.round((random() - 0.5) * 2e9) / 10 ** (i % 8);
      const number = i % 2 ? short : double[0];
      if (!Number.isFinite(number)) continue;
      const text = i % 3 ? String(number) : number.toExponential();
      assert.deepEqual(
        decimalOf(text.replace("e+", "e"), "number"),
        { value: number + 0, atEnd: true },
        text,
      );
    }
  }));

Deno.test("what is no number is not read", () => {
  for (
    const text of ["-", "+1", "--1", "01", "-01", "1.", ".5", "1e", "1e999"]
  ) {
    assert.ok(Number.isNaN(decimalOf(text, "number").value), text);
  }
  assert.ok(Object.is(decimalOf("-0", "number").value, 0));
  assert.ok(Object.is(decimalOf("-0.0", "number").value, 0));
});

Deno.test("what is no decimal is not read", () => {
  for (
    const text of ["", ".5", "-1", "1.", "1.x", "01.5", "x", "1234567890123456"]
  ) {
    assert.equal(decimalOf(text).value, -1, text);
  }
  assert.deepEqual(decimalOf("12.5}"), { value: 12.5, atEnd: false });
  assert.deepEqual(decimalOf("12e3"), { value: 12, atEnd: false });
});

Deno.test("a literal is expected byte for byte, wherever it stands", () => {
  for (let length = 1; length <= 40; length++) {
    const text = "abcdefghijklmnopqrstuvwxyz0123456789ABCD".slice(0, length);
    const expected = literal(text);
    for (let start = 0; start < 5; start++) {
      const bytes = ENCODER.encode(`${"-".repeat(start)}${text}!`);
      const scanner = new JsonScanner();
      scanner.start(bytes, start, bytes.length);
      assert.ok(scanner.expect(expected));
      assert.ok(!scanner.atEnd);
      assert.ok(scanner.expect(literal("!")));
      assert.ok(scanner.atEnd);
      // The record ends one byte too early, though the buffer goes on.
      scanner.start(bytes, start, start + length - 1);
      assert.ok(!scanner.expect(expected));
      for (let wrong = 0; wrong < length; wrong++) {
        const other = bytes.slice();
        other[start + wrong] ^= 0x80;
        scanner.start(other, start, other.length);
        assert.ok(!scanner.expect(expected), `${text} at ${wrong}`);
      }
    }
  }
});
