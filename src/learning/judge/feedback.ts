/**
 * The alert-feedback interaction of the Fraud Detection Handbook (chapter 2):
 * every day the most suspect cards are checked, and the labels of their
 * payments of that day are known the next morning; all other labels are known
 * after the delay. A model is trained again every morning on the labels known
 * by then, in three ways, which are judged by the same rows. This is another
 * experiment than the standard split, and its results are not to be compared
 * with the handbook's.
 */
import {
  examplesOf,
  type LabelledPayments,
  rowsOfDays,
  scoreRows,
} from "../data/payments.ts";
import {
  countRows,
  firstDayOf,
  type Period,
  rowsByDay,
  splitPayments,
} from "../data/split.ts";
import type { ModelSpec } from "../fit/fit_task.ts";
import { fitModel, scorerOf } from "../kinds/kinds.ts";
import { suspectCards } from "./card_precision.ts";
import { judge, type Judgement, labelsOf } from "./judgement.ts";

/**
 * How a model learns: from the labels that are known after the delay alone;
 * from those and the checked cards' together; or as the mean of a model of the
 * late labels and one of the checked cards'.
 */
export const FEEDBACK_WAYS = ["late", "together", "mean"] as const;

/** One of the ways. */
export type FeedbackWay = typeof FEEDBACK_WAYS[number];

/** A model to be judged with feedback. */
export interface FeedbackTask {
  /** What is fitted. */
  readonly model: ModelSpec;
  /** The training days, counted back from the labels known, and the days of the test. */
  readonly period: Period;
  /** Cards that are checked per day. */
  readonly cards: number;
}

/** One day of one way. */
export interface FeedbackDay {
  /** The day. */
  readonly day: number;
  /** Rows that were trained on and whose labels were known after the delay. */
  readonly lateRows: number;
  /** Rows that were trained on and whose labels were known by checks. */
  readonly checkedRows: number;
  /** Frauds among the latter. */
  readonly checkedFrauds: number;
}

/** How one way did. */
export interface FeedbackResult {
  /** Its metrics on the rows of the standard split. */
  readonly judgement: Judgement;
  /** Score of each of these rows. */
  readonly scores: Float64Array;
  /** The days of the test. */
  readonly days: readonly FeedbackDay[];
}

/** How each way did. */
export type FeedbackOutcome = Readonly<Record<FeedbackWay, FeedbackResult>>;

/** Which labels are known when. */
export class KnownLabels {
  readonly #payments: LabelledPayments;
  readonly #delayDays: number;
  /** The cards checked on each day. */
  readonly #checked = new Map<number, ReadonlySet<number>>();

  /** Before any check. Labels are known `delayDays` and a day after their payment's day. */
  constructor(payments: LabelledPayments, delayDays: number) {
    this.#payments = payments;
    this.#delayDays = delayDays;
  }

  /** Records the cards that were checked on a day. */
  check(day: number, cards: Iterable<number>): void {
    this.#checked.set(day, new Set(cards));
  }

