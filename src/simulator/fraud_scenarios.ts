/**
 * The handbook's three fraud scenarios as numbers (Le Borgne et al.,
 * "Reproducible Machine Learning for Credit Card Fraud Detection", chapter
 * "Payment data simulator"). The random source chooses the cards, terminals and
 * days. A later scenario replaces an earlier one in the label.
 */
import { ConfigError } from "../base/error.ts";
import type { SimulatorParameters } from "./parameters.ts";

/** TX_FRAUD_SCENARIO of a payment above AMOUNT_LIMIT. */
export const AMOUNT_SCENARIO = 1;

/** TX_FRAUD_SCENARIO of a payment at a compromised terminal. */
export const TERMINAL_SCENARIO = 2;

/** TX_FRAUD_SCENARIO of a payment with leaked card data. */
export const CUSTOMER_SCENARIO = 3;

/** Scenario 1: an amount above this, as drawn, is a fraud. */
export const AMOUNT_LIMIT = 220;

/** Scenario 2: the number of different terminals compromised each day … */
export const TERMINALS_PER_DAY = 2;

/** … and for how many days every payment there is a fraud, that day included. */
export const TERMINAL_FRAUD_DAYS = 28;

/** Scenario 3: the number of different customers whose data leak each day … */
export const CUSTOMERS_PER_DAY = 3;

/** … of their payments in this many days, that day included, … */
export const CUSTOMER_FRAUD_DAYS = 14;

/** … one in this many, rounded down, is a fraud … */
export const CUSTOMER_PAYMENTS_PER_FRAUD = 3;

/** … and its amount is multiplied by this, once for each time it is picked. */
export const FRAUD_AMOUNT_FACTOR = 5;

/**
 * Refuses parameters with too few terminals or customers to draw the
 * scenarios' different ones from.
 *
 * @throws {ConfigError} when there are too few.
 */
export function requireEnoughForScenarios(
  parameters: SimulatorParameters,
): void {
  const { customers, terminals } = parameters;
  if (terminals >= TERMINALS_PER_DAY && customers >= CUSTOMERS_PER_DAY) return;
  throw new ConfigError(
    `the handbook's fraud scenarios need at least ${TERMINALS_PER_DAY} terminals and ${CUSTOMERS_PER_DAY} customers, but there are ${terminals} terminals and ${customers} customers; ask for more`,
  );
}
