/** The view "Alerts": the queue, filtered and sorted. */
import { DataError } from "../../base/error.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { Verdict } from "../../payment/label_json.ts";
import alertsJs from "../page/alerts.js" with { type: "text" };
import type { Alert, LiveState } from "./live_state.ts";
import { type PageView, type Question, wholeOf } from "./page_view.ts";

/** Alerts of one answer. */
const QUEUE_MAX = 200;

/** Whether an alert waits, or what was decided. */
export type AlertState = "open" | "confirmed" | "cleared";

/** Which alerts are wanted; undefined for all. */
export interface QueueFilter {
  /** Newest first, or highest score first. */
  readonly sort: "newest" | "score";
  /** Whether they wait, or how they were decided. */
  readonly state: AlertState | undefined;
  /** At least this score. */
  readonly scoreMin: number | undefined;
  /** TX_FRAUD_SCENARIO. */
  readonly scenario: number | undefined;
  /** CUSTOMER_ID. */
  readonly card: number | undefined;
  /** TERMINAL_ID. */
  readonly terminal: number | undefined;
  /** TX_TIME_DAYS. */
  readonly day: number | undefined;
}

/** An alert of the queue. */
export interface QueuedAlert extends Alert {
  /** Whether it waits, or what was decided. */
  readonly state: AlertState;
}

/** The queue, cut off at what one page shows. */
export interface Queue {
  /** How many there are. */
  readonly total: number;
  /** The first of them. */
  readonly alerts: readonly QueuedAlert[];
}

/** The alerts that a filter lets through. */
export function queueOf(state: LiveState, filter: QueueFilter): Queue {
  const found: QueuedAlert[] = [];
  for (const alert of state.alerts.values()) {
    const queued = { ...alert, state: stateOf(state.verdicts.get(alert.id)) };
    if (passes(queued, filter)) found.push(queued);
  }
  found.sort((a, b) =>
    filter.sort === "score"
      ? b.score - a.score || b.time - a.time
      : b.time - a.time || b.id - a.id
  );
  return { total: found.length, alerts: found.slice(0, QUEUE_MAX) };
}

function passes(alert: QueuedAlert, filter: QueueFilter): boolean {
  const same = <T>(wanted: T | undefined, found: T) =>
    wanted === undefined || wanted === found;
  return same(filter.state, alert.state) &&
    alert.score >= (filter.scoreMin ?? 0) &&
    same<number | undefined>(filter.scenario, alert.scenario) &&
    same(filter.card, alert.customer) &&
    same(filter.terminal, alert.terminal) &&
    same(filter.day, Math.floor(alert.time / DAY_SECONDS));
}

/** What a verdict makes of an alert. */
export function stateOf(verdict: Verdict | undefined): AlertState {
  if (!verdict) return "open";
  return verdict.label === 1 ? "confirmed" : "cleared";
}

/** The answers of this view, by path. */
export interface AlertsAnswers {
  /** The alerts that match the query. */
  readonly "/api/alerts": Queue;
}

/** The view "Alerts". */
export const alerts: PageView = {
  scripts: { "alerts.js": alertsJs },
  tab: { name: "alerts", title: "Alerts", badge: "open-alerts" },
  serve(router, { state }) {
    const { get } = router<AlertsAnswers>();
    get("/api/alerts", (asked) => queueOf(state, filterOf(asked)));
  },
};

function filterOf(asked: Question): QueueFilter {
  const { sort, state, score, scenario, card, terminal, day } = asked.query();
  const number = (text: string | undefined, what: string) =>
    text ? wholeOf(text, what) : undefined;
  const scoreMin = score ? Number(score) : undefined;
  if (Number.isNaN(scoreMin)) throw new DataError("score must be a number");
  return {
    sort: sort === "score" ? "score" : "newest",
    state: state === "open" || state === "confirmed" || state === "cleared"
      ? state
      : undefined,
    scoreMin,
    scenario: number(scenario, "scenario"),
    card: number(card, "card"),
    terminal: number(terminal, "terminal"),
    day: number(day, "day"),
  };
}
