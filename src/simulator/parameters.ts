/** What a simulated data set is made from. */

/** Parameters of a data set; the defaults are the handbook's. */
export interface SimulatorParameters {
  /** Number of customers (cards), at least 1. */
  readonly customers: number;
  /** Number of terminals, at least 1. */
  readonly terminals: number;
  /** Number of days; 0 means endless (only with the seedrandom source). */
  readonly days: number;
  /** Midnight of the first day, seconds since 1970. */
  readonly startSeconds: number;
  /** Radius within which a customer uses terminals, on the 100 x 100 plane. */
  readonly radius: number;
}

/** The handbook's default data set: 5,000 customers, 10,000 terminals, 183 days from 2018-04-01, radius 5. */
export const HANDBOOK_PARAMETERS: SimulatorParameters = {
  customers: 5000,
  terminals: 10_000,
  days: 183,
  startSeconds: Date.UTC(2018, 3, 1) / 1000,
  radius: 5,
};
