import assert from "node:assert/strict";
import fc from "fast-check";
import { Ledger } from "../../src/stream/ledger.ts";
import { emptyPayment, type Payment } from "../../src/payment/payment.ts";

const KEEP = 100;

function row(
  transactionId: number,
  timeSeconds: number,
  more: Partial<Payment> = {},
): Payment {
  return { ...emptyPayment(), transactionId, timeSeconds, ...more };
}

Deno.test("a payment that was not added is new", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  assert.equal(ledger.compare(row(2, 10), 10), "new");
});

Deno.test("a payment with all fields of one added is a duplicate", () => {
  const ledger = new Ledger(KEEP);
  const payment = row(1, 10, { customerId: 3, amount: 285.79999999999995 });
  ledger.add(payment, 10, 0);
  assert.equal(ledger.compare({ ...payment }, 10), "duplicate");
});

Deno.test("a payment with the id of one added and any other field is conflicting", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  const others: Partial<Payment>[] = [
    { datetimeSeconds: 1 },
    { customerId: 1 },
    { terminalId: 1 },
    { amount: 0.01 },
    { timeSeconds: 11 },
    { fraud: 1 },
    { scenario: 1 },
  ];
  for (const other of others) {
    assert.equal(
      ledger.compare({ ...row(1, 10), ...other }, 10),
      "conflicting",
      JSON.stringify(other),
    );
  }
});

Deno.test("a payment is known for less than the keep behind the progress", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  assert.equal(ledger.compare(row(1, 10), 10 + KEEP - 1), "duplicate");
  assert.equal(ledger.compare(row(1, 10), 10 + KEEP), "new");
});

Deno.test("a payment is known for less than the keep behind the one compared", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  assert.equal(ledger.compare(row(1, 10 + KEEP - 1), 10), "conflicting");
  assert.equal(ledger.compare(row(1, 10 + KEEP), 10), "new");
});

Deno.test("an id used anew long after is compared with its newest payment", () => {
  const ledger = new Ledger(KEEP);
  ledger.add(row(1, 10), 10, 0);
  ledger.add(row(1, 500), 500, 0);
  assert.equal(ledger.compare(row(1, 500), 500), "duplicate");
  ledger.add(row(2, 505), 505, 0);
  assert.equal(ledger.compare(row(1, 500), 505), "duplicate");
});

Deno.test("what is too old for any comparison is let go", () => {
  const ledger = new Ledger(KEEP);
  for (let time = 0; time < 100_000; time++) {
    ledger.add(row(time, time), time, 0);
    assert.ok(ledger.size <= KEEP);
  }
  assert.equal(ledger.size, KEEP);
});

Deno.test("the ledger equals a list of all accepted payments, growing and shrinking", () => {
  const step = fc.record({
    id: fc.nat(12),
    step: fc.oneof(
      { weight: 8, arbitrary: fc.nat(2) },
      { weight: 1, arbitrary: fc.integer({ min: 20, max: 250 }) },
    ),
    back: fc.nat(10),
    customerId: fc.nat(1),
    burst: fc.oneof(
      { weight: 20, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constant(700) },
    ),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const ledger = new Ledger(KEEP);
      const accepted: Payment[] = [];
      let progress = 10;
      let burstId = 1000;
      const add = (payment: Payment) => {
        progress = Math.max(progress, payment.timeSeconds);
        ledger.add(payment, progress, accepted.length);
        accepted.push(payment);
      };
      for (const { id, step, back, customerId, burst } of steps) {
        for (let i = 0; i < burst; i++) add(row(burstId++, progress));
        const payment = row(id, progress + step - back, { customerId });
        const newest = Math.max(progress, payment.timeSeconds);
        const known = accepted.findLast((one) => one.transactionId === id);
        const expected = !known || known.timeSeconds <= newest - KEEP
          ? "new"
          : known.timeSeconds === payment.timeSeconds &&
              known.customerId === customerId
          ? "duplicate"
          : "conflicting";
        assert.equal(ledger.compare(payment, progress), expected);
        if (known && expected !== "new") {
          assert.equal(ledger.knownOffset, accepted.indexOf(known));
        }
        if (expected === "new") add(payment);
      }
    }),
    { numRuns: 300 },
  );
});
