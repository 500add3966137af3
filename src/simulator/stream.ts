/**
 * The handbook's model as an endless stream, day by day, with its chance from
 * npm:seedrandom. Every draw belongs to a name made of the seed and of what is
 * drawn, so that a day is the same whichever days were asked for before it and
 * however many will be. Unlike the handbook's table, every day starts fraud
 * scenarios, and payments of one second are in the order of their customers.
 */
import { DataError } from "../base/error.ts";
import { NumpyRandom } from "./random/numpy_random.ts";
import { PythonRandom } from "./random/python_random.ts";
import { SeededSource } from "./random/seeded_source.ts";
import {
  type Customer,
  DAY_SECONDS,
  type PaymentTable,
  type Terminal,
} from "../payment/payment.ts";
import { DAYS_MAX, drawCustomerDay } from "./customer_day.ts";
import {
  AMOUNT_LIMIT,
  AMOUNT_SCENARIO,
  CUSTOMER_FRAUD_DAYS,
  CUSTOMER_PAYMENTS_PER_FRAUD,
  CUSTOMER_SCENARIO,
  CUSTOMERS_PER_DAY,
  FRAUD_AMOUNT_FACTOR,
  requireEnoughForScenarios,
  TERMINAL_FRAUD_DAYS,
  TERMINAL_SCENARIO,
  TERMINALS_PER_DAY,
} from "./fraud_scenarios.ts";
import type { SimulatorParameters } from "./parameters.ts";
import { PaymentColumns } from "./payment_columns.ts";
import { drawCustomer, drawTerminal } from "./profiles.ts";
import type { Simulation } from "./simulation.ts";
import { TerminalGrid } from "./terminal_grid.ts";

/** One payment picked by scenario 3: the n-th drawn of a customer that day. */
interface Pick {
  readonly customerId: number;
  readonly drawn: number;
}

/**
 * Opens the stream of `seed`. The parameters' number of days does not change
 * any day.
 *
 * @throws {ConfigError} when the fraud scenarios need more terminals or
 * customers than there are.
 */
export function streamSimulation(
  parameters: SimulatorParameters,
  seed: string,
): Simulation {
  requireEnoughForScenarios(parameters);
  return new StreamSimulation(parameters, seed);
}

/**
 * The stream. Memory: customers with their terminals, one day's payments, and
 * the picks of the scenario-3 starts that reach into the day last asked for.
 */
class StreamSimulation implements Simulation {
  readonly customers: readonly Customer[];
  readonly terminals: readonly Terminal[];
  readonly days: number;
  readonly startSeconds: number;
  readonly #seed: string;
  readonly #reaches: readonly Int32Array[];
  /** Picks of a start day, a list for each of its days. */
  readonly #picksOfStart = new Map<number, readonly Pick[][]>();
  /** 1 for a terminal compromised on the day being made, else 0. */
  readonly #compromised: Uint8Array;
  /** Row, in order of drawing, of each customer's first payment of the day. */
  readonly #firstRow: Int32Array;
  readonly #columns = new PaymentColumns(1024);

  constructor(parameters: SimulatorParameters, seed: string) {
    this.#seed = seed;
    this.days = parameters.days;
    this.startSeconds = parameters.startSeconds;
    this.customers = Array.from(
      { length: parameters.customers },
      (_, id) => drawCustomer(id, this.#numbers(`customer/${id}`)),
    );
    this.terminals = Array.from(
      { length: parameters.terminals },
      (_, id) => drawTerminal(id, this.#numbers(`terminal/${id}`)),
    );
    const grid = new TerminalGrid(this.terminals, parameters.radius);
    this.#reaches = this.customers.map(({ x, y }) => grid.within(x, y));
    this.#compromised = new Uint8Array(parameters.terminals);
    this.#firstRow = new Int32Array(parameters.customers);
  }

  day(day: number, firstId: number): PaymentTable {
    if (day >= DAYS_MAX) {
      throw new DataError(
        `TX_TIME_SECONDS ends with day ${
          DAYS_MAX - 1
        } of the stream; continue with a new stream and a later --start`,
      );
    }
    const columns = this.#drawDay(day);
    const scenario = new Uint8Array(columns.length);
    labelAmounts(columns, scenario);
    this.#labelTerminals(day, columns, scenario);
    this.#labelCustomers(day, columns, scenario);
    return sortedTable(columns, scenario, firstId);
  }

  count(day: number): number {
    return day < DAYS_MAX ? this.#drawDay(day).length : 0;
  }

  #drawDay(day: number): PaymentColumns {
    const columns = this.#columns;
    columns.length = 0;
    for (let id = 0; id < this.customers.length; id++) {
      this.#firstRow[id] = columns.length;
      this.#drawCustomerDay(id, day, columns);
    }
    return columns;
  }

  #drawCustomerDay(id: number, day: number, columns: PaymentColumns): void {
    const source = this.#source(`payments/${id}/${day}`);
    const chance = {
      numbers: new NumpyRandom(source),
      terminals: new PythonRandom(source),
    };
    const reach = this.#reaches[id];
    drawCustomerDay(this.customers[id], reach, day, chance, columns);
  }

