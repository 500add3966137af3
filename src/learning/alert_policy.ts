/**
 * Which scored payments become alerts: all from a threshold on, the most
 * suspect cards of a day, or so many payments a day. In a stream nobody knows
 * the rest of the day, so the latter two alert from the score that would have
 * filled the quota on the days before, until today's quota is full.
 *
 * A judge works on one partition and its verdicts are a function of the scores
 * that it has been given, in their order: partitions share the quota evenly
 * and never ask each other.
 */
import { ModelError } from "../error/error.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";

/** Which payments are alerts. */
export type AlertPolicy =
  /** Those with at least that score. */
  | { readonly kind: "threshold"; readonly threshold: number }
  /** Those of the most suspect cards of a day, so many cards. */
  | { readonly kind: "cards"; readonly perDay: number }
  /** The most suspect of a day, so many payments. */
  | { readonly kind: "payments"; readonly perDay: number };

/** The policy where none is asked for. */
export const DEFAULT_POLICY: AlertPolicy = {
  kind: "threshold",
  threshold: 0.5,
};

/** What a judge knew when its day began: with the day's scores, all that it knows. */
export interface AlertCheckpoint {
  /** The day. */
  readonly day: number;
  /** The score that would have filled the quota, of each of the last days, oldest first. */
  readonly cuts: readonly number[];
}

/** Days that the cut of a day is the mean of. */
const CUT_DAYS = 7;

/** The cut of the first day. */
const FIRST_CUT = 0.5;

/** Decides about the payments of one partition, in their order. */
export class AlertJudge {
  readonly #policy: AlertPolicy;
  readonly #quota: number;
  #day: number;
  #cuts: readonly number[];
  #cut: number;
  // Greatest score of each card today, or (payments) the least of the greatest.
  readonly #cards = new Map<number, number>();
  readonly #top: LeastHeap;
  // Cards alerted today; payments need their number only.
  readonly #alerted = new Set<number>();
  #alerts = 0;

  /**
   * Judges partition `partition` of `partitions`, from the beginning of a day
   * on. Throws ModelError for a quota that leaves a partition nothing.
   */
  constructor(
    policy: AlertPolicy,
    { partition, partitions, from }: {
      readonly partition: number;
      readonly partitions: number;
      readonly from?: AlertCheckpoint | undefined;
    },
  ) {
    this.#policy = policy;
    this.#quota = policy.kind === "threshold"
      ? 0
      : shareOf(policy.perDay, partition, partitions);
    this.#day = from?.day ?? -1;
    this.#cuts = from?.cuts ?? [];
    this.#cut = this.#meanCut();
    this.#top = new LeastHeap(this.#quota);
  }

  /** Whether what was judged today has to be known to go on. */
  get hasState(): boolean {
    return this.#policy.kind !== "threshold";
  }

  /** The day of the newest payment judged; -1 before the first. */
  get day(): number {
    return this.#day;
  }

  /** What was known when the day began. */
  get checkpoint(): AlertCheckpoint {
    return { day: this.#day, cuts: this.#cuts };
  }

  /** Begins the day of a payment if that is a new one; one of an earlier day counts for today. */
  reach(timeSeconds: number): void {
    const day = Math.floor(timeSeconds / DAY_SECONDS);
    if (day <= this.#day || !this.hasState) return;
    const cut = this.#cutOfToday();
    if (cut !== undefined) this.#cuts = [...this.#cuts, cut].slice(-CUT_DAYS);
    this.#cut = this.#meanCut();
    this.#day = day;
    this.#cards.clear();
    this.#top.clear();
    this.#alerted.clear();
    this.#alerts = 0;
  }

  /** Whether a payment is an alert; call reach() with its time before. */
  decide(customerId: number, score: number): boolean {
    const policy = this.#policy;
    if (policy.kind === "threshold") return score >= policy.threshold;
    if (policy.kind === "payments") {
      this.#top.add(score);
      if (score < this.#cut || this.#alerts >= this.#quota) return false;
      this.#alerts++;
      return true;
    }
    const known = this.#cards.get(customerId);
    if (known === undefined || score > known) {
      this.#cards.set(customerId, score);
    }
    if (score < this.#cut) return false;
    if (this.#alerted.has(customerId)) return true;
    if (this.#alerted.size >= this.#quota) return false;
    this.#alerted.add(customerId);
    return true;
  }

  /** The least score that today's quota would have reached; undefined without a payment. */
  #cutOfToday(): number | undefined {
    if (this.#policy.kind === "payments") return this.#top.least;
    if (this.#cards.size === 0) return undefined;
    const scores = Float64Array.from(this.#cards.values()).sort();
    return scores[Math.max(0, scores.length - this.#quota)];
  }

  #meanCut(): number {
    if (this.#cuts.length === 0) return FIRST_CUT;
    return this.#cuts.reduce((sum, cut) => sum + cut) / this.#cuts.length;
  }
}

/** A partition's share of a quota: as even as whole numbers can be. Throws ModelError if it is nothing. */
export function shareOf(
  quota: number,
  partition: number,
  partitions: number,
): number {
  if (quota < partitions) {
    throw new ModelError(
      `a quota of ${quota} alerts a day cannot be shared by ${partitions} ` +
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

  clear(): void {
    this.#values.length = 0;
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
