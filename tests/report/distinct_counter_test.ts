import assert from "node:assert/strict";
import fc from "fast-check";
import { TextHeap } from "../../src/payment/text_heap.ts";
import {
  DistinctCounter,
  ValueKeys,
} from "../../src/report/distinct_counter.ts";
import { chance } from "../long.ts";

const whole = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.maxSafeNat(),
  fc.integer({ min: -3, max: 3 }).map((near) => 2 ** 32 + near),
);

Deno.test("DistinctCounter counts numbers and texts exactly below its limit", () => {
  fc.assert(
    fc.property(fc.array(whole), fc.array(fc.string()), (ids, names) => {
      const keys = new ValueKeys();
      const numbers = new DistinctCounter(256);
      for (const id of ids) numbers.add(keys.ofNumber(id));
      const texts = new DistinctCounter(256);
      const heap = new TextHeap();
      const wellFormed = names.map((name) => name.toWellFormed());
      for (const name of wellFormed) {
        heap.clear();
        heap.add(new Uint8Array(3), 0, names.length % 3); // the place does not count
        texts.add(keys.ofText(heap.addText(name), heap));
      }
      assert.deepEqual(numbers.distinct, {
        count: new Set(ids).size,
        isExact: true,
      });
      assert.deepEqual(texts.distinct, {
        count: new Set(wellFormed).size,
        isExact: true,
      });
    }),
  );
});

Deno.test("DistinctCounter is exact at its limit and about right far beyond it", () => {
  const keys = new ValueKeys();
  const counter = new DistinctCounter(4096);
  const add = (from: number, to: number) => {
    for (let id = from; id < to; id++) counter.add(keys.ofNumber(3 * id));
  };
  add(0, 4096);
  add(0, 4096);
  assert.deepEqual(counter.distinct, { count: 4096, isExact: true });
  add(4000, 500_000);
  const { count, isExact } = counter.distinct;
  assert.ok(!isExact);
  // Its standard error is about 1.2 / sqrt(limit), here 1.9 %.
  assert.ok(Math.abs(count / 500_000 - 1) < 0.08, `${count}`);
  add(0, 500_000);
  assert.equal(counter.distinct.count, count, "seen before");
});

Deno.test("keys of numbers differ, and their first bits are spread", () => {
  const keys = new ValueKeys();
  const next = chance(7);
  const numbers = new Set(
    Array.from({ length: 20_000 }, () => Math.floor(next() * 2 ** 53)),
  );
  for (let id = 0; id < 20_000; id++) numbers.add(id);
  const made = [...numbers].map((id) => keys.ofNumber(id));
  assert.equal(new Set(made).size, numbers.size);
  assert.ok(made.every((key) => Number.isSafeInteger(key) && key >= 0));
  const low = made.slice(20_000).filter((key) => key < 2 ** 50).length;
  assert.ok(Math.abs(low / 2500 - 1) < 0.2, `${low} of 20,000 in an eighth`);
});
