/** Declared aggregates, against a plain list of payments that is filtered anew for each. */
import assert from "node:assert/strict";
import type { Aggregate } from "../../src/definition/feature_declarations.ts";
import type { ResolvedAggregate } from "../../src/features/declared_features.ts";
import {
  type DeclaredLayout,
  DeclaredOperator,
} from "../../src/features/declared_operator.ts";
import { CELL, PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { chance, forEachSeed } from "../long.ts";
import { StatePieces } from "./state_pieces.ts";

const SHAPE: PaymentShape = {
  ...HANDBOOK_SHAPE,
  customerId: "text",
  refunds: true,
  kept: [
    { name: "category", type: "text" },
    { name: "online", type: "flag" },
    { name: "weight", type: "number" },
  ],
};
const SLACK = 600;
const LAYOUT: DeclaredLayout = {
  shape: SHAPE,
  keptFrom: PAYMENT_CELLS,
  slackSeconds: SLACK,
  graceSeconds: undefined,
};

/** A payment as people see it. */
interface Plain {
  readonly CUSTOMER_ID: string;
  readonly TERMINAL_ID: number;
  readonly TX_AMOUNT: number;
  readonly TX_FRAUD: number;
  readonly category: string | null;
  readonly online: number | null;
  readonly weight: number | null;
  readonly time: number;
}

const FRAUD: Plain = {
  ...{ CUSTOMER_ID: "a", TERMINAL_ID: 1, TX_AMOUNT: 1, TX_FRAUD: 1 },
  ...{ category: null, online: null, weight: null, time: 0 },
};

type Fields = Readonly<Record<string, string | number | null>>;

const CONDITIONS: Readonly<Record<string, (payment: Plain) => boolean>> = {
  "TX_AMOUNT > 5": ({ TX_AMOUNT }) => TX_AMOUNT > 5,
  "category in ['food', 'fuel'] && !online": ({ category, online }) =>
    (category === "food" || category === "fuel") && online !== 1,
};

/** The value of an aggregate for the payment that comes last. */
function plainValue(
  one: ResolvedAggregate,
  payments: readonly Plain[],
): number {
  const own = payments[payments.length - 1];
  const keyOf = (payment: Plain) =>
    one.by.map((field) => (payment as unknown as Fields)[field]);
  const key = keyOf(own);
  const to = own.time - one.delaySeconds;
  const matching = key.includes(null) ? [] : payments
    .filter((payment) => {
      const of = (payment as unknown as Fields)[one.of];
      return JSON.stringify(keyOf(payment)) === JSON.stringify(key) &&
        (one.where === undefined || CONDITIONS[one.where](payment)) &&
        (one.of === "payments" || of !== null);
    });
  const looksBefore = !one.includeSelf || one.kind === "seconds_since";
  const counted = matching.filter((payment) => !looksBefore || payment !== own);
  const isRecent = ["min", "max", "distinct", "seconds_since"]
    .includes(one.kind);
  const seen = isRecent
    ? counted.map((payment, at) => ({ payment, at }))
      .sort((a, b) => a.payment.time - b.payment.time || a.at - b.at)
      .slice(-1024).map(({ payment }) => payment)
    : counted;
  const inWindow = seen.filter(({ time }) =>
    time > to - one.overSeconds && time <= to
  );
  const values = inWindow.map((payment) =>
    (payment as unknown as Fields)[one.of]
  );
  const units = values.map((value) => Math.round(Number(value) * one.scale));
  const sum = units.reduce((a, b) => a + b, 0);
  const { length } = values;
  switch (one.kind) {
    case "count":
      return length;
    case "sum":
      return sum / one.scale;
    case "mean":
      return length === 0 ? NaN : sum / length / one.scale;
    case "min":
      return length === 0 ? NaN : Math.min(...values.map(Number));
    case "max":
      return length === 0 ? NaN : Math.max(...values.map(Number));
    case "distinct":
      return new Set(values).size;
    case "share":
      return length === 0
        ? 0
        : inWindow.filter((payment) =>
          (payment as unknown as Fields)[one.of] === 1 &&
          payment.time <= own.time - one.labelDelaySeconds
        ).length / length;
    case "seconds_since":
      return length === 0
        ? NaN
        : own.time - Math.max(...inWindow.map(({ time }) => time));
  }
}

type Chance = () => number;

function pick<T>(random: Chance, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)];
}

const FIELDS: Readonly<Record<Aggregate, readonly string[]>> = {
  count: ["payments"],
  sum: ["TX_AMOUNT", "weight"],
  mean: ["TX_AMOUNT", "weight"],
  min: ["TX_AMOUNT", "weight"],
  max: ["TX_AMOUNT", "weight"],
  distinct: ["CUSTOMER_ID", "TERMINAL_ID", "category", "weight", "TX_AMOUNT"],
  share: ["TX_FRAUD", "online"],
  "seconds_since": ["payments"],
};

