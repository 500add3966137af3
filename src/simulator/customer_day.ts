/**
 * The payments of one customer on one day, the model's smallest step, the same
 * for the handbook's table and for the stream.
 */
import type { NumpyRandom } from "./random/numpy_random.ts";
import type { PythonRandom } from "./random/python_random.ts";
import { type Customer, DAY_SECONDS, INT_MAX } from "../payment/payment.ts";
import type { PaymentColumns } from "./payment_columns.ts";

const TIME_MEAN_SECONDS = 43_200;
const TIME_DEVIATION_SECONDS = 20_000;

/** Number of days from day 0 whose every second TX_TIME_SECONDS can count. */
export const DAYS_MAX: number = Math.floor((INT_MAX + 1) / DAY_SECONDS);

/** Adding and taking away 2^52 rounds a smaller double to a whole number. */
const WHOLE = 2 ** 52;

/** Where the chances of a customer's payments come from. */
export interface PaymentChance {
  /** Draws the number of payments, their times and their amounts. */
  readonly numbers: NumpyRandom;
  /** Picks the terminals. */
  readonly terminals: PythonRandom;
}

/**
 * Draws the payments of `customer` on day `day` and adds them to `columns` in
 * the order of drawing. A time outside the day is dropped with its payment. A
 * customer with no terminal in `reach` also draws, but makes no payment.
 */
export function drawCustomerDay(
  customer: Customer,
  reach: Int32Array,
  day: number,
  chance: PaymentChance,
  columns: PaymentColumns,
): void {
  const { numbers, terminals } = chance;
  const midnight = day * DAY_SECONDS;
  const count = numbers.poisson(customer.meanPaymentsPerDay);
  for (let payment = 0; payment < count; payment++) {
    const second = Math.trunc(
      numbers.normal(TIME_MEAN_SECONDS, TIME_DEVIATION_SECONDS),
    );
    if (second <= 0 || second >= DAY_SECONDS) continue;
    const amount = drawAmount(customer, numbers);
    if (reach.length === 0) continue;
    const terminal = terminals.choice(reach);
    columns.push(customer.customerId, terminal, amount, midnight + second);
  }
}

function drawAmount(customer: Customer, numbers: NumpyRandom): number {
  let amount = numbers.normal(customer.meanAmount, customer.stdAmount);
  if (amount < 0) amount = numbers.uniform(0, 2 * customer.meanAmount);
  return roundToCents(amount);
}

/**
 * An amount, 0 or more, rounded to whole cents as numpy rounds: times 100,
 * to the nearest whole number, halves to even, divided by 100.
 */
export function roundToCents(amount: number): number {
  const cents = amount * 100;
  return cents < WHOLE ? ((cents + WHOLE) - WHOLE) / 100 : cents / 100;
}
