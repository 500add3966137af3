import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededSource } from "../../../src/simulator/random/seeded_source.ts";

function words(key: string, count: number): number[] {
  const source = new SeededSource(key);
  return Array.from({ length: count }, () => source.uint32());
}

Deno.test("SeededSource gives the words that the package has always given", () => {
  assert.deepEqual(words("42/customer/0", 3), [
    2361962305,
    1379130812,
    433340271,
  ]);
});

Deno.test("SeededSource gives the same words for the same text", () => {
  fc.assert(fc.property(fc.string(), (key) => {
    assert.deepEqual(words(key, 4), words(key, 4));
  }));
});

Deno.test("SeededSource gives other words for another text", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (key, other) => {
    fc.pre(key !== other);
    assert.notDeepEqual(words(key, 4), words(other, 4));
  }));
});

Deno.test("SeededSource takes '7' as the text it is, like any other", () => {
  assert.notDeepEqual(words("7", 4), words("7.0", 4));
});

Deno.test("uint32() gives whole numbers of 32 bits", () => {
  for (const word of words("any", 1000)) assert.equal(word, word >>> 0);
});

Deno.test("double() stays within 0 … 1 and its mean is a half", () => {
  const source = new SeededSource("mean");
  let sum = 0;
  for (let i = 0; i < 100_000; i++) {
    const value = source.double();
    assert.ok(value >= 0 && value < 1);
    sum += value;
  }
  assert.ok(Math.abs(sum / 100_000 - 0.5) < 0.005);
});

Deno.test("first doubles of neighbouring texts fill every tenth alike", () => {
  const bins = new Array(10).fill(0);
  for (let customer = 0; customer < 500; customer++) {
    for (let day = 0; day < 40; day++) {
      const source = new SeededSource(`1/payments/${customer}/${day}`);
      bins[Math.floor(source.double() * 10)]++;
    }
  }
  const chiSquare = bins.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0);
  // 9 degrees of freedom: 33.7 is passed by chance once in 10,000.
  assert.ok(chiSquare < 33.7, `chi-square ${chiSquare}`);
});
