/**
 * Customers and terminals: places on a square of 100 x 100 and, for customers,
 * how much and how often they pay. The order of the draws is the handbook's.
 */
import type { NumpyRandom } from "./random/numpy_random.ts";
import type { Customer, Terminal } from "../payment/payment.ts";

const SIDE = 100;
const MEAN_AMOUNT_MIN = 5;
const MEAN_AMOUNT_MAX = 100;
const MEAN_PAYMENTS_PER_DAY_MAX = 4;

/** Draws the customer with CUSTOMER_ID `customerId`. */
export function drawCustomer(
  customerId: number,
  random: NumpyRandom,
): Customer {
  const x = random.uniform(0, SIDE);
  const y = random.uniform(0, SIDE);
  const meanAmount = random.uniform(MEAN_AMOUNT_MIN, MEAN_AMOUNT_MAX);
  const meanPaymentsPerDay = random.uniform(0, MEAN_PAYMENTS_PER_DAY_MAX);
  const stdAmount = meanAmount / 2;
  return { customerId, x, y, meanAmount, stdAmount, meanPaymentsPerDay };
}

/** Draws the terminal with TERMINAL_ID `terminalId`. */
export function drawTerminal(
  terminalId: number,
  random: NumpyRandom,
): Terminal {
  const x = random.uniform(0, SIDE);
  return { terminalId, x, y: random.uniform(0, SIDE) };
}
