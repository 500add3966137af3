/**
 * Whether a model can have learned from what it is judged by: its days of
 * training, and the days until their labels are known, against those of the
 * test. By dates, so that it holds for payments that begin on another day.
 */
import { formatDate, parseDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { CheckedJson } from "../../base/checked_json.ts";

/** The days that a model was trained on, as its file says. */
export interface TrainedDays {
  /** Date of the first, YYYY-MM-DD. */
  readonly firstDate: string;
  /** How many there are. */
  readonly days: number;
  /** Days from a payment until its label is known. */
  readonly delayDays: number;
}

/** Days from the first to the last, in seconds since 1970. */
export interface DaySpan {
  /** Beginning of the first. */
  readonly from: number;
  /** End of the last. */
  readonly to: number;
}

/** Reads the days from a file's fields. Throws ModelError. */
export function readTrainedDays(
  file: CheckedJson,
  value: unknown,
): TrainedDays {
  const fields = file.object(value, "training");
  const whole = (name: string) => file.whole(fields[name], `training.${name}`);
  const firstDate = file.string(fields.firstDate, "training.firstDate");
  file.check(
    parseDate(firstDate) !== undefined,
    `training.firstDate must be a date as in 2018-07-25, not ${firstDate}`,
  );
  return { firstDate, days: whole("days"), delayDays: whole("delayDays") };
}

/** The days that a model was trained on. */
export function trainedSpan({ firstDate, days }: TrainedDays): DaySpan {
  const from = parseDate(firstDate);
  if (from === undefined) throw new RangeError(`no date: ${firstDate}`);
  return { from, to: from + days * DAY_SECONDS };
}

/** The first moment at which all labels of the training are known, in seconds since 1970. */
export function labelsKnown(trained: TrainedDays): number {
  return trainedSpan(trained).to + trained.delayDays * DAY_SECONDS;
}

/** The first and the last of some days as dates. */
export function spanText({ from, to }: DaySpan): string {
  return `${formatDate(from)} to ${formatDate(to - DAY_SECONDS)}`;
}

/**
 * Why the result of a model on `test` says little about new payments, as a
 * sentence without its subject; undefined if nothing is wrong.
 */
export function leakage(
  trained: TrainedDays | undefined,
  test: DaySpan,
): string | undefined {
  if (trained === undefined) {
    return "does not say which days it was trained on: it may have learned " +
      "from the test";
  }
  const training = trainedSpan(trained);
  const was = `was trained on ${spanText(training)}`;
  const shared = Math.min(training.to, test.to) -
    Math.max(training.from, test.from);
  if (shared > 0) {
    const days = Math.ceil(shared / DAY_SECONDS);
    const all = Math.ceil((test.to - test.from) / DAY_SECONDS);
    return `${was}, and ${days} of the ${all} test days are among them: it is ` +
      "judged by what it has learned from";
  }
  if (test.to <= training.from) {
    return `${was}, after the test: it knows what came later`;
  }
  const known = labelsKnown(trained);
  if (test.from < known) {
    return `${was}, whose labels are known from ${formatDate(known)} on, and ` +
      `the test begins on ${formatDate(test.from)}: it could not have been ` +
      "trained by then";
  }
  return undefined;
}
