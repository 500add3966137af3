/** Arbitrary payments for property tests. */
import fc from "fast-check";
import {
  AMOUNT_MAX,
  INT_MAX,
  type Payment,
  TRANSACTION_ID_MAX,
} from "../../src/payment/payment.ts";

/** Midnight of the tests' first day, 2018-04-01. */
export const START_SECONDS = Date.UTC(2018, 3, 1) / 1000;

const int = fc.oneof(
  fc.integer({ min: 0, max: INT_MAX }),
  fc.constantFrom(0, 9, 10, 99, 100, INT_MAX),
);

/** Amounts of whole cents, also those whose double is off by a bit. */
export const amounts: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 100 * AMOUNT_MAX }).map((cents) => cents / 100),
  fc.integer({ min: 0, max: 100_000 }).map((cents) => (cents / 100) * 5),
  fc.constantFrom(0, 0.01, 285.79999999999995, AMOUNT_MAX),
);

/** Valid payments of a stream that began at START_SECONDS. */
export const payments: fc.Arbitrary<Payment> = fc.record({
  transactionId: fc.oneof(
    fc.maxSafeNat(),
    fc.constantFrom(0, TRANSACTION_ID_MAX, 10 ** 15, 10 ** 15 - 1),
  ),
  customerId: int,
  terminalId: int,
  amount: amounts,
  timeSeconds: int,
  fraud: fc.constantFrom(0, 1),
  scenario: int,
}).map((row) => ({
  transactionId: row.transactionId,
  datetimeSeconds: START_SECONDS + row.timeSeconds,
  customerId: row.customerId,
  terminalId: row.terminalId,
  amount: row.amount,
  timeSeconds: row.timeSeconds,
  fraud: row.fraud,
  scenario: row.scenario,
}));