function randomAggregate(random: Chance, column: number): ResolvedAggregate {
  const kinds = Object.keys(FIELDS) as Aggregate[];
  const kind = pick(random, kinds);
  const of = pick(random, FIELDS[kind]);
  const delaySeconds = pick(random, [0, 0, 0, 60, 900]);
  return {
    column,
    kind,
    of,
    by: pick(random, [
      ["CUSTOMER_ID"],
      ["TERMINAL_ID"],
      ["CUSTOMER_ID", "category"],
      ["TERMINAL_ID", "online"],
    ]),
    overSeconds: pick(random, [1, 60, 300, 3600]),
    delaySeconds,
    labelDelaySeconds: of === "TX_FRAUD" ? pick(random, [0, 60, 300]) : 0,
    where: pick(random, [undefined, undefined, ...Object.keys(CONDITIONS)]),
    includeSelf: kind !== "seconds_since" &&
      (delaySeconds > 0 || random() < 0.7),
    scale: of === "TX_AMOUNT" ? 100 : 10,
  };
}

function randomPayment(random: Chance, progress: number): Plain {
  const late = random() < 0.2 ? Math.floor(random() * SLACK) : 0;
  return {
    CUSTOMER_ID: pick(random, ["a", "b", "ü", "aa"]),
    TERMINAL_ID: pick(random, [0, 1, 2 ** 40]),
    TX_AMOUNT: pick(random, [0, -3, 0.1, 5, 5.01, 700]),
    TX_FRAUD: random() < 0.2 ? 1 : 0,
    category: pick(random, [null, "food", "fuel", "food ", ""]),
    online: pick(random, [null, 0, 1]),
    weight: pick(random, [null, 0, 0.3, -1, 12.5]),
    time: Math.max(0, progress - late),
  };
}

function putRow(payment: Plain, cells: Float64Array, texts: TextHeap): void {
  texts.clear();
  cells[CELL.customer] = texts.addText(payment.CUSTOMER_ID);
  cells[CELL.terminal] = payment.TERMINAL_ID;
  cells[CELL.amount] = payment.TX_AMOUNT;
  cells[CELL.fraud] = payment.TX_FRAUD;
  cells[CELL.time] = payment.time;
  cells[PAYMENT_CELLS] = payment.category === null
    ? NO_TEXT
    : texts.addText(payment.category);
  cells[PAYMENT_CELLS + 1] = payment.online ?? NaN;
  cells[PAYMENT_CELLS + 2] = payment.weight ?? NaN;
}

Deno.test("a label in its payment counts once it is known, also in windows that end before that", () => {
  const shares = [100, 60, 40].map((
    overSeconds,
    column,
  ): ResolvedAggregate => ({
    ...{ column, kind: "share", of: "TX_FRAUD", by: ["TERMINAL_ID"] },
    ...{ overSeconds, delaySeconds: 0, labelDelaySeconds: 50 },
    ...{ where: undefined, includeSelf: true, scale: 1 },
  }));
  const operator = new DeclaredOperator(shares, LAYOUT);
  const cells = new Float64Array(PAYMENT_CELLS + SHAPE.kept.length);
  const texts = new TextHeap();
  const out = new Float64Array(shares.length);
  const seen = [100, 149, 150, 170, 201].map((time) => {
    putRow({ ...FRAUD, time }, cells, texts);
    operator.process(cells, 0, texts, time, out, 0);
    return [...out];
  });
  assert.deepEqual(seen, [
    ...[[0, 0, 0], [0, 0, 0]],
    // The first is known, of 3 payments in all windows but the shortest.
    ...[[1 / 3, 1 / 3, 0], [1 / 4, 0, 0]],
    // Two others are known, of 4 in both longer windows.
    [2 / 4, 2 / 4, 0],
  ]);
});

Deno.test("random aggregates over random payments are those of plain lists, through saves and loads", async () => {
  await forEachSeed(15, 1000, (seed) => {
    const random = chance(seed);
    const length = 1 + Math.floor(random() * 12);
    const aggregates = Array.from(
      { length },
      (_, column) => randomAggregate(random, column),
    );
    let operator = new DeclaredOperator(aggregates, LAYOUT);
    const payments: Plain[] = [];
    const cells = new Float64Array(PAYMENT_CELLS + SHAPE.kept.length);
    const texts = new TextHeap();
    const out = new Float64Array(length);
    let progress = 0;
    for (let step = 0; step < 250; step++) {
      progress += random() < 0.6 ? Math.floor(random() ** 3 * 400) : 0;
      const payment = randomPayment(random, progress);
      payments.push(payment);
      putRow(payment, cells, texts);
      operator.process(cells, 0, texts, progress, out, 0);
      for (const one of aggregates) {
        assert.equal(
          out[one.column],
          plainValue(one, payments),
          `payment ${step} of seed ${seed}: ${JSON.stringify(one)}`,
        );
      }
      if (random() > 0.01) continue;
      const pieces = new StatePieces();
      operator.save(pieces);
      operator = new DeclaredOperator(aggregates, LAYOUT);
      operator.load(pieces);
      assert.ok(pieces.isAtEnd);
    }
  });
});
