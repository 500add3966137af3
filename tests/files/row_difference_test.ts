import assert from "node:assert/strict";
import fc from "fast-check";
import type { RawValue } from "../../src/definition/rejection.ts";
import type { ComparedTable } from "../../src/files/compared_rows.ts";
import {
  compareRows,
  type DifferenceOptions,
  differs,
  type RowDifference,
} from "../../src/files/row_difference.ts";
import { isLong } from "../long.ts";

type Row = readonly RawValue[];

/** A table of rows in pages of so many. */
function table(
  name: string,
  columns: readonly string[],
  rows: readonly Row[],
  pageRows = 3,
): ComparedTable {
  async function* pages() {
    for (let from = 0; from < rows.length; from += pageRows) {
      const page = rows.slice(from, from + pageRows);
      await Promise.resolve();
      yield {
        length: page.length,
        read(index: number, into: RawValue[]) {
          page[index].forEach((value, at) => into[at] = value);
        },
        place: (index: number) => `row ${from + index + 1} of ${name}`,
      };
    }
  }
  return { name, columns, pages: pages() };
}

function compare(
  a: readonly Row[],
  b: readonly Row[],
  columns: readonly string[],
  options: Partial<DifferenceOptions> = {},
): Promise<RowDifference> {
  return compareRows(table("a", columns, a), table("b", columns, b, 2), {
    tolerance: 0,
    ...options,
  });
}

const COLUMNS = ["TRANSACTION_ID", "TX_DATETIME", "F", "TX_FRAUD", "SCORE"];

/** Rows by their ids, in no order. */
const ROWS: fc.Arbitrary<Map<number, number[]>> = fc.uniqueArray(
  fc.record({
    id: fc.nat(40),
    values: fc.array(fc.constantFrom(0, 1, 2.5, NaN), {
      minLength: 3,
      maxLength: 3,
    }),
  }),
  { selector: ({ id }) => id },
).map((rows) => new Map(rows.map(({ id, values }) => [id, values])));

/** What differs, by looking each row up. */
function plain(a: Map<number, number[]>, b: Map<number, number[]>) {
  const value = (cell: number) => Number.isNaN(cell) ? null : cell;
  const both = [...a.keys()].filter((id) => b.has(id));
  const counts = [0, 1, 2].map((at) =>
    both.filter((id) =>
      value(a.get(id)?.[at] ?? NaN) !== value(b.get(id)?.[at] ?? NaN)
    ).length
  );
  return {
    both: both.length,
    onlyA: a.size - both.length,
    onlyB: b.size - both.length,
    counts,
  };
}

/** Orders of rows that have an id and a time that follows from it. */
const ORDERS = {
  none: (a: number, b: number) => (a * 13) % 41 - (b * 13) % 41,
  number: (a: number, b: number) => a - b,
  text: (a: number, b: number) => `${a}` < `${b}` ? -1 : 1,
  // Several rows have one time, in any order within it.
  time: (a: number, b: number) =>
    a % 7 - b % 7 || (a * 13) % 41 - (b * 13) % 41,
};

Deno.test("compareRows() finds what looking each row up finds, in any two orders", async () => {
  await fc.assert(
    fc.asyncProperty(
      ROWS,
      ROWS,
      fc.constantFrom("number" as const, "text" as const, "time" as const),
      fc.constantFrom("same" as const, "none" as const),
      async (a, b, order, other) => {
        const rowsOf = (
          rows: Map<number, number[]>,
          own: keyof typeof ORDERS = order,
        ): Row[] =>
          [...rows].sort(([x], [y]) => ORDERS[own](x, y)).map(
            ([id, values]) => [
              order === "text" ? `k${id}` : id,
              order === "time" ? `2018-04-01 00:00:0${id % 7}` : null,
              ...values.map((cell) => Number.isNaN(cell) ? null : cell),
            ],
          );
        // An order that only later rows break is refused.
        const found = other === "same"
          ? await compare(rowsOf(a), rowsOf(b), COLUMNS)
          : await compareRows(
            table("a", COLUMNS, rowsOf(a), 41),
            table("b", COLUMNS, rowsOf(b, other), 41),
            { tolerance: 0 },
          );
        const expected = plain(a, b);
        assert.deepEqual(found.rows, {
          a: a.size,
          b: b.size,
          both: expected.both,
        });
        assert.equal(found.onlyA.rows, expected.onlyA);
        assert.equal(found.onlyB.rows, expected.onlyB);
        const counts = ["F", "TX_FRAUD", "SCORE"].map((name) =>
          found.columns.find(({ column }) => column === name)?.rows ?? 0
        );
        assert.deepEqual(counts, expected.counts);
        const { features, labels, scores } = found.parts;
        assert.deepEqual([features, labels, scores], expected.counts);
        const same = expected.onlyA + expected.onlyB === 0 &&
          counts.every((count) => count === 0);
        assert.equal(differs(found), !same);
      },
    ),
    { numRuns: isLong ? 5000 : 300 },
  );
});

