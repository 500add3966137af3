/**
 * Labels that arrive later in a training window, against a plain oracle of the
 * rule; windows that use a label too early do not pass.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { LateLabel } from "../../../src/learning/data/late_labels.ts";
import { transactionIds } from "../../../src/learning/data/payments.ts";
import { TrainingWindow } from "../../../src/learning/data/training_window.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../../../src/payment/payment_cells.ts";
import {
  type IdKind,
  UNLABELLED_SHAPE,
} from "../../../src/payment/payment_shape.ts";
import { compareIds, TextHeap } from "../../../src/payment/text_heap.ts";
import { isLong } from "../../long.ts";
import {
  fraudCell,
  labelAt,
  labelRecords,
  type RandomPayment,
  randomPayments,
  TICK,
} from "./label_oracle.ts";

const DAY = 86_400;
const DAYS = 6;

/** What is asked of a window. */
interface Question {
  readonly asOf: number;
  readonly matureSeconds: number;
  readonly from: number;
  readonly to: number;
  /** Which of payments and labels come first, by turns. */
  readonly order: readonly number[];
}

const questions = fc.record({
  asOf: fc.tuple(fc.nat(8 * DAYS), fc.integer({ min: -1, max: 1 }))
    .map(([ticks, seconds]) => ticks * TICK + seconds),
  matureSeconds: fc.integer({ min: 0, max: 3 }).map((days) => days * DAY),
  from: fc.nat(DAYS),
  to: fc.nat(DAYS),
  order: fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }),
});

/** Changes each label on its way into a window: a mistake that was planted. */
type Mistake = (label: LateLabel) => LateLabel;

const NONE: Mistake = (label) => label;

/** Ids as they are, or as texts. */
function idOf(id: number, kind: IdKind): number | string {
  return kind === "text" ? `T-${id % 7}-${id}` : id;
}

/** Ids and labels of the rows that a window gives, whatever comes first. */
function fromWindow(
  payments: readonly RandomPayment[],
  { asOf, matureSeconds, from, to, order }: Question,
  kind: IdKind,
  mistake: Mistake,
): [number | string, number][] {
  const shape = { ...UNLABELLED_SHAPE, transactionId: kind };
  const window = new TrainingWindow(["TX_AMOUNT"], { shape, matureSeconds });
  const texts = new TextHeap();
  const cellOf = (id: number) => {
    texts.clear();
    const value = idOf(id, kind);
    return typeof value === "string" ? texts.addText(value) : value;
  };
  const labels = labelRecords(payments);
  const rows = payments.map(({ id, card, time }) => () => {
    const cells = new Float64Array(PAYMENT_CELLS);
    cells[CELL.id] = cellOf(id);
    cells[CELL.customer] = card;
    cells[CELL.time] = time;
    cells[CELL.fraud] = FRAUD_UNKNOWN;
    window.add(cells, texts);
  });
  // Each card's labels are in a partition of their own, in their order.
  const partitions = [0, 1, 2].map((partition) =>
    labels.filter(({ payment }) => payment.card % 3 === partition)
      .map(({ id, knownAt, knownTime, fraud, payment: { time } }) => () => {
        const label = {
          id: cellOf(id),
          day: Math.floor(time / DAY),
          knownAt,
          knownTime,
          fraud: fraudCell(fraud),
          partition,
        };
        window.label(mistake(label), texts);
      })
  );
  const queues = [rows, ...partitions];
  for (let turn = 0; queues.some((queue) => queue.length > 0); turn++) {
    const queue = queues[order[turn % order.length]];
    (queue.length > 0 ? queue : queues.find(({ length }) => length > 0))
      ?.shift()?.();
  }
  const found = window.payments(from, to, { startSeconds: 0, asOf });
  const idOfRow = transactionIds(found);
  return [...found.labels].map((label, row) => [idOfRow(row), label]);
}

function fromOracle(
  payments: readonly RandomPayment[],
  { asOf, matureSeconds, from, to }: Question,
  kind: IdKind,
): [number | string, number][] {
  const labels = labelRecords(payments);
  const dayOf = (time: number) => Math.floor(time / DAY);
  return payments
    .filter(({ time }) => dayOf(time) >= from && dayOf(time) < to)
    .sort((a, b) =>
      dayOf(a.time) - dayOf(b.time) ||
      compareIds(idOf(a.id, kind), idOf(b.id, kind))
    )
    .flatMap((payment): [number | string, number][] => {
      const label = labelAt(labels, payment, { asOf, matureSeconds });
      return label === undefined ? [] : [[idOf(payment.id, kind), label]];
    });
}

function property(mistake: Mistake) {
  return fc.property(
    randomPayments(DAYS),
    questions,
    fc.constantFrom<IdKind>("number", "text"),
    (payments, question, kind) => {
      assert.deepEqual(
        fromWindow(payments, question, kind, mistake),
        fromOracle(payments, question, kind),
      );
    },
  );
}

Deno.test("a window has the labels that were known at a time, in whatever order they came, as the plain rule has them", () => {
  fc.assert(property(NONE), { numRuns: isLong ? 20_000 : 1000 });
});

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "KNOWN_TIME is ignored": (label) => ({ ...label, knownTime: 0 }),
  "KNOWN_AT is taken for KNOWN_TIME": (label) => {
    return { ...label, knownTime: label.knownAt };
  },
  "a label is known a second early": (label) => {
    return { ...label, knownTime: label.knownTime - 1 };
  },
  "the newest record counts": (label) => ({ ...label, knownAt: 0 }),
  "what withdraws a label says that it is none": (label) => {
    return { ...label, fraud: Math.max(0, label.fraud) };
  },
};

for (const [name, mistake] of Object.entries(MISTAKES)) {
  Deno.test(`a window in which ${name} does not pass that test`, () => {
    assert.ok(fc.check(property(mistake), { numRuns: 20_000 }).failed);
  });
}
