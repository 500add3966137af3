/**
 * What every store promises of labels that arrive later than their payments.
 * The oracle is two maps of plain objects: whatever is written first, again, in
 * another order or at the same time, TX_FRAUD of a payment is the label that
 * counts.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { FRAUD_UNKNOWN } from "../../src/payment/payment_cells.ts";
import {
  type PaymentShape,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import type { StoredLabel } from "../../src/store/labels.ts";
import type { Store } from "../../src/store/store.ts";
import {
  contents,
  findsPayment,
  kept,
  type Own,
  ownPayments,
  type OwnShapeOptions,
  rowsOf,
  TEXT_SHAPE,
} from "./own_shape_contract.ts";
import { positionOf } from "./store_contract.ts";

/** Text ids and kept fields, and labels that arrive later. */
export const TEXT_LABEL_SHAPE: PaymentShape = {
  ...TEXT_SHAPE,
  hasLabels: true,
};

/** How a kind of store is tested. */
export interface LabelContractOptions extends OwnShapeOptions {
  /** TRANSACTION_IDs of its table of frauds, where it has one. */
  readonly frauds?: (shape: PaymentShape) => Promise<Own["id"][]>;
  /** The shapes that it takes. */
  readonly shapes: readonly PaymentShape[];
}

/** Both shapes. */
export const LABEL_SHAPES: readonly PaymentShape[] = [
  UNLABELLED_SHAPE,
  TEXT_LABEL_SHAPE,
];

/** Known times of labels: few, so that many are equal. */
const KNOWN_AT = [0, 1, 40 * DAY_SECONDS].map((at) =>
  formatDatetime(1_522_540_800 + at)
);

/** What is done to a store: places of payments and labels that are written, at the same time, or a table that is cleared. */
interface Act {
  readonly payments: readonly number[];
  readonly labels: readonly number[];
  readonly clears: "labels" | "payments" | undefined;
}

interface Example {
  readonly payments: readonly Own[];
  readonly labels: readonly StoredLabel[];
  readonly acts: readonly Act[];
}

function examples(shape: PaymentShape): fc.Arbitrary<Example> {
  const all = ownPayments(HANDBOOK_FEATURES, shape)
    .map((payments) => kept(payments).slice(0, 12))
    .filter((payments) => payments.length > 2);
  const said = fc.record({
    payment: fc.nat(),
    at: fc.nat(KNOWN_AT.length - 1),
    after: fc.nat(2),
    fraud: fc.constantFrom(0, 1, 1, undefined),
    scenario: fc.nat(3),
    partition: fc.nat(2),
  });
  const places = fc.array(fc.nat(), { maxLength: 12 });
  const act = fc.record({
    payments: places,
    labels: places,
    clears: fc.option(fc.constantFrom("labels" as const, "payments" as const), {
      nil: undefined,
      freq: 4,
    }),
  });
  return fc.record({
    payments: all,
    said: fc.array(said, { minLength: 1, maxLength: 24 }),
    acts: fc.array(act, { minLength: 1, maxLength: 5 }),
  }).map(({ payments, said, acts }) => ({
    payments,
    acts,
    labels: said.map(({ payment, at, after, ...label }, offset) => ({
      ...label,
      // The last payments have none.
      transactionId: payments[payment % (payments.length - 1)].id,
      knownAt: KNOWN_AT[at],
      knownTime: KNOWN_AT[Math.min(KNOWN_AT.length - 1, at + after)],
      // The labels of a payment are in one partition.
      partition: payment % (payments.length - 1) % 3,
      offset: 2 * offset,
    })),
  }));
}

/** The label of each payment that counts, in the plainest form. */
function counting(
  labels: Iterable<StoredLabel>,
  asOf = "9999",
): Map<Own["id"], StoredLabel> {
  const newest = new Map<Own["id"], StoredLabel>();
  const inOrder = [...labels].sort((a, b) => a.offset - b.offset);
  for (const label of inOrder) {
    const before = newest.get(label.transactionId);
    if (label.knownTime > asOf) continue;
    if (before && before.knownAt > label.knownAt) continue;
    newest.set(label.transactionId, label);
  }
  return newest;
}

/** What a store should hold. */
class Oracle {
  readonly payments = new Map<Own["id"], Own>();
  readonly labels = new Map<number, StoredLabel>();

  /** The payments with the labels that count. */
  labelled(): Own[] {
    const known = counting(this.labels.values());
    return kept([...this.payments.values()]).map((own) => ({
      ...own,
      fraud: known.get(own.id)?.fraud ?? FRAUD_UNKNOWN,
    }));
  }
}

