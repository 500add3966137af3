import assert from "node:assert/strict";
import { cardPrecisionDays } from "../../../src/learning/judge/card_precision.ts";
import { judge, labelsOf } from "../../../src/learning/judge/judgement.ts";
import {
  aucRoc,
  averagePrecision,
  rankScores,
} from "../../../src/learning/judge/metrics.ts";
import { dayOf } from "../../../src/learning/data/payments.ts";
import { randomPayments, smallPayments } from "../small_payments.ts";

Deno.test("judge() gives each metric of the whole and of every day", () => {
  const payments = randomPayments(4, 300);
  const rows = Int32Array.from({ length: 1000 }, (_, at) => at + 50);
  const scores = Float64Array.from(rows, (row) => payments.columns[1][row]);
  const { metrics, days } = judge(payments, rows, scores);
  const whole = rankScores(labelsOf(payments, rows), scores);
  assert.equal(metrics.auc_roc, aucRoc(whole));
  assert.equal(metrics.average_precision, averagePrecision(whole));
  assert.deepEqual(days.map(({ day }) => day), [0, 1, 2, 3]);
  const cards = cardPrecisionDays({
    day: Int32Array.from(rows, (row) => dayOf(payments, row)),
    card: Int32Array.from(rows, (row) => payments.card[row]),
    labels: labelsOf(payments, rows),
    scores,
  }, 100);
  for (const [index, day] of days.entries()) {
    const ofDay = [...rows.keys()].filter((at) =>
      dayOf(payments, rows[at]) === day.day
    );
    const ranking = rankScores(
      labelsOf(payments, Int32Array.from(ofDay, (at) => rows[at])),
      Float64Array.from(ofDay, (at) => scores[at]),
    );
    assert.equal(day.rows, ofDay.length);
    assert.equal(day.frauds, ranking.frauds);
    assert.equal(day.auc_roc, aucRoc(ranking));
    assert.equal(day.average_precision, averagePrecision(ranking));
    assert.equal(day.card_precision_100, cards[index].precision);
  }
  const mean = days.reduce((sum, day) => sum + day.card_precision_100, 0) / 4;
  assert.equal(metrics.card_precision_100, mean);
});

Deno.test("a test without a fraud has no AUC and no average precision", () => {
  const payments = smallPayments([
    { day: 0, card: 1, fraud: 0 },
    { day: 0, card: 2, fraud: 0 },
  ]);
  const { metrics } = judge(
    payments,
    Int32Array.of(0, 1),
    Float64Array.of(0.1, 0.2),
  );
  assert.deepEqual(metrics, {
    "auc_roc": NaN,
    "average_precision": NaN,
    "card_precision_100": 0,
  });
});
