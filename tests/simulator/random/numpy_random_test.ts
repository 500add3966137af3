import assert from "node:assert/strict";
import fc from "fast-check";
import { MT19937 } from "../../../src/simulator/random/mt19937.ts";
import { NumpyRandom } from "../../../src/simulator/random/numpy_random.ts";
import reference from "../../data/reference.json" with { type: "json" };

function seeded(seed: number): NumpyRandom {
  const source = new MT19937();
  source.seedNumpy(seed);
  return new NumpyRandom(source);
}

function times<T>(count: number, draw: () => T): T[] {
  return Array.from({ length: count }, draw);
}

/** V8's logarithm may differ from the C library's in the last bit. */
function assertNear(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => {
    const error = Math.abs(value - expected[i]);
    assert.ok(error <= 1e-14 * Math.abs(expected[i]), `${value} at ${i}`);
  });
}

for (const seed of [0, 12345] as const) {
  const vectors = reference.vectors[`seed_${seed}`];

  Deno.test(`uniform() is numpy's after seed ${seed}`, () => {
    const random = seeded(seed);
    assert.deepEqual(
      times(5, () => random.uniform(0, 100)),
      vectors.numpy_uniform_0_100,
    );
    const other = seeded(seed);
    assert.deepEqual(
      times(5, () => other.uniform(5, 100)),
      vectors.numpy_uniform_5_100,
    );
  });

  Deno.test(`standardNormal() is numpy's after seed ${seed}`, () => {
    const random = seeded(seed);
    assertNear(
      times(5, () => random.standardNormal()),
      vectors.numpy_standard_normal,
    );
  });

  Deno.test(`normal() is numpy's after seed ${seed}`, () => {
    const random = seeded(seed);
    assertNear(
      times(5, () => random.normal(43200, 20000)),
      vectors.numpy_normal_43200_20000,
    );
  });

  Deno.test(`normal() keeps its second value over other draws after seed ${seed}`, () => {
    const random = seeded(seed);
    assertNear(
      times(5, () => 0).map((_, i) =>
        i % 2 === 0 ? random.standardNormal() : random.uniform(0, 1)
      ),
      vectors.numpy_normal_after_uniform,
    );
  });

  const means = [0.5, 2.1795327319875875, 3.9, 10, 50];
  const counts: Record<string, number[]> = {
    "0.5": vectors["numpy_poisson_0.5"],
    "2.1795327319875875": vectors["numpy_poisson_2.1795327319875875"],
    "3.9": vectors["numpy_poisson_3.9"],
    "10": vectors["numpy_poisson_10.0"],
    "50": vectors["numpy_poisson_50.0"],
  };
  for (const mean of means) {
    Deno.test(`poisson(${mean}) is numpy's after seed ${seed}`, () => {
      const random = seeded(seed);
      assert.deepEqual(times(12, () => random.poisson(mean)), counts[mean]);
    });
  }

  const heads: [number, number[]][] = [
    [5, vectors.numpy_permutation_5_first5],
    [50, vectors.numpy_permutation_50_first5],
    [100, vectors.numpy_permutation_100_first5],
    [5000, vectors.numpy_permutation_5000_first5],
    [10_000, vectors.numpy_permutation_10000_first5],
  ];
  for (const [count, head] of heads) {
    Deno.test(`permutation(${count}) is numpy's after seed ${seed}`, () => {
      const order = seeded(seed).permutation(count);
      assert.deepEqual([...order.slice(0, 5)], head);
    });
  }

  Deno.test(`sample() is pandas' with random_state ${seed}`, () => {
    assert.deepEqual(
      [...seeded(seed).sample(10_000, 2)],
      vectors.pandas_sample_n2_of_10000,
    );
    assert.deepEqual(
      [...seeded(seed).sample(5000, 3)],
      vectors.pandas_sample_n3_of_5000,
    );
  });
}

Deno.test("poisson() by rejection agrees with numpy over 2,000 draws of many means", () => {
  // numpy.random.seed(3); a = [poisson(10 + i % 90 * 3.7) for i in range(2000)]
  // sum(x * (i % 7 + 1) for i, x in enumerate(a))
  const random = seeded(3);
  let sum = 0;
  for (let i = 0; i < 2000; i++) {
    sum += random.poisson(10 + (i % 90) * 3.7) * (i % 7 + 1);
  }
  assert.equal(sum, 1385532);
});

Deno.test("poisson(0) is 0 and takes no draw", () => {
  const random = seeded(0);
  assert.equal(random.poisson(0), 0);
  assert.equal(
    random.uniform(0, 1),
    reference.vectors.seed_0.numpy_double[0],
  );
});

Deno.test("interval(0) is 0 and takes no draw", () => {
  const random = seeded(0);
  assert.equal(random.interval(0), 0);
  assert.equal(
    random.uniform(0, 1),
    reference.vectors.seed_0.numpy_double[0],
  );
});

Deno.test("interval(2^32 - 1) is the word itself", () => {
  assert.equal(
    seeded(0).interval(2 ** 32 - 1),
    reference.vectors.seed_0.numpy_uint32[0],
  );
});

Deno.test("interval(max) stays within 0 … max", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    (seed, max) => {
      const value = seeded(seed).interval(max);
      assert.ok(Number.isInteger(value) && value >= 0 && value <= max);
    },
  ));
});

Deno.test("permutation(n) has each of 0 … n - 1 once", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.integer({ min: 0, max: 300 }),
    (seed, count) => {
      const order = seeded(seed).permutation(count).sort();
      assert.deepEqual([...order], [...order.keys()]);
    },
  ));
});
