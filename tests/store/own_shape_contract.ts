/**
 * What every store promises of streams with a definition: ids that are texts or
 * large numbers, kept fields, refunds, labels that are not known. The oracle is
 * a map of plain objects in the order of the ids' bytes.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  featureCount,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../../src/payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type IdKind,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../src/payment/prediction.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import type { PredictionStore } from "../../src/store/predictions.ts";
import type { Store, StoreRows } from "../../src/store/store.ts";
import { positionOf } from "./store_contract.ts";

/** Text ids, kept fields of all kinds (one named as a word of SQL), refunds in yen; no labels. */
export const TEXT_SHAPE: PaymentShape = {
  transactionId: "text",
  customerId: "text",
  terminalId: "text",
  decimals: 0,
  currency: "JPY",
  refunds: true,
  hasFraud: false,
  hasScenario: false,
  hasLabels: false,
  kept: [
    { name: "Order", type: "text" },
    { name: "city_pop", type: "number" },
    { name: "is_new", type: "flag" },
    { name: "since", type: "time" },
  ],
};

/** Numbers for ids beyond 2^31, a text that is kept, labels in the payments. */
export const NUMBER_SHAPE: PaymentShape = {
  ...HANDBOOK_SHAPE,
  hasScenario: false,
  kept: [{ name: "category", type: "text" }],
};

type Id = number | string;

/** A payment of a shape as a plain object. */
export interface Own {
  readonly id: Id;
  readonly customer: Id;
  readonly terminal: Id;
  readonly seconds: number;
  readonly amount: number;
  readonly fraud: number;
  readonly scenario: number;
  readonly values: readonly number[];
  /** As a store holds them. */
  readonly kept: readonly (number | string | null)[];
}

/** Midnight of the first day, seconds since 1970. */
export const START = 1_522_540_800;

/** Ids of 1 to 128 bytes: long numbers, quotes, what sorts otherwise in UTF-16, and any other. */
const TEXT_ID: fc.Arbitrary<string> = fc.oneof(
  fc.bigInt({ min: 10n ** 18n, max: 10n ** 19n - 1n }).map(String),
  fc.constantFrom("'", '"; DROP', "a", "aa", "b\\", "0", "00", "-1", "NULL"),
  fc.constantFrom(
    "😀",
    "\uE000",
    "é",
    "e\u0301",
    "x".repeat(128),
    "😀".repeat(32),
  ),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    .filter((text) => !/[\p{Cc}\p{Cs}\uFFFD]/u.test(text)),
);

function idOf(kind: IdKind): fc.Arbitrary<Id> {
  return kind === "text" ? TEXT_ID : fc.maxSafeNat();
}

function keptOf(
  { kept }: PaymentShape,
): fc.Arbitrary<(number | string | null)[]> {
  const one = {
    text: TEXT_ID,
    number: fc.double({ noNaN: true, noDefaultInfinity: true })
      .map((value) => value + 0),
    flag: fc.nat(1),
    time: fc.integer({ min: -1e9, max: 4e9 }).map(formatDatetime),
  };
  return fc.tuple(
    ...kept.map(({ type }) => fc.option<number | string>(one[type])),
  );
}

/** Payments of a shape, and the values of their features. */
export function ownPayments(
  features: FeatureParameters,
  shape: PaymentShape,
): fc.Arbitrary<Own[]> {
  const own = fc.record({
    id: idOf(shape.transactionId),
    customer: idOf(shape.customerId),
    terminal: idOf(shape.terminalId),
    seconds: fc.nat(400 * DAY_SECONDS),
    amount: shape.refunds
      ? fc.integer({ min: -1e6, max: 1e6 })
      : fc.nat(1e6).map((cents) => cents / 100),
    fraud: shape.hasFraud ? fc.nat(1) : fc.constant(FRAUD_UNKNOWN),
    scenario: fc.constant(0),
    values: fc.array(fc.nat(1), {
      minLength: featureCount(features),
      maxLength: featureCount(features),
    }),
    kept: keptOf(shape),
  }, { noNullPrototype: true });
  return fc.array(own, { maxLength: 50 });
}

/** Puts a value into a cell. */
function cellOf(
  value: number | string | null,
  isTime: boolean,
  texts: TextHeap,
) {
  if (isTime) return value === null ? NaN : Date.parse(`${value}Z`) / 1000;
  return typeof value === "string" ? texts.addText(value) : value;
}

