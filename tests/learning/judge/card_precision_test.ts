import assert from "node:assert/strict";
import { ModelError } from "../../../src/base/error.ts";
import {
  cardPrecision,
  cardPrecisionDays,
  type ScoredPayments,
} from "../../../src/learning/judge/card_precision.ts";
import { GOLDEN_METRICS as cases } from "../golden.ts";

/** Payments as rows of [day, card, label, score]. */
function payments(rows: [number, number, number, number][]): ScoredPayments {
  return {
    day: Int32Array.from(rows, ([day]) => day),
    card: Int32Array.from(rows, ([, card]) => card),
    labels: Uint8Array.from(rows, ([, , label]) => label),
    scores: Float64Array.from(rows, ([, , , score]) => score),
  };
}

for (const golden of cases) {
  Deno.test(`card precision is the handbook's: ${golden.name}`, () => {
    const rows = golden.label.map((label, at): [
      number,
      number,
      number,
      number,
    ] => [golden.day[at], golden.card[at], label, golden.score[at]]);
    for (const [top, expected] of Object.entries(golden.cardPrecision)) {
      for (const some of [rows, rows.toReversed()]) {
        const days = cardPrecisionDays(payments(some), Number(top));
        assert.deepEqual(days, expected.days);
        assert.ok(Math.abs(cardPrecision(days) - expected.mean) <= 1e-12);
      }
    }
  });
}

Deno.test("a tie of scores goes to the smaller CUSTOMER_ID", () => {
  const [day] = cardPrecisionDays(
    payments([[0, 9, 1, 0.5], [0, 4, 0, 0.5]]),
    1,
  );
  assert.equal(day.hits, 0);
});

Deno.test("a card that was found counts on no later day, a missed one does", () => {
  const days = cardPrecisionDays(
    payments([
      [0, 1, 1, 0.9],
      [0, 2, 1, 0.1],
      [1, 1, 1, 0.9],
      [1, 2, 1, 0.8],
    ]),
    1,
  );
  assert.deepEqual(days.map(({ cards, hits }) => [cards, hits]), [
    [2, 1],
    [1, 1],
  ]);
});

Deno.test("fewer than k cards on a day: all are checked, the divisor stays k", () => {
  const days = cardPrecisionDays(payments([[3, 1, 1, 0.2], [3, 2, 0, 0]]), 10);
  assert.deepEqual(days, [
    { day: 3, cards: 2, compromised: 1, hits: 1, precision: 0.1 },
  ]);
});

Deno.test("cardPrecisionDays() refuses no payments and no cards", () => {
  assert.throws(() => cardPrecisionDays(payments([]), 1), ModelError);
  for (const top of [0, 1.5, NaN]) {
    assert.throws(
      () => cardPrecisionDays(payments([[0, 1, 1, 0.5]]), top),
      /card precision needs a whole number of cards above 0/,
    );
  }
});
