/**
 * Which models a command is about: kinds with their settings, or files.
 * KIND:setting=value:setting=value, as in random-forest:trees=50:depth=10.
 */
import { ConfigError } from "../../base/error.ts";
import type { ModelSpec } from "../../learning/fit/fit_task.ts";
import {
  completeSettings,
  DEFAULT_SETTINGS,
  type FitSettings,
} from "../../learning/fit/fit.ts";
import { MODEL_KINDS, type ModelKind } from "../../learning/kinds/model.ts";

/** A model to fit, with the name that it is shown by. */
export interface NamedSpec extends ModelSpec {
  /** The text that chooses it: KIND:setting=value. */
  readonly name: string;
}

/** What --model names: a model to fit, or the path of a model file. */
export type ModelChoice = NamedSpec | { readonly path: string };

/** Settings of a fit by their names on the command line. */
const SETTINGS: Readonly<Record<string, keyof FitSettings>> = {
  "c": "lossWeight",
  "trees": "trees",
  "depth": "depthMax",
  "learning-rate": "learningRate",
  "leaf-rows": "leafRowsMin",
  "split-inputs": "splitInputs",
  "lambda": "lambda",
  "child-weight": "childWeightMin",
  "gain": "gainMin",
  "row-share": "rowShare",
  "input-share": "inputShare",
  "seed": "seed",
};

/** Files that --model takes for models. */
const MODEL_FILE = /\.(json|onnx)$/;

/** Reads --model: a comma list of models, or the path of one file. Throws ConfigError. */
export function readModels(text: string): ModelChoice[] {
  if (MODEL_FILE.test(text)) return [{ path: text }];
  return text.split(",").map((part) => readSpec(part.trim()));
}

/** Adds what a repeated --model names to what it named before. */
export function collectModels(
  text: string,
  _flag: string,
  before: readonly ModelChoice[] = [],
): ModelChoice[] {
  return [...before, ...readModels(text)];
}

/** Reads KIND:setting=value… Throws ConfigError. */
export function readSpec(text: string): NamedSpec {
  const [word, ...settings] = text.split(":");
  const kind = MODEL_KINDS.find((known) => known === word);
  if (kind === undefined) {
    throw new ConfigError(
      `--model must be ${MODEL_KINDS.join(", ")}, or a file that ends in ` +
        `.json or .onnx, not '${text}'`,
    );
  }
  let spec: NamedSpec = { kind, settings: {}, name: kind };
  for (const setting of settings) {
    const [name, value = ""] = setting.split("=", 2);
    spec = withSetting(spec, name, value, "--model");
  }
  return spec;
}

/** The model with one more setting. Throws ConfigError where its kind has none such, or not that value. */
export function withSetting(
  spec: NamedSpec,
  name: string,
  value: string,
  flag: string,
): NamedSpec {
  const { kind } = spec;
  const key = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
  if (key === undefined || !Object.hasOwn(DEFAULT_SETTINGS[kind], key)) {
    throw new ConfigError(
      `${flag}: ${kind} has no setting '${name}'; it has ` +
        settingNames(kind).join(", "),
    );
  }
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)
    ? Number(value)
    : NaN;
  const settings = { ...spec.settings, [key]: number };
  try {
    completeSettings(kind, settings);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      `${flag}: ${name}=${value} cannot be: ${error.message}`,
      { cause: error },
    );
  }
  return { kind, settings, name: `${spec.name}:${name}=${number}` };
}

/** Names of the settings that a kind has. */
export function settingNames(kind: ModelKind): string[] {
  return Object.keys(SETTINGS).filter((name) => {
    return Object.hasOwn(DEFAULT_SETTINGS[kind], SETTINGS[name]);
  });
}
