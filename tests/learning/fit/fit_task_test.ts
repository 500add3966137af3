/** The standard split of `evaluate` uses no label before it was known. */
import assert from "node:assert/strict";
import {
  dayOf,
  type LabelledPayments,
} from "../../../src/learning/data/payments.ts";
import {
  endDayOf,
  type Period,
  splitPayments,
  testStartOf,
} from "../../../src/learning/data/split.ts";
import {
  type FitTask,
  runFitTask,
} from "../../../src/learning/fit/fit_task.ts";
import { forEachSeed } from "../../long.ts";
import { randomPayments } from "../small_payments.ts";

const PERIOD: Period = {
  startDay: 3,
  trainDays: 6,
  delayDays: 4,
  testDays: 3,
  historyDays: 0,
};

/** What a task makes of payments until the end of a day: the model, and the rows and scores of its tests. */
async function madeUntil(
  day: number,
  payments: LabelledPayments,
  task: FitTask,
): Promise<unknown> {
  const { body, tests } = await runFitTask(payments, task);
  const made = task.judgedBy.flatMap((period, at) => {
    const rows = [...splitPayments(payments, period).test];
    return rows.map((row, index) => ({
      row,
      score: tests[at].scores[index],
    }));
  });
  const rows = made.filter(({ row }) => dayOf(payments, row) <= day);
  return { body, rows };
}

/** Asserts that no label that is known after the morning of a test's day changes what is made until then. */
async function checkLabels(
  payments: LabelledPayments,
  taskOf: (period: Period) => FitTask,
): Promise<void> {
  const task = taskOf(PERIOD);
  for (let day = testStartOf(PERIOD); day < endDayOf(PERIOD); day++) {
    const labels = payments.labels.map((label, row) =>
      dayOf(payments, row) + PERIOD.delayDays >= day ? 1 - label : label
    );
    assert.deepEqual(
      await madeUntil(day, { ...payments, labels }, task),
      await madeUntil(day, payments, task),
      `day ${day}`,
    );
  }
}

/** A fit to a period, judged by its test. */
function taskOf(period: Period): FitTask {
  const model = { kind: "decision-tree", settings: { depthMax: 3 } };
  return { model, period, judgedBy: [period] };
}

Deno.test("no label changes a model or a test before it is known", async () => {
  await forEachSeed(5, 200, async (seed) => {
    await checkLabels(randomPayments(20, 60, `${seed}`), taskOf);
  });
});

Deno.test("a split that uses labels a day early does not pass", async () => {
  const payments = randomPayments(20, 60);
  const early = { ...PERIOD, delayDays: PERIOD.delayDays - 1 };
  const mistakes: ((period: Period) => FitTask)[] = [
    // The training has a day more, whose labels are not known.
    (period) => {
      const trainDays = period.trainDays + 1;
      return { ...taskOf(period), period: { ...early, trainDays } };
    },
    // The cards of a day more are known to be compromised.
    (period) => {
      const startDay = period.startDay + 1;
      return { ...taskOf(period), judgedBy: [{ ...early, startDay }] };
    },
  ];
  for (const mistake of mistakes) {
    await assert.rejects(
      () => checkLabels(payments, mistake),
      assert.AssertionError,
    );
  }
});
