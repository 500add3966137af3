/**
 * numpy's legacy distributions (`numpy.random.RandomState`), each using exactly
 * the draws that numpy uses. Over an MT19937 seeded the numpy way the values
 * are numpy's, but for the last bit of a logarithm.
 */
import type { RandomSource } from "./random_source.ts";

/**
 * Distributions over a source. The normal draws come in pairs and the second is
 * kept for later; a new object over a freshly seeded source has none.
 */
export class NumpyRandom {
  readonly #source: RandomSource;
  #keptNormal = 0;
  #hasKeptNormal = false;

  /** Distributions that draw from `source`. */
  constructor(source: RandomSource) {
    this.#source = source;
  }

  /** Uniform between `low` (inclusive) and `high` (exclusive). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.#source.double();
  }

  /** Normal with mean `mean` and standard deviation `deviation`. */
  normal(mean: number, deviation: number): number {
    return mean + deviation * this.standardNormal();
  }

  /** Normal with mean 0 and deviation 1: Marsaglia's polar method. */
  standardNormal(): number {
    if (this.#hasKeptNormal) {
      this.#hasKeptNormal = false;
      return this.#keptNormal;
    }
    const source = this.#source;
    let x1: number;
    let x2: number;
    let square: number;
    do {
      x1 = 2 * source.double() - 1;
      x2 = 2 * source.double() - 1;
      square = x1 * x1 + x2 * x2;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt(-2 * Math.log(square) / square);
    this.#keptNormal = factor * x1;
    this.#hasKeptNormal = true;
    return factor * x2;
  }

  /** Poisson with mean `lambda`, 0 or more. */
  poisson(lambda: number): number {
    if (lambda >= 10) return this.#poissonByRejection(lambda);
    if (lambda === 0) return 0;
    const source = this.#source;
    const limit = Math.exp(-lambda);
    let product = source.double();
    let count = 0;
    while (product > limit) {
      count++;
      product *= source.double();
    }
    return count;
  }

  /**
   * PTRS of Hoermann, "The transformed rejection method for generating Poisson
   * random variables", 1993; the names of the constants are the paper's.
   */
  #poissonByRejection(lambda: number): number {
    const source = this.#source;
    const root = Math.sqrt(lambda);
    const logLambda = Math.log(lambda);
    const b = 0.931 + 2.53 * root;
    const a = -0.059 + 0.02483 * b;
    const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
    const vr = 0.9277 - 3.6224 / (b - 2);
    while (true) {
      const u = source.double() - 0.5;
      const v = source.double();
      const us = 0.5 - Math.abs(u);
      const k = Math.floor((2 * a / us + b) * u + lambda + 0.43);
      if (us >= 0.07 && v <= vr) return k;
      if (k < 0 || (us < 0.013 && v > us)) continue;
      const left = Math.log(v) + Math.log(inverseAlpha) -
        Math.log(a / (us * us) + b);
      if (left <= -lambda + k * logLambda - logGamma(k + 1)) return k;
    }
  }

  /** A whole number 0 … `max`, both inclusive, all alike; `max` < 2^32. */
  interval(max: number): number {
    if (max === 0) return 0;
    const mask = 0xffff_ffff >>> Math.clz32(max);
    let value: number;
    do {
      value = (this.#source.uint32() & mask) >>> 0;
    } while (value > max);
    return value;
  }

  /** The numbers 0 … `count` - 1 in random order. */
  permutation(count: number): Int32Array {
    const order = new Int32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    for (let i = count - 1; i > 0; i--) {
      const j = this.interval(i);
      const kept = order[i];
      order[i] = order[j];
      order[j] = kept;
    }
    return order;
  }

  /**
   * `size` different numbers of 0 … `count` - 1, as `choice(count, size,
   * replace=False)` and so pandas' `sample` draw them: the head of a whole
   * permutation. `size` is at most `count`.
   */
  sample(count: number, size: number): Int32Array {
    return this.permutation(count).slice(0, size);
  }
}

const LOG_GAMMA_SERIES = [
  8.333333333333333e-02,
  -2.777777777777778e-03,
  7.936507936507937e-04,
  -5.952380952380952e-04,
  8.417508417508418e-04,
  -1.917526917526918e-03,
  6.410256410256410e-03,
  -2.955065359477124e-02,
  1.796443723688307e-01,
  -1.39243221690590e+00,
];

/** log(gamma(x)) for x > 0, by Stirling's series as numpy sums it. */
function logGamma(x: number): number {
  if (x === 1 || x === 2) return 0;
  const steps = x < 7 ? Math.trunc(7 - x) : 0;
  let shifted = x + steps;
  const square = (1 / shifted) * (1 / shifted);
  let sum = LOG_GAMMA_SERIES[9];
  for (let k = 8; k >= 0; k--) sum = sum * square + LOG_GAMMA_SERIES[k];
  let result = sum / shifted + 0.5 * 1.8378770664093453 +
    (shifted - 0.5) * Math.log(shifted) - shifted;
  for (let k = 0; k < steps; k++) {
    result -= Math.log(shifted - 1);
    shifted -= 1;
  }
  return result;
}
