/**
 * Sums of an event day, and of all days, as rows of whole numbers: money is in
 * minor units of the currency (cents of euros), so that sums are exact whatever
 * the order.
 */
import { DAY_SECONDS } from "../../payment/payment.ts";

/** What is summed, and its place in a row. */
export const SUM = {
  /** Payments. */
  payments: 0,
  /** Money in them, cents. */
  cents: 1,
  /** Frauds. */
  frauds: 2,
  /** Money in the frauds, cents. */
  fraudCents: 3,
  /** Scored payments. */
  scored: 4,
  /** Alerts. */
  alerts: 5,
  /** Alerts without a verdict, snoozed or not. */
  undecided: 6,
  /** Money in them, cents. */
  undecidedCents: 7,
  /** Money in the alerts that a verdict confirms, cents. */
  confirmedCents: 8,
  /** Money in the frauds among the alerts without a verdict, cents. */
  undecidedFraudCents: 9,
  /** Money in the frauds among all alerts, cents. */
  alertedFraudCents: 10,
  /** Payments whose label has arrived, where labels arrive later. */
  labelled: 11,
} as const;

/** Numbers of a row. */
export const SUMS: number = Object.keys(SUM).length;

/** The names of the sums as columns of a table, in order. */
export const SUM_COLUMNS: readonly string[] = Object.keys(SUM);

/** What an alert adds to the sums of its day. */
export interface AlertFacts {
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** TX_AMOUNT in cents. */
  readonly cents: number;
  /** The newest verdict: 1 for a fraud, 0 for none, null without one. */
  readonly label: number | null;
  /** TX_FRAUD; null before it is known to the page. */
  readonly fraud: number | null;
}

/** TX_TIME_DAYS of a time. */
export function dayOf(timeSeconds: number): number {
  return Math.floor(timeSeconds / DAY_SECONDS);
}

/** Sums by event day: those that stand, or what is added to them. */
export class DaySums {
  /** The rows by TX_TIME_DAYS. */
  readonly days = new Map<number, Float64Array>();
  /** The sum of all rows. */
  readonly total: Float64Array = new Float64Array(SUMS);

  /** The row of a day, made where it is missing. A change of it must change `total` too. */
  day(day: number): Float64Array {
    let row = this.days.get(day);
    if (!row) {
      row = new Float64Array(SUMS);
      this.days.set(day, row);
    }
    return row;
  }

  /** Adds a payment. */
  addPayment(time: number, cents: number, isFraud: boolean): void {
    for (const row of [this.day(dayOf(time)), this.total]) {
      row[SUM.payments]++;
      row[SUM.cents] += cents;
      if (!isFraud) continue;
      row[SUM.frauds]++;
      row[SUM.fraudCents] += cents;
    }
  }

  /** Adds the label of a payment, null for none, or takes it away with -1. */
  addLabel(
    time: number,
    cents: number,
    fraud: number | null,
    times: 1 | -1,
  ): void {
    if (fraud === null) return;
    for (const row of [this.day(dayOf(time)), this.total]) {
      row[SUM.labelled] += times;
      row[SUM.frauds] += times * fraud;
      row[SUM.fraudCents] += times * fraud * cents;
    }
  }

  /** Adds a scored payment. */
  addScored(time: number): void {
    this.day(dayOf(time))[SUM.scored]++;
    this.total[SUM.scored]++;
  }

  /** Adds an alert, or takes it away with -1. */
  addAlert({ time, cents, label, fraud }: AlertFacts, times: 1 | -1): void {
    const undecided = label === null ? times : 0;
    const confirmed = label === 1 ? times : 0;
    const isFraud = fraud === 1 ? 1 : 0;
    for (const row of [this.day(dayOf(time)), this.total]) {
      row[SUM.alerts] += times;
      row[SUM.undecided] += undecided;
      row[SUM.undecidedCents] += undecided * cents;
      row[SUM.confirmedCents] += confirmed * cents;
      row[SUM.undecidedFraudCents] += undecided * isFraud * cents;
      row[SUM.alertedFraudCents] += times * isFraud * cents;
    }
  }

  /** Adds the row of a day. */
  addRow(day: number, added: ArrayLike<number>): void {
    for (const row of [this.day(day), this.total]) {
      for (let i = 0; i < SUMS; i++) row[i] += added[i];
    }
  }
}
