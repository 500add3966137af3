/**
 * What every store promises: the tests that the embedded store and the one in
 * Cassandra both have to pass.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PAYMENT_CELLS, toCells } from "../../src/payment/payment_cells.ts";
import {
  featureCount,
  type FeatureParameters,
  HANDBOOK_FEATURES,
  wholeFeatures,
} from "../../src/features/parameters.ts";
import type { StreamPosition } from "../../src/store/positions.ts";
import type { StoredPayment } from "../../src/store/look_up.ts";
import type { Store, StoreRows } from "../../src/store/store.ts";
import { type Payment, TRANSACTION_ID_MAX } from "../../src/payment/payment.ts";
import { payments } from "../payment/rows.ts";

/** Features other than the handbook's. */
export const TWO_WINDOWS: FeatureParameters = {
  set: "handbook",
  windowDays: [3, 90],
  delayDays: 2,
  useLabels: true,
};

/** The features beyond the handbook's. */
export const EXTENDED: FeatureParameters = {
  ...HANDBOOK_FEATURES,
  set: "extended",
};

/** A payment and its feature values. */
export interface Stored {
  /** The payment. */
  row: Payment;
  /** The values of its features. */
  values: number[];
}

/** Rows with values of the right kind: whole numbers for flags and counts; ids up to `idMax`. */
export function storedRows(
  features: FeatureParameters,
  idMax = TRANSACTION_ID_MAX,
): fc.Arbitrary<Stored[]> {
  const whole = wholeFeatures(features);
  const values = fc.tuple(
    ...Array.from(
      { length: featureCount(features) },
      (_, i) =>
        whole[i]
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

/** A payment at another time of its stream. */
export function atTime(timeSeconds: number, row: Payment): Payment {
  return { ...row, timeSeconds, datetimeSeconds: 1_522_540_800 + timeSeconds };
}

/** Rows as a store takes them. */
export function cellsOf(stored: readonly Stored[]): StoreRows {
  const width = PAYMENT_CELLS + (stored[0]?.values.length ?? 0);
  const cells = new Float64Array(stored.length * width);
  for (const [i, { row, values }] of stored.entries()) {
    toCells(row, cells, i * width);
    cells.set(values, i * width + PAYMENT_CELLS);
  }
  return { cells, count: stored.length };
}

/** All rows of a store, as lists of their cells. */
export async function contents(
  store: Store,
  features: FeatureParameters,
): Promise<number[][]> {
  const width = PAYMENT_CELLS + featureCount(features);
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
      const cells = new Float64Array(PAYMENT_CELLS);
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

/** A position for tests. */
export function positionOf(
  stream: string,
  topic: string,
  partition: number,
  next: number,
): StreamPosition {
  const mark = next > 0 ? { offset: next - 1, check: 4e9 } : undefined;
  const lastId = next > 0 ? next + 1 : undefined;
  return { stream, topic, partition, next, mark, lastId, metadata: "{}" };
}

/** Positions by stream, topic and partition. */
export function sortedPositions(
  positions: readonly StreamPosition[],
): StreamPosition[] {
  const key = ({ stream, topic, partition }: StreamPosition) =>
    `${stream} ${topic} ${partition}`;
  return positions.toSorted((a, b) => key(a) < key(b) ? -1 : 1);
}

/** Defines the tests of a kind of store. */
export function testStore(options: ContractOptions): void {
  const { name, test, open, idMax, runs } = options;
  for (const features of [HANDBOOK_FEATURES, TWO_WINDOWS, EXTENDED]) {
    const { set, windowDays } = features;
    test(`${name}: rows() gives what was written bit for bit, ascending TRANSACTION_ID, ${set} set, windows ${windowDays}`, async () => {
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

  test(`${name}: a card's and a terminal's payments are looked up by time, newest first`, async () => {
    const { row, values } = oneRow(HANDBOOK_FEATURES);
    // Within two periods of Cassandra's query tables, and by card and terminal.
    const stored = Array.from({ length: 24 }, (_, transactionId) => ({
      row: atTime(28 * 86_400 + transactionId * 21_600, {
        ...row,
        transactionId,
        customerId: transactionId % 2,
        terminalId: transactionId % 3,
      }),
      values,
    }));
    await using store = await open(HANDBOOK_FEATURES);
    await store.write(cellsOf(stored));
    const lookUp = store.lookUp();
    const range = (from: number, to: number, limit = 100) => ({
      fromSeconds: stored[from].row.timeSeconds,
      toSeconds: stored[to].row.timeSeconds,
      limit,
    });
    const ids = (found: readonly Pick<StoredPayment, "transactionId">[]) =>
      found.map(({ transactionId }) => transactionId);
    for (const [from, to] of [[0, 23], [3, 17], [5, 5]]) {
      const inside = stored.slice(from, to + 1).toReversed()
        .map(({ row }) => row);
      assert.deepEqual(
        ids(await lookUp.ofCustomer(1, range(from, to))),
        ids(inside.filter(({ customerId }) => customerId === 1)),
      );
      assert.deepEqual(
        ids(await lookUp.ofTerminal(2, range(from, to))),
        ids(inside.filter(({ terminalId }) => terminalId === 2)),
      );
    }
    assert.deepEqual(ids(await lookUp.ofCustomer(0, range(0, 23, 2))), [
      22,
      20,
    ]);
    assert.deepEqual(await lookUp.ofCustomer(99, range(0, 23)), []);
    const found = await lookUp.payment(7);
    assert.deepEqual(found?.features, values);
    assert.equal(found?.payment.timeSeconds, stored[7].row.timeSeconds);
    assert.equal(found?.payment.amount, row.amount);
    assert.equal(await lookUp.payment(24), undefined);
  });

  test(`${name}: all verdicts about a payment are kept, newest first, and rows stay as they are`, async () => {
    await using store = await open(HANDBOOK_FEATURES);
    const stored = [oneRow(HANDBOOK_FEATURES)];
    await store.write(cellsOf(stored));
    const before = await contents(store, HANDBOOK_FEATURES);
    const lookUp = store.lookUp();
    assert.deepEqual(await lookUp.verdicts(0), []);
    const verdict = (second: number, label: 0 | 1, note: string) => ({
      transactionId: 0,
      decidedAt: `2026-03-01T12:00:0${second}.000Z`,
      label,
      analyst: "Ada 'O''Hara'; DROP",
      note,
    });
    const [first, second] = [verdict(1, 1, ""), verdict(2, 0, "ünsure\n✓")];
    for (const each of [first, second, first]) await lookUp.addVerdict(each);
    assert.deepEqual(await lookUp.verdicts(0), [second, first]);
    assert.deepEqual(await lookUp.verdicts(1), []);
    await store.write(cellsOf(stored));
    assert.deepEqual(await store.lookUp().verdicts(0), [second, first]);
    const missing = { transactionId: 1, decidedAt: first.decidedAt };
    for (const gone of [second, second, missing]) {
      await lookUp.removeVerdict(gone);
    }
    assert.deepEqual(await lookUp.verdicts(0), [first]);
    assert.deepEqual(await contents(store, HANDBOOK_FEATURES), before);
  });

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

  test(`${name}: positions are written with the rows, a topic's are removed with them`, async () => {
    await using store = await open(TWO_WINDOWS);
    assert.deepEqual(await store.positions(), []);
    const rows = cellsOf([oneRow(TWO_WINDOWS)]);
    const first = positionOf("a", "payments", 0, 2 ** 40);
    const others = [
      positionOf("a", "payments", 1, 0),
      positionOf("b", "payments", 0, 7),
    ];
    const kept = { ...positionOf("a", "scores", 0, 9), lastId: undefined };
    await store.write(rows, undefined, [first]);
    await store.write(rows, undefined, [{ ...first, next: 5, metadata: "ü" }]);
    await store.write({ cells: rows.cells, count: 0 }, undefined, others);
    await store.savePositions([kept]);
    assert.deepEqual(sortedPositions(await store.positions()), [
      { ...first, next: 5, metadata: "ü" },
      others[0],
      kept,
      others[1],
    ]);
    assert.deepEqual(
      [
        await store.holds(rows.cells[0]),
        await store.holds(rows.cells[0] + 1),
        await store.isEmpty(),
      ],
      [true, false, false],
    );
    await store.clear("payments");
    assert.deepEqual(await store.positions(), [kept]);
    assert.deepEqual(await contents(store, TWO_WINDOWS), []);
    assert.equal(await store.holds(rows.cells[0]), false);
    assert.ok(await store.isEmpty());
  });

  test(`${name}: rows() ends with the signal's reason`, async () => {
    await using store = await open(TWO_WINDOWS);
    await store.write(cellsOf([oneRow(TWO_WINDOWS)]));
    const reason = new Error("enough");
    const rows = store.rows(AbortSignal.abort(reason));
    await assert.rejects(rows[Symbol.asyncIterator]().next(), reason);
  });
}
