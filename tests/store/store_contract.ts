/**
 * What every store promises: the tests that the embedded store and the one in
 * Cassandra both have to pass.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { toCells, TRANSACTION_CELLS } from "../../src/features/feature_row.ts";
import {
  featureCount,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { Store, StoreRows } from "../../src/store/store.ts";
import {
  type Transaction,
  TRANSACTION_ID_MAX,
} from "../../src/transaction/transaction.ts";
import { payments } from "../transaction/rows.ts";

/** Features other than the handbook's. */
export const TWO_WINDOWS: FeatureParameters = {
  set: "handbook",
  windowDays: [3, 90],
  delayDays: 2,
  useLabels: true,
};

/** A payment and its feature values. */
export interface Stored {
  /** The payment. */
  row: Transaction;
  /** The values of its features. */
  values: number[];
}

/** Rows with values of the right kind: whole numbers for flags and counts; ids up to `idMax`. */
export function storedRows(
  features: FeatureParameters,
  idMax = TRANSACTION_ID_MAX,
): fc.Arbitrary<Stored[]> {
  const values = fc.tuple(
    ...Array.from(
      { length: featureCount(features) },
      (_, i) =>
        i < 2 || i % 2 === 0
          ? fc.nat(1_000_000)
          : fc.double({ min: 0, max: 1e6, noNaN: true }).map((v) => v + 0),
    ),
  ) as fc.Arbitrary<number[]>;
  const stored = fc.record({ row: payments, values }, { noNullPrototype: true })
    .map(({ row, values }) => ({
      row: { ...row, transactionId: row.transactionId % (idMax + 1) },
      values,
    }));
  return fc.uniqueArray(stored, {
    selector: ({ row }) => row.transactionId,
    maxLength: 60,
  });
}

/** One row, with id 0. */
export function oneRow(features: FeatureParameters): Stored {
  const [[stored]] = fc.sample(
    storedRows(features, 0).filter((rows) => rows.length > 0),
    1,
  );
  return stored;
}

/** Rows as a store takes them. */
export function cellsOf(stored: readonly Stored[]): StoreRows {
  const width = TRANSACTION_CELLS + (stored[0]?.values.length ?? 0);
  const cells = new Float64Array(stored.length * width);
  for (const [i, { row, values }] of stored.entries()) {
    toCells(row, cells, i * width);
    cells.set(values, i * width + TRANSACTION_CELLS);
  }
  return { cells, count: stored.length };
}

/** All rows of a store, as lists of their cells. */
export async function contents(
  store: Store,
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

/** What contents() should give for these rows. */
export function expected(stored: readonly Stored[]): number[][] {
  return stored.toSorted((a, b) => a.row.transactionId - b.row.transactionId)
    .map(({ row, values }) => {
      const cells = new Float64Array(TRANSACTION_CELLS);
      toCells(row, cells, 0);
      return [...cells, ...values];
    });
}

/** How a kind of store is tested. */
export interface ContractOptions {
  /** What comes before the names of the tests. */
  readonly name: string;
  /** Defines a test. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Opens an empty store. */
  readonly open: (features: FeatureParameters) => Promise<Store>;
  /** The greatest TRANSACTION_ID that it holds. */
  readonly idMax: number;
  /** How many random examples are worth their time. */
  readonly runs: number;
}

/** Defines the tests of a kind of store. */
export function testStore(options: ContractOptions): void {
  const { name, test, open, idMax, runs } = options;
  for (const features of [HANDBOOK_FEATURES, TWO_WINDOWS]) {
    const { windowDays } = features;
    test(`${name}: rows() gives what was written bit for bit, ascending TRANSACTION_ID, windows ${windowDays}`, async () => {
      await fc.assert(
        fc.asyncProperty(storedRows(features, idMax), async (stored) => {
          await using store = await open(features);
          await store.write(cellsOf(stored));
          assert.deepEqual(await contents(store, features), expected(stored));
          const frauds = stored.filter(({ row }) => row.fraud === 1).length;
          const rows = stored.length;
          assert.deepEqual(await store.status(), { rows, frauds });
        }),
        { numRuns: runs },
      );
    });
  }

  test(`${name}: a row written again replaces the one before`, async () => {
    await fc.assert(
      fc.asyncProperty(
        storedRows(TWO_WINDOWS, idMax),
        storedRows(TWO_WINDOWS, idMax),
        async (first, second) => {
          await using store = await open(TWO_WINDOWS);
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
      { numRuns: runs },
    );
  });

  test(`${name}: rows() goes through more rows than a page holds, in order`, async () => {
    await using store = await open(TWO_WINDOWS);
    const { row, values } = oneRow(TWO_WINDOWS);
    const stored = Array.from({ length: 10_000 }, (_, i) => ({
      row: { ...row, transactionId: (i * 7919) % 10_007 },
      values,
    }));
    await store.write(cellsOf(stored));
    const ids = (await contents(store, TWO_WINDOWS)).map(([id]) => id);
    assert.equal(ids.length, 10_000);
    assert.ok(ids.every((id, i) => i === 0 || id > ids[i - 1]));
  });

  test(`${name}: an empty store has no rows, and writing none changes nothing`, async () => {
    await using store = await open(HANDBOOK_FEATURES);
    await store.write({ cells: new Float64Array(0), count: 0 });
    assert.deepEqual(await contents(store, HANDBOOK_FEATURES), []);
    assert.deepEqual(await store.status(), { rows: 0, frauds: 0 });
  });

  test(`${name}: rows() ends with the signal's reason`, async () => {
    await using store = await open(TWO_WINDOWS);
    await store.write(cellsOf([oneRow(TWO_WINDOWS)]));
    const reason = new Error("enough");
    const rows = store.rows(AbortSignal.abort(reason));
    await assert.rejects(rows[Symbol.asyncIterator]().next(), reason);
  });
}
