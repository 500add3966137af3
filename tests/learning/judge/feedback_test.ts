/** The alert-feedback experiment: which labels are known when, against a plain oracle, and that no other one counts. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  dayOf,
  type LabelledPayments,
} from "../../../src/learning/data/payments.ts";
import {
  type Period,
  splitPayments,
} from "../../../src/learning/data/split.ts";
import { runFitTask } from "../../../src/learning/fit/fit_task.ts";
import {
  FEEDBACK_WAYS,
  feedbackFirstDay,
  type FeedbackTask,
  type FeedbackWay,
  KnownLabels,
  runFeedbackTask,
} from "../../../src/learning/judge/feedback.ts";
import { forEachSeed } from "../../long.ts";
import { randomPayments, smallPayments } from "../small_payments.ts";

const PERIOD: Period = {
  startDay: 4,
  trainDays: 2,
  delayDays: 2,
  testDays: 3,
  historyDays: 0,
};

const TASK: FeedbackTask = {
  model: { kind: "logistic-regression", settings: {} },
  period: PERIOD,
  cards: 6,
};

Deno.test("KnownLabels knows on each morning what the words say", () => {
  const payment = fc.record({
    day: fc.nat(9),
    card: fc.nat(4),
    fraud: fc.constant(0),
  });
  const check = fc.record({ day: fc.nat(9), card: fc.nat(4) });
  fc.assert(fc.property(
    fc.array(payment, { maxLength: 60 }),
    fc.array(check, { maxLength: 20 }),
    fc.nat(4),
    fc.integer({ min: 1, max: 4 }),
    (list, checks, delay, days) => {
      const rows = list.toSorted((a, b) => a.day - b.day);
      const known = new KnownLabels(smallPayments(rows), delay);
      for (let morning = 0; morning < 12; morning++) {
        // A label is known one day after its check, or the delay and a day after its payment.
        const late: number[] = [];
        const checked: number[] = [];
        rows.forEach(({ day, card }, row) => {
          if (day + delay + 1 <= morning) {
            if (day + delay + days >= morning) late.push(row);
          } else if (
            day < morning &&
            checks.some((one) => one.day === day && one.card === card)
          ) checked.push(row);
        });
        assert.deepEqual([...known.late(morning, days)], late);
        assert.deepEqual([...known.checked(morning)], checked);
        const today = checks.filter(({ day }) => day === morning);
        known.check(morning, today.map(({ card }) => card));
      }
    },
  ));
});

Deno.test("the first day of the test learns from the late labels as evaluate does", async () => {
  const payments = randomPayments(12, 60);
  const { late } = await runFeedbackTask(payments, TASK);
  const { tests: [standard] } = await runFitTask(payments, {
    model: TASK.model,
    period: PERIOD,
    judgedBy: [PERIOD],
  });
  const { test } = splitPayments(payments, PERIOD);
  const first = test.filter((row) => dayOf(payments, row) === 8).length;
  assert.ok(first > 0);
  assert.deepEqual(
    late.scores.subarray(0, first),
    standard.scores.subarray(0, first),
  );
  assert.equal(late.scores.length, standard.scores.length);
  assert.equal(feedbackFirstDay(PERIOD), 2);
});

Deno.test("the ways learn from what they say, and feedback changes scores", async () => {
  const payments = randomPayments(12, 60);
  const outcome = await runFeedbackTask(payments, TASK);
  for (const way of FEEDBACK_WAYS) {
    const { days, scores, judgement } = outcome[way];
    assert.deepEqual(days.map(({ day }) => day), [8, 9, 10]);
    assert.ok(days.every(({ lateRows }) => lateRows === 120));
    assert.equal(judgement.days.length, 3);
    for (const { checkedRows, checkedFrauds } of days) {
      // Two days of six cards, each with a payment or more.
      assert.ok(way === "late" ? checkedRows === 0 : checkedRows >= 12);
      assert.ok(checkedFrauds <= checkedRows);
    }
    if (way !== "late") assert.notDeepEqual(scores, outcome.late.scores);
  }
  assert.notDeepEqual(outcome.together.scores, outcome.mean.scores);
});

/** How the labels of a study are made known. */
type MakeKnown = (payments: LabelledPayments) => KnownLabels;

