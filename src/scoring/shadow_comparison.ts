/**
 * What shadow models would have done about a stream's payments, beside the live
 * one: alerts gained and lost, and how well both rank, by day.
 */
import { aucRoc, rankScores } from "../learning/judge/metrics.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import {
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";
import { readShadowScores } from "../payment/prediction_json.ts";
import { IdCursor } from "../store/id_cursor.ts";
import type { StoreRows } from "../store/store.ts";
import { fraudBy, recordedAt } from "./backtest_store.ts";

/** What one of two models did. */
export interface ModelSide {
  /** Payments that it makes alerts. */
  alerts: number;
  /** Frauds among them, as far as labels are known. */
  caught: number;
  /** Area under its ROC curve over the payments with labels; NaN where one class is missing. */
  auc: number;
}

/** A shadow model beside the live one, over some payments. */
export interface ShadowSums {
  /** Payments that the shadow model scored. */
  payments: number;
  /** Those whose label is known. */
  labelled: number;
  /** Frauds among them. */
  frauds: number;
  /** The live model. */
  readonly live: ModelSide;
  /** The shadow model. */
  readonly shadow: ModelSide;
  /** Alerts of the shadow model alone. */
  gained: number;
  /** Frauds among them. */
  gainedFrauds: number;
  /** Alerts of the live model alone. */
  lost: number;
  /** Frauds among them. */
  lostFrauds: number;
}

/** A shadow model beside the live one. */
export interface ShadowComparison {
  /** The shadow model's version. */
  readonly version: string;
  /** Over all payments. */
  readonly total: ShadowSums;
  /** By day, counted from 1970. */
  readonly days: ReadonlyMap<number, ShadowSums>;
}

/** What is compared. */
export interface ShadowComparisonOptions {
  /** The payments with their features and labels, ascending by TRANSACTION_ID, in pages. */
  readonly payments: AsyncIterable<StoreRows>;
  /** The predictions about them, in the same order. */
  readonly predictions: AsyncIterable<PredictionRows>;
  /** The form of the payments. */
  readonly shape: PaymentShape;
  /** Cells of a row of the payments. */
  readonly width: number;
  /** The score from which on a payment is an alert of a shadow model. */
  readonly threshold: number;
  /** Seconds since 1970 before which a payment without a label is genuine; undefined where labels stand in the payments. */
  readonly matureSeconds: number | undefined;
  /** Called after each page with the number of payments read. */
  readonly read?: (payments: number) => void;
}

/** Compares every shadow model that scored payments with the model that was live, the oldest first. */
export async function compareShadows(
  options: ShadowComparisonOptions,
): Promise<ShadowComparison[]> {
  const { shape, width, threshold, matureSeconds } = options;
  const predictions = new IdCursor(
    options.predictions,
    PREDICTION_CELLS,
    shape,
  );
  const tallies = new Map<string, Tally>();
  let read = 0;
  for await (const page of options.payments) {
    for (let index = 0; index < page.count; index++) {
      const at = index * width;
      const id = page.cells[at + CELL.id];
      while (!predictions.reaches(id, page.texts)) await predictions.nextPage();
      const { score, alert, shadows } = recordedAt(predictions);
      const datetime = page.cells[at + CELL.datetime];
      const label = page.cells[at + CELL.fraud];
      const fraud = fraudBy(label, datetime, matureSeconds);
      const day = Math.floor(datetime / DAY_SECONDS);
      for (const [version, own] of readShadowScores(shadows)) {
        const tally = tallies.get(version) ?? new Tally(threshold);
        tallies.set(version, tally);
        tally.add(day, { fraud, score, alert, own });
      }
    }
    read += page.count;
    options.read?.(read);
  }
  return [...tallies].map(([version, tally]) => tally.result(version));
}

/** A payment as both models saw it. */
interface Seen {
  /** 1, 0, or FRAUD_UNKNOWN. */
  readonly fraud: number;
  /** The live score; NaN for none. */
  readonly score: number;
  readonly alert: boolean;
  /** The shadow model's score. */
  readonly own: number;
}

interface Day {
  readonly sums: ShadowSums;
  /** Of each payment with a label: the label, the live score and the shadow model's. */
  readonly scored: [labels: number[], live: number[], own: number[]];
}

class Tally {
  readonly #threshold: number;
  readonly #days = new Map<number, Day>();

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  add(day: number, { fraud, score, alert, own }: Seen): void {
    const known = this.#days.get(day) ??
      { sums: noSums(), scored: [[], [], []] };
    this.#days.set(day, known);
    const { sums, scored } = known;
    const isFraud = fraud === 1 ? 1 : 0;
    const alertsToo = own >= this.#threshold;
    sums.payments++;
    if (fraud === 0 || fraud === 1) {
      sums.labelled++;
      sums.frauds += isFraud;
      [fraud, score, own].forEach((value, i) => scored[i].push(value));
    }
    if (alert) count(sums.live, isFraud);
    if (alertsToo) count(sums.shadow, isFraud);
    if (alertsToo && !alert) {
      sums.gained++;
      sums.gainedFrauds += isFraud;
    }
    if (alert && !alertsToo) {
      sums.lost++;
      sums.lostFrauds += isFraud;
    }
  }

  result(version: string): ShadowComparison {
    const total = noSums();
    const all: Day["scored"] = [[], [], []];
    const days = new Map<number, ShadowSums>();
    for (const [day, { sums, scored }] of [...this.#days].sort(byDay)) {
      rank(sums, scored);
      days.set(day, sums);
      addSums(total, sums);
      scored.forEach((values, i) => {
        for (const value of values) all[i].push(value);
      });
    }
    rank(total, all);
    return { version, total, days };
  }
}

function byDay([a]: [number, unknown], [b]: [number, unknown]): number {
  return a - b;
}

function count(side: ModelSide, isFraud: number): void {
  side.alerts++;
  side.caught += isFraud;
}

function rank(sums: ShadowSums, [labels, live, own]: Day["scored"]): void {
  sums.live.auc = aucOf(labels, live);
  sums.shadow.auc = aucOf(labels, own);
}

/** NaN where a score or a class is missing. */
function aucOf(labels: readonly number[], scores: readonly number[]): number {
  if (labels.length === 0 || scores.some(Number.isNaN)) return NaN;
  return aucRoc(
    rankScores(Uint8Array.from(labels), Float64Array.from(scores)),
  );
}

function noSums(): ShadowSums {
  return {
    ...{ payments: 0, labelled: 0, frauds: 0 },
    live: { alerts: 0, caught: 0, auc: NaN },
    shadow: { alerts: 0, caught: 0, auc: NaN },
    ...{ gained: 0, gainedFrauds: 0, lost: 0, lostFrauds: 0 },
  };
}

function addSums(sum: ShadowSums, more: ShadowSums): void {
  for (
    const key of [
      "payments",
      "labelled",
      "frauds",
      "gained",
      "gainedFrauds",
      "lost",
      "lostFrauds",
    ] as const
  ) sum[key] += more[key];
  for (const side of ["live", "shadow"] as const) {
    sum[side].alerts += more[side].alerts;
    sum[side].caught += more[side].caught;
  }
}
