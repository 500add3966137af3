/** What every store promises of its predictions and metrics. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { type PredictionStore } from "../../src/store/predictions.ts";
import { type ModelMetric } from "../../src/store/tables.ts";
import {
  emptyPredictions,
  type PredictedDecision,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
  UNKNOWN_PLACE,
} from "../../src/payment/prediction.ts";
import { DAY_SECONDS, INT_MAX } from "../../src/payment/payment.ts";
import {
  cellsOf,
  type ContractOptions,
  oneRow,
  positionOf,
} from "./store_contract.ts";

interface Prediction {
  readonly cells: readonly number[];
  readonly version: string;
  readonly why: string | null;
  readonly decision: PredictedDecision | null;
  readonly shadows: string | null;
  /** Partition and offset of its record. */
  readonly place: readonly [number, number];
}

function decisions(): fc.Arbitrary<PredictedDecision | null> {
  const json = fc.constantFrom(null, '["a"]', '["a","Ä"]');
  return fc.option(fc.record({
    decision: fc.constantFrom("approve", "review", "decline"),
    rules: json,
    shadowRules: json,
    reasons: json,
    rulesVersion: fc.constantFrom("0123456789abcdef", "fedcba9876543210"),
    listsVersion: fc.constantFrom(null, "00000000ffffffff"),
    threshold: fc.constantFrom(null, 0, 0.5),
  }, { noNullPrototype: true }));
}

function predictions(idMax: number): fc.Arbitrary<Prediction[]> {
  const whole = fc.nat(INT_MAX);
  const prediction = fc.record({
    cells: fc.tuple(
      fc.maxSafeNat().map((id) => id % (idMax + 1)),
      fc.integer({ min: -10_000, max: 40_000 }),
      whole,
      whole,
      fc.nat(1e6).map((cents) => cents / 100),
      whole,
      fc.double({ min: 0, max: 1, noNaN: true }).map((score) => score + 0),
      fc.nat(1),
    ).map(([id, startDay, customer, terminal, amount, seconds, ...score]) => [
      id,
      startDay * DAY_SECONDS + seconds,
      customer,
      terminal,
      amount,
      seconds,
      ...score,
    ]),
    version: fc.constantFrom("0123456789ab", "fedcba987654"),
    why: fc.constantFrom(null, '{"TX_AMOUNT":1.5}', '{"Ä":-2e-7}'),
    decision: decisions(),
    shadows: fc.constantFrom(null, '{"0123456789ab":0.25}', '{"a":1,"b":2e-7}'),
    place: fc.oneof(
      fc.constant<[number, number]>([UNKNOWN_PLACE, UNKNOWN_PLACE]),
      fc.tuple(fc.nat(INT_MAX), fc.maxSafeNat()),
    ),
    isScored: fc.boolean(),
  }).map(({ isScored, ...one }) => {
    if (isScored || one.decision === null) return one;
    const cells = one.cells.with(PREDICTION_CELL.score, NaN);
    return { ...one, cells };
  });
  return fc.uniqueArray(prediction, {
    selector: ({ cells: [id] }) => id,
    maxLength: 60,
  });
}

function rowsOf(all: readonly Prediction[]): PredictionRows {
  const rows = emptyPredictions(all.length);
  for (const [i, { cells, version, why, ...one }] of all.entries()) {
    rows.cells.set(cells, i * PREDICTION_CELLS);
    rows.versions[i] = version;
    rows.contributions[i] = why;
    rows.decisions[i] = one.decision;
    rows.shadowScores[i] = one.shadows;
    [rows.partitions[i], rows.offsets[i]] = one.place;
  }
  rows.count = all.length;
  return rows;
}

async function contents(store: PredictionStore): Promise<Prediction[]> {
  const found: Prediction[] = [];
  for await (const page of store.rows()) found.push(...predictionsIn(page));
  return found;
}

function predictionsIn(
  { cells, versions, contributions, count, ...page }: PredictionRows,
): Prediction[] {
  return Array.from({ length: count }, (_, i) => {
    const at = i * PREDICTION_CELLS;
    return {
      cells: [...cells.subarray(at, at + PREDICTION_CELLS)],
      version: versions[i],
      why: contributions[i],
      decision: page.decisions[i],
      shadows: page.shadowScores[i],
      place: [page.partitions[i], page.offsets[i]],
    };
  });
}

function sorted(all: readonly Prediction[]): Prediction[] {
  return all.toSorted((a, b) => a.cells[0] - b.cells[0])
    .map(({ cells, ...others }) => ({ cells: [...cells], ...others }));
}

