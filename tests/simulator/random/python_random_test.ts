import assert from "node:assert/strict";
import fc from "fast-check";
import { MT19937 } from "../../../src/simulator/random/mt19937.ts";
import { PythonRandom } from "../../../src/simulator/random/python_random.ts";
import reference from "../../data/reference.json" with { type: "json" };

function seededSource(seed: number): MT19937 {
  const source = new MT19937();
  source.seedPython(seed);
  return source;
}

function seeded(seed: number): PythonRandom {
  return new PythonRandom(seededSource(seed));
}

for (const seed of [0, 12345] as const) {
  const vectors = reference.vectors[`seed_${seed}`];

  const choices: [number, number[]][] = [
    [1, vectors.python_choice_index_of_1],
    [2, vectors.python_choice_index_of_2],
    [7, vectors.python_choice_index_of_7],
    [79, vectors.python_choice_index_of_79],
    [1000, vectors.python_choice_index_of_1000],
  ];
  for (const [length, expected] of choices) {
    Deno.test(`choice() of ${length} is CPython's after seed ${seed}`, () => {
      const random = seeded(seed);
      const list = Int32Array.from({ length }, (_, i) => i);
      assert.deepEqual(expected.map(() => random.choice(list)), expected);
    });
  }

  const samples: [number, number, number[]][] = [
    [9, 3, vectors.python_sample_3_of_9_first8],
    [100, 5, vectors.python_sample_5_of_100_first8],
    [100, 33, vectors.python_sample_33_of_100_first8],
    [500, 5, vectors.python_sample_5_of_500_first8],
    [1000, 20, vectors.python_sample_20_of_1000_first8],
    [4000, 1333, vectors.python_sample_1333_of_4000_first8],
  ];
  for (const [count, size, expected] of samples) {
    Deno.test(`sample() of ${size} of ${count} is CPython's after seed ${seed}`, () => {
      const picks = seeded(seed).sample(count, size);
      assert.deepEqual([...picks.slice(0, 8)], expected);
    });
  }
}

Deno.test("sample() agrees with CPython at every size around its change of method", () => {
  // random.seed(9); total = 0
  // for n in range(1, 200): for k in range(0, n + 1, 3):
  //   for p, x in enumerate(random.sample(range(n), k)): total += x * (p + 1)
  const random = seeded(9);
  let total = 0;
  for (let n = 1; n < 200; n++) {
    for (let k = 0; k <= n; k += 3) {
      random.sample(n, k).forEach((x, p) => total += x * (p + 1));
    }
  }
  assert.equal(total, 1775710142);
});

Deno.test("below(1) draws words until the top bit of one is 0", () => {
  const source = seededSource(0);
  new PythonRandom(source).below(1);
  const untouched = seededSource(0);
  while (untouched.uint32() >= 2 ** 31);
  assert.equal(source.uint32(), untouched.uint32());
});

Deno.test("below(bound) stays under the bound", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    (seed, bound) => {
      const value = seeded(seed).below(bound);
      assert.ok(Number.isInteger(value) && value >= 0 && value < bound);
    },
  ));
});

Deno.test("sample() gives different places of the list", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.integer({ min: 0, max: 300 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (seed, count, share) => {
      const size = Math.floor(count * share);
      const picks = seeded(seed).sample(count, size);
      assert.equal(new Set(picks).size, size);
      assert.ok(picks.every((pick) => pick >= 0 && pick < count));
    },
  ));
});
