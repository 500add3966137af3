/**
 * CPython's `random` (3.8 and later, for lists): whole numbers below a bound,
 * choice and sample. Over an MT19937 seeded the CPython way the values and the
 * number of words drawn are CPython's.
 */
import type { RandomSource } from "./random_source.ts";

/** Choices over a source. */
export class PythonRandom {
  readonly #source: RandomSource;

  /** Choices that draw from `source`. */
  constructor(source: RandomSource) {
    this.#source = source;
  }

  /**
   * A whole number 0 … `bound` - 1, all alike; `bound` is 1 … 2^32 - 1. A
   * bound of 1 draws words too, until the top bit of one is 0.
   */
  below(bound: number): number {
    const shift = Math.clz32(bound);
    let value: number;
    do {
      value = this.#source.uint32() >>> shift;
    } while (value >= bound);
    return value;
  }

  /** One element of a list that is not empty. */
  choice(list: Int32Array): number {
    return list[this.below(list.length)];
  }

  /**
   * `size` different numbers of 0 … `count` - 1, in the order drawn: the
   * places that `random.sample` takes from a list of `count`. `size` is at
   * most `count`.
   */
  sample(count: number, size: number): Int32Array {
    return count <= poolLimit(size)
      ? this.#sampleFromPool(count, size)
      : this.#sampleByRejection(count, size);
  }

  #sampleFromPool(count: number, size: number): Int32Array {
    const pool = new Int32Array(count);
    for (let i = 0; i < count; i++) pool[i] = i;
    const picks = new Int32Array(size);
    for (let i = 0; i < size; i++) {
      const j = this.below(count - i);
      picks[i] = pool[j];
      pool[j] = pool[count - i - 1];
    }
    return picks;
  }

  #sampleByRejection(count: number, size: number): Int32Array {
    const picks = new Int32Array(size);
    const taken = new Set<number>();
    for (let i = 0; i < size; i++) {
      let j = this.below(count);
      while (taken.has(j)) j = this.below(count);
      taken.add(j);
      picks[i] = j;
    }
    return picks;
  }
}

/** The longest list that CPython copies instead of remembering what is taken. */
function poolLimit(size: number): number {
  if (size <= 5) return 21;
  let power = 4;
  while (power < 3 * size) power *= 4;
  return 21 + power;
}
