/**
 * Model files, read and written by commands: whatever openModel() gives can be
 * judged, whoever trained it.
 */
import { ConfigError } from "../../base/error.ts";
import { writeOutput } from "../../base/output_file.ts";
import { readWholeFile } from "../../base/whole_file.ts";
import type { Scorer } from "../../learning/kinds/model.ts";
import {
  checkInputs,
  formatModelFile,
  type ModelFeatures,
  parseModelFile,
  type TrainedModel,
} from "../../learning/file/model_file.ts";
import type { InputNumbers } from "../../learning/onnx/onnx_writer.ts";
import {
  exportedFeatures,
  exportedTraining,
  exportModel,
  ONNX_ENDING,
} from "../../learning/onnx/onnx_file.ts";
import {
  openOnnxModel,
  readOnnxMetadata,
} from "../../learning/onnx/onnx_model.ts";
import { scorerOf } from "../../learning/kinds/kinds.ts";
import type { TrainedDays } from "../../learning/data/trained_days.ts";
import { isWholeInput, MODEL_BYTES_MAX } from "../../scoring/open_model.ts";

/** A model that can score. */
export interface OpenedModel {
  /** Name to show: the path. */
  readonly name: string;
  /** The features that it was trained on; undefined where a model from elsewhere does not tell. */
  readonly features: ModelFeatures | undefined;
  /** The days that it was trained on; undefined where a model from elsewhere does not tell. */
  readonly training: TrainedDays | undefined;
  /** The model file's contents; undefined where it comes from elsewhere. */
  readonly trained?: TrainedModel;
  /** What scores payments that have these inputs, by some of them or all. Throws ModelError where they are others than it needs. */
  scorerFor(inputs: readonly string[]): Promise<Scorer>;
}

/** Opens a model file. Throws DataError where it can't be read, ModelError where it is broken. */
export function openModel(path: string): OpenedModel {
  if (path.endsWith(ONNX_ENDING)) return openOnnxFile(path);
  if (!path.endsWith(".json")) {
    throw new ConfigError(
      `--model=${path}: only model files that end in .json or ${ONNX_ENDING} ` +
        "can be read",
    );
  }
  const trained = readModelFile(path);
  const { inputs, body, featureParameters } = trained;
  return {
    name: path,
    trained,
    features: featureParameters,
    training: trained.training,
    scorerFor: (offered) => {
      checkInputs(inputs, offered, path);
      return Promise.resolve(scorerOf(body, inputs));
    },
  };
}

function openOnnxFile(path: string): OpenedModel {
  const bytes = readWholeFile(path, MODEL_BYTES_MAX);
  const metadata = readOnnxMetadata(bytes, path);
  return {
    name: path,
    features: exportedFeatures(metadata, path),
    training: exportedTraining(metadata, path),
    scorerFor: async (names) => {
      const offered = { names, isWhole: isWholeInput };
      return (await openOnnxModel(bytes, path, offered)).scorer;
    },
  };
}

/** Reads a model file. Throws like openModel(). */
export function readModelFile(path: string): TrainedModel {
  const bytes = readWholeFile(path, MODEL_BYTES_MAX);
  return parseModelFile(new TextDecoder().decode(bytes), path);
}

/** Writes a model file, whole or not at all; "-" is stdout. Throws DataError. */
export async function writeModelFile(
  path: string,
  model: TrainedModel,
): Promise<void> {
  await writeOutput(path, new TextEncoder().encode(formatModelFile(model)));
}

/** Writes a model as ONNX that takes such numbers, whole or not at all. Throws DataError. */
export async function writeOnnxFile(
  path: string,
  model: TrainedModel,
  numbers: InputNumbers,
): Promise<void> {
  await writeOutput(path, exportModel(model, numbers));
}
