/** The model of a report: opened from its file, and judged by the payments that it has not learned from. */
import type { FeatureParameters } from "../features/parameters.ts";
import { fileError } from "../files/file_error.ts";
import {
  checkInputs,
  parseModelFile,
  type TrainedModel,
} from "../learning/model_file.ts";
import { scorerOf } from "../learning/scorer.ts";
import { type ModelCurves, modelCurves } from "../report/model_curves.ts";
import { ScoreCollector } from "../report/score_collector.ts";
import { formatDate } from "../transaction/calendar.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";

/** A model file to be judged. */
export class JudgedModelFile {
  readonly #path: string;
  readonly #model: TrainedModel;

  private constructor(path: string, model: TrainedModel) {
    this.#path = path;
    this.#model = model;
  }

  /** Reads a model file. Throws DataError, or ModelError where it is broken. */
  static async open(path: string): Promise<JudgedModelFile> {
    let text: string;
    try {
      text = await Deno.readTextFile(path);
    } catch (error) {
      throw fileError(error, "read", path);
    }
    return new JudgedModelFile(path, parseModelFile(text, path));
  }

  /** The features that the model was trained on. */
  get features(): FeatureParameters {
    return this.#model.featureParameters;
  }

  /** A collector of scores of the payments behind the training and its label delay. Throws ModelError where the features are others. */
  scores(features: readonly string[]): ScoreCollector {
    const { inputs, body } = this.#model;
    checkInputs(inputs, ["TX_AMOUNT", ...features], this.#path);
    return new ScoreCollector(scorerOf(body, inputs), this.#firstDay);
  }

  /** The first day that the model cannot have learned anything about. */
  get #firstDay(): number {
    const { firstDay, days, delayDays } = this.#model.training;
    return firstDay + days + delayDays;
  }

  /** The curves; undefined if no payment came after the training. */
  async curves(
    scores: ScoreCollector,
    startSeconds = 0,
  ): Promise<ModelCurves | undefined> {
    const { kind, version } = this.#model;
    const priced = await scores.finish();
    const date = formatDate(startSeconds + this.#firstDay * DAY_SECONDS);
    return modelCurves({
      name: `${kind}, version ${version}`,
      period:
        `the payments from ${date} on, after its training and the label delay`,
      days: scores.days,
    }, priced);
  }
}
