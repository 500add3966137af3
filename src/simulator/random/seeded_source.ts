/**
 * A random source from a seed text, on npm:seedrandom. The same text gives the
 * same words on every machine, so a draw can be made a function of its name:
 * one independent source for each thing that is drawn.
 */
// @ts-types="./seedrandom.d.ts"
import seedrandom from "seedrandom";
import type { Generator } from "./seedrandom.d.ts";
import type { RandomSource } from "./random_source.ts";

/** The words of one seed text. */
export class SeededSource implements RandomSource {
  readonly #next: Generator;

  /** The source that belongs to the text `key`. */
  constructor(key: string) {
    this.#next = seedrandom.tychei(key);
  }

  /** The next word, 0 … 2^32 - 1. */
  uint32(): number {
    return this.#next.int32() >>> 0;
  }

  /** The next double, 32 random bits, 0 (inclusive) to 1 (exclusive). */
  double(): number {
    return this.#next();
  }
}
