import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { RowSpool } from "../../src/store/row_spool.ts";
import { testWriting } from "../permission.ts";

const WIDTH = 3;

function cellsOf(ids: readonly number[]): Float64Array {
  return Float64Array.from(ids.flatMap((id) => [id, id / 3, -id]));
}

/** The ids as they come out; asserts that each row came as a whole. */
async function sorted(spool: RowSpool): Promise<number[]> {
  const ids: number[] = [];
  for await (const { cells, count } of spool.rows()) {
    for (let at = 0; at < count * WIDTH; at += WIDTH) {
      const [id, third, negative] = cells.subarray(at, at + WIDTH);
      assert.deepEqual([third, negative], [id / 3, -id]);
      ids.push(id);
    }
  }
  return ids;
}

testWriting("rows come out in ascending order, whatever the runs", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.maxSafeNat(), { maxLength: 300 }),
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 1, max: 50 }),
      async (ids, runRows, pageRows) => {
        await using spool = new RowSpool({ width: WIDTH, runRows });
        for (let from = 0; from < ids.length; from += pageRows) {
          const page = ids.slice(from, from + pageRows);
          await spool.add({ cells: cellsOf(page), count: page.length });
        }
        assert.deepEqual(await sorted(spool), ids.toSorted((a, b) => a - b));
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("few rows need no file", async () => {
  // Making one would fail where this test has no permission.
  await using spool = new RowSpool({ width: WIDTH, runRows: 10 });
  await spool.add({ cells: cellsOf([3, 1, 2]), count: 3 });
  assert.deepEqual(await sorted(spool), [1, 2, 3]);
});

Deno.test("an empty spool has no rows", async () => {
  await using spool = new RowSpool({ width: WIDTH });
  assert.deepEqual(await sorted(spool), []);
});

testWriting("the file is gone afterwards", async () => {
  const files = () =>
    [...Deno.readDirSync(tmpdir())].map(({ name }) => name)
      .filter((name) => name.startsWith("fraudstream-rows-"));
  const before = new Set(files());
  {
    await using spool = new RowSpool({ width: WIDTH, runRows: 1 });
    await spool.add({ cells: cellsOf([2, 1]), count: 2 });
    assert.equal(files().filter((name) => !before.has(name)).length, 1);
  }
  assert.deepEqual(files().filter((name) => !before.has(name)), []);
});
