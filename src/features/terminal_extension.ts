/** The terminal's features of the extended set: see extended_columns.ts. */
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import {
  customerColumns,
  HISTORY_MAX,
  UNUSUAL_RATIO,
} from "./extended_columns.ts";
import { type FeatureParameters, handbookCount } from "./parameters.ts";
import type { SlidingWindows } from "./sliding_windows.ts";

const MEDIAN_RATIO = "CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN";

/** What the terminal half adds for the extended set. */
export class TerminalExtension {
  readonly #windowSeconds: readonly number[];
  readonly #delaySeconds: number;
  readonly #offset: number;
  readonly #ratioPlace: number;
  readonly #longestPlace: number;
  readonly #times = new Float64Array(HISTORY_MAX);
  readonly #frauds = new Float64Array(HISTORY_MAX);
  readonly #usual = new Float64Array(HISTORY_MAX);

  /** Makes an extension. */
  constructor(parameters: FeatureParameters) {
    const { windowDays, delayDays } = parameters;
    const columns = customerColumns(windowDays);
    const first = handbookCount(parameters);
    this.#windowSeconds = windowDays.map((days) => days * DAY_SECONDS);
    this.#delaySeconds = delayDays * DAY_SECONDS;
    this.#offset = first + columns.length;
    this.#ratioPlace = first +
      columns.findIndex(({ name }) => name === MEDIAN_RATIO);
    this.#longestPlace = first - 2;
  }

  /** Whether the amount of a payment is usual for its card, whose half is already in the row. */
  isUsual(totals: Float64Array, at: number): boolean {
    return totals[at + this.#ratioPlace] < UNUSUAL_RATIO;
  }

  /**
   * Writes the totals of a payment that has just been added to its terminal's
   * windows, whose totals are already in the row. The events' flag says whether
   * they are frauds, their value whether the amount was usual.
   */
  process(
    row: Payment,
    windows: SlidingWindows,
    totals: Float64Array,
    at: number,
  ): void {
    const time = row.timeSeconds;
    const inside = totals[at + this.#longestPlace];
    const frauds = totals[at + this.#longestPlace + 1];
    if (frauds === 0 && inside <= HISTORY_MAX) {
      this.#writeGenuine(time, inside, windows, totals, at + this.#offset);
    } else this.#writeAll(time, windows, totals, at + this.#offset);
  }

  /** The totals where `inside` payments are known, all genuine. */
  #writeGenuine(
    time: number,
    inside: number,
    windows: SlidingWindows,
    totals: Float64Array,
    place: number,
  ): void {
    const lengths = this.#windowSeconds;
    const sinceNever = this.#delaySeconds + lengths[lengths.length - 1];
    const newest = windows.newestTime(0, 0);
    totals[place++] = 0;
    totals[place++] = 0;
    totals[place++] = newest < 0 ? sinceNever : time - newest;
    totals[place++] = sinceNever;
    totals[place++] = inside;
    totals.fill(0, place, place + lengths.length);
    place += lengths.length;
    totals[place++] = sinceNever;
    totals[place++] = sinceNever;
    totals[place] = inside;
  }

  #writeAll(
    time: number,
    windows: SlidingWindows,
    totals: Float64Array,
    place: number,
  ): void {
    const times = this.#times;
    const frauds = this.#frauds;
    const usual = this.#usual;
    const count = windows.recent(0, "time", 0, times);
    windows.recent(0, "flag", 0, frauds);
    windows.recent(0, "value", 0, usual);
    // Only times are compared: payments in the same second have no order here.
    const end = time - this.#delaySeconds;
    const lengths = this.#windowSeconds;
    const never = end - lengths[lengths.length - 1];
    let genuine = never;
    let newest = never;
    let usualNewest = never;
    let usualOldest = never;
    const counts = place + 5;
    totals.fill(0, counts, counts + lengths.length);
    for (let i = 0; i < count; i++) {
      if (frauds[i] === 0) {
        genuine = times[i];
        continue;
      }
      newest = times[i];
      if (usual[i] === 0) continue;
      if (usualNewest === never) usualOldest = times[i];
      usualNewest = times[i];
      for (let w = lengths.length - 1; w >= 0; w--) {
        if (end - times[i] >= lengths[w]) break;
        totals[counts + w]++;
      }
    }
    let streak = 0;
    let began = time;
    let sinceFraud = 0;
    let genuineSince = 0;
    for (let i = count - 1; i >= 0; i--) {
      if (times[i] > genuine) {
        streak++;
        began = times[i];
      }
      if (times[i] > newest) sinceFraud++;
      if (times[i] > usualNewest && frauds[i] === 0) genuineSince++;
    }
    totals[place++] = streak;
    totals[place++] = time - began;
    totals[place++] = time - genuine;
    totals[place++] = time - newest;
    totals[place++] = sinceFraud;
    place += lengths.length;
    totals[place++] = time - usualNewest;
    totals[place++] = time - usualOldest;
    totals[place] = genuineSince;
  }
}
