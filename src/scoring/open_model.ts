/**
 * Opens models. Only here does a file become a scorer: a model file or an ONNX
 * file, for a command or for a stream. openModel() reads everything that the
 * file says; modelInUse() prepares the model for a stream.
 */
import { ConfigError, ModelError } from "../base/error.ts";
import { readWholeFile } from "../base/whole_file.ts";
import {
  featureNames,
  type FeatureParameters,
  nullableNames,
  wholeFeatures,
} from "../features/parameters.ts";
import { AMOUNT_INPUT } from "../learning/data/payments.ts";
import type { TrainedDays } from "../learning/data/trained_days.ts";
import {
  checkInputs,
  declarationsSum,
  parseModelFile,
  type TrainedModel,
} from "../learning/file/model_file.ts";
import { scorerOf } from "../learning/kinds/kinds.ts";
import type { Scorer } from "../learning/kinds/model.ts";
import {
  exportedFeatures,
  exportedTraining,
  ONNX_ENDING,
} from "../learning/onnx/onnx_file.ts";
import {
  onnxVersion,
  openOnnxModel,
  readOnnxMetadata,
} from "../learning/onnx/onnx_model.ts";
import type { OfferedInputs } from "../learning/onnx/onnx_signature.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import builtIn from "./built_in_model.json" with { type: "text" };

/** Bytes that a model file may have: about what one text can hold. */
const MODEL_BYTES_MAX = 500 * 2 ** 20;

/**
 * Names the model that is part of the program wherever a model file is named.
 * Its payments are those of another simulated set, so that it has seen none
 * that it scores; docs/LEARNING.md says how it is made.
 */
export const BUILT_IN_MODEL = "built-in";

/** A model from a file. */
export interface OpenedModel {
  /** Where it was read. */
  readonly path: string;
  /** Its version, which every prediction carries. */
  readonly version: string;
  /** The features that it was trained on; undefined if an ONNX file does not say. */
  readonly features: FeatureParameters | undefined;
  /** The days that it was trained on; undefined if an ONNX file does not say. */
  readonly training: TrainedDays | undefined;
  /** The model file's contents; undefined for an ONNX file. */
  readonly trained: TrainedModel | undefined;
  /**
   * A scorer for payments with these features; it may use only some of them.
   * Throws ModelError if they lack an input that the model needs, or if it does
   * not score payments without an input's value.
   */
  scorerFor(features: FeatureParameters): Promise<Scorer>;
}

/** A model that is ready to score the rows of a stream. */
export interface ModelInUse extends OpenedModel {
  /** Its scorer. */
  readonly scorer: Scorer;
  /** The cell of each input in a row of cells. */
  readonly cells: Int32Array;
}

/** Opens a model file, or the built-in model. Throws DataError where it cannot be read, ModelError where it is broken. */
export function openModel(path: string): OpenedModel {
  if (path === BUILT_IN_MODEL) return ownModel(path, builtIn);
  const bytes = readWholeFile(path, MODEL_BYTES_MAX);
  if (path.endsWith(ONNX_ENDING)) return onnxModel(path, bytes);
  return ownModel(path, new TextDecoder().decode(bytes));
}

function ownModel(path: string, text: string): OpenedModel {
  const trained = parseModelFile(text, path);
  const { version, inputs, body, featureParameters, training } = trained;
  return {
    path,
    version,
    features: featureParameters,
    training,
    trained,
    scorerFor: (offered) => {
      checkInputs(inputs, streamInputs(offered), path);
      const scorer = scorerOf(body, inputs);
      checkMissing(scorer, nullableNames(offered), path);
      return Promise.resolve(scorer);
    },
  };
}

function onnxModel(path: string, bytes: Uint8Array): OpenedModel {
  const metadata = readOnnxMetadata(bytes, path);
  return {
    path,
    version: onnxVersion(bytes),
    features: exportedFeatures(metadata, path),
    training: exportedTraining(metadata, path),
    trained: undefined,
    scorerFor: async (offered) =>
      (await openOnnxModel(bytes, path, offeredInputs(offered))).scorer,
  };
}

