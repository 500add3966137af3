import assert from "node:assert/strict";
import { ModelError } from "../../../src/base/error.ts";
import { runFits } from "../../../src/learning/fit/fit_pool.ts";
import type { FitTask } from "../../../src/learning/fit/fit_task.ts";
import { MODEL_KINDS } from "../../../src/learning/kinds/kinds.ts";
import type { Period } from "../../../src/learning/data/split.ts";
import { testReading } from "../../permission.ts";
import { randomPayments, smallPayments } from "../small_payments.ts";

const PERIOD: Period = {
  startDay: 0,
  trainDays: 3,
  delayDays: 1,
  testDays: 2,
  historyDays: 0,
};

const NOTHING = {
  onDone: () => {},
  signal: new AbortController().signal,
};

function tasks(): FitTask[] {
  const later = { ...PERIOD, startDay: 1 };
  return MODEL_KINDS.flatMap(({ name: kind, settings }) =>
    [PERIOD, later].map((period): FitTask => ({
      model: { kind, settings: "trees" in settings ? { trees: 5 } : {} },
      period,
      judgedBy: [period, later],
    }))
  );
}

testReading(
  "fits are the same by one thread and by many, in the order of the tasks",
  async () => {
    const payments = randomPayments(8, 150);
    const withoutTimes = async (threads: number) => {
      const outcomes = await runFits(payments, tasks(), {
        ...NOTHING,
        threads,
      });
      return outcomes.map(({ body, tests }) => ({ body, tests }));
    };
    const alone = await withoutTimes(1);
    assert.deepEqual(
      alone.map(({ body }) => body.kind),
      tasks().map(({ model }) => model.kind),
    );
    assert.ok(alone.every(({ tests }) => tests.length === 2));
    assert.deepEqual(await withoutTimes(3), alone);
  },
);

testReading("each task is told once, and all are done at the end", async () => {
  for (const threads of [1, 2]) {
    const told: number[] = [];
    await runFits(randomPayments(8, 60), tasks(), {
      ...NOTHING,
      threads,
      onDone: (done) => told.push(done),
    });
    assert.deepEqual(told, [...tasks().keys()].map((at) => at + 1));
  }
});

testReading("an error of a fit is the same in any thread", async () => {
  const genuine = smallPayments(
    Array.from({ length: 8 }, (_, day) => ({ day, card: day, fraud: 0 })),
  );
  for (const threads of [1, 2]) {
    await assert.rejects(
      runFits(genuine, tasks(), { ...NOTHING, threads }),
      (error) =>
        error instanceof ModelError &&
        /there are 0 frauds in 3 rows/.test(error.message),
    );
  }
});

testReading("a signal ends the work with its reason", async () => {
  for (const threads of [1, 2]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    await assert.rejects(
      runFits(randomPayments(8, 60), tasks(), {
        threads,
        onDone: () => controller.abort(reason),
        signal: controller.signal,
      }),
      (error) => error === reason,
    );
  }
});
