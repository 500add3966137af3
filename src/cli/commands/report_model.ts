/** The model of a report: opened from its file, and judged by the payments that it has not learned from. */
import { ConfigError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { AMOUNT_INPUT } from "../../learning/data/payments.ts";
import {
  labelsKnown,
  spanText,
  trainedSpan,
} from "../../learning/data/trained_days.ts";
import { type ModelCurves, modelCurves } from "../../report/model_curves.ts";
import { ScoreCollector } from "../../report/score_collector.ts";
import { formatDate } from "../../payment/calendar.ts";
import { type OpenedModel, openModel } from "../../scoring/open_model.ts";
import { writeError } from "../output/terminal.ts";

/** A model to be judged. */
export class JudgedModel {
  readonly #model: OpenedModel;

  private constructor(model: OpenedModel) {
    this.#model = model;
  }

  /** Opens a model file. Throws ConfigError for another ending, else like openModel(). */
  static open(path: string): JudgedModel {
    if (/\.(?:json|onnx)$/.test(path)) return new JudgedModel(openModel(path));
    throw new ConfigError(
      `--model=${path}: only model files that end in .json or .onnx can be read`,
    );
  }

  /** The features that the model was trained on; undefined where its file does not say. */
  get features(): FeatureParameters | undefined {
    return this.#model.features;
  }

  /** A collector of scores of the payments that the model is judged by. Throws ModelError where the features are others. */
  async scores(features: readonly string[]): Promise<ScoreCollector> {
    const scorer = await this.#model.scorerFor([AMOUNT_INPUT, ...features]);
    const { training } = this.#model;
    const from = training ? labelsKnown(training) : -Infinity;
    return new ScoreCollector(scorer, features, from);
  }

  /** The curves; undefined, and a line on stderr, if there is no payment to judge by. */
  async curves(scores: ScoreCollector): Promise<ModelCurves | undefined> {
    const { trained, training, path: name } = this.#model;
    const priced = await scores.finish();
    const curves = modelCurves({
      name: trained ? `${trained.kind}, version ${trained.version}` : name,
      period: training
        ? `the payments from ${formatDate(labelsKnown(training))} on, after ` +
          `its training (${spanText(trainedSpan(training))}) and the label ` +
          "delay"
        : "all payments; which of them it has learned from is not known",
      days: scores.days,
    }, priced);
    if (curves === undefined && training) {
      writeError(
        `${name} is not judged: there is no payment from ` +
          `${formatDate(labelsKnown(training))} on, after its training ` +
          `(${spanText(trainedSpan(training))}) and the label delay\n`,
      );
    }
    return curves;
  }
}
