/**
 * Which models a command is about: kinds with their settings, or files.
 * KIND:setting=value:setting=value, as in random-forest:trees=50:depth=10.
 */
import { ConfigError } from "../../base/error.ts";
import type { ModelSpec } from "../../learning/fit/fit_task.ts";
import {
  KIND_NAMES,
  kindOf,
  settingDefect,
} from "../../learning/kinds/kinds.ts";
import { BUILT_IN_MODEL } from "../../scoring/open_model.ts";

/** A model to fit, with its name in tables. */
export interface NamedSpec extends ModelSpec {
  /** The text that chooses it: KIND:setting=value. */
  readonly name: string;
}

/** What --model names: a model to fit, or the path of a model file. */
export type ModelChoice = NamedSpec | { readonly path: string };

/** Whether --model names a trained model, by its file or as the built-in one, and not a kind to train. */
export function namesModelFile(text: string): boolean {
  return text === BUILT_IN_MODEL || /\.(json|onnx)$/.test(text);
}

/** Reads --model: a comma list of models, or the path of one file. Throws ConfigError. */
export function readModels(text: string): ModelChoice[] {
  if (namesModelFile(text)) return [{ path: text }];
  return text.split(",").map((part) => readSpec(part.trim()));
}

/** Adds the models of a repeated --model to the earlier ones. */
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
  const kind = KIND_NAMES.find((known) => known === word);
  if (kind === undefined) {
    throw new ConfigError(
      `--model must be ${KIND_NAMES.join(", ")}, ${BUILT_IN_MODEL}, or a ` +
        `file that ends in .json or .onnx, not '${text}'`,
    );
  }
  let spec: NamedSpec = { kind, settings: {}, name: kind };
  for (const setting of settings) {
    const [name, value = ""] = setting.split("=", 2);
    spec = withSetting(spec, name, value, "--model");
  }
  return spec;
}

/** The model with one more setting. Throws ConfigError if its kind has no such setting, or the value is out of range. */
export function withSetting(
  spec: NamedSpec,
  name: string,
  value: string,
  flag: string,
): NamedSpec {
  const { kind } = spec;
  const known = Object.entries(kindOf(kind).settings);
  const found = known.find(([, { flag }]) => flag === name);
  if (found === undefined) {
    throw new ConfigError(
      `${flag}: ${kind} has no setting '${name}'; it has ` +
        known.map(([, { flag }]) => flag).join(", "),
    );
  }
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)
    ? Number(value)
    : NaN;
  const [key, setting] = found;
  const wanted = settingDefect(setting, number);
  if (wanted !== undefined) {
    throw new ConfigError(
      `${flag}: ${name} of ${kind} must be ${wanted}, not '${value}'`,
    );
  }
  const settings = { ...spec.settings, [key]: number };
  return { kind, settings, name: `${spec.name}:${name}=${number}` };
}
