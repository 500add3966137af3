/**
 * Decides which scored payments become alerts: all from a threshold on, the
 * most suspicious cards of a day, or a number of payments per day. A stream
 * does not know the rest of the day, so the latter two alert from the score
 * that would have filled the quota on the days before, until today's quota is
 * full.
 *
 * A judge works on one partition and its verdicts are a function of the scores
 * that it has been given, in their order: partitions share the quota evenly
 * and never ask each other. A quota is an event day's, however its payments
 * are mixed with those of other days.
 */
import { ModelError } from "../base/error.ts";
import { DAY_SECONDS } from "../payment/payment.ts";

/** Which payments are alerts. */
export type AlertPolicy =
  /** The payments with at least that score. */
  | { readonly kind: "threshold"; readonly threshold: number }
  /** The payments of this number of most suspect cards per day. */
  | { readonly kind: "cards"; readonly perDay: number }
  /** This number of most suspect payments per day. */
  | { readonly kind: "payments"; readonly perDay: number };

/** The default policy. */
export const DEFAULT_POLICY: AlertPolicy = {
  kind: "threshold",
  threshold: 0.5,
};

/** A day that is being judged, with the scores of its payments so far. */
export interface AlertDay {
  /** The event day. */
  readonly day: number;
  /** The score from which on its payments are alerts, as long as the quota is not full. */
  readonly cut: number;
}

/** How many earlier days a day's cut is the mean of. */
export const CUT_DAYS = 7;

/** The cut of a day with no payments before. */
const FIRST_CUT = 0.5;

/** How a judge is made. */
export interface AlertJudgeOptions {
  /** The partition that it judges. */
  readonly partition: number;
  /** All partitions, which share the quota. */
  readonly partitions: number;
  /** How many days a payment may come after a newer one. */
  readonly lateDays: number;
  /** The days that were being judged; judge their payments again, in order, to continue them. */
  readonly days?: readonly AlertDay[];
}

/** Decides about the payments of one partition, in their order. */
export class AlertJudge {
  #policy: AlertPolicy;
  readonly #quota: number;
  readonly #keptDays: number;
  readonly #days = new Map<number, DayState>();
  #newest = -1;

  /** Makes a judge. Throws ModelError for a quota that leaves a partition nothing. */
  constructor(policy: AlertPolicy, options: AlertJudgeOptions) {
    const { partition, partitions, lateDays, days = [] } = options;
    this.#policy = policy;
    this.#quota = policy.kind === "threshold"
      ? 0
      : shareOf(policy.perDay, partition, partitions);
    this.#keptDays = lateDays + CUT_DAYS + 1;
    if (policy.kind === "threshold") return;
    for (const { day, cut } of days) {
      this.#days.set(day, this.#emptyDay(cut));
      this.#newest = Math.max(this.#newest, day);
    }
  }

