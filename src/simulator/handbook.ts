/**
 * The handbook's data set: every draw, every fraud and every TRANSACTION_ID as
 * the published Python functions make them with numpy, pandas and `random`.
 * The whole table is made in memory, since its numbering needs all of it. Only
 * TX_DATETIME depends on the start date.
 */
import { ConfigError } from "../base/error.ts";
import { MT19937 } from "./random/mt19937.ts";
import { NumpyRandom } from "./random/numpy_random.ts";
import { PythonRandom } from "./random/python_random.ts";
import {
  type Customer,
  DAY_SECONDS,
  type PaymentTable,
  sliceTable,
  type Terminal,
} from "../payment/payment.ts";
import { DAYS_MAX, drawCustomerDay } from "./customer_day.ts";
import { requireEnoughForScenarios } from "./fraud_scenarios.ts";
import { type FraudsAdded, labelHandbookFrauds } from "./handbook_frauds.ts";
import type { SimulatorParameters } from "./parameters.ts";
import { PaymentColumns } from "./payment_columns.ts";
import { drawCustomer, drawTerminal } from "./profiles.ts";
import type { Simulation } from "./simulation.ts";
import { TerminalGrid } from "./terminal_grid.ts";
import { sortUnstable } from "./unstable_sort.ts";

const CUSTOMERS_SEED = 0;
const TERMINALS_SEED = 1;

/** Shares of the work, by measured time, for the progress bar. */
const DRAWN_FRACTION = 0.5;
const SORTED_FRACTION = 0.9;

/** A simulation with all its payments. */
export interface HandbookSimulation extends Simulation {
  /** All payments, labelled, from TRANSACTION_ID 0. */
  readonly table: PaymentTable;
  /** How many frauds each scenario added. */
  readonly fraudsAdded: FraudsAdded;
}

/**
 * Generates and labels the whole data set.
 *
 * @throws {ConfigError} when the fraud scenarios need more terminals or
 * customers than there are, or TX_TIME_SECONDS cannot hold the days.
 */
export function simulateHandbook(
  parameters: SimulatorParameters,
  onProgress: (doneFraction: number) => void = () => {},
): HandbookSimulation {
  const { days, startSeconds } = parameters;
  if (days > DAYS_MAX) {
    throw new ConfigError(
      `--days=${days} is more than the ${DAYS_MAX} days that TX_TIME_SECONDS can count`,
    );
  }
  // The last day starts no scenario, so a single day never needs any.
  if (days >= 2) requireEnoughForScenarios(parameters);
  const customers = handbookCustomers(parameters.customers);
  const terminals = handbookTerminals(parameters.terminals);
  const grid = new TerminalGrid(terminals, parameters.radius);
  const columns = drawPayments(
    customers,
    grid,
    days,
    (done) => onProgress(done * DRAWN_FRACTION),
  );
  const table = sortPayments(columns);
  onProgress(SORTED_FRACTION);
  const dayStart = dayStarts(table, days);
  const fraudsAdded = labelHandbookFrauds({
    table,
    dayStart,
    customers: customers.length,
    terminals: terminals.length,
  });
  onProgress(1);
  const day = (day: number, firstId: number) =>
    sliceDay(table, dayStart, day, firstId);
  const count = (day: number) =>
    (dayStart[day + 1] ?? table.length) - (dayStart[day] ?? table.length);
  return {
    customers,
    terminals,
    days,
    startSeconds,
    day,
    count,
    table,
    fraudsAdded,
  };
}

/** The handbook's first `count` customers. */
export function handbookCustomers(count: number): Customer[] {
  const random = new NumpyRandom(numpySource(CUSTOMERS_SEED));
  return Array.from({ length: count }, (_, id) => drawCustomer(id, random));
}

/** The handbook's first `count` terminals. */
export function handbookTerminals(count: number): Terminal[] {
  const random = new NumpyRandom(numpySource(TERMINALS_SEED));
  return Array.from({ length: count }, (_, id) => drawTerminal(id, random));
}

function numpySource(seed: number): MT19937 {
  const source = new MT19937();
  source.seedNumpy(seed);
  return source;
}

/** All payments, customer by customer, in the order of drawing. */
function drawPayments(
  customers: readonly Customer[],
  grid: TerminalGrid,
  days: number,
  onProgress: (doneFraction: number) => void,
): PaymentColumns {
  const columns = new PaymentColumns(likelyPayments(customers, days));
  const numpySource = new MT19937();
  const pythonSource = new MT19937();
  const reportEvery = Math.ceil(customers.length / 100);
  for (const customer of customers) {
    const id = customer.customerId;
    numpySource.seedNumpy(id);
    pythonSource.seedPython(id);
    const chance = {
      numbers: new NumpyRandom(numpySource),
      terminals: new PythonRandom(pythonSource),
    };
    const reach = grid.within(customer.x, customer.y);
    for (let day = 0; day < days; day++) {
      drawCustomerDay(customer, reach, day, chance, columns);
    }
    if (id % reportEvery === 0) onProgress(id / customers.length);
  }
  return columns;
}

/** A count that payments rarely exceed. */
function likelyPayments(customers: readonly Customer[], days: number): number {
  let mean = 0;
  for (const customer of customers) mean += customer.meanPaymentsPerDay * days;
  // 3.1 % of the times fall outside their day.
  return mean * 0.97 + 5 * Math.sqrt(mean);
}

/** The payments in the handbook's order of time, none labelled. */
function sortPayments(columns: PaymentColumns): PaymentTable {
  const { length } = columns;
  const timeSeconds = columns.timeSeconds.slice(0, length);
  const order = sortUnstable(timeSeconds);
  const customerId = new Int32Array(length);
  const terminalId = new Int32Array(length);
  const amount = new Float64Array(length);
  for (let row = 0; row < length; row++) {
    const from = order[row];
    customerId[row] = columns.customerId[from];
    terminalId[row] = columns.terminalId[from];
    amount[row] = columns.amount[from];
  }
  const scenario = new Uint8Array(length);
  return {
    firstId: 0,
    length,
    customerId,
    terminalId,
    amount,
    timeSeconds,
    scenario,
  };
}

/** Row of the first payment of each day, and the number of rows at the end. */
function dayStarts(table: PaymentTable, days: number): Int32Array {
  const starts = new Int32Array(days + 1);
  let row = 0;
  for (let day = 1; day <= days; day++) {
    const midnight = day * DAY_SECONDS;
    while (row < table.length && table.timeSeconds[row] < midnight) row++;
    starts[day] = row;
  }
  return starts;
}

function sliceDay(
  table: PaymentTable,
  dayStart: Int32Array,
  day: number,
  firstId: number,
): PaymentTable {
  const last = dayStart.length - 1;
  const from = dayStart[Math.min(day, last)];
  const to = dayStart[Math.min(day + 1, last)];
  if (firstId !== from) {
    throw new RangeError(
      `day ${day} begins with TRANSACTION_ID ${from}, not ${firstId}`,
    );
  }
  return sliceTable(table, from, to);
}
