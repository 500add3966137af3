import assert from "node:assert/strict";
import fc from "fast-check";
import { RowSorter } from "../../src/files/row_sorter.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

function sortedBy(
  rows: readonly number[][],
  keys: readonly number[],
  memoryRows: number,
): number[][] {
  using sorter = new RowSorter({ width: 3, keys, memoryRows });
  const results: number[][][] = [];
  // Twice, since a cleared sorter is used again.
  for (let round = 0; round < 2; round++) {
    sorter.clear();
    for (const row of rows) sorter.add(row);
    assert.equal(sorter.length, rows.length);
    const sorted: number[][] = [];
    for (const { cells, count } of sorter.sorted()) {
      for (let at = 0; at < count * 3; at += 3) {
        sorted.push([...cells.subarray(at, at + 3)]);
      }
    }
    results.push(sorted);
  }
  assert.deepEqual(results[0], results[1]);
  return results[0];
}

const someRows = fc.array(
  fc.tuple(fc.integer({ min: -3, max: 3 }), fc.nat(3), fc.nat(1000)),
  { maxLength: 300 },
);

testWriting(
  "RowSorter gives rows in order, equal ones as they came, in any memory",
  () => {
    fc.assert(
      fc.property(
        someRows,
        fc.integer({ min: 1, max: 400 }),
        (rows, memory) => {
          const expected = rows.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
          assert.deepEqual(sortedBy(rows, [0, 1], memory), expected);
        },
      ),
      { numRuns: 150 },
    );
  },
);

testWriting("RowSorter sorts many more rows than fit in its memory", () => {
  const rows = 200_000;
  using sorter = new RowSorter({ width: 2, keys: [0], memoryRows: 7_000 });
  let state = 1;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    sorter.add([state, row]);
    sum += row;
  }
  let before = -1;
  let count = 0;
  for (const block of sorter.sorted()) {
    for (let at = 0; at < 2 * block.count; at += 2) {
      assert.ok(before <= block.cells[at]);
      before = block.cells[at];
      sum -= block.cells[at + 1];
      count++;
    }
  }
  assert.deepEqual([count, sum], [rows, 0]);
});

testWriting("RowSorter leaves no temporary file", async () => {
  await using folder = temporaryFolder();
  {
    using sorter = new RowSorter({
      width: 1,
      keys: [0],
      memoryRows: 2,
      folder: folder.path,
    });
    for (let row = 5; row > 0; row--) sorter.add([row]);
    assert.equal([...sorter.sorted()].length, 1);
  }
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

testWriting("RowSorter names the folder that it can't write to", () => {
  using sorter = new RowSorter({
    width: 1,
    keys: [0],
    memoryRows: 1,
    folder: "no/such/folder",
  });
  sorter.add([1]);
  assert.throws(() => sorter.add([2]), {
    name: "DataError",
    message: /^cannot write no\/such\/folder: /,
  });
});
