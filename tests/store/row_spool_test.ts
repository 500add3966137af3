import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { compareIds, NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { RowSpool } from "../../src/store/row_spool.ts";
import type { StoreRows } from "../../src/store/store.ts";
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

/** Rows of a text as the id, a number, and a text that may be missing. */
function textRows(all: readonly TextRow[]): StoreRows {
  const cells = new Float64Array(all.length * WIDTH);
  const texts = new TextHeap();
  for (const [row, { id, note }] of all.entries()) {
    cells[row * WIDTH] = texts.addText(id);
    cells[row * WIDTH + 1] = id.length;
    cells[row * WIDTH + 2] = note === null ? NO_TEXT : texts.addText(note);
  }
  return { cells, texts, count: all.length };
}

interface TextRow {
  readonly id: string;
  readonly note: string | null;
}

testWriting(
  "rows of texts come out in the order of their bytes, each with its own",
  async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
      fc.constantFrom("\uE000", "😀", "a", "aa"),
    );
    const row = fc.record({ id: text, note: fc.option(text) }, {
      noNullPrototype: true,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(row, { selector: ({ id }) => id, maxLength: 200 }),
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 1, max: 50 }),
        async (all, runRows, pageRows) => {
          await using spool = new RowSpool({
            width: WIDTH,
            textCells: [0, 2],
            runRows,
          });
          for (let from = 0; from < all.length; from += pageRows) {
            await spool.add(textRows(all.slice(from, from + pageRows)));
          }
          const found: TextRow[] = [];
          for await (const { cells, texts, count } of spool.rows()) {
            for (let at = 0; at < count * WIDTH; at += WIDTH) {
              const id = texts?.text(cells[at]) ?? "";
              assert.equal(cells[at + 1], id.length);
              found.push({ id, note: texts?.text(cells[at + 2]) ?? null });
            }
          }
          const inBytes = (a: TextRow, b: TextRow) =>
            Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
          assert.deepEqual(found, all.toSorted(inBytes));
          const ids = all.map(({ id }) => id);
          assert.deepEqual(
            ids.toSorted(compareIds),
            all.toSorted(inBytes).map(({ id }) => id),
          );
        },
      ),
      { numRuns: 40 },
    );
  },
);

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
