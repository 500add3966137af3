import assert from "node:assert/strict";
import { decimals, textLines, textTable } from "../../src/base/text_table.ts";

Deno.test("textTable() puts words to the left and numbers to the right", () => {
  assert.equal(
    textTable(["name", "count", "state"], [
      ["a", "5", "ok"],
      ["longer", "1,234", "not ok"],
      ["none", "-"],
    ]),
    "name    count  state\n" +
      "a           5  ok\n" +
      "longer  1,234  not ok\n" +
      "none        -\n",
  );
});

Deno.test("a column that is named as numbers is, whatever stands in it", () => {
  const rows = [["a", "compacted"], ["b", "7"]];
  assert.equal(
    textTable(["t", "n"], rows, [1]),
    "t          n\na  compacted\nb          7\n",
  );
  assert.equal(textTable(["t", "n"], rows), "t  n\na  compacted\nb  7\n");
});

Deno.test("nothing in a cell reaches the terminal raw", () => {
  assert.deepEqual(textLines([["\u001b[2J", "x"]], []), ["\\u001b[2J  x"]);
  assert.deepEqual(textLines([], []), []);
});

Deno.test("decimals() has a dash for what is no number", () => {
  assert.deepEqual([decimals(0.12345), decimals(NaN), decimals(2, 0)], [
    "0.123",
    "–",
    "2",
  ]);
});
