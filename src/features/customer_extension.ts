/** The customer's features of the extended set: see extended_columns.ts. */
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import { amountUnits } from "../payment/validation.ts";
import {
  HISTORY_MAX,
  OUTLIER_RATIO,
  RATIO_SCALE,
  ratioTotal,
} from "./extended_columns.ts";
import {
  amountScale,
  type FeatureParameters,
  handbookCount,
  longestWindowSeconds,
} from "./parameters.ts";
import type { SlidingWindows } from "./sliding_windows.ts";
import type { WindowGroup } from "./window_layout.ts";

/** The windows over the known frauds of a card, the second group of its windows. */
export function knownFrauds(parameters: FeatureParameters): WindowGroup {
  return {
    lagSeconds: parameters.delayDays * DAY_SECONDS,
    windowSeconds: [longestWindowSeconds(parameters)],
    sum: "flag",
  };
}

/** What the customer half adds for the extended set. */
export class CustomerExtension {
  readonly #windowSeconds: readonly number[];
  readonly #longestSeconds: number;
  readonly #delaySeconds: number;
  readonly #offset: number;
  readonly #amountScale: number;
  readonly #counts = new Float64Array(2);
  readonly #times = new Float64Array(HISTORY_MAX);
  readonly #values = new Float64Array(HISTORY_MAX);
  readonly #scratch = new Float64Array(HISTORY_MAX);

  /** Makes an extension. */
  constructor(parameters: FeatureParameters) {
    const { windowDays, delayDays } = parameters;
    this.#windowSeconds = windowDays.map((days) => days * DAY_SECONDS);
    this.#longestSeconds = longestWindowSeconds(parameters);
    this.#delaySeconds = delayDays * DAY_SECONDS;
    this.#offset = handbookCount(parameters);
    this.#amountScale = amountScale(parameters);
  }

  /**
   * Writes the totals of a payment that has just been added to its card's
   * windows: over cents, then over known frauds.
   */
  process(
    row: Payment,
    windows: SlidingWindows,
    totals: Float64Array,
    at: number,
  ): void {
    const time = row.timeSeconds;
    const cents = amountUnits(row.amount, this.#amountScale);
    const longest = this.#longestSeconds;
    const values = this.#values;
    const count = windows.recent(0, "value", 1, values);
    let place = at + this.#offset;
    totals[place++] = count === 0 ? longest : time - windows.newestTime(0, 1);
    let greatest = 0;
    let asLarge = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i];
      if (value > greatest) greatest = value;
      if (value >= cents) asLarge++;
    }
    // A card's median is mostly the one of its payment before, or next to it.
    const median = lowerMedian(values, count, windows.hint, this.#scratch);
    windows.hint = median;
    totals[place++] = ratioTotal(cents, median);
    totals[place++] = ratioTotal(cents, greatest);
    totals[place++] = asLarge;
    // The median is 0 only where nearly all is 0: nothing stands out then.
    const outlier = median === 0 ? Infinity : median * OUTLIER_RATIO;
    totals.fill(0, place, place + this.#windowSeconds.length);
    const newest = greatest * RATIO_SCALE < outlier
      ? -1
      : this.#countOutliers(windows, time, count, outlier, totals, place);
    place += this.#windowSeconds.length;
    totals[place++] = newest < 0 ? longest : time - newest;
    this.#writeFrauds(time, windows, totals, place);
  }

  /** Counts the outliers in each window; returns the time of the newest. */
  #countOutliers(
    windows: SlidingWindows,
    time: number,
    count: number,
    outlier: number,
    totals: Float64Array,
    place: number,
  ): number {
    const times = this.#times;
    windows.recent(0, "time", 1, times);
    let newest = -1;
    for (let i = count - 1; i >= 0; i--) {
      if (this.#values[i] * RATIO_SCALE < outlier) continue;
      if (newest < 0) newest = times[i];
      for (let w = this.#windowSeconds.length - 1; w >= 0; w--) {
        if (time - times[i] >= this.#windowSeconds[w]) break;
        totals[place + w]++;
      }
    }
    return newest;
  }

  #writeFrauds(
    time: number,
    windows: SlidingWindows,
    totals: Float64Array,
    place: number,
  ): void {
    let known = 0;
    let newest = time - this.#delaySeconds - this.#longestSeconds;
    windows.write(1, this.#counts, 0);
    if (this.#counts[1] > 0) {
      const count = windows.recent(1, "flag", 0, this.#values);
      windows.recent(1, "time", 0, this.#times);
      for (let i = 0; i < count; i++) {
        if (this.#values[i] === 0) continue;
        known++;
        newest = this.#times[i];
      }
    }
    totals[place++] = known;
    totals[place] = time - newest;
  }
}

/**
 * The value that half of the first `count`, rounded up, are not above; 0 for
 * none. Where it is not `hint` or next to that, `scratch` is used to find it.
 */
function lowerMedian(
  values: Float64Array,
  count: number,
  hint: number,
  scratch: Float64Array,
): number {
  if (count === 0) return 0;
  const wanted = (count - 1) >> 1;
  let less = 0;
  let notGreater = 0;
  let below = -Infinity;
  let above = Infinity;
  for (let i = 0; i < count; i++) {
    const value = values[i];
    if (value < hint) {
      less++;
      if (value > below) below = value;
    }
    if (value <= hint) notGreater++;
    else if (value < above) above = value;
  }
  if (wanted === less - 1) return below;
  if (wanted === notGreater) return above;
  if (wanted >= less && wanted < notGreater) return hint;
  for (let i = 0; i < count; i++) scratch[i] = values[i];
  return selected(scratch, count, wanted);
}

/** The value of rank `wanted`, from 0, among the first `count`. Puts them into another order (Hoare's selection). */
function selected(values: Float64Array, count: number, wanted: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const swapped = values[i];
      values[i++] = values[j];
      values[j--] = swapped;
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else break;
  }
  return values[wanted];
}
