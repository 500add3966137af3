/**
 * The handbook's `add_frauds`: the three scenarios over a whole table sorted
 * by time, each in one pass. Chance is seeded by the day a scenario starts;
 * the last day with payments starts none.
 */
import { MT19937 } from "./random/mt19937.ts";
import { NumpyRandom } from "./random/numpy_random.ts";
import { PythonRandom } from "./random/python_random.ts";
import { DAY_SECONDS, type PaymentTable } from "../payment/payment.ts";
import {
  AMOUNT_LIMIT,
  AMOUNT_SCENARIO,
  CUSTOMER_FRAUD_DAYS,
  CUSTOMER_PAYMENTS_PER_FRAUD,
  CUSTOMER_SCENARIO,
  CUSTOMERS_PER_DAY,
  FRAUD_AMOUNT_FACTOR,
  TERMINAL_FRAUD_DAYS,
  TERMINAL_SCENARIO,
  TERMINALS_PER_DAY,
} from "./fraud_scenarios.ts";

/** A table to label and what its ids run to. */
export interface HandbookTable {
  /** The payments; their amounts and scenarios are changed in place. */
  readonly table: PaymentTable;
  /** Row of the first payment of each day, then the number of rows. */
  readonly dayStart: Int32Array;
  /** Number of customers. */
  readonly customers: number;
  /** Number of terminals. */
  readonly terminals: number;
}

/** How many payments became frauds by each scenario, taken in this order. */
export interface FraudsAdded {
  /** By scenario 1, a large amount. */
  readonly amount: number;
  /** By scenario 2, a compromised terminal, beyond those. */
  readonly terminal: number;
  /** By scenario 3, leaked card data, beyond both. */
  readonly customer: number;
}

/** Labels the frauds of a table that has none yet. */
export function labelHandbookFrauds(handbook: HandbookTable): FraudsAdded {
  const { table } = handbook;
  const starts = table.length === 0
    ? 0
    : Math.floor(table.timeSeconds[table.length - 1] / DAY_SECONDS);
  return {
    amount: labelAmounts(table),
    terminal: labelTerminals(handbook, starts),
    customer: labelCustomers(handbook, starts),
  };
}

function labelAmounts(table: PaymentTable): number {
  const { amount, scenario, length } = table;
  let added = 0;
  for (let row = 0; row < length; row++) {
    if (amount[row] > AMOUNT_LIMIT) {
      scenario[row] = AMOUNT_SCENARIO;
      added++;
    }
  }
  return added;
}

function labelTerminals(handbook: HandbookTable, starts: number): number {
  const { table, dayStart, terminals } = handbook;
  const { terminalId, scenario } = table;
  // The first day on which a terminal is no longer compromised.
  const cleanDay = new Int32Array(terminals);
  const source = new MT19937();
  let added = 0;
  for (let day = 0; day + 1 < dayStart.length; day++) {
    if (day < starts) {
      const hit = sampleOfDay(source, day, terminals, TERMINALS_PER_DAY);
      for (const terminal of hit) {
        cleanDay[terminal] = day + TERMINAL_FRAUD_DAYS;
      }
    }
    for (let row = dayStart[day]; row < dayStart[day + 1]; row++) {
      if (day >= cleanDay[terminalId[row]]) continue;
      if (scenario[row] === 0) added++;
      scenario[row] = TERMINAL_SCENARIO;
    }
  }
  return added;
}

function labelCustomers(handbook: HandbookTable, starts: number): number {
  const { table, dayStart, customers } = handbook;
  const { amount, scenario } = table;
  const source = new MT19937();
  const hits: Int32Array[] = [];
  for (let day = 0; day < starts; day++) {
    hits.push(sampleOfDay(source, day, customers, CUSTOMERS_PER_DAY));
  }
  const rowsOf = rowsOfCustomers(table, hits);
  let added = 0;
  for (let day = 0; day < starts; day++) {
    const endDay = Math.min(day + CUSTOMER_FRAUD_DAYS, dayStart.length - 1);
    const from = dayStart[day];
    const to = dayStart[endDay];
    const candidates: number[] = [];
    for (const customer of hits[day]) {
      for (const row of rowsOf.get(customer) ?? []) {
        if (row >= from && row < to) candidates.push(row);
      }
    }
    candidates.sort((a, b) => a - b);
    source.seedPython(day);
    const count = candidates.length;
    const picks = new PythonRandom(source).sample(
      count,
      Math.floor(count / CUSTOMER_PAYMENTS_PER_FRAUD),
    );
    for (const pick of picks) {
      const row = candidates[pick];
      if (scenario[row] === 0) added++;
      scenario[row] = CUSTOMER_SCENARIO;
      amount[row] *= FRAUD_AMOUNT_FACTOR;
    }
  }
  return added;
}

/** The rows, ascending, of every customer that is among `hits`. */
function rowsOfCustomers(
  table: PaymentTable,
  hits: readonly Int32Array[],
): Map<number, number[]> {
  const rowsOf = new Map<number, number[]>();
  let idMax = 0;
  for (const hit of hits) {
    for (const customer of hit) {
      rowsOf.set(customer, []);
      idMax = Math.max(idMax, customer);
    }
  }
  const wanted = new Uint8Array(idMax + 1);
  for (const customer of rowsOf.keys()) wanted[customer] = 1;
  for (let row = 0; row < table.length; row++) {
    const customer = table.customerId[row];
    if (wanted[customer] === 1) rowsOf.get(customer)?.push(row);
  }
  return rowsOf;
}

/** pandas' `sample(n=size, random_state=day)` of `count` ids. */
function sampleOfDay(
  source: MT19937,
  day: number,
  count: number,
  size: number,
): Int32Array {
  source.seedNumpy(day);
  return new NumpyRandom(source).sample(count, size);
}
