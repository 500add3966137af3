/**
 * Fitting by the name of the kind, with settings that every kind has defaults
 * for. The defaults of forest and boosting are close to the best of the means
 * over the four prequential validation folds (docs/LEARNING.md).
 */
import { ConfigError } from "../../base/error.ts";
import {
  type DecisionTreeOptions,
  fitDecisionTree,
  fitRandomForest,
  type RandomForestOptions,
} from "../kinds/forest.ts";
import {
  fitGradientBoosting,
  type GradientBoostingOptions,
} from "../kinds/gradient_boosting.ts";
import {
  fitLogisticRegression,
  type LogisticRegressionOptions,
} from "../kinds/logistic_regression.ts";
import type { Examples, ModelBody, ModelKind } from "../kinds/model.ts";

/**
 * Settings of a fit, all of them numbers; what is left out has its default.
 * Each kind takes its own and refuses those of others.
 */
export type FitSettings = Partial<
  & LogisticRegressionOptions
  & DecisionTreeOptions
  & RandomForestOptions
  & GradientBoostingOptions
>;

/** The settings of each kind and what they are when not given. */
export const DEFAULT_SETTINGS: {
  readonly "logistic-regression": LogisticRegressionOptions;
  readonly "decision-tree": DecisionTreeOptions;
  readonly "random-forest": RandomForestOptions;
  readonly "gradient-boosting": GradientBoostingOptions;
} = {
  "logistic-regression": { lossWeight: 1 },
  "decision-tree": { depthMax: 2, leafRowsMin: 1 },
  "random-forest": {
    trees: 100,
    depthMax: 20,
    leafRowsMin: 2,
    splitInputs: 0,
    seed: 0,
  },
  "gradient-boosting": {
    trees: 200,
    depthMax: 4,
    learningRate: 0.05,
    lambda: 1,
    childWeightMin: 1,
    gainMin: 0,
    rowShare: 0.8,
    inputShare: 1,
    seed: 0,
  },
};

/** What a setting may be. */
const LIMITS: Readonly<
  Record<
    keyof FitSettings,
    { whole: boolean; min: number; max: number; open?: true }
  >
> = {
  lossWeight: { whole: false, min: 0, max: 1e12, open: true },
  depthMax: { whole: true, min: 0, max: 1000 },
  leafRowsMin: { whole: true, min: 1, max: 1e9 },
  trees: { whole: true, min: 1, max: 100_000 },
  splitInputs: { whole: true, min: 0, max: 1e6 },
  seed: { whole: true, min: 0, max: Number.MAX_SAFE_INTEGER },
  learningRate: { whole: false, min: 0, max: 1, open: true },
  lambda: { whole: false, min: 0, max: 1e12 },
  childWeightMin: { whole: false, min: 0, max: 1e12 },
  gainMin: { whole: false, min: 0, max: 1e12 },
  rowShare: { whole: false, min: 0, max: 1, open: true },
  inputShare: { whole: false, min: 0, max: 1, open: true },
};

/**
 * All settings of a kind, those not given by default. Throws ConfigError for a
 * setting that the kind does not have, or a value that it cannot have.
 */
export function completeSettings<Kind extends ModelKind>(
  kind: Kind,
  settings: FitSettings = {},
): (typeof DEFAULT_SETTINGS)[Kind] {
  const defaults = DEFAULT_SETTINGS[kind];
  for (const [name, value] of Object.entries(settings)) {
    if (!Object.hasOwn(defaults, name)) {
      throw new ConfigError(
        `${kind} has no setting ${name}; it has ` +
          Object.keys(defaults).join(", "),
      );
    }
    const { whole, min, max, open } = LIMITS[name as keyof FitSettings];
    const fits = whole ? Number.isSafeInteger(value) : Number.isFinite(value);
    if (!fits || value < min || value > max || open && value === min) {
      throw new ConfigError(
        `${name} is ${value}, but must be ${whole ? "a whole" : "a"} number ` +
          `${open ? "above" : "from"} ${min} ${open ? "up to" : "to"} ${max}`,
      );
    }
  }
  return { ...defaults, ...settings };
}

/** Fits a model of a kind; throws ModelError where the examples do not allow it. */
export function fitModel(
  kind: ModelKind,
  examples: Examples,
  settings: FitSettings = {},
): ModelBody {
  switch (kind) {
    case "logistic-regression":
      return {
        kind,
        linear: fitLogisticRegression(
          examples,
          completeSettings(kind, settings),
        ),
      };
    case "decision-tree":
      return {
        kind,
        ensemble: fitDecisionTree(examples, completeSettings(kind, settings)),
      };
    case "random-forest":
      return {
        kind,
        ensemble: fitRandomForest(examples, completeSettings(kind, settings)),
      };
    case "gradient-boosting":
      return {
        kind,
        ensemble: fitGradientBoosting(
          examples,
          completeSettings(kind, settings),
        ),
      };
  }
}
