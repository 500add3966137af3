/**
 * The list of the kinds of model, and the operations that the program needs on
 * a model of any kind. Outside its own file, a kind is named only here.
 */
import type { CheckedJson } from "../../base/checked_json.ts";
import { ConfigError, ModelError } from "../../base/error.ts";
import { checkExamples } from "../data/examples.ts";
import { decisionTree } from "./decision_tree.ts";
import { gradientBoosting } from "./gradient_boosting.ts";
import { logisticRegression } from "./logistic_regression.ts";
import type { Examples, ModelBody, Scorer } from "./model.ts";
import type { ModelKind, Setting, Settings } from "./model_kind.ts";
import { randomForest } from "./random_forest.ts";

/** All kinds, in the order of messages and tables. */
export const MODEL_KINDS: readonly ModelKind[] = [
  logisticRegression,
  decisionTree,
  randomForest,
  gradientBoosting,
];

/** Name of the kind that --retrain trains by default. */
export const RETRAINED_KIND: string = gradientBoosting.name;

/** Names of all kinds, in the order of the list. */
export const KIND_NAMES: readonly string[] = MODEL_KINDS.map(({ name }) =>
  name
);

/** The kind of that name. Throws ModelError if there is none. */
export function kindOf(name: string): ModelKind {
  const kind = MODEL_KINDS.find((known) => known.name === name);
  if (kind !== undefined) return kind;
  throw new ModelError(
    `there is no kind of model ${name}; there are ${KIND_NAMES.join(", ")}`,
  );
}

/**
 * All settings of a kind; those not given have their defaults. Throws
 * ConfigError for an unknown setting or a value outside its limits.
 */
export function completeSettings(
  kind: string,
  given: Settings = {},
): Settings {
  const { settings } = kindOf(kind);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(settings, name)) {
      throw new ConfigError(
        `${kind} has no setting ${name}; it has ` +
          Object.keys(settings).join(", "),
      );
    }
    const wanted = settingDefect(settings[name], value);
    if (wanted !== undefined) {
      throw new ConfigError(`${name} must be ${wanted}, not ${value}`);
    }
  }
  const initial = Object.entries(settings).map(([name, setting]) => {
    return [name, setting.initial];
  });
  return { ...Object.fromEntries(initial), ...given };
}

/** What a value of a setting must be, for messages; undefined if it is that. */
export function settingDefect(
  { whole, min, max, open }: Setting,
  value: number,
): string | undefined {
  const fits = whole ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (fits && value <= max && (open ? value > min : value >= min)) {
    return undefined;
  }
  return `${whole ? "a whole" : "a"} number ` +
    `${open ? "above" : "from"} ${min} ${open ? "up to" : "to"} ${max}`;
}

/** Whether a kind can learn from payments that may lack values of these inputs. Throws ModelError if there is no such kind. */
export function takesInputs(
  kind: string,
  nullable: readonly string[] = [],
): boolean {
  return nullable.length === 0 || kindOf(kind).takesMissing;
}

/** Throws ConfigError if a kind cannot learn from payments that may lack values of these inputs. */
export function checkNullable(
  kind: string,
  nullable: readonly string[] = [],
): void {
  if (takesInputs(kind, nullable)) return;
  const able = KIND_NAMES.filter((name) => takesInputs(name, nullable));
  const others = nullable.length - 1;
  throw new ConfigError(
    `${kind} needs a value for every feature, and ${nullable[0]}` +
      (others > 0 ? ` (and ${others} more)` : "") +
      ` can be missing; choose ${able.join(", ")}, or make the feature ` +
      "always have a value",
  );
}

/**
 * Fits a model of a kind. Throws ConfigError as completeSettings() and
 * checkNullable() do, ModelError where the examples do not allow it.
 */
export function fitModel(
  kind: string,
  examples: Examples,
  given: Settings = {},
): ModelBody {
  const settings = completeSettings(kind, given);
  checkNullable(kind, examples.nullable);
  checkExamples(examples);
  return { kind, ...kindOf(kind).fit(examples, settings) };
}

/** Reads the body of a model of `kind` over this many inputs. Throws the file's error. */
export function readBody(
  file: CheckedJson,
  value: unknown,
  kind: string,
  inputs: number,
): ModelBody {
  const fields = file.object(value, "body");
  file.check(fields.kind === kind, `body.kind must be ${kind}`);
  return { kind, ...kindOf(kind).read(file, fields, inputs) };
}

/**
 * A scorer of `body` for rows of `inputs`. Throws ModelError if the body is
 * broken or not one for this many inputs; so does the scorer if a value is
 * infinite, or NaN where the model has not learned what that says.
 */
export function scorerOf(body: ModelBody, inputs: readonly string[]): Scorer {
  return kindOf(body.kind).scorer(body, inputs);
}
