/** `train`: fits one model and writes it to a file. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError } from "../../base/error.ts";
import {
  type FeatureParameters,
  nullableNames,
} from "../../features/parameters.ts";
import { STANDARD_STREAM, writeOutput } from "../../base/output_file.ts";
import {
  checkNullable,
  completeSettings,
  KIND_NAMES,
} from "../../learning/kinds/kinds.ts";
import type { FitOutcome, FitTask } from "../../learning/fit/fit_task.ts";
import { usualOf } from "../../learning/explain/usual_values.ts";
import { METRICS } from "../../learning/judge/judgement.ts";
import {
  declarationsSum,
  formatModelFile,
  type TrainedModel,
  withVersion,
} from "../../learning/file/model_file.ts";
import type { InputNumbers } from "../../learning/onnx/onnx_writer.ts";
import { exportModel, ONNX_ENDING } from "../../learning/onnx/onnx_file.ts";
import {
  examplesOf,
  type LabelledPayments,
  lastDayOf,
} from "../../learning/data/payments.ts";
import {
  countRows,
  endDayOf,
  firstDayOf,
  type Period,
  rowsFingerprint,
  testStartOf,
  trainRows,
} from "../../learning/data/split.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import { FEATURE_FLAGS, type FeatureOptions } from "../flags/feature_flags.ts";
import { checkOutput } from "../output/table_output.ts";
import { fitAll, threadsOf } from "./fitting.ts";
import { DATA_FLAGS } from "../flags/data_flags.ts";
import { requireFlag } from "../flags/flag_value.ts";
import { PAYMENT_FLAGS, type PaymentOptions } from "../flags/payment_flags.ts";
import {
  type NamedSpec,
  readModels,
  withSetting,
} from "../flags/model_flags.ts";
import { PERIOD_FLAGS, type PeriodOptions } from "../flags/period_flags.ts";
import { dateRange } from "../output/evaluation_table.ts";
import { loadPeriod, readPaymentInput } from "./labelled_payments.ts";
import { writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { decimals } from "../../base/text_table.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    model: {
      value: "<kind>",
      help: `needed: ${KIND_NAMES.join(", ")}`,
    },
    out: { value: "<file>", help: "required: file to write, or - for stdout" },
    force: { help: "overwrite an existing file" },
    export: {
      value: "<format>",
      help: "also write the model for other programs, as model.onnx beside " +
        "model.json: onnx, which takes float64, or onnx-float32, which may " +
        "score some rows differently",
    },
    trees: { value: "<n>", help: "number of trees" },
    depth: { value: "<n>", help: "largest depth of a tree; 0 for no limit" },
    learningRate: {
      value: "<r>",
      help: "learning rate of boosting",
    },
    settings: {
      value: "<list>",
      help: "any settings of the model, such as seed=7,row-share=0.5",
    },
  },
} as const satisfies FlagGroup;

type TrainOptions =
  & FlagValues<typeof FLAGS>
  & FeatureOptions
  & PaymentOptions
  & PeriodOptions;

const EXAMPLES = `
Examples:
  ./fraudstream train --model=gradient-boosting --out model.json
  ./fraudstream train --model=random-forest --trees=50 --settings=leaf-rows=5 \\
    --in data --start-day=150 --train-days=14 --out forest.json
  ./fraudstream train --model=gradient-boosting --out model.json --export=onnx
  ./fraudstream evaluate --model=model.json
`;

/** The command. */
export const TRAIN_COMMAND: CommandDeclaration = defineCommand({
  name: "train",
  summary: "train a model and write it to a file",
  description:
    "Trains one model and writes it to a file with its features, its " +
    "training days and, if the payments reach the end of the test, its " +
    "metrics.",
  flags: [FLAGS, PERIOD_FLAGS, FEATURE_FLAGS, PAYMENT_FLAGS, DATA_FLAGS],
  examples: EXAMPLES,
  run: train,
});