/** Scores by day of one way, with the cards that it checked. */
async function played(
  payments: LabelledPayments,
  way: FeedbackWay,
  make: MakeKnown,
) {
  const all: { checked: Map<number, number[]> }[] = [];
  const outcome = await runFeedbackTask(payments, TASK, () => {
    const checked = new Map<number, number[]>();
    const known = make(payments);
    all.push({ checked });
    const check = known.check.bind(known);
    known.check = (day, cards) => {
      const list = [...cards];
      checked.set(day, list);
      check(day, list);
    };
    return known;
  });
  const { test } = splitPayments(payments, PERIOD);
  const byDay = Map.groupBy(test.keys(), (at) => dayOf(payments, test[at]));
  const scores = new Map(
    [...byDay].map(([day, places]) =>
      [day, places.map((at) => outcome[way].scores[at])] as const
    ),
  );
  return { scores, checked: all[FEEDBACK_WAYS.indexOf(way)].checked };
}

/**
 * The first day whose scores change when all labels change that the rule does
 * not make known by that morning; undefined if none does.
 */
async function leakingDay(
  payments: LabelledPayments,
  way: FeedbackWay,
  make: MakeKnown,
): Promise<number | undefined> {
  const { scores, checked } = await played(payments, way, make);
  for (const morning of scores.keys()) {
    const labels = payments.labels.map((label, row) => {
      const day = dayOf(payments, row);
      const isLate = day + PERIOD.delayDays < morning;
      const isChecked = way !== "late" && day < morning &&
        (checked.get(day) ?? []).includes(payments.card[row]);
      return isLate || isChecked ? label : 1 - label;
    });
    const other = await played({ ...payments, labels }, way, make);
    const before = (days: ReadonlyMap<number, number[]>) =>
      [...days].filter(([day]) => day <= morning);
    try {
      assert.deepEqual(before(other.scores), before(scores));
    } catch {
      return morning;
    }
  }
  return undefined;
}

const HONEST: MakeKnown = (payments) =>
  new KnownLabels(payments, PERIOD.delayDays);

/** Uses the late labels a day early. */
class EarlyLabels extends KnownLabels {
  override late(morning: number, days: number): Int32Array {
    return super.late(morning + 1, days);
  }
}

/** Uses yesterday's payments of cards that nobody checked. */
class UncheckedLabels extends KnownLabels {
  override checked(morning: number): Int32Array {
    return super.late(morning + PERIOD.delayDays, 1);
  }
}

/** Uses today's payments of the cards that were checked yesterday. */
class LaterPayments extends KnownLabels {
  readonly #payments: LabelledPayments;
  #cards: number[] = [];

  constructor(payments: LabelledPayments) {
    super(payments, PERIOD.delayDays);
    this.#payments = payments;
  }

  override check(day: number, cards: Iterable<number>): void {
    this.#cards = [...cards];
    super.check(day, this.#cards);
  }

  override checked(morning: number): Int32Array {
    const { rows, card } = this.#payments;
    return Int32Array.from([
      ...super.checked(morning),
      ...Array.from({ length: rows }, (_, row) => row).filter((row) =>
        dayOf(this.#payments, row) === morning &&
        this.#cards.includes(card[row])
      ),
    ]);
  }
}

Deno.test("no label counts before it is known", async () => {
  await forEachSeed(3, 60, async (seed) => {
    const payments = randomPayments(12, 40, `feedback ${seed}`);
    for (const way of FEEDBACK_WAYS) {
      assert.equal(await leakingDay(payments, way, HONEST), undefined, way);
    }
  });
});

Deno.test("a label that counts too early is found", async () => {
  const payments = randomPayments(12, 40, "leaks");
  const early: MakeKnown = (all) => new EarlyLabels(all, PERIOD.delayDays);
  const unchecked: MakeKnown = (all) =>
    new UncheckedLabels(all, PERIOD.delayDays);
  const later: MakeKnown = (all) => new LaterPayments(all);
  for (const way of FEEDBACK_WAYS) {
    assert.equal(await leakingDay(payments, way, early), 8, way);
    if (way === "late") continue;
    assert.equal(await leakingDay(payments, way, unchecked), 8, way);
    assert.equal(await leakingDay(payments, way, later), 8, way);
  }
});