/** Rows as a store takes them. */
export function rowsOf(all: readonly Own[], shape: PaymentShape): StoreRows {
  const values = all[0]?.values.length ?? 0;
  const width = PAYMENT_CELLS + values + shape.kept.length;
  const cells = new Float64Array(all.length * width);
  const texts = new TextHeap();
  texts.addText("before"); // no text begins at 0
  for (const [row, own] of all.entries()) {
    const at = row * width;
    cells[at + CELL.id] = cellOf(own.id, false, texts) ?? NaN;
    cells[at + CELL.datetime] = START + own.seconds;
    cells[at + CELL.customer] = cellOf(own.customer, false, texts) ?? NaN;
    cells[at + CELL.terminal] = cellOf(own.terminal, false, texts) ?? NaN;
    cells[at + CELL.amount] = own.amount;
    cells[at + CELL.time] = own.seconds;
    cells[at + CELL.fraud] = own.fraud;
    cells[at + CELL.scenario] = own.scenario;
    cells.set(own.values, at + PAYMENT_CELLS);
    for (const [i, { type }] of shape.kept.entries()) {
      const none = type === "text" ? NO_TEXT : NaN;
      cells[at + PAYMENT_CELLS + values + i] =
        cellOf(own.kept[i], type === "time", texts) ?? none;
    }
  }
  return { cells, count: all.length, texts };
}

/** The value of an id's cell. */
function idIn(cell: number, kind: IdKind, texts: TextHeap | undefined): Id {
  return kind === "text" ? texts?.text(cell) ?? "no text" : cell;
}

/** All rows of a store. */
export async function contents(
  store: Store,
  features: FeatureParameters,
  shape: PaymentShape,
): Promise<Own[]> {
  const values = featureCount(features);
  const width = PAYMENT_CELLS + values + shape.kept.length;
  const all: Own[] = [];
  for await (const { cells, count, texts } of store.rows()) {
    for (let at = 0; at < count * width; at += width) {
      assert.equal(cells[at + CELL.datetime], START + cells[at + CELL.time]);
      all.push({
        id: idIn(cells[at + CELL.id], shape.transactionId, texts),
        customer: idIn(cells[at + CELL.customer], shape.customerId, texts),
        terminal: idIn(cells[at + CELL.terminal], shape.terminalId, texts),
        seconds: cells[at + CELL.time],
        amount: cells[at + CELL.amount],
        fraud: cells[at + CELL.fraud],
        scenario: cells[at + CELL.scenario],
        values: [...cells.subarray(at + 8, at + 8 + values)],
        kept: shape.kept.map(({ type }, i) => {
          const cell = cells[at + PAYMENT_CELLS + values + i];
          if (type === "text") return texts?.text(cell) ?? null;
          if (Number.isNaN(cell)) return null;
          return type === "time" ? formatDatetime(cell) : cell;
        }),
      });
    }
  }
  return all;
}

/** The last of each id, in the order of numbers, or of texts by their bytes. */
export function kept(all: readonly Own[]): Own[] {
  return [...new Map(all.map((own) => [own.id, own])).values()]
    .sort((a, b) => compareIds(a.id, b.id));
}