Deno.test("a column's first and greatest difference are said", async () => {
  const { columns, parts } = await compare(
    [[1, 5, null], [2, 5, null], [3, 5, 1]],
    [[1, 5, null], [2, 4.5, 7], [3, -1, 1]],
    ["TRANSACTION_ID", "F", "G"],
  );
  assert.deepEqual(columns, [
    {
      column: "F",
      part: "features",
      rows: 2,
      missing: 0,
      greatest: 6,
      first: { transactionId: "2", a: "5", b: "4.5" },
    },
    {
      column: "G",
      part: "features",
      rows: 1,
      missing: 1,
      greatest: undefined,
      first: { transactionId: "2", a: null, b: "7" },
    },
  ]);
  assert.equal(parts.features, 2);
});

Deno.test("values are the same where they say the same", async () => {
  const same: [RawValue, RawValue][] = [
    [1, "1.0"],
    [true, 1],
    [null, ""],
    [undefined, null],
    [0.5, "5e-1"],
    [12n, "12"],
    [new Date("2018-04-01T00:00:31Z"), "2018-04-01 00:00:31"],
    [new Date("2018-04-01T00:00:31.250Z"), "2018-04-01T00:00:31.25Z"],
    ["2018-04-01T00:00:31Z", "2018-04-01 00:00:31"],
    [{ A: 1 }, '{"A":1}'],
    [{ A: 1, B: 2 }, '{"B":2,"A":1}'],
  ];
  for (const [a, b] of same) {
    const { columns } = await compare([[1, a]], [[1, b]], [
      "TRANSACTION_ID",
      "F",
    ]);
    assert.deepEqual(columns, [], `${a}, ${b}`);
  }
  const other: [RawValue, RawValue][] = [
    [1, 2],
    [0, null],
    ["a", "b"],
    ["a", 1],
    [new Date(0), "1970-01-01 00:00:01"],
    // Beyond a double.
    ["9007199254740993", "9007199254740992"],
    [9007199254740993n, 9007199254740992n],
    [{ A: 1 }, '{"A":2}'],
    [{ A: 1 }, '{"B":1}'],
    [{ A: 1 }, '{"A":1,"B":1}'],
    [{ A: 1 }, '{"A":"1"}'],
    ["{", "[1]"],
  ];
  for (const [a, b] of other) {
    const { columns } = await compare([[1, a]], [[1, b]], [
      "TRANSACTION_ID",
      "F",
    ]);
    assert.equal(columns.length, 1, `${a}, ${b}`);
  }
});

Deno.test("numbers within the tolerance are the same", async () => {
  const rows = (value: number): Row[] => [[1, value]];
  const columns = ["TRANSACTION_ID", "F"];
  const near = await compare(rows(1), rows(1 + 5e-7), columns, {
    tolerance: 1e-6,
  });
  assert.ok(!differs(near));
  assert.ok(differs(await compare(rows(1), rows(1 + 5e-7), columns)));
  const scores = (score: number): Row[] => [[1, `{"a":${score},"b":0.5}`]];
  const [one, other] = [scores(0.25), scores(0.75)];
  const [{ greatest }] = (await compare(one, other, columns)).columns;
  assert.equal(greatest, 0.5);
  assert.ok(!differs(await compare(one, other, columns, { tolerance: 0.5 })));
  // None and a number never are.
  const missing = await compare([[1, null]], rows(0), columns, {
    tolerance: 9,
  });
  assert.ok(differs(missing));
});

