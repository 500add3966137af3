import assert from "node:assert/strict";
import { halves, tokenRanges } from "../../src/store/token_ranges.ts";

const FIRST = -(2n ** 63n);
const LAST = 2n ** 63n - 1n;

Deno.test("ranges cover the ring from end to end, without gap or overlap", () => {
  for (const count of [1, 2, 3, 64, 1000]) {
    const ranges = tokenRanges(count);
    assert.equal(ranges.length, count);
    assert.equal(ranges[0].from, FIRST);
    assert.equal(ranges[count - 1].to, LAST);
    for (const [i, { from, to }] of ranges.entries()) {
      assert.ok(from < to);
      if (i > 0) assert.equal(from, ranges[i - 1].to);
    }
  }
});

Deno.test("halves of a range are the range, down to one token", () => {
  const [range] = tokenRanges(1);
  const pair = halves(range);
  assert.ok(pair);
  assert.deepEqual([pair[0].from, pair[1].to], [range.from, range.to]);
  assert.equal(pair[0].to, pair[1].from);
  assert.deepEqual(halves({ from: 5n, to: 7n }), [
    { from: 5n, to: 6n },
    { from: 6n, to: 7n },
  ]);
  assert.equal(halves({ from: 5n, to: 6n }), undefined);
});