/**
 * Prepares a model for a stream with these features. Throws ConfigError if it
 * was trained on other features, ModelError if it cannot score their rows.
 */
export async function modelInUse(
  model: OpenedModel,
  features: FeatureParameters,
): Promise<ModelInUse> {
  const offered = streamInputs(features);
  checkFeatures(model, features);
  checkOrder(model, offered);
  checkDeclared(model, features);
  const scorer = await model.scorerFor(features);
  const cells = Int32Array.from(scorer.inputs, (name) => {
    const at = offered.indexOf(name);
    return at === 0 ? AMOUNT_CELL : PAYMENT_CELLS + at - 1;
  });
  return { ...model, scorer, cells };
}

/** Throws ModelError if an input that may be missing always had a value where the model was trained. */
function checkMissing(
  { nullable: learned = [] }: Scorer,
  nullable: readonly string[],
  path: string,
): void {
  const name = nullable.find((name) => !learned.includes(name));
  if (name === undefined) return;
  throw new ModelError(
    `${path}: ${name} can be missing here, and the model was trained where it ` +
      "always had a value; train it on these payments",
  );
}

const AMOUNT_CELL = 4;

/** What the payments of a stream with these features offer to an ONNX model. */
export function offeredInputs(features: FeatureParameters): OfferedInputs {
  const names = featureNames(features);
  const whole = wholeFeatures(features);
  const isWhole = new Set(names.filter((_, at) => whole[at]));
  return {
    names: streamInputs(features),
    nullable: nullableNames(features),
    isWhole: (name) => isWhole.has(name),
  };
}

/** Names of the inputs that a stream with these features has, in order. */
export function streamInputs(features: FeatureParameters): string[] {
  return [AMOUNT_INPUT, ...featureNames(features)];
}

/** Whether the built-in model can score payments with these features. */
export function suitsBuiltIn(features: FeatureParameters): boolean {
  const { features: trained } = openModel(BUILT_IN_MODEL);
  return trained !== undefined &&
    JSON.stringify(flagsOf(trained)) === JSON.stringify(flagsOf(features));
}

function checkFeatures(
  { features: trained, path }: OpenedModel,
  features: FeatureParameters,
): void {
  if (!trained) return;
  const found = flagsOf(features);
  for (const [flag, value] of Object.entries(flagsOf(trained))) {
    if (found[flag] === value) continue;
    const difference = flag === "--no-labels"
      ? `${value ? "with" : "without"} ${flag} and this stream was created ` +
        `${value ? "without" : "with"} it`
      : `with ${flag}=${value} and this stream has ${flag}=${found[flag]}`;
    throw new ConfigError(
      `${path}: the model was trained ${difference}; give another model, or ` +
        "train one on the stream's features",
    );
  }
}

/** Throws ConfigError if a model was trained on features of the same names that mean something else. */
function checkDeclared(
  { trained, path }: OpenedModel,
  features: FeatureParameters,
): void {
  if (!trained || trained.declared === declarationsSum(features)) return;
  throw new ConfigError(
    `${path}: the model was trained on features that another definition ` +
      "declares; give another model, or train one on the stream's features",
  );
}

/** Throws ConfigError unless a model that was trained here takes all inputs, in their order. */
function checkOrder(
  { trained, path }: OpenedModel,
  offered: readonly string[],
): void {
  if (!trained) return;
  try {
    checkInputs(trained.inputs, offered, path);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ConfigError(error.message, { cause: error });
  }
}

function flagsOf(features: FeatureParameters): Record<string, string> {
  return {
    "--feature-set": features.set,
    "--windows": features.windowDays.join(","),
    "--delay": String(features.delayDays),
    "--no-labels": features.useLabels ? "" : "--no-labels",
  };
}
