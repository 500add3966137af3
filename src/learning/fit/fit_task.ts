/** One model fitted to one period and judged by its test: the unit of work of evaluation and selection. */
import { judge, type Judgement } from "../judge/judgement.ts";
import { fitModel, scorerOf } from "../kinds/kinds.ts";
import type { ModelBody } from "../kinds/model.ts";
import type { Settings } from "../kinds/model_kind.ts";
import {
  examplesOf,
  type LabelledPayments,
  scoreRows,
} from "../data/payments.ts";
import { type Period, splitPayments, trainRows } from "../data/split.ts";

/** A model to fit. */
export interface ModelSpec {
  /** Name of its kind. */
  readonly kind: string;
  /** Its settings; those not set have the kind's initial values. */
  readonly settings: Settings;
}

/** A model to fit and judge. */
export interface FitTask {
  /** What is fitted. */
  readonly model: ModelSpec;
  /** What it is fitted to. */
  readonly period: Period;
  /** Periods whose tests it is judged by: usually the one it is fitted to. */
  readonly judgedBy: readonly Period[];
}

/** The result of a test. */
export interface Tested {
  /** The metrics. */
  readonly judgement: Judgement;
  /** Score of each test row, in their order. */
  readonly scores: Float64Array;
}

/** The result of a task. */
export interface FitOutcome {
  /** The fitted model. */
  readonly body: ModelBody;
  /** A test for each period it is judged by. */
  readonly tests: readonly Tested[];
  /** Wall time of the fit alone. */
  readonly fitSeconds: number;
}

/** Does a task. Throws ModelError, for example where the training has one class only. */
export async function runFitTask(
  payments: LabelledPayments,
  task: FitTask,
): Promise<FitOutcome> {
  const { kind, settings } = task.model;
  const examples = examplesOf(payments, trainRows(payments, task.period));
  const startMs = performance.now();
  const body = fitModel(kind, examples, settings);
  const fitSeconds = (performance.now() - startMs) / 1000;
  const scorer = scorerOf(body, payments.inputs);
  const tests: Tested[] = [];
  for (const period of task.judgedBy) {
    const { test } = splitPayments(payments, period);
    const scores = await scoreRows(scorer, payments, test);
    tests.push({ judgement: judge(payments, test, scores), scores });
  }
  return { body, tests, fitSeconds };
}
