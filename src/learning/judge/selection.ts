/**
 * Model selection by prequential validation, as in the Fraud Detection
 * Handbook, chapter 5: every candidate is fitted and judged on several folds
 * that end before the tests begin, and chosen by their mean. The test folds are
 * shown only for comparison.
 */
import type { FitOutcome, FitTask, ModelSpec } from "../fit/fit_task.ts";
import { type Metric, METRICS, type MetricValues } from "./judgement.ts";
import { type Period, prequentialPeriods } from "../data/split.ts";

/** Mean and spread of one metric over the folds. */
export interface Spread {
  /** Mean of the folds; NaN if a fold has none. */
  readonly mean: number;
  /** Population standard deviation of the folds. */
  readonly deviation: number;
}

/** Each metric's spread. */
export type Spreads = Readonly<Record<Metric, Spread>>;

/** The results of one candidate. */
export interface CandidateResult {
  /** The candidate. */
  readonly model: ModelSpec;
  /** Over the validation folds: what it is chosen by. */
  readonly validation: Spreads;
  /** Over the test folds. */
  readonly test: Spreads;
  /** The metrics of each validation fold, the latest first. */
  readonly validationFolds: readonly MetricValues[];
  /** The metrics of each test fold, the latest first. */
  readonly testFolds: readonly MetricValues[];
  /** Mean wall time of a fit. */
  readonly fitSeconds: number;
}

/** Folds of the handbook's selection. */
export const HANDBOOK_FOLDS = 4;

/** All fits that the selection needs: each candidate's validation folds, then its test folds. */
export function selectionTasks(
  candidates: readonly ModelSpec[],
  base: Period,
  folds: number,
): FitTask[] {
  const { validation, test } = prequentialPeriods(base, folds);
  return candidates.flatMap((model) =>
    [...validation, ...test].map((period): FitTask => {
      return { model, period, judgedBy: [period] };
    })
  );
}

/** The candidates' results from the outcomes of selectionTasks(). */
export function selectionResults(
  candidates: readonly ModelSpec[],
  folds: number,
  outcomes: readonly FitOutcome[],
): CandidateResult[] {
  return candidates.map((model, at) => {
    const own = outcomes.slice(2 * folds * at, 2 * folds * (at + 1));
    const values = own.map(({ tests }) => tests[0].judgement.metrics);
    const validationFolds = values.slice(0, folds);
    const testFolds = values.slice(folds);
    return {
      model,
      validation: spreads(validationFolds),
      test: spreads(testFolds),
      validationFolds,
      testFolds,
      fitSeconds: meanOf(own.map(({ fitSeconds }) => fitSeconds)),
    };
  });
}

/**
 * The candidate of greatest mean on the validation folds, the first of equal
 * ones; undefined where no candidate has one.
 */
export function bestBy<Result extends CandidateResult>(
  results: readonly Result[],
  metric: Metric,
): Result | undefined {
  let best: Result | undefined;
  for (const result of results) {
    const { mean } = result.validation[metric];
    if (mean > (best?.validation[metric].mean ?? -Infinity)) best = result;
  }
  return best;
}

/** Mean and spread of each metric over folds. */
export function spreads(folds: readonly MetricValues[]): Spreads {
  const [aucRoc, averagePrecision, cardPrecision] = METRICS.map((metric) => {
    return spreadOf(folds.map((values) => values[metric]));
  });
  return {
    "auc_roc": aucRoc,
    "average_precision": averagePrecision,
    "card_precision_100": cardPrecision,
  };
}

function spreadOf(values: readonly number[]): Spread {
  const mean = meanOf(values);
  const squares = values.map((value) => (value - mean) ** 2);
  return { mean, deviation: Math.sqrt(meanOf(squares)) };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
