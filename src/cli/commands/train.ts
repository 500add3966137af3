/** `train`: fits one model and writes it to a file. */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { OutputFile, STANDARD_STREAM } from "../../base/output_file.ts";
import { completeSettings, KIND_NAMES } from "../../learning/kinds/kinds.ts";
import type { FitOutcome, FitTask } from "../../learning/fit/fit_task.ts";
import { METRICS } from "../../learning/judge/judgement.ts";
import {
  formatModelFile,
  type TrainedModel,
  withVersion,
} from "../../learning/file/model_file.ts";
import type { InputNumbers } from "../../learning/onnx/onnx_writer.ts";
import { exportModel, ONNX_ENDING } from "../../learning/onnx/onnx_file.ts";
import {
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
import {
  addFeatureFlags,
  type FeatureOptions,
  readFeatureFlags,
} from "../flags/feature_flags.ts";
import { checkOutput } from "../output/feature_table.ts";
import { fitAll, threadsOf } from "./fitting.ts";
import { requireFlag } from "../flags/flag_value.ts";
import { addPaymentFlags, type PaymentOptions } from "./labelled_payments.ts";
import {
  type NamedSpec,
  readModels,
  withSetting,
} from "../flags/model_flags.ts";
import {
  addPeriodFlags,
  dateRange,
  loadPeriod,
  type PeriodOptions,
} from "../flags/period_flags.ts";
import { counted, writeError } from "../output/terminal.ts";
import { decimals } from "../output/text_table.ts";

interface TrainOptions extends FeatureOptions, PaymentOptions, PeriodOptions {
  readonly model?: string;
  readonly out?: string;
  readonly force?: boolean;
  readonly export?: string;
  readonly settings?: string;
  readonly trees?: string;
  readonly depth?: string;
  readonly learningRate?: string;
}

const EXAMPLES = `
Examples:
  fraudstream train --model=gradient-boosting --out model.json
  fraudstream train --model=random-forest --trees=50 --settings=leaf-rows=5 \\
    --in data --start-day=150 --train-days=14 --out forest.json
  fraudstream train --model=gradient-boosting --out model.json --export=onnx
  fraudstream evaluate --model=model.json
`;

/**
 * Adds the command to the program.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addTrainCommand(program: Command): void {
  const command = program.command("train")
    .summary("train a model and write it to a file")
    .description(
      "Trains one model and writes it to a file, with its features, its " +
        "training days and, where the payments go on to the end of the test, " +
        "its metrics.",
    )
    .option(
      "--model <kind>",
      `needed: ${KIND_NAMES.join(", ")}`,
    )
    .option("--out <file>", "needed: file to write, or - for stdout")
    .option("--force", "overwrite the file that is there")
    .option(
      "--export <format>",
      "write the model for other programs too, as model.onnx beside " +
        "model.json: onnx, which takes float64, or onnx-float32, which may " +
        "score some rows otherwise",
    )
    .option("--trees <n>", "number of trees")
    .option("--depth <n>", "levels of a tree; 0 for no limit")
    .option("--learning-rate <r>", "what part of its step a tree takes")
    .option(
      "--settings <list>",
      "any setting of the model, as in seed=7,row-share=0.5",
    );
  addPeriodFlags(command);
  addFeatureFlags(command);
  addPaymentFlags(command);
  command.addHelpText("after", EXAMPLES)
    .action((options: TrainOptions) => train(options));
}

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
  const parameters = readFeatureFlags(options);
  const { payments, period } = await loadPeriod(options, parameters);
  const tested = lastDayOf(payments) >= endDayOf(period) - 1;
  const task: FitTask = {
    model: spec,
    period,
    judgedBy: tested ? [period] : [],
  };
  const [outcome] = await fitAll(payments, [task], threadsOf(undefined));
  const model = trainedModel(spec, parameters, payments, period, outcome);
  await writeFile(out, new TextEncoder().encode(formatModelFile(model)));
  if (onnx) await writeFile(onnx.path, exportModel(model, onnx.numbers));
  writeError(summary(model, payments, period, paths));
}

/** The numbers that the models of each --export take. */
const EXPORTS = new Map<string, InputNumbers>([
  ["onnx", "float64"],
  ["onnx-float32", "float32"],
]);

/** The ONNX file beside the model file, where that is asked for. */
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
    training: {
      firstDay,
      firstDate: formatDate(payments.startSeconds + firstDay * DAY_SECONDS),
      days: period.historyDays + period.trainDays,
      delayDays: period.delayDays,
      ...countRows(payments, rows),
      fingerprint: rowsFingerprint(payments, rows),
    },
    settings: completeSettings(spec.kind, spec.settings),
    metrics: tests[0]?.judgement.metrics,
    body,
  });
}

/** Writes a file, whole or not at all; "-" is stdout. Throws DataError. */
async function writeFile(path: string, bytes: Uint8Array): Promise<void> {
  await using output = await OutputFile.open(path);
  await output.write(bytes);
  await output.close();
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
