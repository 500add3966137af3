import assert from "node:assert/strict";
import {
  dayOf,
  examplesOf,
  lastDayOf,
  PaymentsBuilder,
  rowsOfDays,
  scoreRows,
} from "../../../src/learning/data/payments.ts";
import { emptyPayment } from "../../../src/payment/payment.ts";
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
  const builder = new PaymentsBuilder(["TX_AMOUNT"], 0, 2);
  for (const day of [0, 1, 2, 4]) {
    builder.startDay(day, 1);
    builder.add({ ...emptyPayment(), timeSeconds: day * 86_400 }, []);
  }
  const payments = builder.finish();
  assert.deepEqual([0].map((row) => dayOf(payments, row)), [4]);
  assert.equal(payments.rows, 1);
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
