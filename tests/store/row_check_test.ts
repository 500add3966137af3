import assert from "node:assert/strict";
import fc from "fast-check";
import { RowCheck } from "../../src/store/row_check.ts";
import { PREDICTIONS } from "../../src/store/tables.ts";
import { emptyPredictions } from "../../src/payment/prediction.ts";

/** The checksum of the row of `width` cells that begins at `from`. */
function checkOf(cells: Float64Array, width = cells.length, index = 0): number {
  const check = new RowCheck({ width, columns: [] });
  return check.of({ cells, count: cells.length / width }, index);
}

Deno.test("RowCheck is MurmurHash3 of the cells' bytes, little-endian", () => {
  // Made by a Python implementation that has the known sum of "test".
  assert.equal(checkOf(Float64Array.of(0)), 1669671676);
  assert.equal(checkOf(Float64Array.of(1, 2, 3)), -1635697379);
});

Deno.test("RowCheck notices every flipped bit", () => {
  fc.assert(fc.property(
    fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 30 }),
    fc.nat(),
    fc.nat({ max: 63 }),
    (values, place, bit) => {
      const cells = Float64Array.from(values, (value) => value + 0);
      const before = checkOf(cells);
      const words = new Uint32Array(cells.buffer);
      words[2 * (place % cells.length) + (bit >> 5)] ^= 1 << (bit & 31);
      if (cells[place % cells.length] === 0) return; // -0 is 0 in SQLite
      assert.notEqual(checkOf(cells), before);
    },
  ));
});

Deno.test("RowCheck takes -0 for 0 and looks at its own cells only", () => {
  const cells = Float64Array.of(9, 7, -0, 1);
  assert.equal(checkOf(cells, 2, 1), checkOf(Float64Array.of(0, 1)));
});

Deno.test("RowCheck covers the texts beside the cells", () => {
  const check = new RowCheck(PREDICTIONS);
  const rows = emptyPredictions(2);
  rows.versions[1] = "a";
  const before = check.of(rows, 1);
  rows.versions[0] = "b";
  assert.equal(check.of(rows, 1), before);
  rows.contributions[1] = "{}";
  const explained = check.of(rows, 1);
  rows.versions[1] = "b";
  assert.equal(new Set([before, explained, check.of(rows, 1)]).size, 3);
});
