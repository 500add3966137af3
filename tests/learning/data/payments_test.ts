import assert from "node:assert/strict";
import {
  dayOf,
  examplesOf,
  type LabelledPayments,
  lastDayOf,
  PaymentsBuilder,
  rowsOfDays,
  scoreRows,
  transactionIds,
} from "../../../src/learning/data/payments.ts";
import { idsSum, rowsFingerprint } from "../../../src/learning/data/split.ts";
import {
  emptyPayment,
  type TransactionId,
} from "../../../src/payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../../src/payment/payment_shape.ts";
import { compareIds, TextHeap } from "../../../src/payment/text_heap.ts";
import { randomPayments, smallPayments } from "../small_payments.ts";

Deno.test("rowsOfDays() finds the rows of any days, also of none", () => {
  const payments = smallPayments([1, 1, 3, 6].map((day) => {
    return { day, card: 1, fraud: 0 };
  }));
  assert.deepEqual(rowsOfDays(payments, 0, 9), { from: 0, to: 4 });
  assert.deepEqual(rowsOfDays(payments, 1, 4), { from: 0, to: 3 });
  assert.deepEqual(rowsOfDays(payments, 2, 3), { from: 2, to: 2 });
  assert.deepEqual(rowsOfDays(payments, 7, 9), { from: 4, to: 4 });
  assert.deepEqual(rowsOfDays(payments, 3, 1), { from: 2, to: 2 });
  assert.equal(lastDayOf(payments), 6);
  assert.equal(lastDayOf(smallPayments([])), -1);
});

Deno.test("PaymentsBuilder keeps the last days alone", () => {
  const builder = new PaymentsBuilder(["TX_AMOUNT"], 0, { spanDays: 2 });
  for (const day of [0, 1, 2, 4]) {
    builder.startDay(day, 1);
    builder.add({ ...emptyPayment(), timeSeconds: day * 86_400 }, []);
  }
  const payments = builder.finish();
  assert.deepEqual([0].map((row) => dayOf(payments, row)), [4]);
  assert.equal(payments.rows, 1);
});

/** Payments with these ids and cards, two a day, of which the last days are kept. */
function withIds(
  shape: PaymentShape,
  rows: readonly { id: TransactionId; card: TransactionId }[],
  spanDays = Infinity,
): LabelledPayments {
  const options = { shape, spanDays };
  const builder = new PaymentsBuilder(["TX_AMOUNT"], 0, options);
  const texts = new TextHeap();
  const cell = (id: TransactionId) =>
    typeof id === "number" ? id : texts.addText(id);
  rows.forEach(({ id, card }, at) => {
    const day = at >> 1;
    if (at % 2 === 0) builder.startDay(day, 2);
    const payment = { ...emptyPayment(), timeSeconds: day * 86_400 };
    // The heap of a batch is used again for the next one.
    texts.clear();
    payment.transactionId = cell(id);
    payment.customerId = cell(card);
    builder.add(payment, [], 0, texts);
  });
  return structuredClone(builder.finish());
}

Deno.test("PaymentsBuilder keeps text ids, and equal and greater cards, of any kind", () => {
  const text: PaymentShape = {
    ...HANDBOOK_SHAPE,
    transactionId: "text",
    customerId: "text",
  };
  const large = 2 ** 53 - 1;
  const ofNumbers = [large, 3, 2 ** 32 + 3, 3, 2 ** 32, large, 2 ** 31];
  const ofTexts = ["card 2", "ä", "", "card 10", "ä", "\u{1f600}", "\uffee"];
  const cases = [
    { shape: { ...HANDBOOK_SHAPE }, cards: ofNumbers },
    { shape: { ...text, transactionId: "number" as const }, cards: ofTexts },
    { shape: text, cards: ofTexts },
  ];
  for (const { shape, cards } of cases) {
    const rows = cards.map((card, at) => {
      return { card, id: shape.transactionId === "text" ? `№ ${at}` : at };
    });
    for (const spanDays of [Infinity, 2]) {
      const kept = rows.slice(spanDays === 2 ? 4 : 0);
      const payments = withIds(shape, rows, spanDays);
      const idOf = transactionIds(payments);
      assert.deepEqual(kept.map((_, row) => idOf(row)), kept.map((r) => r.id));
      for (const [a, { card: left }] of kept.entries()) {
        for (const [b, { card: right }] of kept.entries()) {
          assert.equal(
            Math.sign(payments.card[a] - payments.card[b]),
            Math.sign(compareIds(left, right)),
            `${left} and ${right}`,
          );
        }
      }
    }
  }
});

Deno.test("rows with text ids are identified by their texts", () => {
  const shape: PaymentShape = { ...HANDBOOK_SHAPE, transactionId: "text" };
  const ids = (...list: string[]) =>
    withIds(shape, list.map((id) => ({ id, card: 1 })));
  const rows = Int32Array.of(0, 1);
  const sums = [ids("a", "b"), ids("a", "c"), ids("ab", "")].flatMap((one) => [
    idsSum(one, rows),
    rowsFingerprint(one, rows),
  ]);
  assert.equal(new Set(sums).size, 6);
  assert.equal(rowsFingerprint(ids("a", "b"), rows), sums[1]);
});

Deno.test("examplesOf() copies the rows, inputs and labels together", () => {
  const payments = smallPayments([
    { day: 0, card: 1, fraud: 0, amount: 5, features: [7] },
    { day: 0, card: 1, fraud: 1, amount: 6, features: [8] },
  ]);
  const { inputs, rows, columns, labels } = examplesOf(
    payments,
    Int32Array.of(1, 0, 1),
  );
  assert.deepEqual(inputs, ["TX_AMOUNT", "FEATURE"]);
  assert.equal(rows, 3);
  assert.deepEqual(columns.map((column) => [...column]), [[6, 5, 6], [
    8,
    7,
    8,
  ]]);
  assert.deepEqual([...labels], [1, 0, 1]);
});

Deno.test("scoreRows() scores each row by its inputs, whatever the batch, at once or later", async () => {
  const payments = randomPayments(3, 1000);
  const rows = Int32Array.from({ length: 2500 }, (_, at) => at + 100);
  for (const later of [false, true]) {
    const scores = await scoreRows(
      {
        inputs: payments.inputs,
        score(values, length, into) {
          for (let row = 0; row < length; row++) {
            into[row] = values[2 * row] + 1000 * values[2 * row + 1];
          }
          return later ? Promise.resolve() : undefined;
        },
      },
      payments,
      rows,
    );
    assert.deepEqual(
      [...scores],
      [...rows].map((row) =>
        payments.amount[row] + 1000 * payments.columns[1][row]
      ),
    );
  }
});
