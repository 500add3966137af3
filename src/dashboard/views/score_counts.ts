/**
 * Scores by event day, counted in bins: enough to say for every threshold what
 * its alerts would have been, and never more than so many days of it.
 */
import { DAY_SECONDS } from "../../payment/payment.ts";
import { readShadowScores } from "../../payment/prediction_json.ts";

/** Bins from score 0 to 1. */
export const SCORE_BINS = 200;
const DAYS_MAX = 60;
/** Versions of shadow models that a day keeps, the newest. */
const SHADOWS_MAX = 8;

/** What fell into each bin. */
export interface BinCounts {
  /** Payments. */
  readonly payments: Float64Array;
  /** Frauds. */
  readonly frauds: Float64Array;
  /** Money in the frauds. */
  readonly fraudAmount: Float64Array;
}

/** The scored payments of an event day. */
export interface ScoredDay extends BinCounts {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Alerts that were raised. */
  alerts: number;
  /** Frauds among them. */
  hits: number;
  /** Frauds that became known when their payments were no longer remembered: they are not counted. */
  missed: number;
  /** Scored payments by version of the model. */
  readonly versions: Map<string, number>;
  /** What shadow models gave its payments, by their versions. */
  readonly shadows: Map<string, ShadowBins>;
}

/** The payments that a shadow model scored, by its own scores. */
export interface ShadowBins {
  /** Those that are alerts of the live model. */
  readonly alerts: BinCounts;
  /** The others. */
  readonly others: BinCounts;
}

/** A scored payment as it is counted. */
export interface ScoredPayment {
  /** TX_TIME_SECONDS. */
  readonly timeSeconds: number;
  /** Its score, 0 to 1. */
  readonly score: number;
  /** 1 for an alert. */
  readonly alert: number;
  /** 1 for a fraud whose label is known, or will be. */
  readonly fraud: number;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** What shadow models give it, as a prediction has it; null or left out for none. */
  readonly shadows?: string | null | undefined;
}

/** Counts scored payments. */
export class ScoreCounts {
  readonly #days = new Map<number, ScoredDay>();

  /** Counts a payment that a version has scored. */
  add(scored: ScoredPayment & { readonly version: string }): void {
    const { score, alert, fraud, amount, version } = scored;
    const day = this.#day(Math.floor(scored.timeSeconds / DAY_SECONDS));
    const bin = binOf(score);
    day.payments[bin]++;
    day.frauds[bin] += fraud;
    day.fraudAmount[bin] += fraud * amount;
    day.alerts += alert;
    day.hits += alert * fraud;
    day.versions.set(version, (day.versions.get(version) ?? 0) + 1);
    countShadows(day, scored, 1, fraud);
  }

  /** Counts a payment that was counted before as one more fraud, or with -1 as one fewer. */
  relabel(scored: ScoredPayment, change: number): void {
    const { timeSeconds, score, alert, amount } = scored;
    const day = this.#days.get(Math.floor(timeSeconds / DAY_SECONDS));
    if (!day) return;
    const bin = binOf(score);
    day.frauds[bin] += change;
    day.fraudAmount[bin] += change * amount;
    day.hits += change * alert;
    countShadows(day, scored, 0, change);
  }

  /** Notes that a fraud of a time has become known too late to be counted. */
  miss(timeSeconds: number): void {
    const day = this.#days.get(Math.floor(timeSeconds / DAY_SECONDS));
    if (day) day.missed++;
  }

  /** The days, oldest first. */
  days(): ScoredDay[] {
    return [...this.#days.values()].sort((a, b) => a.day - b.day);
  }

  #day(day: number): ScoredDay {
    const known = this.#days.get(day);
    if (known) return known;
    const counts: ScoredDay = {
      day,
      ...noCounts(),
      alerts: 0,
      hits: 0,
      missed: 0,
      versions: new Map(),
      shadows: new Map(),
    };
    this.#days.set(day, counts);
    if (this.#days.size > DAYS_MAX) {
      this.#days.delete(Math.min(...this.#days.keys()));
    }
    return counts;
  }
}

