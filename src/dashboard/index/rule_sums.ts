/**
 * What rules have done, as sums by event day and outcome. An outcome is what
 * was decided together with the rules that fired, so that hits, overlaps, and
 * what would have happened without a rule all follow from few rows. Money is in
 * minor units of the currency.
 */
import { dayOf } from "./day_sums.ts";

/** What is summed of an outcome's payments on a day, and its place in a row. */
export const RULE_SUM = {
  /** Payments. */
  payments: 0,
  /** Money in them. */
  cents: 1,
  /** Payments without a verdict whose label has arrived, where labels arrive later. */
  labelled: 2,
  /** Payments without a verdict whose label says fraud. */
  frauds: 3,
  /** Money in them. */
  fraudCents: 4,
  /** Payments with a verdict. */
  verdicts: 5,
  /** Payments that a verdict confirms. */
  confirmed: 6,
  /** Money in them. */
  confirmedCents: 7,
} as const;

/** Numbers of a row. */
export const RULE_SUMS: number = Object.keys(RULE_SUM).length;

/** The names of the sums as columns of a table, in order. */
export const RULE_SUM_COLUMNS: readonly string[] = Object.keys(RULE_SUM);

/** What was decided about some payments. */
export interface DecidedOutcome {
  /** Version of the rules. */
  readonly version: string;
  /** approve, review or decline. */
  readonly decision: string;
  /** Whether they were alerts of the model. */
  readonly alert: boolean;
  /** Ids of the live rules that fired, the one that decided first. */
  readonly rules: readonly string[];
  /** Ids of the shadow rules that fired. */
  readonly shadowRules: readonly string[];
  /** Reasons of the live rules that fired, in their order. */
  readonly reasons: readonly string[];
}

/** A payment on which a rule fired. */
export interface FiredFacts {
  /** Number of the outcome. */
  readonly outcome: number;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** TX_AMOUNT in minor units. */
  readonly cents: number;
  /** The newest verdict: 1 for a fraud, 0 for none, null without one. */
  readonly label: number | null;
  /** TX_FRAUD, as far as it has arrived; null before. */
  readonly fraud: number | null;
}

/** An outcome with its sums, as far as labels are known. */
export interface OutcomeSums extends DecidedOutcome {
  /** Payments of the newest event day. */
  readonly today: number;
  /** Payments. */
  readonly payments: number;
  /** Money in them. */
  readonly cents: number;
  /** Payments of which it is known whether they are frauds; only where a rule fired. */
  readonly known: number;
  /** Frauds among them. */
  readonly frauds: number;
  /** Money in these. */
  readonly fraudCents: number;
}

/** Sums by day and outcome: those that stand, or what is added to them. */
export class RuleSums {
  /** Rows by outcome and TX_TIME_DAYS. */
  readonly outcomes: Map<number, Map<number, Float64Array>> = new Map();

  /** The row of an outcome on a day, made where it is missing. */
  row(outcome: number, day: number): Float64Array {
    let days = this.outcomes.get(outcome);
    if (!days) this.outcomes.set(outcome, days = new Map());
    let row = days.get(day);
    if (!row) days.set(day, row = new Float64Array(RULE_SUMS));
    return row;
  }

  /** Adds a payment, or takes it away with -1. */
  addPayment(
    { outcome, time, cents }: Pick<FiredFacts, "outcome" | "time" | "cents">,
    times: 1 | -1,
  ): void {
    const row = this.row(outcome, dayOf(time));
    row[RULE_SUM.payments] += times;
    row[RULE_SUM.cents] += times * cents;
  }

  /** Adds how a payment has turned out, or takes that away with -1. */
  addResult(
    { outcome, time, cents, label, fraud }: FiredFacts,
    times: 1 | -1,
  ): void {
    if (label === null && fraud === null) return;
    const row = this.row(outcome, dayOf(time));
    if (label !== null) {
      row[RULE_SUM.verdicts] += times;
      row[RULE_SUM.confirmed] += times * label;
      row[RULE_SUM.confirmedCents] += times * label * cents;
    } else if (fraud !== null) {
      row[RULE_SUM.labelled] += times;
      row[RULE_SUM.frauds] += times * fraud;
      row[RULE_SUM.fraudCents] += times * fraud * cents;
    }
  }

  /** Adds a row. */
  addRow(outcome: number, day: number, added: ArrayLike<number>): void {
    const row = this.row(outcome, day);
    for (let i = 0; i < RULE_SUMS; i++) row[i] += added[i];
  }

  /** The sums of an outcome: `isWhole` says of a day whether all labels of its payments are known, `areLabelsLate` whether labels arrive later than payments, `today` is the newest day. */
  of(
    outcome: number,
    { isWhole, areLabelsLate, today }: {
      readonly isWhole: (day: number) => boolean;
      readonly areLabelsLate: boolean;
      readonly today: number;
    },
  ): Omit<OutcomeSums, keyof DecidedOutcome> {
    const sums = {
      today: 0,
      payments: 0,
      cents: 0,
      known: 0,
      frauds: 0,
      fraudCents: 0,
    };
    for (const [day, row] of this.outcomes.get(outcome) ?? []) {
      const payments = row[RULE_SUM.payments];
      sums.payments += payments;
      sums.cents += row[RULE_SUM.cents];
      if (day === today) sums.today = payments;
      sums.frauds += row[RULE_SUM.confirmed];
      sums.fraudCents += row[RULE_SUM.confirmedCents];
      const whole = isWhole(day);
      if (whole || areLabelsLate) {
        sums.frauds += row[RULE_SUM.frauds];
        sums.fraudCents += row[RULE_SUM.fraudCents];
      }
      sums.known += whole ? payments : row[RULE_SUM.verdicts] +
        (areLabelsLate ? row[RULE_SUM.labelled] : 0);
    }
    return sums;
  }
}
