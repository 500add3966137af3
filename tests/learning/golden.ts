/** Metrics that scikit-learn gave; tests/data/learning/make_metrics.py made them. */
import text from "../data/learning/metrics.json" with { type: "json" };

/** Scored payments and what the metrics of them are. */
export interface GoldenMetrics {
  name: string;
  label: number[];
  score: number[];
  day: number[];
  card: number[];
  amount: number[];
  aucRoc: number;
  averagePrecision: number;
  precisionRecall:
    | { precision: number[]; recall: number[]; thresholds: number[] }
    | null;
  roc:
    | {
      falsePositiveRate: number[];
      truePositiveRate: number[];
      thresholds: number[];
    }
    | null;
  /** Without a value where it has none. */
  thresholds: ({ threshold: number } & Record<string, number | null>)[];
  /** By the number of cards. */
  cardPrecision: Record<
    string,
    {
      mean: number;
      days: {
        day: number;
        cards: number;
        compromised: number;
        hits: number;
        precision: number;
      }[];
    }
  >;
}

/** All cases. */
export const GOLDEN_METRICS = text as unknown as readonly GoldenMetrics[];
