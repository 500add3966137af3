/**
 * Model files: a trained model with what is needed to trust it, as JSON. Reading
 * checks everything that scoring relies on, so that a broken, foreign or edited
 * file is one clear error and never a wrong score.
 */
import { createHash } from "node:crypto";
import { ModelError } from "../../base/error.ts";
import { CheckedJson, show } from "../../base/checked_json.ts";
import {
  FEATURE_SETS,
  type FeatureParameters,
} from "../../features/parameters.ts";
import { readUsual, type UsualValues } from "../explain/usual_values.ts";
import { METRICS, type MetricValues } from "../judge/judgement.ts";
import { KIND_NAMES, readBody } from "../kinds/kinds.ts";
import type { ModelBody } from "../kinds/model.ts";
import { readTrainedDays, type TrainedDays } from "../data/trained_days.ts";

/** Says what the file is. */
export const MODEL_FORMAT = "fraudstream-model";

/**
 * Version of the form described here. A file of version 3 says how its model
 * scores payments that lack values; without such inputs a file has version 2.
 * Files of version 1 say nothing of what is usual; they are read, and keep their
 * version. Later versions are refused.
 */
export const MODEL_FORMAT_VERSION = 3;

/** What a model was trained on. */
export interface TrainingRecord extends TrainedDays {
  /** First day of the training, counted from the first of the data. */
  readonly firstDay: number;
  /** Training rows. */
  readonly rows: number;
  /** Frauds among them. */
  readonly frauds: number;
  /** SHA-256 of the training rows: ids, labels and inputs. */
  readonly fingerprint: string;
}

/** Settings of a fit by name: hyperparameters and the seed. */
export type ModelSettings = Readonly<Record<string, number | string | boolean>>;

/** A model and where it comes from. */
export interface TrainedModel {
  /** First 12 hex digits of the SHA-256 of all other fields. */
  readonly version: string;
  /** Kind of model. */
  readonly kind: string;
  /** Names of the inputs, in order: TX_AMOUNT and the features. */
  readonly inputs: readonly string[];
  /** What the inputs after the first are computed by. */
  readonly featureParameters: FeatureParameters;
  /** declarationsSum() of them: what a definition declares; undefined where it declares none. */
  readonly declared?: string | undefined;
  /** What it was trained on. */
  readonly training: TrainingRecord;
  /** What was usual for each input among the training rows; undefined for a file of version 1. */
  readonly usual: UsualValues | undefined;
  /** How it was fitted. */
  readonly settings: ModelSettings;
  /** Metrics on the test after the training; NaN without meaning, absent where not tested. */
  readonly metrics: MetricValues | undefined;
  /** The model itself. */
  readonly body: ModelBody;
}

/** Checks what `path` says of a model. */
export function modelJson(path: string): CheckedJson {
  return new CheckedJson((what) =>
    new ModelError(
      `${path} is not a usable model: ${what}; train it again, or ` +
        "take another copy",
    )
  );
}

/** The model with its version, which follows from the rest. */
export function withVersion(
  model: Omit<TrainedModel, "version">,
): TrainedModel {
  return { ...model, version: versionOf(contentOf(model)) };
}

