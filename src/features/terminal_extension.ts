/** The terminal's features of the extended set: see extended_columns.ts. */
import type { StateSink, StateSource } from "../base/state_stream.ts";
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import {
  customerColumns,
  HISTORY_MAX,
  UNUSUAL_RATIO,
} from "./extended_columns.ts";
import { type FeatureParameters, handbookCount } from "./parameters.ts";
import { SlidingWindows } from "./sliding_windows.ts";

// What is known of a payment: the values of the windows.
const GENUINE = 0;
const UNUSUAL_FRAUD = 1;
const USUAL_FRAUD = 2;

const MEDIAN_RATIO = "CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN";

/** What the terminals' side adds for the extended set. */
export class TerminalExtension {
  readonly #windowSeconds: readonly number[];
  readonly #delaySeconds: number;
  readonly #useLabels: boolean;
  readonly #offset: number;
  readonly #ratioPlace: number;
  readonly #windows: SlidingWindows;
  readonly #times = new Float64Array(HISTORY_MAX);
  readonly #values = new Float64Array(HISTORY_MAX);

  /** Makes an extension without state; payments may come up to `slackSeconds` out of order. */
  constructor(parameters: FeatureParameters, slackSeconds: number) {
    const { windowDays, delayDays, useLabels } = parameters;
    const columns = customerColumns(windowDays);
    const first = handbookCount(parameters);
    this.#windowSeconds = windowDays.map((days) => days * DAY_SECONDS);
    this.#delaySeconds = delayDays * DAY_SECONDS;
    this.#useLabels = useLabels;
    this.#offset = first + columns.length;
    this.#ratioPlace = first +
      columns.findIndex(({ name }) => name === MEDIAN_RATIO);
    this.#windows = new SlidingWindows({
      columns: ["value"],
      groups: [{
        lagSeconds: this.#delaySeconds,
        windowSeconds: [Math.max(...this.#windowSeconds)],
        sum: "value",
      }],
      slackSeconds,
    });
  }

  /** Writes the state. */
  save(sink: StateSink): void {
    this.#windows.save(sink);
  }

  /** Takes a state that save() wrote; throws an Error as SlidingWindows.load() does. */
  load(source: StateSource): void {
    this.#windows.load(source);
  }

  /**
   * Writes the totals of a payment, whose customer's half stands in the row
   * already, and takes its label into the state.
   */
  process(
    row: Payment,
    progress: number,
    totals: Float64Array,
    at: number,
  ): void {
    const time = row.timeSeconds;
    const usual = totals[at + this.#ratioPlace] < UNUSUAL_RATIO;
    const fraud = this.#useLabels && row.fraud === 1;
    const code = !fraud ? GENUINE : usual ? USUAL_FRAUD : UNUSUAL_FRAUD;
    const times = this.#times;
    const values = this.#values;
    const windows = this.#windows;
    windows.add(row.terminalId, time, 0, code, progress);
    const count = windows.recent(0, "value", 0, times, values);
    // Only times are compared: payments of one second have no order here.
    const end = time - this.#delaySeconds;
    const lengths = this.#windowSeconds;
    const never = end - lengths[lengths.length - 1];
    let genuine = never;
    let newest = never;
    let usualNewest = never;
    let usualOldest = never;
    let place = at + this.#offset;
    const counts = place + 5;
    totals.fill(0, counts, counts + lengths.length);
    for (let i = 0; i < count; i++) {
      if (values[i] === GENUINE) {
        genuine = times[i];
        continue;
      }
      newest = times[i];
      if (values[i] !== USUAL_FRAUD) continue;
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
      if (times[i] > usualNewest && values[i] === GENUINE) genuineSince++;
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
