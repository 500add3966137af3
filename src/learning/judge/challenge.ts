/**
 * Champion and challenger: a new model is trained on the sliding past and takes
 * over if it does better than the present one on the newest days with known
 * labels, from which it has not learned. What is promoted is what was judged:
 * it is not fitted again to those days.
 */
import { ModelError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import { countFrauds } from "../data/examples.ts";
import { usualOf } from "../explain/usual_values.ts";
import type { ModelSpec } from "../fit/fit_task.ts";
import { judge, type MetricValues } from "./judgement.ts";
import { completeSettings, fitModel, scorerOf } from "../kinds/kinds.ts";
import type { Scorer } from "../kinds/model.ts";
import {
  declarationsSum,
  type TrainedModel,
  withVersion,
} from "../file/model_file.ts";
import {
  examplesOf,
  type LabelledPayments,
  rowsOfDays,
  scoreRows,
} from "../data/payments.ts";
import { rowsFingerprint } from "../data/split.ts";

/** Newest labelled days that champion and challenger are judged by. */
export const JUDGED_DAYS = 7;

/** Least number of frauds to train on. */
export const FRAUDS_MIN: number = 10;

/** The card precision that may be lost for a better average precision. */
const CARD_PRECISION_TOLERANCE = 0.005;

/** The days of a decision: learned from, then judged by. */
export interface ChallengeDays {
  /** First day that is learned from. */
  readonly trainFrom: number;
  /** Day behind the last that is learned from, and the first that is judged by. */
  readonly trainTo: number;
  /** Day behind the last that is judged by: the first whose labels are not known. */
  readonly judgeTo: number;
}

/**
 * The days of the decision on the morning of `day`. Without a champion to
 * compare with nothing is judged, and all labelled days are learned from.
 */
export function challengeDays(
  day: number,
  { delayDays, trainDays, hasChampion }: {
    readonly delayDays: number;
    readonly trainDays: number;
    readonly hasChampion: boolean;
  },
): ChallengeDays {
  const judgeTo = Math.max(0, day - delayDays);
  const trainTo = hasChampion ? Math.max(0, judgeTo - JUDGED_DAYS) : judgeTo;
  return { trainFrom: Math.max(0, trainTo - trainDays), trainTo, judgeTo };
}

/** The data for a challenger. */
export interface ChallengeOptions {
  /** The payments of the days, with what labels are known by now. */
  readonly payments: LabelledPayments;
  /** The days. */
  readonly days: ChallengeDays;
  /** Days until the label of a payment is known. */
  readonly delayDays: number;
  /** What is fitted. */
  readonly model: ModelSpec;
  /** The features, for the model's file. */
  readonly features: FeatureParameters;
  /** The present champion. */
  readonly champion: Scorer | undefined;
}

/** The result of a challenge. */
export interface Challenge {
  /** The challenger; undefined if there was too little to learn from. */
  readonly challenger: TrainedModel | undefined;
  /** Whether it takes over. */
  readonly wins: boolean;
  /** The reason, for messages. */
  readonly reason: string;
  /** Metrics of the challenger on the judged days, where there was a champion. */
  readonly metrics: MetricValues | undefined;
  /** The same of the champion. */
  readonly championMetrics: MetricValues | undefined;
}

/** Trains a challenger and judges it against the champion. */
export async function challenge(
  options: ChallengeOptions,
): Promise<Challenge> {
  const { payments, days, champion } = options;
  const train = rowsBetween(payments, days.trainFrom, days.trainTo);
  const examples = examplesOf(payments, train);
  const frauds = countFrauds(examples);
  if (frauds < FRAUDS_MIN || frauds === examples.rows) {
    return lost(
      `${examples.rows} labelled payments with ${frauds} frauds are too ` +
        `little to learn from`,
    );
  }
  const { kind, settings } = options.model;
  const body = fitModel(kind, examples, settings);
  const usual = usualOf(examples);
  const withMetrics = (metrics: MetricValues | undefined) =>
    withVersion({
      kind,
      inputs: payments.inputs,
      featureParameters: options.features,
      declared: declarationsSum(options.features),
      training: {
        firstDay: days.trainFrom,
        firstDate: formatDate(
          payments.startSeconds + days.trainFrom * DAY_SECONDS,
        ),
        days: days.trainTo - days.trainFrom,
        delayDays: options.delayDays,
        rows: examples.rows,
        frauds,
        fingerprint: rowsFingerprint(payments, train),
      },
      usual,
      settings: completeSettings(kind, settings),
      metrics,
      body,
    });
  if (!champion) {
    return {
      challenger: withMetrics(undefined),
      wins: true,
      reason: "the first model: there was none to compare with",
      metrics: undefined,
      championMetrics: undefined,
    };
  }
  const rows = rowsBetween(payments, days.trainTo, days.judgeTo);
  const scorer = scorerOf(body, payments.inputs);
  const metrics = await judged(scorer, payments, rows);
  const championMetrics = await judged(champion, payments, rows);
  if (!metrics || !championMetrics) {
    return lost("there is no payment to judge the two by");
  }
  const { wins, reason } = compare(metrics, championMetrics);
  return {
    challenger: withMetrics(metrics),
    wins,
    reason,
    metrics,
    championMetrics,
  };
}

function lost(reason: string): Challenge {
  return {
    challenger: undefined,
    wins: false,
    reason,
    metrics: undefined,
    championMetrics: undefined,
  };
}

function rowsBetween(
  payments: LabelledPayments,
  firstDay: number,
  endDay: number,
): Int32Array {
  const { from, to } = rowsOfDays(payments, firstDay, endDay);
  return Int32Array.from({ length: to - from }, (_, at) => from + at);
}

async function judged(
  scorer: Scorer,
  payments: LabelledPayments,
  rows: Int32Array,
): Promise<MetricValues | undefined> {
  if (rows.length === 0) return undefined;
  if (scorer.inputs.join() !== payments.inputs.join()) {
    throw new ModelError(
      "the champion has other inputs than the payments; choose another by " +
        "'./fraudstream models --promote'",
    );
  }
  return judge(payments, rows, await scoreRows(scorer, payments, rows)).metrics;
}

/**
 * The challenger wins by a greater average precision, unless it would find
 * clearly fewer compromised cards among the 100 most suspect of a day.
 */
export function compare(
  challenger: MetricValues,
  champion: MetricValues,
): { readonly wins: boolean; readonly reason: string } {
  const shown = (metric: keyof MetricValues) =>
    `${challenger[metric].toFixed(3)} against ${champion[metric].toFixed(3)}`;
  const reason = `average precision ${shown("average_precision")}, CP@100 ` +
    shown("card_precision_100");
  const better = challenger.average_precision > champion.average_precision;
  const lostCards = champion.card_precision_100 -
    challenger.card_precision_100;
  return { wins: better && !(lostCards > CARD_PRECISION_TOLERANCE), reason };
}
