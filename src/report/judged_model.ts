/** The model of a report: opened from its file, and judged by the payments that it has not learned from. */
import {
  featureNames,
  type FeatureParameters,
} from "../features/parameters.ts";
import {
  labelsKnown,
  spanText,
  type TrainedDays,
  trainedSpan,
} from "../learning/data/trained_days.ts";
import { type ModelCurves, modelCurves } from "./model_curves.ts";
import { ScoreCollector } from "./score_collector.ts";
import { formatDate } from "../payment/calendar.ts";
import type { OpenedModel } from "../scoring/open_model.ts";

/** A model to be judged. */
export class JudgedModel {
  readonly #model: OpenedModel;

  /** Takes a model that was opened. */
  constructor(model: OpenedModel) {
    this.#model = model;
  }

  /** The features that the model was trained on; undefined where its file does not say. */
  get features(): FeatureParameters | undefined {
    return this.#model.features;
  }

  /** A collector of scores of the payments that the model is judged by. Throws ModelError where the features are others. */
  async scores(features: FeatureParameters): Promise<ScoreCollector> {
    const names = featureNames(features);
    const scorer = await this.#model.scorerFor(features);
    const { training } = this.#model;
    const from = training ? labelsKnown(training) : -Infinity;
    return new ScoreCollector(scorer, names, from);
  }

  /** The curves; undefined if there is no payment to judge by. */
  async curves(scores: ScoreCollector): Promise<ModelCurves | undefined> {
    const { trained, training, path } = this.#model;
    const priced = await scores.finish();
    return modelCurves({
      name: trained ? `${trained.kind}, version ${trained.version}` : path,
      period: training
        ? `the payments from ${this.#judgedFrom(training)}`
        : "all payments; which of them it has learned from is not known",
      days: scores.days,
    }, priced);
  }

  /** Why there are no curves; undefined where the model may have learned from any payment. */
  whyNoCurves(): string | undefined {
    const { training, path } = this.#model;
    return training &&
      `${path} is not judged: there is no payment from ` +
        this.#judgedFrom(training);
  }

  #judgedFrom(training: TrainedDays): string {
    return `${formatDate(labelsKnown(training))} on, after its training ` +
      `(${spanText(trainedSpan(training))}) and the label delay`;
  }
}
