import assert from "node:assert/strict";
import fc from "fast-check";
import { TrainingWindow } from "../../../src/learning/data/training_window.ts";
import { emptyPayment } from "../../../src/payment/payment.ts";

const DAY = 86_400;
const INPUTS = ["TX_AMOUNT", "ONE", "TWO"];

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
          window.add(
            {
              ...emptyPayment(),
              transactionId: id,
              customerId: card,
              timeSeconds: day * DAY + 7,
              fraud,
              amount,
            },
            Float64Array.of(0, amount + 1, amount + 2),
            1,
          );
        }
        for (const [id, label] of verdicts) window.judge(id, label);
        const decided = new Map(verdicts);
        const wanted = all.filter(({ day }) => day >= from && day < to)
          .sort((a, b) => a.day - b.day || a.id - b.id);
        const found = window.payments(from, to, 0);
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
  const window = new TrainingWindow(INPUTS, 100);
  const payment = { ...emptyPayment() };
  for (let id = 0; id < 300; id++) {
    payment.transactionId = id;
    payment.timeSeconds = Math.floor(id / 30) * DAY;
    window.add(payment, new Float64Array(2), 0);
    assert.ok(window.rows <= 100);
  }
  const kept = window.payments(0, 100, 0);
  assert.equal(kept.transactionId[kept.rows - 1], 299);
  assert.ok(kept.rows > 60);
});

Deno.test("days that were let go do not come back", () => {
  const window = new TrainingWindow(INPUTS);
  window.dropBefore(3);
  const payment = { ...emptyPayment(), timeSeconds: 2 * DAY };
  window.add(payment, new Float64Array(2), 0);
  assert.equal(window.rows, 0);
  payment.timeSeconds = 3 * DAY;
  window.add(payment, new Float64Array(2), 0);
  assert.equal(window.rows, 1);
});