/** Defines the tests of a kind of store. */
export function testPredictions(options: ContractOptions): void {
  const { name, test, open, idMax, runs } = options;
  test(`${name}: predictions come back bit for bit, ascending TRANSACTION_ID, the newest of each`, async () => {
    await fc.assert(
      fc.asyncProperty(
        predictions(idMax),
        predictions(idMax),
        async (first, second) => {
          await using store = await open(HANDBOOK_FEATURES);
          const table = store.predictions();
          await table.write(rowsOf(first));
          await table.write(rowsOf(second));
          await table.write(rowsOf(second));
          const newer = new Set(second.map(({ cells: [id] }) => id));
          const kept = [
            ...second,
            ...first.filter(({ cells: [id] }) => !newer.has(id)),
          ];
          assert.deepEqual(await contents(table), sorted(kept));
          for (const one of kept.slice(0, 3)) {
            const found = await table.find(one.cells[0]);
            assert.deepEqual(found && predictionsIn(found), sorted([one]));
          }
          // Each once, and none that is not there.
          const ids = kept.map(({ cells: [id] }) => id);
          const free = [0, 7, idMax].filter((id) => !ids.includes(id));
          const some = kept.filter((_, i) => i % 3 > 0);
          const wanted = some.map(({ cells: [id] }) => id);
          const all = await table.findAll([...wanted, ...free, ...wanted]);
          assert.deepEqual(sorted(predictionsIn(all)), sorted(some));
          assert.deepEqual(await table.status(), {
            rows: kept.length,
            alerts: kept.filter(({ cells }) => cells[7] === 1).length,
          });
        },
      ),
      { numRuns: runs },
    );
  });

  test(`${name}: metrics come back by day, version and name, the newest of each`, async () => {
    await using store = await open(HANDBOOK_FEATURES);
    const table = store.predictions();
    const metric = (day: number, version: string, value: number) =>
      ["b", "a"].map((metric): ModelMetric => {
        return { day, version, metric, value };
      });
    await table.writeMetrics([
      ...metric(12, "y", 1),
      ...metric(3, "x", 2),
      ...metric(3, "a", 3),
    ]);
    await table.writeMetrics(metric(3, "x", 0.25));
    assert.deepEqual(
      await table.metrics(),
      [
        ...metric(3, "a", 3).toReversed(),
        ...metric(3, "x", 0.25).toReversed(),
        ...metric(12, "y", 1).toReversed(),
      ],
    );
    const [b, a] = metric(3, "x", 0.5);
    await table.writeMetrics([{ ...b, value: NaN }, a]);
    assert.deepEqual(
      (await table.metrics()).filter(({ version }) => version === "x"),
      [a],
      "a metric that has no value any more is removed",
    );
  });

  test(`${name}: a stream that was never scored has no predictions and no metrics`, async () => {
    await using store = await open(HANDBOOK_FEATURES);
    const table = store.predictions();
    assert.deepEqual(await contents(table), []);
    assert.deepEqual(await table.metrics(), []);
    assert.equal(await table.find(7), undefined);
    assert.equal((await table.findAll([7, 8])).count, 0);
    assert.equal((await table.findAll([])).count, 0);
    assert.deepEqual(await table.status(), { rows: 0, alerts: 0 });
  });

  test(`${name}: predictions have positions of their own, and are removed without the payments`, async () => {
    await using store = await open(HANDBOOK_FEATURES);
    const table = store.predictions();
    assert.ok(await table.isEmpty());
    assert.equal(await table.holds(3), false);
    const payment = oneRow(HANDBOOK_FEATURES);
    const payments = positionOf("a", "payments", 0, 1);
    await store.write(cellsOf([payment]), undefined, [payments]);
    const cells = [3, 1e9, 1, 2, 0.5, 60, 0.25, 0];
    const rows = rowsOf([{
      cells,
      version: "0123456789ab",
      why: null,
      decision: null,
      shadows: null,
      place: [1, 9],
    }]);
    const first = positionOf("a", "scores", 0, 1);
    await table.write(rows, undefined, [first]);
    await table.write(rowsOf([]), undefined, [positionOf("a", "scores", 1, 1)]);
    assert.equal((await store.positions()).length, 3);
    assert.deepEqual(await table.positions(), await store.positions());
    assert.deepEqual([await table.holds(3), await table.isEmpty()], [
      true,
      false,
    ]);
    await table.clear("scores");
    assert.ok(await table.isEmpty());
    assert.deepEqual(await store.positions(), [payments]);
    assert.equal((await store.status()).rows, 1);
  });
}
