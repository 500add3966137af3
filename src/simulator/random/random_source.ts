/**
 * The two draws that every distribution here is built on. A source is one
 * stream of random words; it is never shared between threads and has no clock
 * or operating-system randomness behind it.
 */

/** A stream of random 32-bit words and of doubles made from it. */
export interface RandomSource {
  /** The next word, 0 … 2^32 - 1. */
  uint32(): number;
  /** The next double, 0 (inclusive) to 1 (exclusive). */
  double(): number;
}