  /** Rows whose labels the delay has made known by the morning of a day, ascending; of the last `days` such days. */
  late(morning: number, days: number): Int32Array {
    const end = morning - this.#delayDays;
    const { from, to } = rowsOfDays(this.#payments, end - days, end);
    return Int32Array.from({ length: to - from }, (_, at) => from + at);
  }

  /** Rows whose labels checks alone have made known by the morning of a day, ascending. */
  checked(morning: number): Int32Array {
    const rows: number[] = [];
    for (let day = morning - this.#delayDays; day < morning; day++) {
      const cards = this.#checked.get(day);
      if (cards === undefined) continue;
      const { from, to } = rowsOfDays(this.#payments, day, day + 1);
      for (let row = from; row < to; row++) {
        if (cards.has(this.#payments.card[row])) rows.push(row);
      }
    }
    return Int32Array.from(rows);
  }
}

/**
 * Judges a model with feedback. The days of the delay before the test are
 * played too, so that the first day of the test already has feedback; a card
 * that was found by a check is not checked again, and the test begins with no
 * card found, as card precision does. `known` makes the labels of each way, for
 * tests. Throws ModelError where the late labels have one class only.
 */
export async function runFeedbackTask(
  payments: LabelledPayments,
  task: FeedbackTask,
  known: () => KnownLabels = () =>
    new KnownLabels(payments, task.period.delayDays),
): Promise<FeedbackOutcome> {
  const { period } = task;
  const { test } = splitPayments(payments, period);
  const players = FEEDBACK_WAYS.map((way) =>
    new Player(payments, task, way, known())
  );
  const late = known();
  const play = async (rows: Int32Array) => {
    for (const [day, ofDay] of rowsByDay(payments, rows)) {
      const trained = late.late(day, period.trainDays + period.historyDays);
      const scores = await fittedScores(payments, task.model, trained, ofDay);
      for (const player of players) {
        await player.play(day, ofDay, { trained, scores });
      }
    }
  };
  if (period.delayDays > 0) await play(warmUpRows(payments, period));
  for (const player of players) player.begin();
  await play(test);
  const [first, together, mean] = players.map((player) => player.result(test));
  return { late: first, together, mean };
}

/** The first day whose payments the experiment needs. */
export function feedbackFirstDay(period: Period): number {
  return firstDayOf(period) - period.delayDays;
}

/** The rows of the days of the delay before the test, chosen as those of a test. */
function warmUpRows(payments: LabelledPayments, period: Period): Int32Array {
  const { startDay, delayDays } = period;
  return splitPayments(payments, {
    ...period,
    startDay: startDay - delayDays,
    testDays: delayDays,
  }).test;
}

/** The scores of some rows by a model that is fitted to others. */
async function fittedScores(
  payments: LabelledPayments,
  { kind, settings }: ModelSpec,
  train: Int32Array,
  rows: Int32Array,
): Promise<Float64Array> {
  const body = fitModel(kind, examplesOf(payments, train), settings);
  return await scoreRows(scorerOf(body, payments.inputs), payments, rows);
}

/** The model of the late labels on one day. */
interface LateModel {
  /** Rows that it was fitted to. */
  readonly trained: Int32Array;
  /** Its scores. */
  readonly scores: Float64Array;
}

/** One way of learning, day after day. */
class Player {
  readonly #payments: LabelledPayments;
  readonly #task: FeedbackTask;
  readonly #way: FeedbackWay;
  readonly #known: KnownLabels;
  readonly #found = new Set<number>();
  #scores: number[] = [];
  #days: FeedbackDay[] = [];

  constructor(
    payments: LabelledPayments,
    task: FeedbackTask,
    way: FeedbackWay,
    known: KnownLabels,
  ) {
    this.#payments = payments;
    this.#task = task;
    this.#way = way;
    this.#known = known;
  }

  /** Scores the rows of a day by what is known that morning, and checks cards. */
  async play(day: number, rows: Int32Array, late: LateModel): Promise<void> {
    const checked = this.#known.checked(day);
    const scores = await this.#score(rows, late, checked);
    const { cards } = this.#task;
    const scored = {
      card: Int32Array.from(
        rows,
        (row) => this.#payments.card[row],
      ),
      labels: labelsOf(this.#payments, rows),
      scores,
    };
    const suspects = suspectCards(scored, rows.keys(), this.#found)
      .slice(0, cards);
    this.#known.check(day, suspects.map(({ id }) => id));
    for (const { id, label } of suspects) if (label === 1) this.#found.add(id);
    for (const score of scores) this.#scores.push(score);
    const usesChecks = this.#way !== "late";
    const { rows: checkedRows, frauds } = countRows(this.#payments, checked);
    this.#days.push({
      day,
      lateRows: late.trained.length,
      checkedRows: usesChecks ? checkedRows : 0,
      checkedFrauds: usesChecks ? frauds : 0,
    });
  }

  async #score(
    rows: Int32Array,
    { trained, scores }: LateModel,
    checked: Int32Array,
  ): Promise<Float64Array> {
    const fitted = (train: Int32Array) =>
      fittedScores(this.#payments, this.#task.model, train, rows);
    if (this.#way === "late" || checked.length === 0) return scores;
    if (this.#way === "together") {
      const both = new Int32Array(trained.length + checked.length);
      both.set(trained);
      both.set(checked, trained.length);
      return await fitted(both);
    }
    const { rows: all, frauds } = countRows(this.#payments, checked);
    // Nothing can be learned from one class.
    if (frauds === 0 || frauds === all) return scores;
    const own = await fitted(checked);
    return own.map((score, at) => (score + scores[at]) / 2);
  }

  /** Forgets scores and found cards, not labels: the test begins. */
  begin(): void {
    this.#found.clear();
    this.#scores = [];
    this.#days = [];
  }

  result(test: Int32Array): FeedbackResult {
    const scores = Float64Array.from(this.#scores);
    return {
      judgement: judge(this.#payments, test, scores),
      scores,
      days: this.#days,
    };
  }
}
