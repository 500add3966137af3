/** Models made by hand, for tests of what is done with models. */
import {
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { ModelBody } from "../../src/learning/kinds/model.ts";
import {
  formatModelFile,
  type TrainedModel,
  withVersion,
} from "../../src/learning/file/model_file.ts";

const INPUTS = ["TX_AMOUNT", ...featureNames(HANDBOOK_FEATURES)];

/** A model of any body, on the handbook's features unless `features` says others. */
export function modelOf<Part extends object>(
  body: ModelBody<Part>,
  features: FeatureParameters = HANDBOOK_FEATURES,
  inputs: readonly string[] = INPUTS,
): TrainedModel {
  return withVersion({
    kind: body.kind,
    inputs,
    featureParameters: features,
    training: {
      firstDay: 0,
      firstDate: "2018-04-01",
      days: 7,
      delayDays: features.delayDays,
      rows: 1000,
      frauds: 100,
      fingerprint: "0".repeat(64),
    },
    usual: Object.fromEntries(
      inputs.map((input) => [input, { mean: 0.5, median: 1 }]),
    ),
    settings: {},
    metrics: undefined,
    body,
  });
}

/** A linear model in which each input pushes a little, `tilt` more or less. */
export function linearModel(tilt = 1): TrainedModel {
  return modelOf({
    kind: "logistic-regression",
    linear: {
      mean: INPUTS.map((_, i) => i),
      deviation: INPUTS.map((_, i) => 10 + i),
      intercept: -2,
      coefficients: INPUTS.map((_, i) => tilt * (i % 3 - 0.5)),
    },
  });
}

/** Two trees on the amount and a risk. */
export function treesModel(): TrainedModel {
  const stump = (input: number, threshold: number, size: number) => ({
    input: [input, -1, -1],
    threshold: [threshold, 0, 0],
    left: [1, 0, 0],
    right: [2, 0, 0],
    value: [0, -size, size],
    cover: [100, 60, 40],
  });
  return modelOf({
    kind: "gradient-boosting",
    ensemble: {
      link: "logistic",
      base: -0.5,
      trees: [stump(0, 60, 1.25), stump(INPUTS.length - 1, 0.1, 1.5)],
    },
  });
}

/** Writes a model's file, whole. */
export function writeModel(path: string, model: TrainedModel): void {
  const draft = `${path}.part`;
  Deno.writeTextFileSync(draft, formatModelFile(model));
  Deno.renameSync(draft, path);
}
