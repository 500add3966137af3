/**
 * Model files, read and written by commands. Models from elsewhere are to be
 * opened here too: whatever openModel() gives can be judged.
 */
import { ConfigError } from "../error/error.ts";
import { fileError } from "../files/file_error.ts";
import { OutputFile } from "../files/output_file.ts";
import type { Scorer } from "../learning/model.ts";
import {
  formatModelFile,
  parseModelFile,
  type TrainedModel,
} from "../learning/model_file.ts";
import { scorerOf } from "../learning/scorer.ts";

/** A model that can score. */
export interface OpenedModel {
  /** Name to show: the path. */
  readonly name: string;
  /** Scores rows of its inputs. */
  readonly scorer: Scorer;
  /** The file's content, for a model that was trained here. */
  readonly trained: TrainedModel | undefined;
}

/** Opens a model file. Throws DataError where it can't be read, ModelError where it is broken. */
export async function openModel(path: string): Promise<OpenedModel> {
  if (!path.endsWith(".json")) {
    throw new ConfigError(
      `--model=${path}: only model files that end in .json can be read`,
    );
  }
  const trained = await readModelFile(path);
  return {
    name: path,
    scorer: scorerOf(trained.body, trained.inputs),
    trained,
  };
}

/** Reads a model file. Throws like openModel(). */
export async function readModelFile(path: string): Promise<TrainedModel> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  return parseModelFile(text, path);
}

/** Writes a model file, whole or not at all; "-" is stdout. Throws DataError. */
export async function writeModelFile(
  path: string,
  model: TrainedModel,
): Promise<void> {
  const bytes = new TextEncoder().encode(formatModelFile(model));
  await using output = await OutputFile.open(path);
  await output.write(bytes);
  await output.close();
}
