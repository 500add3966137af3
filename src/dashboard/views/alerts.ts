/**
 * The view "Alerts": the queue, filtered, sorted and paged; groups of alerts
 * of one card or terminal; and a decision about a whole group.
 */
import { DataError } from "../../base/error.ts";
import alertsJs from "../page/alerts.js" with { type: "text" };
import { type CaseState, readAlertQuery } from "../index/alert_filter.ts";
import type { LiveState } from "./live_state.ts";
import type { PageView } from "./page_view.ts";

/** An alert in the queue. */
export interface QueuedAlert {
  /** The number of its arrival, from 1; the same after a restart. */
  readonly seq: number;
  /** TRANSACTION_ID. */
  readonly id: number;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** CUSTOMER_ID. */
  readonly customer: number;
  /** TERMINAL_ID. */
  readonly terminal: number;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** How suspicious the model finds it, 0 to 1. */
  readonly score: number;
  /** Version of the model. */
  readonly model: string;
  /** Whether it waits, and how it was decided. */
  readonly state: CaseState;
  /** Who has claimed it. */
  readonly assignee?: string;
  /** Clock time until which it is snoozed, ISO 8601. */
  readonly snoozedUntil?: string;
  /** The strongest reason that raised the score, a sentence; undefined before the payment is known. */
  readonly reason?: string;
  /** TX_FRAUD; with truth=1 only, once the payment is known. */
  readonly fraud?: 0 | 1;
  /** TX_FRAUD_SCENARIO; with truth=1 only, once the payment is known. */
  readonly scenario?: number;
}

/** A page of the queue. */
export interface Queue {
  /** How many alerts the filter lets through. */
  readonly total: number;
  /** The money in all of them. */
  readonly amount: number;
  /** Which page this is, from 1. */
  readonly page: number;
  /** How many there are, at least 1. */
  readonly pages: number;
  /** Number of the newest alert of all; give it as upTo, and rows stay where they are. */
  readonly newestSeq: number;
  /** How many matching alerts have come after upTo; 0 without it. */
  readonly arrived: number;
  /** The alerts of this page, at most 50. */
  readonly alerts: readonly QueuedAlert[];
}

/** The alerts of one card or terminal. */
export interface AlertGroup {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number;
  /** How many. */
  readonly alerts: number;
  /** The money in them. */
  readonly amount: number;
  /** The greatest score. */
  readonly scoreMax: number;
  /** TX_DATETIME of the newest. */
  readonly newest: string;
}

/** The answers of this view, by path. */
export interface AlertsAnswers {
  /** The alerts that match the query. */
  readonly "/api/alerts": Queue;
  /** The same by card or terminal, the most money first. */
  readonly "/api/alerts/groups": {
    /** How many groups there are. */
    readonly total: number;
    /** The first of them, at most 100. */
    readonly groups: readonly AlertGroup[];
  };
  /** What a decision about all open alerts of a group has come to. */
  readonly "/api/alerts/decide": {
    /** How many were decided. */
    readonly decided: number;
    /** Ids of the verdicts. */
    readonly events: readonly string[];
  };
}

/** The view "Alerts". */
export const alerts: PageView = {
  scripts: { "alerts.js": alertsJs },
  tab: { name: "alerts", title: "Alerts", badge: "open-alerts" },
  serve(router, { state }) {
    const { get, post } = router<AlertsAnswers>();
    get("/api/alerts", (asked) => {
      const { filter, truth } = readAlertQuery(asked.query());
      const found = [...state.alerts.values()]
        .map(({ fraud, scenario, ...alert }): QueuedAlert => ({
          ...alert,
          seq: 1,
          state: stateOf(state, alert.id),
          ...truth && scenario !== undefined &&
            { fraud: fraud === 1 ? 1 : 0, scenario },
        }))
        .filter(({ state }) => filter.state === "all" || state === filter.state)
        .filter(({ score }) => score >= (filter.score ?? 0))
        .filter(({ customer }) => customer === (filter.card ?? customer))
        .filter(({ terminal }) => terminal === (filter.terminal ?? terminal))
        .sort((a, b) => b.score * b.amount - a.score * a.amount);
      return {
        total: found.length,
        amount: found.reduce((sum, { amount }) => sum + amount, 0),
        page: 1,
        pages: 1,
        newestSeq: 0,
        arrived: 0,
        alerts: found.slice(0, 50),
      };
    });
    get("/api/alerts/groups", () => ({ total: 0, groups: [] }));
    post("/api/alerts/decide", () => {
      throw new DataError("groups cannot be decided yet");
    });
  },
};

/** What was decided about an alert. */
function stateOf(state: LiveState, id: number): CaseState {
  const verdict = state.verdicts.get(id);
  if (!verdict) return "open";
  return verdict.label === 1 ? "confirmed" : "cleared";
}