  #labelTerminals(
    day: number,
    columns: PaymentColumns,
    scenario: Uint8Array,
  ): void {
    const compromised = this.#compromised.fill(0);
    const first = Math.max(0, day - TERMINAL_FRAUD_DAYS + 1);
    for (let start = first; start <= day; start++) {
      const random = new PythonRandom(this.#source(`scenario2/${start}`));
      const hit = random.sample(this.terminals.length, TERMINALS_PER_DAY);
      for (const terminal of hit) compromised[terminal] = 1;
    }
    for (let row = 0; row < columns.length; row++) {
      if (compromised[columns.terminalId[row]] === 1) {
        scenario[row] = TERMINAL_SCENARIO;
      }
    }
  }

  #labelCustomers(
    day: number,
    columns: PaymentColumns,
    scenario: Uint8Array,
  ): void {
    const first = Math.max(0, day - CUSTOMER_FRAUD_DAYS + 1);
    for (const start of this.#picksOfStart.keys()) {
      if (start < first || start > day) this.#picksOfStart.delete(start);
    }
    for (let start = first; start <= day; start++) {
      let picks = this.#picksOfStart.get(start);
      if (picks === undefined) {
        picks = this.#pickPayments(start);
        this.#picksOfStart.set(start, picks);
      }
      for (const { customerId, drawn } of picks[day - start]) {
        const row = this.#firstRow[customerId] + drawn;
        scenario[row] = CUSTOMER_SCENARIO;
        columns.amount[row] *= FRAUD_AMOUNT_FACTOR;
      }
    }
  }

  /**
   * Draws whose card data leak on day `start` and which of their payments, of
   * all that they make in the days it lasts, are the frauds.
   */
  #pickPayments(start: number): readonly Pick[][] {
    const random = new PythonRandom(this.#source(`scenario3/${start}`));
    const hit = random.sample(this.customers.length, CUSTOMERS_PER_DAY).sort();
    const candidates: Pick[] = [];
    const dayOfCandidate: number[] = [];
    const columns = new PaymentColumns(64);
    for (let day = 0; day < CUSTOMER_FRAUD_DAYS; day++) {
      columns.length = 0;
      const drawn: Pick[] = [];
      for (const customerId of hit) {
        const first = columns.length;
        this.#drawCustomerDay(customerId, start + day, columns);
        for (let row = first; row < columns.length; row++) {
          drawn.push({ customerId, drawn: row - first });
        }
      }
      for (const row of orderByTime(columns)) {
        candidates.push(drawn[row]);
        dayOfCandidate.push(day);
      }
    }
    const count = candidates.length;
    const size = Math.floor(count / CUSTOMER_PAYMENTS_PER_FRAUD);
    const picks = Array.from({ length: CUSTOMER_FRAUD_DAYS }, (): Pick[] => []);
    for (const pick of random.sample(count, size)) {
      picks[dayOfCandidate[pick]].push(candidates[pick]);
    }
    return picks;
  }

  #source(name: string): SeededSource {
    return new SeededSource(`${this.#seed}/${name}`);
  }

  #numbers(name: string): NumpyRandom {
    return new NumpyRandom(this.#source(name));
  }
}

function labelAmounts(columns: PaymentColumns, scenario: Uint8Array): void {
  for (let row = 0; row < columns.length; row++) {
    if (columns.amount[row] > AMOUNT_LIMIT) scenario[row] = AMOUNT_SCENARIO;
  }
}

/** The rows of one day's payments by time, those of one second as drawn. */
function orderByTime(columns: PaymentColumns): Float64Array {
  // Second of the day and row in one number, for the fast sort of numbers.
  const order = new Float64Array(columns.length);
  for (let row = 0; row < order.length; row++) {
    order[row] = (columns.timeSeconds[row] % DAY_SECONDS) * 2 ** 32 + row;
  }
  order.sort();
  for (let i = 0; i < order.length; i++) order[i] %= 2 ** 32;
  return order;
}

function sortedTable(
  columns: PaymentColumns,
  scenario: Uint8Array,
  firstId: number,
): PaymentTable {
  const { length } = columns;
  const table = {
    firstId,
    length,
    customerId: new Int32Array(length),
    terminalId: new Int32Array(length),
    amount: new Float64Array(length),
    timeSeconds: new Int32Array(length),
    scenario: new Uint8Array(length),
  };
  const order = orderByTime(columns);
  for (let i = 0; i < length; i++) {
    const row = order[i];
    table.customerId[i] = columns.customerId[row];
    table.terminalId[i] = columns.terminalId[row];
    table.amount[i] = columns.amount[row];
    table.timeSeconds[i] = columns.timeSeconds[row];
    table.scenario[i] = scenario[row];
  }
  return table;
}