/** Counts a payment, and some frauds, for the shadow models that scored it. */
function countShadows(
  { shadows }: ScoredDay,
  { shadows: json, alert, amount }: ScoredPayment,
  payments: number,
  frauds: number,
): void {
  for (const [version, score] of readShadowScores(json)) {
    const bins = shadows.get(version) ??
      { alerts: noCounts(), others: noCounts() };
    shadows.set(version, bins);
    const [oldest] = shadows.keys();
    if (shadows.size > SHADOWS_MAX) shadows.delete(oldest);
    const counts = alert === 1 ? bins.alerts : bins.others;
    const bin = binOf(score);
    counts.payments[bin] += payments;
    counts.frauds[bin] += frauds;
    counts.fraudAmount[bin] += frauds * amount;
  }
}

/** Some payments, and how they have turned out as far as that is known. */
export interface KnownResult {
  /** Payments. */
  readonly payments: number;
  /** Those of days whose labels are known. */
  readonly known: number;
  /** Frauds among these. */
  readonly frauds: number;
}

/** A shadow model beside the live one, over the payments that it scored. */
export interface ShadowResult {
  /** Its version. */
  readonly version: string;
  /** The payments. */
  readonly all: KnownResult;
  /** Alerts of the live model. */
  readonly live: KnownResult;
  /** Alerts that the shadow model would raise. */
  readonly shadow: KnownResult;
  /** Alerts that the shadow model alone would raise. */
  readonly gained: KnownResult;
  /** Alerts of the live model that it would not raise. */
  readonly lost: KnownResult;
}

/** What the shadow models of some days would do from a threshold on, the newest model first; `isLabelled` says of a day whether its labels are known. */
export function shadowResults(
  days: readonly ScoredDay[],
  isLabelled: (day: ScoredDay) => boolean,
  threshold: number,
): ShadowResult[] {
  const versions = new Set(days.flatMap(({ shadows }) => [...shadows.keys()]));
  const from = binOf(threshold);
  return [...versions].reverse().map((version) => {
    const result = (
      parts: readonly (keyof ShadowBins)[],
      first: number,
      end: number,
    ): KnownResult => {
      const sum = { payments: 0, known: 0, frauds: 0 };
      for (const day of days) {
        const bins = day.shadows.get(version);
        if (!bins) continue;
        for (const { payments, frauds } of parts.map((part) => bins[part])) {
          const own = total(payments, first, end);
          sum.payments += own;
          if (!isLabelled(day)) continue;
          sum.known += own;
          sum.frauds += total(frauds, first, end);
        }
      }
      return sum;
    };
    return {
      version,
      all: result(["alerts", "others"], 0, SCORE_BINS),
      live: result(["alerts"], 0, SCORE_BINS),
      shadow: result(["alerts", "others"], from, SCORE_BINS),
      gained: result(["others"], from, SCORE_BINS),
      lost: result(["alerts"], 0, from),
    };
  });
}

function total(values: Float64Array, first: number, end: number): number {
  let sum = 0;
  for (let bin = first; bin < end; bin++) sum += values[bin];
  return sum;
}

function noCounts(): BinCounts {
  return {
    payments: new Float64Array(SCORE_BINS),
    frauds: new Float64Array(SCORE_BINS),
    fraudAmount: new Float64Array(SCORE_BINS),
  };
}

/** The bin of a score; a score of 1 falls into the last. */
export function binOf(score: number): number {
  const bin = Math.floor(score * SCORE_BINS);
  return Math.min(SCORE_BINS - 1, Math.max(0, bin));
}

/** Sums of several days, bin by bin. */
export function sumOf(days: readonly BinCounts[]): BinCounts {
  const sum = noCounts();
  for (const day of days) {
    for (let bin = 0; bin < SCORE_BINS; bin++) {
      sum.payments[bin] += day.payments[bin];
      sum.frauds[bin] += day.frauds[bin];
      sum.fraudAmount[bin] += day.fraudAmount[bin];
    }
  }
  return sum;
}

/**
 * Average precision of binned scores: the sum over the bins, highest score
 * first, of the precision down to a bin times the recall that it adds; NaN
 * without frauds. Payments of one bin count as equal.
 */
export function averagePrecision({ payments, frauds }: BinCounts): number {
  const all = frauds.reduce((sum, count) => sum + count, 0);
  let taken = 0;
  let found = 0;
  let area = 0;
  for (let bin = SCORE_BINS - 1; bin >= 0; bin--) {
    taken += payments[bin];
    found += frauds[bin];
    if (taken > 0) area += found / taken * frauds[bin] / all;
  }
  return area;
}
