import assert from "node:assert/strict";
import fc from "fast-check";
import { CellCheck } from "../../src/store/row_check.ts";

Deno.test("CellCheck is MurmurHash3 of the cells' bytes, little-endian", () => {
  // Made by a Python implementation that has the known sum of "test".
  assert.equal(new CellCheck(1).of(Float64Array.of(0), 0), 1669671676);
  assert.equal(new CellCheck(3).of(Float64Array.of(1, 2, 3), 0), -1635697379);
});

Deno.test("CellCheck notices every flipped bit", () => {
  fc.assert(fc.property(
    fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 30 }),
    fc.nat(),
    fc.nat({ max: 63 }),
    (values, place, bit) => {
      const cells = Float64Array.from(values, (value) => value + 0);
      const check = new CellCheck(cells.length);
      const before = check.of(cells, 0);
      const words = new Uint32Array(cells.buffer);
      words[2 * (place % cells.length) + (bit >> 5)] ^= 1 << (bit & 31);
      if (cells[place % cells.length] === 0) return; // -0 is 0 in SQLite
      assert.notEqual(check.of(cells, 0), before);
    },
  ));
});

Deno.test("CellCheck takes -0 for 0 and looks at its own cells only", () => {
  const check = new CellCheck(2);
  const cells = Float64Array.of(9, -0, 1, 7);
  assert.equal(check.of(cells, 1), check.of(Float64Array.of(0, 1), 0));
});
