/**
 * Model files as ONNX and back: the metadata of a trained model that an ONNX
 * file keeps, and how it is read.
 */
import type { FeatureParameters } from "../../features/parameters.ts";
import {
  modelJson,
  readFeatures,
  type TrainedModel,
} from "../file/model_file.ts";
import { toOnnx } from "./onnx_export.ts";
import type { InputNumbers } from "./onnx_writer.ts";
import { readTrainedDays, type TrainedDays } from "../data/trained_days.ts";

/** How the names of ONNX files end. */
export const ONNX_ENDING = ".onnx";

/** Metadata property with the version of the model that was exported. */
export const VERSION_PROPERTY = "fraudstream.version";

/** Metadata property with the features, as a model file has them: JSON. */
export const FEATURES_PROPERTY = "fraudstream.features";

/** Metadata property with the days of the training: `{"firstDate": "2018-07-25", "days": 7, "delayDays": 7}`. */
export const TRAINING_PROPERTY = "fraudstream.training";

/** The ONNX file of a model that takes these numbers. Throws ModelError if they cannot hold it. */
export function exportModel(
  model: TrainedModel,
  numbers: InputNumbers,
): Uint8Array {
  const { firstDate, days, delayDays } = model.training;
  return toOnnx(model.body, model.inputs, numbers, {
    [VERSION_PROPERTY]: model.version,
    [FEATURES_PROPERTY]: JSON.stringify(model.featureParameters),
    [TRAINING_PROPERTY]: JSON.stringify({ firstDate, days, delayDays }),
  });
}

/** The features in an ONNX file's metadata; undefined if there are none. Throws ModelError. */
export function exportedFeatures(
  metadata: ReadonlyMap<string, string>,
  path: string,
): FeatureParameters | undefined {
  const text = metadata.get(FEATURES_PROPERTY);
  if (text === undefined) return undefined;
  const file = modelJson(path);
  return readFeatures(file, file.parse(text, FEATURES_PROPERTY));
}

/** The days of training in an ONNX file's metadata; undefined if there are none. Throws ModelError. */
export function exportedTraining(
  metadata: ReadonlyMap<string, string>,
  path: string,
): TrainedDays | undefined {
  const text = metadata.get(TRAINING_PROPERTY);
  if (text === undefined) return undefined;
  const file = modelJson(path);
  return readTrainedDays(file, file.parse(text, TRAINING_PROPERTY));
}
