/**
 * From a model's path to a model that scores this stream's payments: the one
 * place where files become scorers, whoever trained them.
 */
import { ConfigError, ModelError } from "../base/error.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import {
  featureNames,
  type FeatureParameters,
  isWholeFeature,
} from "../features/parameters.ts";
import { readWholeFile } from "../base/whole_file.ts";
import type { Scorer } from "../learning/kinds/model.ts";
import {
  checkInputs,
  type ModelFeatures,
  parseModelFile,
} from "../learning/file/model_file.ts";
import { exportedFeatures, ONNX_ENDING } from "../learning/onnx/onnx_file.ts";
import { openOnnxModel } from "../learning/onnx/onnx_model.ts";
import { AMOUNT_INPUT } from "../learning/data/payments.ts";
import { scorerOf } from "../learning/kinds/kinds.ts";

/** Bytes that a model file may have: about what one text can hold. */
export const MODEL_BYTES_MAX: number = 500 * 2 ** 20;

/** A model that is ready to score. */
export interface LoadedModel {
  /** What scores. */
  readonly scorer: Scorer;
  /** Its version, which every prediction carries. */
  readonly version: string;
  /** Names of its inputs, in their order. */
  readonly inputs: readonly string[];
  /** The features that it was trained on; undefined where a model from elsewhere does not tell. */
  readonly features: ModelFeatures | undefined;
  /** Where it was read. */
  readonly path: string;
}

/**
 * Reads a model for a stream with these features. Throws DataError if there is
 * no such file, ModelError if it is no model or none for this stream.
 */
export async function openModel(
  path: string,
  streamFeatures: FeatureParameters,
): Promise<LoadedModel> {
  const bytes = readWholeFile(path, MODEL_BYTES_MAX);
  if (path.endsWith(ONNX_ENDING)) {
    const { scorer, version, metadata } = await openOnnxModel(
      bytes,
      path,
      { names: streamInputs(streamFeatures), isWhole: isWholeInput },
    );
    const features = exportedFeatures(metadata, path);
    return { scorer, version, inputs: scorer.inputs, features, path };
  }
  const text = new TextDecoder().decode(bytes);
  const { version, inputs, featureParameters, body } = parseModelFile(
    text,
    path,
  );
  const scorer = scorerOf(body, inputs);
  return { scorer, version, inputs, features: featureParameters, path };
}

/** Whether an input of models is always a whole number. */
export function isWholeInput(name: string): boolean {
  return name !== AMOUNT_INPUT && isWholeFeature(name);
}

/** Names of what a stream with these features offers to models, in the order of their inputs. */
export function streamInputs(features: FeatureParameters): string[] {
  return [AMOUNT_INPUT, ...featureNames(features)];
}

/**
 * Where each input of a model lies in a row of cells. Throws ConfigError if
 * the model was trained on other features than the stream has.
 */
export function inputCells(
  model: LoadedModel,
  features: FeatureParameters,
): Int32Array {
  const offered = streamInputs(features);
  checkFeatures(model, features);
  try {
    // What a model from elsewhere does not use need not be among its inputs.
    const expected = model.features
      ? offered
      : offered.filter((name) => model.inputs.includes(name)).toSorted((a, b) =>
        model.inputs.indexOf(a) - model.inputs.indexOf(b)
      );
    checkInputs(model.inputs, expected, model.path);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ConfigError(error.message, { cause: error });
  }
  return Int32Array.from(model.inputs, (name) => {
    const at = offered.indexOf(name);
    return at === 0 ? AMOUNT_CELL : PAYMENT_CELLS + at - 1;
  });
}

const AMOUNT_CELL = 4;

function checkFeatures(
  { features: trained, path }: LoadedModel,
  features: FeatureParameters,
): void {
  if (!trained) return;
  const found = flagsOf(modelFeatures(features));
  for (const [flag, value] of Object.entries(flagsOf(trained))) {
    if (found[flag] === value) continue;
    const difference = flag === "--no-labels"
      ? `${value ? "with" : "without"} ${flag} and this stream was begun ` +
        `${value ? "without" : "with"} it`
      : `with ${flag}=${value} and this stream has ${flag}=${found[flag]}`;
    throw new ConfigError(
      `${path}: the model was trained ${difference}; give another model, or ` +
        "train one on the stream's features",
    );
  }
}

/** A stream's features as a model file tells them. */
export function modelFeatures(features: FeatureParameters): ModelFeatures {
  const { set, windowDays, delayDays, useLabels } = features;
  return { set, windowDays, delayDays, useLabels };
}

function flagsOf(features: ModelFeatures): Record<string, string> {
  return {
    "--feature-set": features.set,
    "--windows": features.windowDays.join(","),
    "--delay": String(features.delayDays),
    "--no-labels": features.useLabels ? "" : "--no-labels",
  };
}
