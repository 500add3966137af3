/** How the values of an input lie, for genuine payments and for frauds, gathered in one pass. */
import { Histogram } from "./histogram.ts";
import { labelCorrelation, Moments } from "./moments.ts";

/** What became of a payment; unknown without a label. */
export type Outcome = "genuine" | "fraud" | "unknown";

/** One input's numbers: of the payments whose outcome is known, or of all, as "genuine", where none is. */
export interface FeatureStatistics {
  /** Name: TX_AMOUNT, a feature's or a kept field's. */
  readonly name: string;
  /** How the values of genuine payments and of frauds lie, as distances from `origin`. */
  readonly values: readonly [genuine: Histogram, fraud: Histogram];
  /** What the histograms count from; 0 for features. */
  readonly origin: number;
  /** Mean and deviation of both. */
  readonly moments: readonly [genuine: Moments, fraud: Moments];
  /** Pearson's correlation with TX_FRAUD; NaN where one of them is constant. */
  readonly correlation: number;
  /** Probability that a fraud's value is greater than a genuine payment's, ties by half (the AUC of the value alone); NaN without both classes. */
  readonly auc: number;
}

/** Gathers the values of an input, apart by outcome. */
export class ValuesByOutcome {
  readonly #origin: number;
  readonly #genuine = [new Histogram(), new Moments()] as const;
  readonly #fraud = [new Histogram(), new Moments()] as const;
  readonly #unknown = [new Histogram(), new Moments()] as const;

  /** Takes values whose histograms count from `origin`. */
  constructor(origin = 0) {
    this.#origin = origin;
  }

  /** Takes a value; NaN is none. */
  add(outcome: Outcome, value: number): void {
    if (Number.isNaN(value)) return;
    const [histogram, moments] = outcome === "genuine"
      ? this.#genuine
      : outcome === "fraud"
      ? this.#fraud
      : this.#unknown;
    histogram.add(value - this.#origin);
    moments.add(value);
  }

  /** What has come out; of all payments, unless the outcome of some is known. */
  finish(name: string, someKnown: boolean): FeatureStatistics {
    const [genuine, genuineMoments] = someKnown ? this.#genuine : this.#unknown;
    const [fraud, fraudMoments] = this.#fraud;
    const moments = [genuineMoments, fraudMoments] as const;
    return {
      name,
      values: [genuine, fraud],
      origin: this.#origin,
      moments,
      correlation: labelCorrelation(...moments),
      auc: aucOf(genuine, fraud),
    };
  }
}

/** The AUC of a value by itself, by the Mann-Whitney statistic over the histograms' bins. */
export function aucOf(genuine: Histogram, fraud: Histogram): number {
  const pairs = genuine.count * fraud.count;
  if (pairs === 0) return NaN;
  const frauds = [...fraud.bins()];
  let at = 0;
  let fraudsBelow = 0;
  let wins = 0;
  for (const { value, count } of genuine.bins()) {
    while (at < frauds.length && frauds[at].value < value) {
      fraudsBelow += frauds[at++].count;
    }
    const ties = at < frauds.length && frauds[at].value === value
      ? frauds[at].count
      : 0;
    wins += count * (fraud.count - fraudsBelow - ties / 2);
  }
  return wins / pairs;
}
