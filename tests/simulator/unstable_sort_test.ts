import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { sortUnstable } from "../../src/simulator/unstable_sort.ts";
import moreSets from "../data/more_sets.json" with { type: "json" };
import reference from "../data/reference.json" with { type: "json" };

const vectors = reference.vectors.argsort_quick;

function keysOf(count: number, key: (i: number) => number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => key(i));
}

Deno.test("sortUnstable() leaves ties of 16 keys where numpy does", () => {
  const { keys, order } = vectors.n16;
  assert.deepEqual([...sortUnstable(Int32Array.from(keys))], order);
});

Deno.test("sortUnstable() leaves ties of 17 keys where numpy does", () => {
  const { keys, order } = vectors.n17;
  assert.deepEqual([...sortUnstable(Int32Array.from(keys))], order);
});

Deno.test("sortUnstable() leaves ties of 40 keys where numpy does", () => {
  const keys = keysOf(40, (i) => (i * i) % 7);
  assert.deepEqual(
    [...sortUnstable(keys)],
    vectors["n40_i*i_mod_7"].order,
  );
});

Deno.test("sortUnstable() leaves ties of 5,000 keys where numpy does", () => {
  const order = sortUnstable(keysOf(5000, (i) => (i * i) % 997));
  assert.equal(
    createHash("sha256").update(order.join(",")).digest("hex"),
    vectors["n5000_i*i_mod_997"].sha256_of_comma_joined_order,
  );
});

for (const { name, keys, order } of moreSets.sorts) {
  Deno.test(`sortUnstable() goes over to heapsort like numpy: ${name}`, () => {
    assert.deepEqual([...sortUnstable(Int32Array.from(keys))], order);
  });
}

Deno.test("sortUnstable() sorts any keys and tells where each came from", () => {
  const keyLists = fc.array(fc.integer({ min: -50, max: 50 }), {
    maxLength: 400,
  });
  fc.assert(fc.property(keyLists, (list) => {
    const keys = Int32Array.from(list);
    const order = sortUnstable(keys);
    assert.deepEqual([...keys], list.toSorted((a, b) => a - b));
    assert.deepEqual([...order].map((i) => list[i]), [...keys]);
    assert.equal(new Set(order).size, list.length);
  }));
});