Deno.test("columns of one side, and those that were not chosen, are not compared", async () => {
  const sides = () =>
    [
      table("a", ["TRANSACTION_ID", "F", "G"], [[1, 1, 1]]),
      table("b", ["H", "F", "TRANSACTION_ID"], [[9, 2, 1]]),
    ] as const;
  const all = await compareRows(...sides(), { tolerance: 0 });
  assert.deepEqual(all.columnsOnlyA, ["G"]);
  assert.deepEqual(all.columnsOnlyB, ["H"]);
  assert.equal(all.compared, 1);
  assert.equal(all.columns[0].column, "F");
  const chosen = await compareRows(...sides(), {
    tolerance: 3,
    columns: ["F"],
  });
  assert.ok(!differs(chosen));
  await assert.rejects(
    compareRows(...sides(), { tolerance: 0, columns: ["G"] }),
    { name: "ConfigError", message: /^b has no column G; it has H, F, TRANS/ },
  );
});

Deno.test("what cannot be paired is refused with its place", async () => {
  const columns = ["TRANSACTION_ID", "F"];
  const ascending: Row[] = [[1, 0], [2, 0], [3, 0], [4, 0], [5, 0]];
  const refused: [Row[], Row[], RegExp][] = [
    [
      ascending,
      [[1, 0], [2, 0], [4, 0], [3, 0]],
      /^row 4 of b: TRANSACTION_ID 3 comes after 4, so the rows are not in its order; sort both by it$/,
    ],
    [
      ascending,
      [[1, 0], [3, 0], [3, 0]],
      /^row 3 of b: TRANSACTION_ID 3 comes twice$/,
    ],
    [
      ascending,
      [[2, 0], [1, 0], [7, 0], [7, 1]],
      /^row 4 of b: TRANSACTION_ID 7 comes twice$/,
    ],
    [
      ascending,
      [[1, 0], [2, 0], [null, 0]],
      /^row 3 of b: there is no TRANSACTION_ID$/,
    ],
    [
      ascending,
      [[1, 0], [2, 0], ["0x", 0]],
      /^row 3 of b: TRANSACTION_ID 0x comes after 2, so the/,
    ],
  ];
  for (const [a, b, message] of refused) {
    await assert.rejects(compare(a, b, columns), {
      name: "DataError",
      message,
    });
  }
  await assert.rejects(
    compare([[1]], [[1]], ["F"]),
    /a has no column TRANSACTION_ID, by which rows are paired; it has F/,
  );
  const timed = ["TRANSACTION_ID", "TX_DATETIME"];
  const at = "2018-04-01 00:00:01";
  await assert.rejects(
    compare([[2, at], [1, at], [2, at]], [[1, at]], timed),
    /TRANSACTION_ID 2 comes twice/,
  );
});

Deno.test("an empty side has none of the other's rows", async () => {
  const { onlyA, rows } = await compare([["k", 1]], [], [
    "TRANSACTION_ID",
    "F",
  ]);
  assert.deepEqual(onlyA, { rows: 1, first: "k" });
  assert.deepEqual(rows, { a: 1, b: 0, both: 0 });
});

Deno.test("digits that are sorted as texts are paired, also where the first of them look like numbers", async () => {
  const columns = ["TRANSACTION_ID", "F"];
  const rows: Row[] = Array.from({ length: 200 }, (_, id) => `${id}`).sort()
    .map((id) => [id, 0]);
  // Ten pages of 0, 1, 10, 100 and so on, before 11 comes.
  assert.ok(!differs(await compare(rows, rows, columns)));
  const changed = rows.filter(([id]) => id !== "11" && id !== "7");
  const { onlyA, rows: { both } } = await compare(rows, changed, columns);
  assert.equal(onlyA.rows, 2);
  assert.equal(both, 198);
});

Deno.test("rows that begin in order of their ids and continue in that of their times are paired", async () => {
  const columns = ["TRANSACTION_ID", "TX_DATETIME", "F"];
  const rows: Row[] = [[1, 1], [2, 1], [3, 2], [9, 3], [4, 4], [5, 4]].map(
    ([id, second]) => [id, `2018-04-01 00:00:0${second}`, 0],
  );
  const found = await compare(rows, rows.toSpliced(3, 1), columns);
  assert.equal(found.order, "TX_DATETIME");
  assert.deepEqual(found.onlyA, { rows: 1, first: "9" });
  assert.deepEqual(found.columns, []);
});