function compareIds(a: Id, b: Id): number {
  return typeof a === "number" && typeof b === "number"
    ? a - b
    : Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

/** How a kind of store is tested. */
export interface OwnShapeOptions {
  /** What comes before the names of the tests. */
  readonly name: string;
  /** Defines a test. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Opens an empty store. */
  readonly open: (
    features: FeatureParameters,
    shape: PaymentShape,
  ) => Promise<Store>;
  /** How many random examples are worth their time. */
  readonly runs: number;
}

/** Defines the tests of a kind of store. */
export function testOwnShapes(options: OwnShapeOptions): void {
  const { name, test, open, runs } = options;
  const features = HANDBOOK_FEATURES;
  const shapes = { "text ids": TEXT_SHAPE, "large numbers": NUMBER_SHAPE };
  for (const [what, shape] of Object.entries(shapes)) {
    test(`${name}, ${what}: rows and kept fields come back as they were, in the order of the ids' bytes`, async () => {
      const two = fc.tuple(
        ownPayments(features, shape),
        ownPayments(features, shape),
      );
      await fc.assert(
        fc.asyncProperty(two, async ([first, second]) => {
          await using store = await open(features, shape);
          await store.write(rowsOf(first, shape));
          await store.write(rowsOf(second, shape));
          // Written again, some ids have other values.
          const again = first.map((own, i) => ({ ...own, seconds: i }));
          await store.write(rowsOf(again, shape));
          const expected = kept([...first, ...second, ...again]);
          assert.deepEqual(await contents(store, features, shape), expected);
          const frauds = expected.filter(({ fraud }) => fraud === 1).length;
          const rows = expected.length;
          assert.deepEqual(await store.status(), { rows, frauds });
          for (const own of expected.slice(0, 3)) {
            await findsPayment(store, own);
          }
        }),
        { numRuns: runs },
      );
    });

    test(`${name}, ${what}: positions name the last row, which is looked for`, async () => {
      const [[own]] = fc.sample(
        ownPayments(features, shape).filter((all) => all.length > 0),
        1,
      );
      await using store = await open(features, shape);
      const position = { ...positionOf("a", "sink", 0, 7), lastId: own.id };
      await store.write(rowsOf([own], shape), undefined, [position]);
      assert.deepEqual(await store.positions(), [position]);
      assert.equal(await store.holds(own.id), true);
      const other = typeof own.id === "number" ? own.id - 1 : `${own.id} `;
      assert.equal(await store.holds(other), false);
      await store.clear("sink");
      assert.deepEqual(await store.positions(), []);
      assert.equal(await store.holds(own.id), false);
    });

    test(`${name}, ${what}: predictions come back as they were, in the order of the ids' bytes`, async () => {
      await fc.assert(
        fc.asyncProperty(ownPayments(features, shape), async (all) => {
          await using store = await open(features, shape);
          const predictions = store.predictions();
          await predictions.write(predictionsOf(all, shape));
          await predictions.write(predictionsOf(all.slice(0, 3), shape));
          assert.deepEqual(
            await predicted(predictions, shape),
            // The one that was written last stays.
            kept([...all, ...all.slice(0, 3)]).map((
              { id, customer, terminal, amount },
            ) => ({ id, customer, terminal, amount, why: whyOf(id) })),
          );
        }),
        { numRuns: runs },
      );
    });
  }
}

/** Looks a payment up by its id, and by its card and its terminal. */
export async function findsPayment(store: Store, own: Own): Promise<void> {
  const lookUp = store.lookUp();
  const found = await lookUp.payment(own.id);
  assert.deepEqual(found?.kept, own.kept);
  assert.deepEqual(found?.features, own.values);
  const payment = {
    transactionId: own.id,
    customerId: own.customer,
    terminalId: own.terminal,
    amount: own.amount,
    timeSeconds: own.seconds,
    fraud: own.fraud,
    scenario: own.scenario,
    datetime: formatDatetime(START + own.seconds),
  };
  assert.deepEqual(found?.payment, payment);
  const range = { fromSeconds: own.seconds, toSeconds: own.seconds, limit: 99 };
  for (
    const others of [
      await lookUp.ofCustomer(own.customer, range),
      await lookUp.ofTerminal(own.terminal, range),
    ]
  ) {
    const same = others.filter(({ transactionId }) => transactionId === own.id);
    assert.deepEqual(same, [payment]);
  }
}

/** Every other prediction is explained. */
function whyOf(id: Id): string | null {
  return String(id).length % 2 === 0
    ? `{"TX_AMOUNT":${String(id).length}}`
    : null;
}

function predictionsOf(
  all: readonly Own[],
  shape: PaymentShape,
): PredictionRows {
  const rows = emptyPredictions(all.length);
  const payments = rowsOf(all, shape);
  const width = PAYMENT_CELLS + (all[0]?.values.length ?? 0) +
    shape.kept.length;
  if (payments.texts) {
    rows.texts.append(payments.texts.bytes, payments.texts.length);
  }
  for (const [row, { id }] of all.entries()) {
    const at = row * PREDICTION_CELLS;
    const from = row * width;
    rows.cells.set(payments.cells.subarray(from, from + CELL.fraud), at);
    rows.cells[at + PREDICTION_CELL.score] = 0.25;
    rows.cells[at + PREDICTION_CELL.alert] = 1;
    rows.versions[row] = "0123456789ab";
    rows.contributions[row] = whyOf(id);
  }
  rows.count = all.length;
  return rows;
}

async function predicted(
  store: PredictionStore,
  shape: PaymentShape,
): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { cells, count, texts, contributions } of store.rows()) {
    for (let row = 0; row < count; row++) {
      const at = row * PREDICTION_CELLS;
      assert.equal(cells[at + PREDICTION_CELL.score], 0.25);
      all.push({
        id: idIn(cells[at], shape.transactionId, texts),
        customer: idIn(cells[at + CELL.customer], shape.customerId, texts),
        terminal: idIn(cells[at + CELL.terminal], shape.terminalId, texts),
        amount: cells[at + CELL.amount],
        why: contributions[row],
      });
    }
  }
  return all;
}
