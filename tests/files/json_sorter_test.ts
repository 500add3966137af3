import assert from "node:assert/strict";
import fc from "fast-check";
import { END_SECOND, FIRST_SECOND } from "../../src/payment/calendar.ts";
import { JsonSorter } from "../../src/files/json_sorter.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

type Timed = readonly [time: number, value: unknown];

function sorted(
  values: readonly Timed[],
  memoryBytes: number,
  folder: string,
): unknown[] {
  using sorter = new JsonSorter({ memoryBytes, folder });
  for (const [time, value] of values) sorter.add(time, JSON.stringify(value));
  return [...sorter.sorted()].flat();
}

const someTimes = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: FIRST_SECOND, max: END_SECOND - 1 }),
  fc.constantFrom(FIRST_SECOND, END_SECOND - 1),
);

testWriting(
  "JsonSorter gives values in order, those of a time as they came, in any memory",
  async () => {
    await using folder = temporaryFolder();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(someTimes, fc.json()), { maxLength: 200 }),
        fc.integer({ min: 1, max: 5000 }),
        (values, memoryBytes) => {
          const expected = values.toSorted((a, b) => a[0] - b[0])
            .map(([, value]) => value);
          assert.deepEqual(
            sorted(values, memoryBytes, folder.path),
            expected,
          );
        },
      ),
      { numRuns: 150 },
    );
  },
);

testWriting(
  "JsonSorter takes values that are longer than its memory and its buffers",
  async () => {
    await using folder = temporaryFolder();
    const lengths = [3_000_000, 10, 70_000, 1, 1_500_000, 200_000];
    const values = lengths.map((
      length,
      at,
    ): Timed => [-at, "é".repeat(length)]);
    assert.deepEqual(
      sorted(values, 1000, folder.path),
      values.map(([, value]) => value).reverse(),
    );
  },
);

testWriting("JsonSorter leaves no file behind", async () => {
  await using folder = temporaryFolder();
  const values = Array.from({ length: 500 }, (_, at): Timed => [-at, at]);
  assert.equal(sorted(values, 100, folder.path)[0], 499);
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});
