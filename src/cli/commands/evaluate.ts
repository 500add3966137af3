/** `evaluate`: the handbook's experiment on any payments, with any models. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError } from "../../base/error.ts";
import { TableWriter } from "../../files/table_writer.ts";
import type { FitTask } from "../../learning/fit/fit_task.ts";
import { KIND_NAMES } from "../../learning/kinds/kinds.ts";
import { judge, labelsOf } from "../../learning/judge/judgement.ts";
import { rankScores } from "../../learning/judge/metrics.ts";
import {
  type LabelledPayments,
  scoreRows,
} from "../../learning/data/payments.ts";
import {
  countRows,
  firstDayOf,
  idsSum,
  type Split,
  splitPayments,
} from "../../learning/data/split.ts";
import {
  cheapestThreshold,
  type PricedScores,
  type ThresholdRow,
  thresholdTable,
  USUAL_THRESHOLDS,
} from "../../learning/judge/thresholds.ts";
import {
  leakage,
  type TrainedDays,
  trainedSpan,
} from "../../learning/data/trained_days.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import {
  detailsText,
  EVALUATED,
  type Evaluated,
  isHandbookTest,
  metricsText,
  splitText,
  testSpan,
} from "../output/evaluation_table.ts";
import { FEATURE_FLAGS, type FeatureOptions } from "../flags/feature_flags.ts";
import { tableFormat } from "../output/table_output.ts";
import { fitAll, specsFor, THREADS_FLAGS, threadsOf } from "./fitting.ts";
import { DATA_FLAGS } from "../flags/data_flags.ts";
import { duration, positiveNumber } from "../flags/flag_value.ts";
import { PAYMENT_FLAGS, type PaymentOptions } from "../flags/payment_flags.ts";
import { loadPeriod, readPaymentInput } from "./labelled_payments.ts";
import { collectModels, readModels } from "../flags/model_flags.ts";
import { openModel } from "../../scoring/open_model.ts";
import { PERIOD_FLAGS, type PeriodOptions } from "../flags/period_flags.ts";
import { cardsPerDay, feedbackStudy } from "./feedback_study.ts";
import { retrainStudy } from "./retrain_study.ts";
import { writeError, writeResult } from "../output/terminal.ts";

/** The cost of investigating an alert, in the unit of the amounts. */
const ALERT_COST = 10;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    model: {
      value: "<model>",
      help: `${KIND_NAMES.join(", ")}, with settings as in ` +
        "random-forest:trees=50; or a model file (.json, .onnx); repeat it, " +
        "or give a comma list",
      read: collectModels,
      default: "all",
    },
    json: { help: "print everything as JSON, one object per model" },
    details: { help: "also print each model's days and thresholds" },
    curves: {
      value: "<file>",
      help: "write the precision/recall and ROC curves, one row per score " +
        "(.csv, .jsonl or .parquet)",
    },
    alertCost: {
      value: "<amount>",
      help: "cost of checking one alert",
      read: positiveNumber(1e9),
      default: `${ALERT_COST}`,
      fallback: ALERT_COST,
    },
    retrain: {
      value: "<time>",
      help:
        "compare training once with training again at this interval, such as " +
        "7d",
      read: duration(DAY_SECONDS),
    },
    feedback: {
      value: "<cards>",
      help:
        "another experiment: train again every day with the labels of the " +
        "cards that are checked each day, such as 100/day, beside late labels",
      read: cardsPerDay,
    },
    ...THREADS_FLAGS.flags,
  },
} as const satisfies FlagGroup;

type EvaluateOptions =
  & FlagValues<typeof FLAGS>
  & FeatureOptions
  & PaymentOptions
  & PeriodOptions;

const EXAMPLES = `
Examples:
  ./fraudstream evaluate
      all models on the handbook's data, beside the handbook's results
  ./fraudstream evaluate --in data --model=random-forest:trees=50 --details
  ./fraudstream evaluate --model=model.json --json
  ./fraudstream evaluate --retrain=7d --model=gradient-boosting
      trained once against trained again every week, over all the days
  ./fraudstream evaluate --feedback=100/day --model=gradient-boosting
      late labels alone against the labels of 100 checked cards per day too
`;

/** The command. */
export const EVALUATE_COMMAND: CommandDeclaration = defineCommand({
  name: "evaluate",
  summary: "train models and judge them, or judge model files",
  description:
    "Trains models on some days of payments and judges them on later days, " +
    "as in the Fraud Detection Handbook, by AUC ROC, average precision and " +
    "card precision@100.",
  flags: [FLAGS, PERIOD_FLAGS, FEATURE_FLAGS, PAYMENT_FLAGS, DATA_FLAGS],
  examples: EXAMPLES,
  run: evaluate,
});

