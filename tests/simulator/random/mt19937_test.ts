import assert from "node:assert/strict";
import { MT19937 } from "../../../src/simulator/random/mt19937.ts";
import reference from "../../data/reference.json" with { type: "json" };

function numpySource(seed: number): MT19937 {
  const source = new MT19937();
  source.seedNumpy(seed);
  return source;
}

function pythonSource(seed: number): MT19937 {
  const source = new MT19937();
  source.seedPython(seed);
  return source;
}

function words(source: MT19937, count: number): number[] {
  return Array.from({ length: count }, () => source.uint32());
}

for (const seed of [0, 12345] as const) {
  const vectors = reference.vectors[`seed_${seed}`];

  Deno.test(`MT19937 gives numpy's words after seed ${seed}`, () => {
    assert.deepEqual(words(numpySource(seed), 5), vectors.numpy_uint32);
  });

  Deno.test(`MT19937 gives numpy's doubles after seed ${seed}`, () => {
    const source = numpySource(seed);
    const doubles = Array.from({ length: 5 }, () => source.double());
    assert.deepEqual(doubles, vectors.numpy_double);
  });

  Deno.test(`MT19937 gives CPython's words after seed ${seed}`, () => {
    assert.deepEqual(words(pythonSource(seed), 5), vectors.python_uint32);
  });

  Deno.test(`MT19937 gives CPython's doubles after seed ${seed}`, () => {
    const source = pythonSource(seed);
    const doubles = Array.from({ length: 5 }, () => source.double());
    assert.deepEqual(doubles, vectors.python_random);
  });
}

Deno.test("MT19937 gives the 10,000th word that the C++ standard asks of mt19937", () => {
  assert.equal(words(numpySource(5489), 10_000).at(-1), 4_123_659_995);
});

Deno.test("MT19937 takes a CPython seed of more than 32 bits whole", () => {
  // random.seed(2**40 + 7); [random.getrandbits(32) for _ in range(3)]
  const expected = [2635837658, 3209733218, 3500038837];
  assert.deepEqual(words(pythonSource(2 ** 40 + 7), 3), expected);
});

Deno.test("MT19937 ignores the sign of a CPython seed", () => {
  assert.deepEqual(words(pythonSource(-7), 3), words(pythonSource(7), 3));
});

Deno.test("MT19937 starts anew when it is seeded again", () => {
  const source = numpySource(1);
  words(source, 700);
  source.seedNumpy(0);
  assert.deepEqual(
    words(source, 5),
    reference.vectors.seed_0.numpy_uint32,
  );
});
