/** What every open page gets some times per second: the whole newest state. */
import type { StreamStatus } from "../../stream/status.ts";
import type { LatencySummary } from "../../base/latency.ts";
import { formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { IdKind, PaymentShape } from "../../payment/payment_shape.ts";
import type { AlertIndex, KnownSums } from "../index/alert_index.ts";
import { SUM } from "../index/day_sums.ts";
import { datetimeOf, type LiveState, type ShownPayment } from "./live_state.ts";

/** How far one stage is. */
export interface StageView {
  /** What people call it. */
  readonly name: string;
  /** Records that it has not taken yet. */
  readonly lag: number;
  /** Rows that it has handed on. */
  readonly emitted: number;
  /** Rows that it could not take. */
  readonly deadLettered: number;
  /** Rows that it had taken before. */
  readonly duplicates: number;
}

/** Sums of payments, with what is known of them at the stream's event time. */
export interface KnownTotals {
  /** Payments. */
  readonly payments: number;
  /** Money in them. */
  readonly amount: number;
  /** Alerts among them. */
  readonly alerts: number;
  /** Frauds whose label is known: the delay has passed, or it has arrived. */
  readonly frauds: number;
  /** Payments whose label has not arrived and whose delay has not passed; only where labels arrive later. */
  readonly pending?: number;
  /** Money in those frauds. */
  readonly fraudAmount: number;
  /** Money in the alerts that are known to be frauds: by an analyst's verdict or, without one, by a label whose delay has passed. */
  readonly stoppedAmount: number;
}

/** The same sums with all labels, whether they are known or not. */
export interface TrueTotals {
  /** Frauds. */
  readonly frauds: number;
  /** Money in them. */
  readonly fraudAmount: number;
  /** Money in the frauds among the alerts. */
  readonly stoppedAmount: number;
}

/** Sums of one event day. */
export interface KnownDay extends KnownTotals {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** The date, YYYY-MM-DD; undefined before the first day is known. */
  readonly date: string | undefined;
  /** Scored payments. */
  readonly scored: number;
  /** Whether the labels of all its payments are known. */
  readonly labelled: boolean;
}

/** Why numbers are not those of this moment yet. */
export interface Reading {
  /** The page reads what is in the log already, or the scorer scores payments that were there before it. */
  readonly what: "history" | "scoring";
  /** How much of it is done, 0 to 1. */
  readonly share: number;
}

/** What only the simulation knows. */
export interface Truth {
  /** Sums over everything. */
  readonly totals: TrueTotals;
  /** Sums of the same days. */
  readonly days: readonly TrueTotals[];
  /** TX_FRAUD and TX_FRAUD_SCENARIO of the same newest payments. */
  readonly recent: readonly {
    readonly fraud: 0 | 1;
    readonly scenario: number;
  }[];
}

/** What the payments of a stream look like, as far as it shows. */
export interface ShownShape {
  /** ISO 4217 code of the amounts; undefined where they have no currency. */
  readonly currency: string | undefined;
  /** Decimals of the amounts. */
  readonly decimals: number;
  /** Whether amounts may be negative. */
  readonly refunds: boolean;
  /** What the ids of payments, cards and terminals are. */
  readonly ids: {
    readonly payment: IdKind;
    readonly card: IdKind;
    readonly terminal: IdKind;
  };
  /** Where labels come from: they stand in the payments, or arrive later. */
  readonly labels: "payment" | "stream";
  /** Whether rules have decided about payments. */
  readonly hasRules: boolean;
  /** Whose labels can be shown before they are known: the simulation's, or those of the data; undefined where the payments have none. */
  readonly truth: "simulation" | "data" | undefined;
  /** Whether the stream has a definition: its payments are not the simulator's. */
  readonly isOwn: boolean;
}

/** The state of the page. */
export interface Snapshot {
  /** Which start of the server this is: another one means a restart. */
  readonly server: string;
  /** Clock, milliseconds since 1970. */
  readonly at: number;
  /** What the payments look like. */
  readonly shape: ShownShape;
  /** Why it is not up to date; undefined if it is. */
  readonly problem: string | undefined;
  /** Why its sums are not those of this moment yet: then it shows no rates and none of the sums; undefined if they are. */
  readonly reading: Reading | undefined;
  /** Payments published by our producer; undefined where they come from elsewhere. */
  readonly produced: number | undefined;
  /** Whether that was all. */
  readonly complete: boolean;
  /** Payments that have all features. */
  readonly processed: number;
  /** Payments stored. */
  readonly stored: number;
  /** Records that could not be taken. */
  readonly deadLetters: number;
  /** Event time that has left the processor. */
  readonly eventTime: string | undefined;
  /** The stages, in their order. */
  readonly stages: readonly StageView[];
  /** From published to stored, where that is measured. */
  readonly latency: LatencySummary | undefined;
  /** Sums over everything. */
  readonly totals: KnownTotals & {
    /** Scored payments. */
    readonly scored: number;
  };
  /** Alerts that wait, and the money in them: the money at risk. */
  readonly open: { readonly alerts: number; readonly amount: number };
  /** Sums by second of the clock, oldest first. */
  readonly seconds: {
    /** The first second, seconds since 1970. */
    readonly from: number;
    /** Payments in each. */
    readonly payments: readonly number[];
    /** Alerts in each. */
    readonly alerts: readonly number[];
  };
  /** Midnight of day 0, seconds since 1970; undefined before it is known. */
  readonly startSeconds: number | undefined;
  /** Sums of the newest event days, oldest first. */
  readonly days: readonly KnownDay[];
  /** The newest payments, newest first. */
  readonly recent: readonly (ShownPayment & {
    /** TX_FRAUD of a label that has arrived. */
    readonly fraud?: 0 | 1;
  })[];
  /** What only the simulation knows, for the switch that shows it. */
  readonly truth: Truth;
}

/** What shows of a shape; `isOwn` says whether the stream has a definition. */
export function shownShape(
  shape: PaymentShape,
  currency: string | undefined,
  isOwn: boolean,
): ShownShape {
  const { decimals, refunds, hasLabels } = shape;
  return {
    currency,
    decimals,
    refunds,
    ids: {
      payment: shape.transactionId,
      card: shape.customerId,
      terminal: shape.terminalId,
    },
    labels: hasLabels ? "stream" : "payment",
    hasRules: false,
    truth: hasLabels ? undefined : isOwn ? "data" : "simulation",
    isOwn,
  };
}

/** Event days of a snapshot. */
const DAYS_MAX = 60;

/** The state at this moment. */
export function snapshotOf(source: {
  readonly server: string;
  readonly shape: ShownShape;
  readonly state: LiveState;
  readonly index: AlertIndex;
  readonly status: StreamStatus | undefined;
  readonly startSeconds: number | undefined;
  readonly latency: LatencySummary | undefined;
  readonly problem: string | undefined;
  readonly reading: Reading | undefined;
}): Snapshot {
  const { server, state, index, status, latency, problem, reading } = source;
  const { startSeconds } = source;
  const shape = { ...source.shape, hasRules: source.index.hasOutcomes };
  const { scale } = index.queries;
  const at = Date.now();
  const recent = state.recent();
  const { total, days } = index.sums;
  const newest = [...days.keys()].sort((a, b) => a - b).slice(-DAYS_MAX);
  const snoozed = index.queries.snoozed();
  return {
    server,
    at,
    shape,
    problem,
    reading,
    produced: status?.simulated ? status.produced : undefined,
    complete: status?.complete ?? false,
    processed: status?.stages[1].counters.emitted ?? 0,
    stored: status?.stages[2].counters.emitted ?? 0,
    deadLetters: status?.deadLetters ?? 0,
    eventTime: datetimeOf(
      startSeconds,
      Math.max(index.timeSeconds, status?.stages[2].progress ?? 0),
    ),
    stages: (status?.stages ?? []).map(({ name, lag, counters }) => ({
      name,
      lag,
      emitted: counters.emitted,
      deadLettered: counters.deadLettered,
      duplicates: counters.duplicates,
    })),
    latency,
    totals: knownTotals(index.known(), scale),
    open: {
      alerts: total[SUM.undecided] - snoozed.alerts,
      amount: (total[SUM.undecidedCents] - snoozed.cents) / scale,
    },
    seconds: state.seconds(at / 1000),
    startSeconds,
    days: newest.map((day) => {
      const known = index.knownOfDay(day);
      const { labelled } = known;
      return {
        ...knownTotals(known, scale),
        day,
        date: startSeconds === undefined
          ? undefined
          : formatDate(startSeconds + day * DAY_SECONDS),
        labelled,
      };
    }),
    recent: recent.map(({ fraud, scenario: _, knownAt, ...payment }) => ({
      ...payment,
      ...knownAt !== undefined && fraud >= 0 &&
        { fraud: fraud === 1 ? 1 : 0 },
    })),
    truth: {
      totals: trueTotals(total, scale),
      days: newest.map((day) => trueTotals(days.get(day) ?? [], scale)),
      recent: recent.map(({ fraud, scenario }) => ({
        fraud: fraud === 1 ? 1 : 0,
        scenario,
      })),
    },
  };
}

function knownTotals(
  known: KnownSums,
  scale: number,
): KnownTotals & { readonly scored: number } {
  const { payments, scored, alerts, frauds, pending } = known;
  return {
    payments,
    scored,
    alerts,
    frauds,
    ...pending !== undefined && { pending },
    amount: known.cents / scale,
    fraudAmount: known.fraudCents / scale,
    stoppedAmount: known.stoppedCents / scale,
  };
}

function trueTotals(sums: ArrayLike<number>, scale: number): TrueTotals {
  return {
    frauds: sums[SUM.frauds],
    fraudAmount: sums[SUM.fraudCents] / scale,
    stoppedAmount: sums[SUM.alertedFraudCents] / scale,
  };
}
