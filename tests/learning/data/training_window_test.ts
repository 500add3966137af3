import assert from "node:assert/strict";
import fc from "fast-check";
import { TrainingWindow } from "../../../src/learning/data/training_window.ts";
import { CELL, PAYMENT_CELLS } from "../../../src/payment/payment_cells.ts";
import { TextHeap } from "../../../src/payment/text_heap.ts";

const DAY = 86_400;
const INPUTS = ["TX_AMOUNT", "ONE", "TWO"];
const NO_TEXTS = new TextHeap();
const KNOWN = { startSeconds: 0, asOf: Infinity };

/** A payment's row of cells with two features. */
function rowOf(
  values: Partial<Record<keyof typeof CELL, number>>,
  features: readonly number[] = [0, 0],
): Float64Array {
  const cells = new Float64Array(PAYMENT_CELLS + features.length);
  for (const name of Object.keys(values) as (keyof typeof CELL)[]) {
    cells[CELL[name]] = values[name] ?? 0;
  }
  cells.set(features, PAYMENT_CELLS);
  return cells;
}

const rows = fc.uniqueArray(
  fc.record({
    id: fc.nat(10_000),
    card: fc.nat(5),
    day: fc.nat(9),
    fraud: fc.nat(1),
    amount: fc.nat(1000),
  }),
  { selector: ({ id }) => id, maxLength: 60 },
);

Deno.test("what a window gives is the days asked for, sorted, with verdicts instead of labels", () => {
  fc.assert(
    fc.property(
      rows,
      fc.array(fc.tuple(fc.nat(10_000), fc.option(fc.nat(1)))),
      fc.nat(10),
      fc.nat(10),
      (all, verdicts, from, to) => {
        const window = new TrainingWindow(INPUTS);
        for (const { id, card, day, fraud, amount } of all) {
          const time = day * DAY + 7;
          const values = { id, customer: card, time, fraud, amount };
          window.add(rowOf(values, [amount + 1, amount + 2]), NO_TEXTS);
        }
        for (const [id, label] of verdicts) window.judge(id, label);
        const decided = new Map(verdicts);
        const wanted = all.filter(({ day }) => day >= from && day < to)
          .sort((a, b) => a.day - b.day || a.id - b.id);
        const found = window.payments(from, to, KNOWN);
        assert.deepEqual([...found.transactionId], wanted.map((r) => r.id));
        assert.deepEqual([...found.card], wanted.map((r) => r.card));
        assert.deepEqual(
          [...found.labels],
          wanted.map(({ id, fraud }) => decided.get(id) ?? fraud),
        );
        assert.deepEqual(
          found.columns.map((column) => [...column]),
          [0, 1, 2].map((more) => wanted.map(({ amount }) => amount + more)),
        );
      },
    ),
  );
});

Deno.test("a window holds no more rows than it may: the oldest days go", () => {
  const window = new TrainingWindow(INPUTS, { rowsMax: 100 });
  for (let id = 0; id < 300; id++) {
    window.add(rowOf({ id, time: Math.floor(id / 30) * DAY }), NO_TEXTS);
    assert.ok(window.rows <= 100);
  }
  const kept = window.payments(0, 100, KNOWN);
  assert.equal(kept.transactionId[kept.rows - 1], 299);
  assert.ok(kept.rows > 60);
});

Deno.test("days that were let go do not come back", () => {
  const window = new TrainingWindow(INPUTS);
  window.dropBefore(3);
  window.add(rowOf({ time: 2 * DAY }), NO_TEXTS);
  assert.equal(window.rows, 0);
  window.add(rowOf({ time: 3 * DAY }), NO_TEXTS);
  assert.equal(window.rows, 1);
});