async function evaluate(options: EvaluateOptions): Promise<void> {
  const choices = options.model ?? readModels([...EVALUATED.keys()].join(","));
  const named = choices.filter((choice) => "kind" in choice);
  const origin = options.model ? "chosen" : "default";
  const paths = choices.filter((choice) => "path" in choice);
  // Refused before the work instead of after it.
  if (options.curves !== undefined) tableFormat("--curves", options.curves);
  if (options.feedback !== undefined) {
    checkFeedback(options, paths.length > 0);
    return await feedbackStudy(options, { named, origin }, options.feedback);
  }
  if (options.retrain !== undefined) {
    if (paths.length > 0) {
      throw new ConfigError(
        "--retrain trains models and so takes kinds of them, not files",
      );
    }
    return await retrainStudy(options, { named, origin }, options.retrain);
  }
  const opened = paths.map(({ path }) => openModel(path));
  const input = readPaymentInput(
    options,
    opened.find(({ features }) => features)?.features,
  );
  const parameters = input.features;
  const specs = specsFor(named, parameters, origin);
  const scorers = await Promise.all(
    opened.map((model) => model.scorerFor(parameters)),
  );
  const { payments, period } = await loadPeriod(options, input);
  const split = splitPayments(payments, period);
  const tasks = specs.map((model): FitTask => {
    return { model, period, judgedBy: [period] };
  });
  const outcomes = await fitAll(payments, tasks, threadsOf(options.threads));
  const ownTraining: TrainedDays = {
    firstDate: formatDate(
      payments.startSeconds + firstDayOf(period) * DAY_SECONDS,
    ),
    days: period.historyDays + period.trainDays,
    delayDays: period.delayDays,
  };
  const models: Evaluated[] = specs.map(({ name }, at) => {
    const { tests: [test], fitSeconds } = outcomes[at];
    return { name, ...test, fitSeconds, training: ownTraining };
  });
  for (const [at, { path: name, training }] of opened.entries()) {
    const scores = await scoreRows(scorers[at], payments, split.test);
    const judgement = judge(payments, split.test, scores);
    models.push({ name, judgement, scores, fitSeconds: undefined, training });
  }
  if (options.curves !== undefined) {
    await writeCurves(options.curves, payments, split, models);
  }
  report({ ...options, shape: input.shape }, payments, split, models);
}

/** Throws ConfigError for flags that --feedback does not take. */
function checkFeedback(options: EvaluateOptions, hasFiles: boolean): void {
  if (hasFiles) {
    throw new ConfigError(
      "--feedback trains models and so takes kinds of them, not files",
    );
  }
  for (const key of ["retrain", "curves", "details"] as const) {
    if (options[key] === undefined) continue;
    throw new ConfigError(
      `--${key} has no effect with --feedback; leave one of them out`,
    );
  }
}

function report(
  options: EvaluateOptions & { readonly shape: PaymentShape },
  payments: LabelledPayments,
  split: Split,
  models: readonly Evaluated[],
): void {
  const priced = (scores: Float64Array): PricedScores => ({
    labels: labelsOf(payments, split.test),
    amount: Float64Array.from(split.test, (row) => payments.amount[row]),
    scores,
  });
  if (options.json) {
    const objects = models.map((model) => {
      return modelObject(model, payments, split, {
        table: thresholdTable(
          priced(model.scores),
          USUAL_THRESHOLDS,
          options.alertCost,
        ),
        cheapest: cheapestThreshold(priced(model.scores), options.alertCost),
      });
    });
    writeResult(JSON.stringify(objects, null, 2) + "\n");
    return;
  }
  const perfect = judge(
    payments,
    split.test,
    Float64Array.from(labelsOf(payments, split.test)),
  );
  const withHandbook = isHandbookTest(payments, split);
  let text = splitText(payments, split, models) + "\n" +
    metricsText(models, perfect.metrics, withHandbook);
  if (options.details) {
    for (const model of models) {
      text += detailsText(model, priced(model.scores), options);
    }
  }
  writeResult(text);
}

/** One model for --json; missing values are null. */
function modelObject(
  { name, judgement, fitSeconds, training }: Evaluated,
  payments: LabelledPayments,
  split: Split,
  thresholds: { table: readonly ThresholdRow[]; cheapest: ThresholdRow },
): Record<string, unknown> {
  const { period, train, test } = split;
  return {
    model: name,
    ...judgement.metrics,
    "fit_seconds": fitSeconds ?? null,
    "trained_on": training ? trainedObject(training) : null,
    warning: leakage(training, testSpan(payments, split)) ?? null,
    period,
    training: countRows(payments, train),
    test: {
      ...countRows(payments, test),
      "ids_sha256": idsSum(payments, test),
    },
    days: judgement.days,
    thresholds: thresholds.table,
    "cheapest_threshold": thresholds.cheapest,
  };
}

function trainedObject(training: TrainedDays): Record<string, unknown> {
  const { from, to } = trainedSpan(training);
  return {
    "first_date": formatDate(from),
    "last_date": formatDate(to - DAY_SECONDS),
    "label_delay_days": training.delayDays,
  };
}

/** Writes both curves of each model: a row for each distinct score, descending. */
async function writeCurves(
  path: string,
  payments: LabelledPayments,
  split: Split,
  models: readonly Evaluated[],
): Promise<void> {
  const double = (name: string) => ({ name, kind: "double" as const });
  await using writer = await TableWriter.open(
    path,
    tableFormat("--curves", path),
    [
      { name: "model", kind: "text" },
      double("threshold"),
      double("alerts"),
      double("precision"),
      double("recall"),
      double("false_positive_rate"),
    ],
  );
  for (const { name, scores } of models) {
    const ranking = rankScores(labelsOf(payments, split.test), scores);
    const { thresholds, alerts, hits, rows, frauds } = ranking;
    await writer.write([
      thresholds.length > 0 ? Array.from(thresholds, () => name) : [],
      thresholds,
      alerts,
      hits.map((found, at) => found / alerts[at]),
      hits.map((found) => found / frauds),
      hits.map((found, at) => (alerts[at] - found) / (rows - frauds)),
    ], thresholds.length);
  }
  await writer.close();
  writeError(`curves in ${path}\n`);
}
