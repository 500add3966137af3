import assert from "node:assert/strict";
import { labelHandbookFrauds } from "../../src/simulator/handbook_frauds.ts";
import type { PaymentTable } from "../../src/payment/payment.ts";

const DAY = 86_400;

interface Row {
  day: number;
  customer: number;
  terminal: number;
  amount: number;
}

function tableOf(rows: Row[]): PaymentTable {
  return {
    firstId: 0,
    length: rows.length,
    customerId: Int32Array.from(rows, (row) => row.customer),
    terminalId: Int32Array.from(rows, (row) => row.terminal),
    amount: Float64Array.from(rows, (row) => row.amount),
    timeSeconds: Int32Array.from(rows, (row) => row.day * DAY + 1),
    scenario: new Uint8Array(rows.length),
  };
}

function label(rows: Row[], days: number): PaymentTable {
  const table = tableOf(rows);
  const dayStart = new Int32Array(days + 1);
  for (let day = 0; day <= days; day++) {
    dayStart[day] = rows.filter((row) => row.day < day).length;
  }
  const ids = { customers: 5000, terminals: 10_000 };
  labelHandbookFrauds({ table, dayStart, ...ids });
  return table;
}

/** A payment that no scenario touches, to make `day` a day with payments. */
function quiet(day: number): Row {
  return { day, customer: 0, terminal: 0, amount: 1 };
}

// pandas' samples with random_state 0: terminals 9394 and 898 of 10,000,
// customers 398, 3833 and 4836 of 5,000.

Deno.test("scenario 1 takes amounts above 220, not 220 itself", () => {
  const rows = [220, 220.01].map((amount) => ({ ...quiet(0), amount }));
  assert.deepEqual([...label(rows, 1).scenario], [0, 1]);
});

Deno.test("scenario 2 holds a terminal for 28 days from its start", () => {
  const rows = [0, 27, 28].map((day) => ({ ...quiet(day), terminal: 9394 }));
  assert.deepEqual([...label(rows, 29).scenario], [2, 2, 0]);
});

Deno.test("the last day with payments starts no scenario", () => {
  const row = { ...quiet(0), terminal: 9394 };
  assert.deepEqual([...label([row], 1).scenario], [0]);
  assert.deepEqual([...label([row, quiet(1)], 2).scenario], [2, 0]);
});

Deno.test("scenario 3 multiplies one in three payments of 14 days by 5", () => {
  const days = [0, 1, 2, 3, 12, 13];
  const rows = days.map((day) => ({ ...quiet(day), customer: 398 }));
  const table = label([...rows, { ...quiet(14), customer: 398 }], 15);
  const frauds = table.scenario.reduce((n, s) => n + (s === 3 ? 1 : 0), 0);
  assert.equal(frauds, 2);
  assert.equal(table.scenario[6], 0);
  table.scenario.forEach((scenario, i) =>
    assert.equal(table.amount[i], scenario === 3 ? 5 : 1)
  );
});

Deno.test("scenario 3 leaves two payments alone: a third of them is none", () => {
  const rows = [0, 1].map((day) => ({ ...quiet(day), customer: 398 }));
  assert.deepEqual([...label([...rows, quiet(2)], 3).scenario], [0, 0, 0]);
});

Deno.test("scenario 3 takes the place of 1 and 2 in the label", () => {
  const row = { day: 0, customer: 398, terminal: 9394, amount: 300 };
  const table = label([row, row, row, quiet(1)], 2);
  assert.deepEqual([...table.scenario].sort(), [0, 2, 2, 3]);
});

Deno.test("labelHandbookFrauds() of no payments adds none", () => {
  const ids = { customers: 5000, terminals: 10_000 };
  const dayStart = new Int32Array(4);
  assert.deepEqual(
    labelHandbookFrauds({ table: tableOf([]), dayStart, ...ids }),
    { amount: 0, terminal: 0, customer: 0 },
  );
});