async function perform(
  store: Store,
  oracle: Oracle,
  { payments, labels }: Example,
  act: Act,
  shape: PaymentShape,
): Promise<void> {
  const own = act.payments.map((n) => payments[n % payments.length]);
  const said = act.labels.map((n) => labels[n % labels.length]);
  await Promise.all([
    store.write(rowsOf(own, shape)),
    store.labels().write(said),
  ]);
  for (const payment of own) oracle.payments.set(payment.id, payment);
  for (const label of said) oracle.labels.set(label.offset, label);
  if (act.clears === "labels") {
    await store.labels().clear("labels");
    oracle.labels.clear();
  }
  if (act.clears === "payments") {
    await store.clear("payments");
    oracle.payments.clear();
  }
}

async function allLabels(store: Store): Promise<StoredLabel[]> {
  const pages = store.labels().labels(undefined, (bad) => {
    throw new Error(`${bad.transactionId}: ${bad.problem}`);
  });
  return (await Array.fromAsync(pages)).flat()
    .sort((a, b) => a.offset - b.offset);
}

function byId<T>(all: ReadonlyMap<Own["id"], T>): [Own["id"], T][] {
  return [...all].sort(([a], [b]) => a < b ? -1 : 1);
}

/** Defines the tests of a kind of store. */
export function testLabels(options: LabelContractOptions): void {
  const { name, test, open, runs, shapes, frauds } = options;
  const features = HANDBOOK_FEATURES;
  for (const shape of shapes) {
    const what = `${name}, ${shape.transactionId} ids`;
    test(`${what}: TX_FRAUD is the label that counts, whatever is written first, again or at the same time`, async () => {
      await fc.assert(
        fc.asyncProperty(examples(shape), async (example) => {
          await using store = await open(features, shape);
          const oracle = new Oracle();
          for (const act of example.acts) {
            await perform(store, oracle, example, act, shape);
          }
          const expected = oracle.labelled();
          assert.deepEqual(await contents(store, features, shape), expected);
          const known = expected.filter(({ fraud }) => fraud === 1);
          const rows = expected.length;
          const status = { rows, frauds: known.length };
          assert.deepEqual(await store.status(), status);
          await store.verify();
          for (const own of expected.slice(0, 3)) {
            await findsPayment(store, own);
          }
          const ids = new Set(known.map(({ id }) => id));
          if (frauds) assert.deepEqual(new Set(await frauds(shape)), ids);
        }),
        { numRuns: runs },
      );
    });

    test(`${what}: every label is kept, and what was known at any time can be read`, async () => {
      await fc.assert(
        fc.asyncProperty(examples(shape), async (example) => {
          await using store = await open(features, shape);
          const labels = store.labels();
          await labels.write(example.labels);
          await labels.write(example.labels.slice(0, 5));
          assert.deepEqual(await allLabels(store), example.labels);
          assert.deepEqual(await labels.status(), {
            rows: example.labels.length,
          });
          const ids = kept([...example.payments]).map(({ id }) => id);
          for (const asOf of [undefined, ...KNOWN_AT, "2000-01-01 00:00:00"]) {
            assert.deepEqual(
              byId(await labels.newest(ids, asOf)),
              byId(counting(example.labels, asOf)),
              String(asOf),
            );
          }
          for (const { id } of kept([...example.payments])) {
            const own = example.labels.filter((label) =>
              label.transactionId === id
            );
            const found = await labels.ofPayment(id);
            assert.deepEqual(new Set(found), new Set(own));
            const counts = counting(own, undefined).get(id);
            assert.deepEqual(found.at(-1), counts);
          }
        }),
        { numRuns: runs },
      );
    });

    test(`${what}: labels have positions of their own, and name the last payment`, async () => {
      await using store = await open(features, shape);
      const labels = store.labels();
      assert.equal(await labels.isEmpty(), true);
      const [{ payments, labels: [label] }] = fc.sample(examples(shape), 1);
      const { transactionId: id } = label;
      const position = { ...positionOf("a", "labels", 0, 7), lastId: id };
      await labels.write([label], undefined, [position]);
      assert.deepEqual(await store.positions(), [position]);
      assert.equal(await labels.holds(id), true);
      assert.equal(await labels.holds(payments[payments.length - 1].id), false);
      assert.equal(await labels.isEmpty(), false);
      assert.equal(await store.isEmpty(), true, "no payment comes of a label");
      await labels.clear("labels");
      assert.deepEqual(await labels.positions(), []);
      assert.equal(await labels.holds(id), false);
    });
  }
}
