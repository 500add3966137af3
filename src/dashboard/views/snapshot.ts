/** What every open page gets some times per second: the whole newest state. */
import type { StreamStatus } from "../../stream/status.ts";
import type { LatencySummary } from "../../base/latency.ts";
import {
  datetimeOf,
  type DayTotals,
  type LivePayment,
  type LiveState,
  type LiveTotals,
} from "./live_state.ts";

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

/** The state of the page. */
export interface Snapshot {
  /** Which start of the server this is: another one means a restart. */
  readonly server: string;
  /** Clock, milliseconds since 1970. */
  readonly at: number;
  /** Why it is not up to date; undefined if it is. */
  readonly problem: string | undefined;
  /** Whether the page's history has been read. */
  readonly caughtUp: boolean;
  /** Payments published. */
  readonly produced: number;
  /** Whether that was all. */
  readonly complete: boolean;
  /** Payments that have all features. */
  readonly processed: number;
  /** Payments stored. */
  readonly stored: number;
  /** Frauds among them. */
  readonly frauds: number;
  /** Records that could not be taken. */
  readonly deadLetters: number;
  /** Event time that has left the processor. */
  readonly eventTime: string | undefined;
  /** The stages, in their order. */
  readonly stages: readonly StageView[];
  /** From published to stored, where that is measured. */
  readonly latency: LatencySummary | undefined;
  /** Sums of what the page has read. */
  readonly totals: LiveTotals;
  /** Alerts that wait, and the money in them. */
  readonly open: { readonly alerts: number; readonly amount: number };
  /** Sums by second of the clock. */
  readonly seconds: ReturnType<LiveState["seconds"]>;
  /** Midnight of day 0, seconds since 1970; undefined before it is known. */
  readonly startSeconds: number | undefined;
  /** Sums by event day. */
  readonly days: readonly DayTotals[];
  /** The newest payments, newest first. */
  readonly recent: readonly LivePayment[];
}

/** The state at this moment. */
export function snapshotOf(source: {
  readonly server: string;
  readonly state: LiveState;
  readonly status: StreamStatus | undefined;
  readonly latency: LatencySummary | undefined;
  readonly problem: string | undefined;
  readonly caughtUp: boolean;
}): Snapshot {
  const { server, state, status, latency, problem, caughtUp } = source;
  const at = Date.now();
  return {
    server,
    at,
    problem,
    caughtUp,
    produced: status?.produced ?? 0,
    complete: status?.complete ?? false,
    processed: status?.stages[1].counters.emitted ?? 0,
    stored: status?.stages[2].counters.emitted ?? 0,
    frauds: status?.stages[2].counters.frauds ?? 0,
    deadLetters: status?.deadLetters ?? 0,
    eventTime: datetimeOf(
      status?.startSeconds,
      Math.max(state.timeSeconds, status?.stages[2].progress ?? 0),
    ),
    stages: (status?.stages ?? []).map(({ name, lag, counters }) => ({
      name,
      lag,
      emitted: counters.emitted,
      deadLettered: counters.deadLettered,
      duplicates: counters.duplicates,
    })),
    latency,
    totals: state.totals,
    open: state.open(),
    seconds: state.seconds(at / 1000),
    startSeconds: status?.startSeconds,
    days: state.days(),
    recent: state.recent(),
  };
}
