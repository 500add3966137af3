/**
 * Counts of numbers whose range is not known beforehand, in bounded memory:
 * bins that are a 128th of their power of two wide, found by the first bits of
 * the double. A coarser histogram whose width is a power of two, and which has
 * no more than 128 bins, is therefore exact, whatever numbers came.
 */

/** Bins of one power of two. */
const BITS = 7;

/** What is nearer to 0 counts as 0; what is further away, as the last bin. */
const POWER_MIN = -16;
const POWER_MAX = 40;

const BINS_A_SIDE = (POWER_MAX - POWER_MIN) << BITS;

/** Most bins of a coarse histogram that are still exact. */
export const COARSE_BINS_MAX: number = 1 << BITS;

const DOUBLE = new Float64Array(1);
const WORDS = new Uint32Array(DOUBLE.buffer);
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Shift of the upper half of a double, and the bin of 2^POWER_MIN in it. */
const SHIFT = 20 - BITS;
const BIN_MIN = (1023 + POWER_MIN) << BITS;

/** Bins of equal width, from `from` on. */
export interface CoarseBins {
  /** Lower end of the first bin. */
  readonly from: number;
  /** Width of a bin, a power of two. */
  readonly width: number;
  /** How many numbers each bin has: lower end included, upper end not. */
  readonly counts: Float64Array;
  /** Numbers below the first bin. */
  readonly below: number;
  /** Numbers at or above the upper end of the last bin. */
  readonly above: number;
}

/** A histogram that takes any numbers. */
export class Histogram {
  /** Below 0, by the size of the number; made when one comes. */
  #negative: Float64Array | undefined;
  #zeros = 0;
  readonly #positive = new Float64Array(BINS_A_SIDE);
  #count = 0;
  #min = Infinity;
  #max = -Infinity;

  /** Number of numbers. */
  get count(): number {
    return this.#count;
  }

  /** Smallest number; Infinity if there is none. */
  get min(): number {
    return this.#min;
  }

  /** Greatest number; -Infinity if there is none. */
  get max(): number {
    return this.#max;
  }

  /** Counts a number; NaN is none. */
  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.#count++;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    const bin = binOf(value < 0 ? -value : value);
    if (bin < 0) this.#zeros++;
    else if (value > 0) this.#positive[bin]++;
    else (this.#negative ??= new Float64Array(BINS_A_SIDE))[bin]++;
  }

  /** The bins that have numbers, ascending: the number nearest to 0 that a bin can have, and how many it has. */
  *bins(): Generator<{ value: number; count: number }> {
    const negative = this.#negative;
    for (let bin = BINS_A_SIDE - 1; negative && bin >= 0; bin--) {
      if (negative[bin] > 0) yield { value: -edge(bin), count: negative[bin] };
    }
    if (this.#zeros > 0) yield { value: 0, count: this.#zeros };
    for (let bin = 0; bin < BINS_A_SIDE; bin++) {
      const count = this.#positive[bin];
      if (count > 0) yield { value: edge(bin), count };
    }
  }

  /**
   * The smallest number that at least `share` of all do not exceed, to the
   * resolution of the bins (under 0.8 %); exact for whole numbers below 256.
   * NaN if there are no numbers.
   */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const { value, count } of this.bins()) {
      seen += count;
      if (seen >= rank) return Math.min(Math.max(value, this.#min), this.#max);
    }
    return NaN;
  }

  /**
   * The same counts in `bins` bins of `width`, a power of two, from `from` on,
   * a multiple of it. Exact where every number that lies within does so less
   * than COARSE_BINS_MAX widths from 0; a negative one on the lower end of a
   * bin may count to the bin below.
   */
  coarse(from: number, width: number, bins: number): CoarseBins {
    const counts = new Float64Array(bins);
    let below = 0;
    let above = 0;
    for (const { value, count } of this.bins()) {
      // A negative bin's numbers are those below the value that stands for it.
      const place = (value - from) / width;
      const at = value < 0 ? Math.ceil(place) - 1 : Math.floor(place);
      if (at < 0) below += count;
      else if (at >= bins) above += count;
      else counts[at] += count;
    }
    return { from, width, counts, below, above };
  }
}

/** Place of a number that is not negative; -1 if it counts as 0. */
function binOf(size: number): number {
  DOUBLE[0] = size;
  const bin = (WORDS[HIGH] >>> SHIFT) - BIN_MIN;
  return bin < 0 ? -1 : bin < BINS_A_SIDE ? bin : BINS_A_SIDE - 1;
}

/** Smallest size that a bin has. */
function edge(bin: number): number {
  const power = (bin >> BITS) + POWER_MIN;
  return (1 + (bin & (COARSE_BINS_MAX - 1)) / COARSE_BINS_MAX) * 2 ** power;
}

/**
 * The power of two that cuts a range from `low` to `high` into about
 * `binsWanted` bins, never more than twice nor fewer than it.
 */
export function coarseWidth(
  low: number,
  high: number,
  binsWanted: number,
): number {
  const range = high - low;
  if (!(range > 0)) return 1;
  return 2 ** Math.floor(Math.log2(range / binsWanted));
}
