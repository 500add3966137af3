/**
 * The Mersenne Twister MT19937 (Matsumoto and Nishimura, "Mersenne Twister: a
 * 623-dimensionally equidistributed uniform pseudo-random number generator",
 * 1998), with the two ways of seeding that the handbook's data come from:
 * numpy's and CPython's. Words and doubles are bit for bit those of both.
 */
import type { RandomSource } from "./random_source.ts";

const WORDS = 624;
const SHIFT = 397;

/** The state that CPython starts from before it mixes its key in. */
const PYTHON_BASE_SEED = 19_650_218;

/** One Mersenne Twister. It must be seeded before the first draw. */
export class MT19937 implements RandomSource {
  readonly #state = new Uint32Array(WORDS);
  #index = WORDS;

  /**
   * Seeds as `numpy.random.seed(seed)` and `RandomState(seed)` do; `seed` is
   * 0 … 2^32 - 1.
   */
  seedNumpy(seed: number): void {
    const state = this.#state;
    let word = seed >>> 0;
    state[0] = word;
    for (let k = 1; k < WORDS; k++) {
      word = (Math.imul(1_812_433_253, word ^ (word >>> 30)) + k) | 0;
      state[k] = word;
    }
    this.#index = WORDS;
  }

  /**
   * Seeds as `random.seed(seed)` of CPython does for a whole number that a
   * double holds exactly; like there, the sign does not count.
   */
  seedPython(seed: number): void {
    const low = Math.abs(seed) >>> 0;
    const high = Math.floor(Math.abs(seed) / 2 ** 32);
    this.seedNumpy(PYTHON_BASE_SEED);
    const state = this.#state;
    // init_by_array with a key of one or two words. 624 + 623 steps go round
    // the words 1 … 623; word 0 only hands the last one on.
    let previous = state[0];
    let i = 1;
    for (let step = 0; step < WORDS; step++) {
      // A key of two words takes turns; its second is added with index 1.
      const key = high === 0 ? low : (step & 1) === 0 ? low : high + 1;
      const mixed = Math.imul(previous ^ (previous >>> 30), 1_664_525);
      previous = ((state[i] ^ mixed) + key) | 0;
      state[i++] = previous;
      if (i === WORDS) i = 1;
    }
    for (let step = 1; step < WORDS; step++) {
      const mixed = Math.imul(previous ^ (previous >>> 30), 1_566_083_941);
      previous = ((state[i] ^ mixed) - i) | 0;
      state[i++] = previous;
      if (i === WORDS) i = 1;
    }
    state[0] = 0x8000_0000;
    this.#index = WORDS;
  }

  /** The next word, 0 … 2^32 - 1. */
  uint32(): number {
    if (this.#index === WORDS) this.#regenerate();
    let y = this.#state[this.#index++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** The next double, 53 random bits, 0 (inclusive) to 1 (exclusive). */
  double(): number {
    const high = this.uint32() >>> 5;
    return (high * 67_108_864 + (this.uint32() >>> 6)) / 9_007_199_254_740_992;
  }

  #regenerate(): void {
    const state = this.#state;
    const first = WORDS - SHIFT;
    for (let k = 0; k < first; k++) {
      state[k] = state[k + SHIFT] ^ twist(state[k], state[k + 1]);
    }
    for (let k = first; k < WORDS - 1; k++) {
      state[k] = state[k - first] ^ twist(state[k], state[k + 1]);
    }
    state[WORDS - 1] = state[SHIFT - 1] ^ twist(state[WORDS - 1], state[0]);
    this.#index = 0;
  }
}

/** The top bit of one word and the rest of the next, times the twist matrix. */
function twist(word: number, next: number): number {
  const y = (word & 0x8000_0000) | (next & 0x7fff_ffff);
  return (y >>> 1) ^ (-(y & 1) & 0x9908_b0df);
}
