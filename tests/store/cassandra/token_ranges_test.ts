import assert from "node:assert/strict";
import {
  halves,
  overRing,
  type TokenRange,
  tokenRanges,
} from "../../../src/store/cassandra/token_ranges.ts";

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

const SIZE = 2n ** 64n - 1n;

Deno.test("overRing() covers the ring once, in halves where ranges are too large", async () => {
  const done: TokenRange[] = [];
  let atOnce = 0;
  const finished = await overRing(async (range) => {
    assert.ok(++atOnce <= 3);
    await Promise.resolve();
    atOnce--;
    if (range.to - range.from > SIZE / 50n) return false;
    done.push(range);
    return true;
  }, { ranges: 4, atOnce: 3, missesMax: 100 });
  assert.ok(finished);
  done.sort((a, b) => a.from < b.from ? -1 : 1);
  assert.equal(done[0].from, FIRST);
  assert.equal(done[done.length - 1].to, LAST);
  for (const [i, { from }] of done.entries()) {
    if (i > 0) assert.equal(from, done[i - 1].to);
  }
});

Deno.test("overRing() gives up where nothing is small enough, and ends with an error", async () => {
  let tries = 0;
  const never = () => Promise.resolve(++tries < 0);
  const options = { ranges: 4, atOnce: 2, missesMax: 10 };
  assert.equal(await overRing(never, options), false);
  assert.ok(tries < 20, `${tries} tries`);
  const broken = () => Promise.reject(new Error("broken"));
  await assert.rejects(overRing(broken, options), /broken/);
});

Deno.test("overRing() does not forget a range that was given up when others succeed", async () => {
  let first = true;
  const finished = await overRing(() => {
    const small = !first;
    first = false;
    return Promise.resolve(small);
  }, { ranges: 4, atOnce: 2, missesMax: 0 });
  assert.equal(finished, false);
});
