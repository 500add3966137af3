/**
 * Card precision top-k, as the Fraud Detection Handbook has it (chapter 4,
 * "Precision top-k metrics"): every day the k most suspect cards are checked;
 * which share of them was compromised that day? A card that was found is
 * blocked, so it counts on no later day.
 */
import { ModelError } from "../../base/error.ts";
import { checkScores } from "./metrics.ts";

/** Cards checked per day in the handbook's results. */
export const TOP_CARDS = 100;

/** Scored payments of some days, in any order. */
export interface ScoredPayments {
  /** Day of each payment. */
  readonly day: Int32Array;
  /** The card of each payment, in the order of the CUSTOMER_IDs. */
  readonly card: Int32Array;
  /** 1 for a fraud. */
  readonly labels: Uint8Array;
  /** Score of each payment. */
  readonly scores: Float64Array;
}

/** The result of one day's checks. */
export interface CardDay {
  /** The day. */
  readonly day: number;
  /** Cards with a payment that day, without those found before. */
  readonly cards: number;
  /** Compromised ones among them. */
  readonly compromised: number;
  /** Compromised ones among the k most suspect. */
  readonly hits: number;
  /** hits / k. */
  readonly precision: number;
}

/**
 * The days that have payments, ascending. A card is as suspect as its most
 * suspect payment of the day, and compromised if any payment of the day is a
 * fraud; ties go to the smaller CUSTOMER_ID. Where a day has fewer than k
 * cards all are checked and the hits are still divided by k, as in the
 * handbook: the budget was k checks. Throws ModelError for no payments and for
 * scores that are not finite.
 */
export function cardPrecisionDays(
  scored: ScoredPayments,
  topCards: number,
): CardDay[] {
  const rows = checkScores(scored.labels, scored.scores);
  if (!(Number.isInteger(topCards) && topCards > 0)) {
    throw new ModelError(
      `card precision needs a whole number of cards above 0, not ${topCards}`,
    );
  }
  const rowsOfDay = new Map<number, number[]>();
  for (let row = 0; row < rows; row++) {
    const ofDay = rowsOfDay.get(scored.day[row]);
    if (ofDay) ofDay.push(row);
    else rowsOfDay.set(scored.day[row], [row]);
  }
  const found = new Set<number>();
  return [...rowsOfDay].sort(([left], [right]) => left - right)
    .map(([day, ofDay]) => checkDay(scored, day, ofDay, topCards, found));
}

/** Mean of the days' precisions: the metric CP@k. */
export function cardPrecision(days: readonly CardDay[]): number {
  return days.reduce((sum, { precision }) => sum + precision, 0) / days.length;
}

/** A card on one day. */
export interface SuspectCard {
  /** The card. */
  readonly id: number;
  /** Score of its most suspect payment. */
  score: number;
  /** 1 if a payment is a fraud. */
  label: number;
}

/** The cards of some payments of one day without those found before, the most suspect first. */
export function suspectCards(
  scored: Omit<ScoredPayments, "day">,
  rows: Iterable<number>,
  found: ReadonlySet<number>,
): SuspectCard[] {
  const cards = new Map<number, SuspectCard>();
  for (const row of rows) {
    const id = scored.card[row];
    if (found.has(id)) continue;
    const score = scored.scores[row];
    const label = scored.labels[row];
    const card = cards.get(id);
    if (card) {
      card.score = Math.max(card.score, score);
      card.label = Math.max(card.label, label);
    } else cards.set(id, { id, score, label });
  }
  return [...cards.values()].sort((left, right) => {
    return right.score - left.score || left.id - right.id;
  });
}

/** Checks the most suspect cards of one day and adds those found. */
function checkDay(
  scored: ScoredPayments,
  day: number,
  rows: readonly number[],
  topCards: number,
  found: Set<number>,
): CardDay {
  const suspects = suspectCards(scored, rows, found);
  let hits = 0;
  for (const { id, label } of suspects.slice(0, topCards)) {
    if (label === 0) continue;
    hits++;
    found.add(id);
  }
  return {
    day,
    cards: suspects.length,
    compromised: suspects.reduce((sum, { label }) => sum + label, 0),
    hits,
    precision: hits / topCards,
  };
}
