/**
 * How models age: compares a model that is trained once with one that is
 * trained again before each test on the sliding past. Both are judged by the
 * same tests.
 */
import type { Period } from "../data/split.ts";
import { testStartOf } from "../data/split.ts";
import type { FitOutcome, FitTask, ModelSpec } from "../fit/fit_task.ts";
import type { MetricValues } from "./judgement.ts";
import { spreads } from "./selection.ts";

/** A model's metrics in each test. */
export interface Ageing {
  /** Trained once, before the first test. */
  readonly once: readonly MetricValues[];
  /** Trained again before each test. */
  readonly again: readonly MetricValues[];
}

/** The first period and those that follow it by its test's length, within this many days; none if even the first does not fit. */
export function retrainingPeriods(first: Period, days: number): Period[] {
  const count = Math.floor((days - testStartOf(first)) / first.testDays);
  return Array.from({ length: Math.max(0, count) }, (_, at) => {
    return { ...first, startDay: first.startDay + at * first.testDays };
  });
}

/** The fits for each model: once, judged by all periods, then for each later period. */
export function retrainingTasks(
  models: readonly ModelSpec[],
  periods: readonly Period[],
): FitTask[] {
  return models.flatMap((model): FitTask[] => [
    { model, period: periods[0], judgedBy: periods },
    ...periods.slice(1).map((period): FitTask => {
      return { model, period, judgedBy: [period] };
    }),
  ]);
}

/** How each model ages, from the outcomes of its tasks. */
export function retrainingResults(
  outcomes: readonly FitOutcome[],
  periods: readonly Period[],
): Ageing[] {
  const count = outcomes.length / periods.length;
  return Array.from({ length: count }, (_, model) => {
    const own = outcomes.slice(model * periods.length);
    const [once, ...others] = own.slice(0, periods.length).map(({ tests }) =>
      tests.map(({ judgement }) => judgement.metrics)
    );
    return { once, again: [once[0], ...others.flat()] };
  });
}

/** The mean of each metric over some tests. */
export function meansOf(values: readonly MetricValues[]): MetricValues {
  const means = spreads(values);
  return {
    "auc_roc": means.auc_roc.mean,
    "average_precision": means.average_precision.mean,
    "card_precision_100": means.card_precision_100.mean,
  };
}
