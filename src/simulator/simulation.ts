/**
 * A simulation from either random source: customers, terminals, and the
 * payments of any day. The producer asks for one day after another and does not
 * know whether the handbook's table or an endless stream is behind it.
 */
import { ConfigError } from "../base/error.ts";
import type { Customer, PaymentTable, Terminal } from "../payment/payment.ts";
import { simulateHandbook } from "./handbook.ts";
import type { SimulatorParameters } from "./parameters.ts";
import { streamSimulation } from "./stream.ts";

/** Customers, terminals and the payments of each day. */
export interface Simulation {
  /** The customers, ascending CUSTOMER_ID from 0 without gaps. */
  readonly customers: readonly Customer[];
  /** The terminals, ascending TERMINAL_ID from 0 without gaps. */
  readonly terminals: readonly Terminal[];
  /** Number of days; 0 means endless. */
  readonly days: number;
  /** Midnight of day 0, seconds since 1970. */
  readonly startSeconds: number;
  /**
   * The labelled payments of day `day` (0 for the first) in the order of their
   * times, the first of them with TRANSACTION_ID `firstId`: the number of
   * payments of all days before.
   */
  day(day: number, firstId: number): PaymentTable;
  /** How many payments that day has. */
  count(day: number): number;
}

/** Which simulation to open. */
export interface SimulationChoice {
  /** What to simulate. */
  readonly parameters: SimulatorParameters;
  /**
   * Where chance comes from: `handbook` gives the data set of the handbook, a
   * function of the parameters alone; `seedrandom` another for each seed.
   */
  readonly rng: "handbook" | "seedrandom";
  /** Seed text; the handbook's data have no use for it. */
  readonly seed: string;
  /** Called now and then with the fraction of the work before day 0 that is done. */
  readonly onProgress?: (doneFraction: number) => void;
}

/**
 * Opens a simulation. With `handbook` this generates the whole table.
 *
 * @throws {ConfigError} when the source does not support the parameters.
 */
export function openSimulation(choice: SimulationChoice): Simulation {
  const { parameters, rng, seed, onProgress } = choice;
  if (rng === "seedrandom") return streamSimulation(parameters, seed);
  if (parameters.days === 0) {
    throw new ConfigError(
      "--days=0 (endless) needs --rng=seedrandom: the handbook's numbering sorts the whole table",
    );
  }
  return simulateHandbook(parameters, onProgress);
}
