/** The customer's features of the extended set: see extended_columns.ts. */
import type { StateSink, StateSource } from "../base/state_stream.ts";
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import { amountCents } from "../payment/validation.ts";
import {
  HISTORY_MAX,
  OUTLIER_RATIO,
  RATIO_SCALE,
  ratioTotal,
} from "./extended_columns.ts";
import { type FeatureParameters, handbookCount } from "./parameters.ts";
import { SlidingWindows } from "./sliding_windows.ts";

/** What the customers' side adds for the extended set. */
export class CustomerExtension {
  readonly #windowSeconds: readonly number[];
  readonly #longestSeconds: number;
  readonly #delaySeconds: number;
  readonly #useLabels: boolean;
  readonly #offset: number;
  readonly #frauds: SlidingWindows;
  readonly #times = new Float64Array(HISTORY_MAX);
  readonly #values = new Float64Array(HISTORY_MAX);
  readonly #scratch = new Float64Array(HISTORY_MAX);

  /** Makes an extension without state; payments may come up to `slackSeconds` late. */
  constructor(parameters: FeatureParameters, slackSeconds: number) {
    const { windowDays, delayDays, useLabels } = parameters;
    this.#windowSeconds = windowDays.map((days) => days * DAY_SECONDS);
    this.#longestSeconds = Math.max(...this.#windowSeconds);
    this.#delaySeconds = delayDays * DAY_SECONDS;
    this.#useLabels = useLabels;
    this.#offset = handbookCount(parameters);
    this.#frauds = new SlidingWindows({
      columns: ["flag"],
      groups: [{
        lagSeconds: this.#delaySeconds,
        windowSeconds: [this.#longestSeconds],
        sum: "flag",
      }],
      slackSeconds,
    });
  }

  /** Writes the state. */
  save(sink: StateSink): void {
    this.#frauds.save(sink);
  }

  /** Takes a state that save() wrote; throws an Error as SlidingWindows.load() does. */
  load(source: StateSource): void {
    this.#frauds.load(source);
  }

  /**
   * Writes the totals of a payment that has just been added to `amounts`, the
   * windows over its card's cents, and takes its label into the state.
   */
  process(
    row: Payment,
    amounts: SlidingWindows,
    progress: number,
    totals: Float64Array,
    at: number,
  ): void {
    const time = row.timeSeconds;
    const cents = amountCents(row.amount);
    const longest = this.#longestSeconds;
    const times = this.#times;
    const values = this.#values;
    const count = amounts.recent(0, "value", 1, times, values);
    let place = at + this.#offset;
    totals[place++] = count === 0 ? longest : time - times[count - 1];
    let greatest = 0;
    let asLarge = 0;
    for (let i = 0; i < count; i++) {
      const value = values[i];
      this.#scratch[i] = value;
      if (value > greatest) greatest = value;
      if (value >= cents) asLarge++;
    }
    const median = lowerMedian(this.#scratch, count);
    totals[place++] = ratioTotal(cents, median);
    totals[place++] = ratioTotal(cents, greatest);
    totals[place++] = asLarge;
    // The median is 0 only where nearly all is 0: nothing stands out then.
    const outlier = median === 0 ? Infinity : median * OUTLIER_RATIO;
    let newest = -1;
    totals.fill(0, place, place + this.#windowSeconds.length);
    for (let i = count - 1; i >= 0; i--) {
      if (values[i] * RATIO_SCALE < outlier) continue;
      if (newest < 0) newest = i;
      for (let w = this.#windowSeconds.length - 1; w >= 0; w--) {
        if (time - times[i] >= this.#windowSeconds[w]) break;
        totals[place + w]++;
      }
    }
    place += this.#windowSeconds.length;
    totals[place++] = newest < 0 ? longest : time - times[newest];
    this.#writeFrauds(row, progress, totals, place);
  }

  #writeFrauds(
    row: Payment,
    progress: number,
    totals: Float64Array,
    place: number,
  ): void {
    const label = this.#useLabels ? row.fraud : 0;
    const time = row.timeSeconds;
    const windows = this.#frauds;
    windows.add(row.customerId, time, label, 0, progress);
    const count = windows.recent(0, "flag", 0, this.#times, this.#values);
    let known = 0;
    let newest = time - this.#delaySeconds - this.#longestSeconds;
    for (let i = 0; i < count; i++) {
      if (this.#values[i] === 0) continue;
      known++;
      newest = this.#times[i];
    }
    totals[place++] = known;
    totals[place] = time - newest;
  }
}

/** The value that half of the first `count`, rounded up, are not above; 0 for none. Puts them into another order (Hoare's selection). */
function lowerMedian(values: Float64Array, count: number): number {
  if (count === 0) return 0;
  const wanted = (count - 1) >> 1;
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