async function train(options: TrainOptions): Promise<void> {
  const spec = readSpecOf(options);
  const out = requireFlag(
    "--out",
    options.out,
    `train --model=${spec.name} --out model.json`,
  );
  const onnx = readExport(out, options.export);
  const paths = onnx === undefined ? [out] : [out, onnx.path];
  for (const path of paths) {
    await checkOutput({
      out: path,
      force: options.force ?? false,
      format: "jsonl",
      input: options.in,
    });
  }
  const input = readPaymentInput(options);
  const parameters = input.features;
  checkNullable(spec.kind, nullableNames(parameters));
  const { payments, period } = await loadPeriod(options, input);
  const tested = lastDayOf(payments) >= endDayOf(period) - 1;
  const task: FitTask = {
    model: spec,
    period,
    judgedBy: tested ? [period] : [],
  };
  const [outcome] = await fitAll(payments, [task], threadsOf(undefined));
  const model = trainedModel(spec, parameters, payments, period, outcome);
  await writeOutput(out, new TextEncoder().encode(formatModelFile(model)));
  if (onnx) await writeOutput(onnx.path, exportModel(model, onnx.numbers));
  writeError(summary(model, payments, period, paths));
}

/** The numbers that the models of each --export take. */
const EXPORTS = new Map<string, InputNumbers>([
  ["onnx", "float64"],
  ["onnx-float32", "float32"],
]);

/** The ONNX file beside the model file, if requested. */
function readExport(
  out: string,
  format: string | undefined,
): { path: string; numbers: InputNumbers } | undefined {
  if (out.endsWith(ONNX_ENDING)) {
    throw new ConfigError(
      `--out=${out}: name the model file, as in --out model.json; ` +
        "--export=onnx writes model.onnx beside it",
    );
  }
  if (format === undefined) return undefined;
  const numbers = EXPORTS.get(format);
  if (numbers === undefined) {
    throw new ConfigError(
      `--export must be ${[...EXPORTS.keys()].join(" or ")}, not '${format}'`,
    );
  }
  if (out === STANDARD_STREAM) {
    throw new ConfigError("--export needs a file, as in --out model.json");
  }
  return { path: out.replace(/\.json$/, "") + ONNX_ENDING, numbers };
}

/** The one kind that --model names, with the settings of the other flags. */
function readSpecOf(options: TrainOptions): NamedSpec {
  const text = requireFlag(
    "--model",
    options.model,
    "train --model=gradient-boosting --out model.json",
  );
  const [choice, ...more] = readModels(text);
  if (!("kind" in choice) || more.length > 0) {
    throw new ConfigError(
      `--model must be one kind of model to train, not '${text}'`,
    );
  }
  const { trees, depth, learningRate, settings } = options;
  const pairs: [string, string | undefined][] = [
    ["trees", trees],
    ["depth", depth],
    ["learning-rate", learningRate],
  ];
  for (const pair of settings?.split(",") ?? []) {
    const [name, value = ""] = pair.trim().split("=", 2);
    pairs.push([name, value]);
  }
  return pairs.reduce((spec, [name, value]) => {
    return value === undefined
      ? spec
      : withSetting(spec, name, value, "--settings");
  }, choice);
}

function trainedModel(
  spec: NamedSpec,
  parameters: FeatureParameters,
  payments: LabelledPayments,
  period: Period,
  { body, tests }: FitOutcome,
): TrainedModel {
  const rows = trainRows(payments, period);
  const firstDay = firstDayOf(period);
  return withVersion({
    kind: spec.kind,
    inputs: payments.inputs,
    featureParameters: parameters,
    declared: declarationsSum(parameters),
    training: {
      firstDay,
      firstDate: formatDate(payments.startSeconds + firstDay * DAY_SECONDS),
      days: period.historyDays + period.trainDays,
      delayDays: period.delayDays,
      ...countRows(payments, rows),
      fingerprint: rowsFingerprint(payments, rows),
    },
    usual: usualOf(examplesOf(payments, rows)),
    settings: completeSettings(spec.kind, spec.settings),
    metrics: tests[0]?.judgement.metrics,
    body,
  });
}

function summary(
  model: TrainedModel,
  payments: LabelledPayments,
  period: Period,
  paths: readonly string[],
): string {
  const { training, metrics } = model;
  const trained = dateRange(
    payments,
    training.firstDay,
    training.firstDay + training.days,
  );
  const testDays = dateRange(payments, testStartOf(period), endDayOf(period));
  const tested = metrics === undefined
    ? `not tested: the payments end before ${testDays.slice(-10)}`
    : `tested on ${testDays}: ` + METRICS.map((metric) => {
      return `${metric} ${decimals(metrics[metric])}`;
    }).join(", ");
  return `${model.kind} ${model.version}, trained on ${trained}: ` +
    `${counted(training.rows, "payment")}, ` +
    `${counted(training.frauds, "fraud")}\n${tested}\nmodel in ${
      paths.join(" and ")
    }\n`;
}
