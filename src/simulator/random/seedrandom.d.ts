/** Types of npm:seedrandom, as far as it is used here. */

/** A generator of the package: called, it gives the next double in 0 … 1. */
export interface Generator {
  /** The next double with 32 random bits, 0 (inclusive) to 1 (exclusive). */
  (): number;
  /** The next word as a signed 32-bit integer. */
  int32(): number;
  /** The next double with more than 32 random bits, from two words or more. */
  double(): number;
}

/** The package: makers of generators, each seeded by a text. */
declare const seedrandom: {
  /** Baagøe's Alea. */
  alea(seed: string): Generator;
  /** Neves and Araujo's Tyche-i. */
  tychei(seed: string): Generator;
};

export default seedrandom;
