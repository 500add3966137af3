import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { ConfigError, StoreError } from "../../src/error/error.ts";
import { toCells, TRANSACTION_CELLS } from "../../src/features/feature_row.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { EmbeddedStore } from "../../src/store/embedded.ts";
import { formatDatetime } from "../../src/transaction/calendar.ts";
import {
  type Transaction,
  TRANSACTION_FIELDS,
} from "../../src/transaction/transaction.ts";
import { inDatabase } from "../sqlite/in_database.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { payments } from "../transaction/rows.ts";

const TWO_WINDOWS: FeatureParameters = {
  windowDays: [3, 90],
  delayDays: 2,
  useLabels: true,
};

/** A payment and its feature values. */
interface Stored {
  row: Transaction;
  values: number[];
}

function openMemory(features: FeatureParameters): EmbeddedStore {
  return new EmbeddedStore({ path: ":memory:", features, durable: false });
}

/** Rows with values of the right kind: whole numbers for flags and counts. */
function storedRows(features: FeatureParameters): fc.Arbitrary<Stored[]> {
  const values = fc.tuple(
    ...Array.from(
      { length: featureCount(features) },
      (_, i) =>
        i < 2 || i % 2 === 0
          ? fc.nat(1_000_000)
          : fc.double({ min: 0, max: 1e6, noNaN: true }).map((v) => v + 0),
    ),
  ) as fc.Arbitrary<number[]>;
  const row = fc.record({ row: payments, values }, { noNullPrototype: true });
  return fc.uniqueArray(row, {
    selector: ({ row }) => row.transactionId,
    maxLength: 60,
  });
}

function cellsOf(stored: Stored[]): { cells: Float64Array; count: number } {
  const width = TRANSACTION_CELLS + (stored[0]?.values.length ?? 0);
  const cells = new Float64Array(stored.length * width);
  for (const [i, { row, values }] of stored.entries()) {
    toCells(row, cells, i * width);
    cells.set(values, i * width + TRANSACTION_CELLS);
  }
  return { cells, count: stored.length };
}

/** All rows of a store, as lists of their cells. */
async function contents(
  store: EmbeddedStore,
  features: FeatureParameters,
): Promise<number[][]> {
  const width = TRANSACTION_CELLS + featureCount(features);
  const all: number[][] = [];
  for await (const { cells, count } of store.rows()) {
    for (let i = 0; i < count; i++) {
      all.push([...cells.subarray(i * width, (i + 1) * width)]);
    }
  }
  return all;
}

function expected(stored: Stored[]): number[][] {
  return stored.toSorted((a, b) => a.row.transactionId - b.row.transactionId)
    .map(({ row, values }) => {
      const cells = new Float64Array(TRANSACTION_CELLS);
      toCells(row, cells, 0);
      return [...cells, ...values];
    });
}

for (const features of [HANDBOOK_FEATURES, TWO_WINDOWS]) {
  const { windowDays } = features;
  Deno.test(`rows() gives what was written, ascending TRANSACTION_ID, windows ${windowDays}`, async () => {
    await fc.assert(
      fc.asyncProperty(storedRows(features), async (stored) => {
        await using store = openMemory(features);
        await store.write(cellsOf(stored));
        assert.deepEqual(await contents(store, features), expected(stored));
        const frauds = stored.filter(({ row }) => row.fraud === 1).length;
        assert.deepEqual(await store.status(), { rows: stored.length, frauds });
      }),
      { numRuns: 50 },
    );
  });
}

Deno.test("a row written again replaces the one before", async () => {
  await fc.assert(
    fc.asyncProperty(
      storedRows(TWO_WINDOWS),
      storedRows(TWO_WINDOWS),
      async (first, second) => {
        await using store = openMemory(TWO_WINDOWS);
        const ids = first.map(({ row }) => row.transactionId);
        const again = second.map(({ row, values }, i) => ({
          row: { ...row, transactionId: ids[i] ?? row.transactionId },
          values,
        })).slice(0, ids.length);
        await store.write(cellsOf(first));
        await store.write(cellsOf(again));
        await store.write(cellsOf(again));
        const kept = [...again, ...first.slice(again.length)];
        assert.deepEqual(await contents(store, TWO_WINDOWS), expected(kept));
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("rows() goes through more rows than a page holds, in order", async () => {
  await using store = openMemory(TWO_WINDOWS);
  const [sample] = fc.sample(
    storedRows(TWO_WINDOWS).filter((s) => s.length > 0),
    1,
  );
  const stored = Array.from({ length: 10_000 }, (_, i) => ({
    row: { ...sample[0].row, transactionId: (i * 7919) % 10_007 },
    values: sample[0].values,
  }));
  await store.write(cellsOf(stored));
  const ids = (await contents(store, TWO_WINDOWS)).map(([id]) => id);
  assert.equal(ids.length, 10_000);
  assert.ok(ids.every((id, i) => i === 0 || id > ids[i - 1]));
});

Deno.test("an empty store has no rows, and writing none changes nothing", async () => {
  await using store = openMemory(HANDBOOK_FEATURES);
  await store.write({ cells: new Float64Array(0), count: 0 });
  assert.deepEqual(await contents(store, HANDBOOK_FEATURES), []);
  assert.deepEqual(await store.status(), { rows: 0, frauds: 0 });
});

testWriting(
  "the table's columns are the fields and the features in lower case",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store.db");
    const [[{ row, values }]] = fc.sample(
      storedRows(TWO_WINDOWS).filter((stored) => stored.length > 0),
      1,
    );
    {
      await using store = new EmbeddedStore({
        path,
        features: TWO_WINDOWS,
        durable: true,
      });
      await store.write(cellsOf([{ row, values }]));
    }
    const found = inDatabase(
      path,
      (database) => database.prepare("SELECT * FROM transactions").get(),
    );
    assert.ok(found);
    assert.deepEqual(
      Object.keys(found),
      [...TRANSACTION_FIELDS, ...featureNames(TWO_WINDOWS)].map((name) =>
        name.toLowerCase()
      ),
    );
    assert.equal(found.tx_datetime, formatDatetime(row.datetimeSeconds));
    assert.equal(found.tx_time_days, Math.floor(row.timeSeconds / 86_400));
    assert.equal(found.tx_amount, row.amount);
  },
);

testWriting(
  "a store of other windows is refused in one clear line",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store.db");
    const open = (features: FeatureParameters) =>
      new EmbeddedStore({ path, features, durable: false });
    await open(HANDBOOK_FEATURES)[Symbol.asyncDispose]();
    assert.throws(() => open(TWO_WINDOWS), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /holds the features of other windows/);
      assert.ok(error.message.includes(path), error.message);
      return true;
    });
  },
);

testWriting("a file that is no store is refused as StoreError", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "store.db");
  Deno.writeTextFileSync(path, "something else ".repeat(1000));
  assert.throws(
    () => new EmbeddedStore({ path, features: TWO_WINDOWS, durable: false }),
    StoreError,
  );
});
