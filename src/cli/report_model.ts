/** The model of a report: opened from its file, and judged by the payments that it has not learned from. */
import type { FeatureParameters } from "../features/parameters.ts";
import { AMOUNT_INPUT } from "../learning/payments.ts";
import { type ModelCurves, modelCurves } from "../report/model_curves.ts";
import { ScoreCollector } from "../report/score_collector.ts";
import { formatDate } from "../transaction/calendar.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";
import { type OpenedModel, openModel } from "./model_source.ts";

/** A model to be judged. */
export class JudgedModel {
  readonly #model: OpenedModel;

  private constructor(model: OpenedModel) {
    this.#model = model;
  }

  /** Opens a model file. Throws like openModel(). */
  static open(path: string): JudgedModel {
    return new JudgedModel(openModel(path));
  }

  /** The features that the model was trained on; undefined where its file does not say. */
  get features(): FeatureParameters | undefined {
    return this.#model.features;
  }

  /** A collector of scores of the payments that the model is judged by. Throws ModelError where the features are others. */
  async scores(features: readonly string[]): Promise<ScoreCollector> {
    const scorer = await this.#model.scorerFor([AMOUNT_INPUT, ...features]);
    return new ScoreCollector(scorer, features, this.#firstDay);
  }

  /** The first day that the model cannot have learned anything about; 0 where that is not known. */
  get #firstDay(): number {
    const { firstDay = 0, days = 0, delayDays = 0 } =
      this.#model.trained?.training ?? {};
    return firstDay + days + delayDays;
  }

  /** The curves; undefined if there is no payment to judge by. */
  async curves(
    scores: ScoreCollector,
    startSeconds = 0,
  ): Promise<ModelCurves | undefined> {
    const { trained, name } = this.#model;
    const priced = await scores.finish();
    const date = formatDate(startSeconds + this.#firstDay * DAY_SECONDS);
    return modelCurves({
      name: trained ? `${trained.kind}, version ${trained.version}` : name,
      period: trained
        ? `the payments from ${date} on, after its training and the label delay`
        : "all payments; which of them it has learned from is not known",
      days: scores.days,
    }, priced);
  }
}