  /** Uses another threshold from here on; a quota stays as it is. */
  useThreshold(threshold: number): void {
    if (this.#policy.kind !== "threshold") return;
    this.#policy = { kind: "threshold", threshold };
  }

  /** Whether a payment of that time is the first of its day here: call begin() then, before it is judged. */
  begins(timeSeconds: number): boolean {
    if (this.#policy.kind === "threshold") return false;
    const day = Math.floor(timeSeconds / DAY_SECONDS);
    return !this.#days.has(day) && day > this.#newest - this.#keptDays;
  }

  /** Begins the day of a payment, and drops days that are too old for another one. */
  begin(timeSeconds: number): AlertDay {
    const day = Math.floor(timeSeconds / DAY_SECONDS);
    const cut = this.#cutOf(day);
    this.#days.set(day, this.#emptyDay(cut));
    this.#newest = Math.max(this.#newest, day);
    for (const old of this.#days.keys()) {
      if (!this.#keeps(old)) this.#days.delete(old);
    }
    return { day, cut };
  }

  /** Whether a day is still being judged. */
  isOpen(day: number): boolean {
    return this.#days.has(day);
  }

  /** Whether a payment is an alert. */
  decide(
    customerId: number | string,
    timeSeconds: number,
    score: number,
  ): boolean {
    const policy = this.#policy;
    if (policy.kind === "threshold") return score >= policy.threshold;
    const state = this.#days.get(Math.floor(timeSeconds / DAY_SECONDS));
    if (!state) return false; // older than any that is still judged
    if (policy.kind === "payments") {
      state.top.add(score);
      if (score < state.cut || state.alerts >= this.#quota) return false;
      state.alerts++;
      return true;
    }
    const known = state.cards.get(customerId);
    if (known === undefined || score > known) {
      state.cards.set(customerId, score);
    }
    if (score < state.cut) return false;
    if (state.alerted.has(customerId)) return true;
    if (state.alerted.size >= this.#quota) return false;
    state.alerted.add(customerId);
    return true;
  }

  #keeps(day: number): boolean {
    return day > this.#newest - this.#keptDays;
  }

  #emptyDay(cut: number): DayState {
    return {
      cut,
      cards: new Map(),
      alerted: new Set(),
      alerts: 0,
      top: new LeastHeap(this.#quota),
    };
  }

  /** The mean of the scores that would have filled the quota of the days before, as far as they are known. */
  #cutOf(day: number): number {
    let sum = 0;
    let days = 0;
    for (let before = day - CUT_DAYS; before < day; before++) {
      const state = this.#days.get(before);
      const least = state && this.#leastOf(state);
      if (least === undefined) continue;
      sum += least;
      days++;
    }
    // Few digits, because every commit holds it.
    return days === 0 ? FIRST_CUT : Number((sum / days).toPrecision(6));
  }

  /** The least score that a day's quota would have reached; undefined without a payment. */
  #leastOf({ top, cards }: DayState): number | undefined {
    if (this.#policy.kind === "payments") return top.least;
    if (cards.size === 0) return undefined;
    const scores = Float64Array.from(cards.values()).sort();
    return scores[Math.max(0, scores.length - this.#quota)];
  }
}

/** What a judge knows of a day. */
interface DayState extends Pick<AlertDay, "cut"> {
  /** Greatest score of each card. */
  readonly cards: Map<number | string, number>;
  /** Cards alerted. */
  readonly alerted: Set<number | string>;
  /** Payments alerted. */
  alerts: number;
  /** Greatest scores, as many as the quota. */
  readonly top: LeastHeap;
}

/** A partition's share of a quota, as even as whole numbers allow. Throws ModelError if it is 0. */
export function shareOf(
  quota: number,
  partition: number,
  partitions: number,
): number {
  if (quota < partitions) {
    throw new ModelError(
      `a quota of ${quota} alerts per day cannot be divided among ${partitions} ` +
        `partitions; give at least ${partitions}`,
    );
  }
  const even = Math.floor(quota / partitions);
  return even + (partition < quota % partitions ? 1 : 0);
}

/** The greatest `capacity` numbers, the least of them first: a binary heap. */
class LeastHeap {
  readonly #capacity: number;
  readonly #values: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get least(): number | undefined {
    return this.#values[0];
  }

  add(value: number): void {
    const values = this.#values;
    if (values.length < this.#capacity) {
      let at = values.push(value) - 1;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (values[parent] <= values[at]) return;
        [values[parent], values[at]] = [values[at], values[parent]];
        at = parent;
      }
    } else if (value > values[0]) {
      values[0] = value;
      this.#sink();
    }
  }

  #sink(): void {
    const values = this.#values;
    for (let at = 0;;) {
      const left = 2 * at + 1;
      if (left >= values.length) return;
      const right = left + 1;
      const child = right < values.length && values[right] < values[left]
        ? right
        : left;
      if (values[at] <= values[child]) return;
      [values[at], values[child]] = [values[child], values[at]];
      at = child;
    }
  }
}
