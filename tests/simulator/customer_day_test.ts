import assert from "node:assert/strict";
import fc from "fast-check";
import { NumpyRandom } from "../../src/simulator/random/numpy_random.ts";
import { PythonRandom } from "../../src/simulator/random/python_random.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import {
  DAYS_MAX,
  drawCustomerDay,
  roundToCents,
} from "../../src/simulator/customer_day.ts";
import { PaymentColumns } from "../../src/simulator/payment_columns.ts";
import type { Customer } from "../../src/payment/payment.ts";
import reference from "../data/reference.json" with { type: "json" };

const customer: Customer = {
  customerId: 12,
  x: 1,
  y: 2,
  meanAmount: 50,
  stdAmount: 25,
  meanPaymentsPerDay: 3.5,
};

function chance(key: string) {
  return {
    numbers: new NumpyRandom(new SeededSource(key)),
    terminals: new PythonRandom(new SeededSource(`${key}/terminals`)),
  };
}

for (const [text, expected] of Object.entries(reference.vectors.round2)) {
  Deno.test(`roundToCents(${text}) is numpy's`, () => {
    assert.equal(roundToCents(Number(text)), expected);
  });
}

Deno.test("roundToCents() of whole cents changes nothing", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e9 }), (cents) => {
    assert.equal(roundToCents(cents / 100), cents / 100);
  }));
});

Deno.test("roundToCents() is never more than half a cent off", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (amount) => {
      assert.ok(Math.abs(roundToCents(amount) - amount) <= 0.005 + 1e-8);
    }),
  );
});

Deno.test("drawCustomerDay() keeps times inside the day and amounts in cents", () => {
  const columns = new PaymentColumns(16);
  const reach = Int32Array.of(5, 9);
  const draws = chance("fields");
  for (let i = 0; i < 2000; i++) {
    drawCustomerDay(customer, reach, 3, draws, columns);
  }
  for (let row = 0; row < columns.length; row++) {
    const second = columns.timeSeconds[row] - 3 * 86_400;
    assert.ok(second > 0 && second < 86_400);
    assert.ok(columns.amount[row] >= 0);
    assert.equal(roundToCents(columns.amount[row]), columns.amount[row]);
    assert.equal(columns.customerId[row], 12);
    assert.ok(reach.includes(columns.terminalId[row]));
  }
  // 3.5 a day, of which 3.1 % have a time outside the day.
  assert.ok(Math.abs(columns.length / 2000 - 3.5 * 0.969) < 0.2);
});

Deno.test("drawCustomerDay() without a terminal draws the numbers all the same", () => {
  const withTerminals = chance("reach");
  const without = chance("reach");
  const columns = new PaymentColumns(16);
  const dry = new PaymentColumns(16);
  for (let day = 0; day < 20; day++) {
    drawCustomerDay(customer, Int32Array.of(1), day, withTerminals, columns);
    drawCustomerDay(customer, new Int32Array(0), day, without, dry);
  }
  assert.ok(columns.length > 0);
  assert.equal(dry.length, 0);
  assert.equal(
    without.numbers.uniform(0, 1),
    withTerminals.numbers.uniform(0, 1),
  );
});

Deno.test("DAYS_MAX is the last count of days that fits 32 bits whole", () => {
  assert.ok(DAYS_MAX * 86_400 - 1 <= 2 ** 31 - 1);
  assert.ok((DAYS_MAX + 1) * 86_400 - 1 > 2 ** 31 - 1);
});