/** The text of a model's file: one line per field, numbers exact. Throws ModelError for a model that could not be read back. */
export function formatModelFile(model: TrainedModel): string {
  const { format, formatVersion, ...rest } = contentOf(model);
  const fields = { format, formatVersion, version: model.version, ...rest };
  const lines = Object.entries(fields).map(([name, value]) => {
    return `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
  });
  const text = `{\n${lines.join(",\n")}\n}\n`;
  parseModelFile(text, "the trained model");
  return text;
}

/** Reads the text of a model file; `path` is for messages. Throws ModelError. */
export function parseModelFile(text: string, path: string): TrainedModel {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ModelError(
      `${path} is not JSON (${reasonOf(error)}); train it again, or take ` +
        "another copy",
      { cause: error },
    );
  }
  const file = modelJson(path);
  const fields = file.object(parsed, "the file");
  file.check(fields.format === MODEL_FORMAT, `format must be ${MODEL_FORMAT}`);
  const { formatVersion } = fields;
  file.check(
    [1, 2, MODEL_FORMAT_VERSION].some((known) => formatVersion === known),
    `formatVersion is ${show(formatVersion)} and this program reads 1 to ` +
      MODEL_FORMAT_VERSION,
  );
  const kind = file.oneOf(fields.kind, KIND_NAMES, "kind");
  const inputs = file.strings(fields.inputs, "inputs");
  file.check(inputs.length > 0, "there are no inputs");
  const repeated = inputs.find((name, at) => inputs.indexOf(name) < at);
  file.check(repeated === undefined, `input ${repeated} comes twice`);
  const model: Omit<TrainedModel, "version"> = {
    kind,
    inputs,
    featureParameters: readFeatures(file, fields.featureParameters),
    ...fields.declared !== undefined &&
      { declared: file.string(fields.declared, "declared") },
    training: readTraining(file, fields.training),
    usual: formatVersion === 1
      ? undefined
      : readUsual(file, fields.usual, inputs),
    settings: readSettings(file, fields.settings),
    metrics: readMetrics(file, fields.metrics),
    body: readBody(file, fields.body, kind, inputs.length),
  };
  file.check(
    formatVersion === formatVersionOf(model.usual),
    `formatVersion is ${show(formatVersion)} and its content is that of ` +
      formatVersionOf(model.usual),
  );
  const version = file.string(fields.version, "version");
  const actual = versionOf(contentOf(model));
  file.check(
    version === actual,
    `its content has version ${actual} and not ${show(version)}: the file ` +
      "was changed after it was written",
  );
  return { version, ...model };
}

/** Throws ModelError unless a model's inputs are `expected`, in that order; `path` names the model. */
export function checkInputs(
  inputs: readonly string[],
  expected: readonly string[],
  path: string,
): void {
  const missing = expected.filter((name) => !inputs.includes(name));
  const foreign = inputs.filter((name) => !expected.includes(name));
  const advice = "train it again, or choose the features it was trained on";
  if (missing.length > 0 || foreign.length > 0) {
    const parts = [
      ...missing.length > 0 ? [`lacks ${some(missing)}`] : [],
      ...foreign.length > 0 ? [`wants ${some(foreign)}`] : [],
    ];
    throw new ModelError(
      `${path}: the model has other inputs than these payments: it ` +
        `${parts.join(" and ")}; ${advice}`,
    );
  }
  const at = inputs.findIndex((name, index) => name !== expected[index]);
  if (at < 0) return;
  throw new ModelError(
    `${path}: the model has its inputs in another order: input ${at + 1} is ` +
      `${inputs[at]} and not ${expected[at] ?? "none"}; ${advice}`,
  );
}

/** SHA-256 of what a definition declares of these features, which identifies it; undefined where it declares none. */
export function declarationsSum(
  { declared }: FeatureParameters,
): string | undefined {
  if (declared === undefined) return undefined;
  return createHash("sha256").update(JSON.stringify(declared)).digest("hex");
}

/** All fields but the version, in the order of the file. */
function contentOf(model: Omit<TrainedModel, "version">) {
  const { kind, inputs, featureParameters, training, usual, settings, body } =
    model;
  const { set, windowDays, delayDays, useLabels } = featureParameters;
  return {
    format: MODEL_FORMAT,
    // As it was read, so that a model of an older file keeps its version.
    formatVersion: formatVersionOf(usual),
    kind,
    inputs,
    featureParameters: { set, windowDays, delayDays, useLabels },
    ...model.declared !== undefined && { declared: model.declared },
    training: {
      firstDay: training.firstDay,
      firstDate: training.firstDate,
      days: training.days,
      delayDays: training.delayDays,
      rows: training.rows,
      frauds: training.frauds,
      fingerprint: training.fingerprint,
    },
    ...usual !== undefined && { usual: inOrder(usual, inputs) },
    settings: Object.fromEntries(
      Object.entries(settings).sort(([left], [right]) => left < right ? -1 : 1),
    ),
    metrics: model.metrics === undefined ? null : Object.fromEntries(
      METRICS.map((metric) => [metric, model.metrics?.[metric] ?? NaN]),
    ),
    body,
  };
}

/** What is usual, in the order of the inputs. */
function inOrder(usual: UsualValues, inputs: readonly string[]): UsualValues {
  return Object.fromEntries(inputs.map((input) => {
    const { mean, median, missing } = usual[input];
    return [input, { mean, median, ...missing !== undefined && { missing } }];
  }));
}

function formatVersionOf(usual: UsualValues | undefined): number {
  if (usual === undefined) return 1;
  const isNullable = Object.values(usual).some(({ missing }) => {
    return missing !== undefined;
  });
  return isNullable ? MODEL_FORMAT_VERSION : 2;
}

function versionOf(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex")
    .slice(0, 12);
}

/** Reads features as a model file has them. Throws ModelError. */
export function readFeatures(
  file: CheckedJson,
  value: unknown,
): FeatureParameters {
  const what = "featureParameters";
  const fields = file.object(value, what);
  const set = file.oneOf(fields.set, FEATURE_SETS, `${what}.set`);
  const useLabels = file.boolean(fields.useLabels, `${what}.useLabels`);
  const windowDays = file.numbers(fields.windowDays, `${what}.windowDays`);
  const ascending = windowDays.every((days, at) => {
    return Number.isInteger(days) && days > (windowDays[at - 1] ?? 0);
  });
  file.check(ascending, `${what}.windowDays must be ascending whole numbers`);
  const delayDays = file.whole(fields.delayDays, `${what}.delayDays`);
  return { set, windowDays, delayDays, useLabels };
}

function readTraining(file: CheckedJson, value: unknown): TrainingRecord {
  const fields = file.object(value, "training");
  const whole = (name: string) => file.whole(fields[name], `training.${name}`);
  const text = (name: string) => file.string(fields[name], `training.${name}`);
  return {
    firstDay: whole("firstDay"),
    ...readTrainedDays(file, value),
    rows: whole("rows"),
    frauds: whole("frauds"),
    fingerprint: text("fingerprint"),
  };
}

function readSettings(file: CheckedJson, value: unknown): ModelSettings {
  const settings: Record<string, number | string | boolean> = {};
  for (
    const [name, setting] of Object.entries(file.object(value, "settings"))
  ) {
    switch (typeof setting) {
      case "number":
      case "string":
      case "boolean":
        settings[name] = setting;
        break;
      default:
        throw file.error(`settings.${name} is ${show(setting)}`);
    }
  }
  return settings;
}

function readMetrics(
  file: CheckedJson,
  value: unknown,
): MetricValues | undefined {
  if (value === null) return undefined;
  const fields = file.object(value, "metrics");
  const read = (name: string) => {
    const metric = fields[name];
    // JSON has no NaN.
    return metric === null ? NaN : file.number(metric, `metrics.${name}`);
  };
  return {
    "auc_roc": read("auc_roc"),
    "average_precision": read("average_precision"),
    "card_precision_100": read("card_precision_100"),
  };
}

function some(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return names.slice(0, 3).join(", ") + more;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.length > 80 ? text.slice(0, 77) + "…" : text;
}
