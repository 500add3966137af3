/**
 * The view "Alerts": the queue, filtered, sorted and paged; groups of alerts
 * of one card or terminal; and a decision about a whole group.
 */
import { ConflictError, DataError } from "../../base/error.ts";
import alertsJs from "../page/alerts.js" with { type: "text" };
import { formatDatetime } from "../../payment/calendar.ts";
import type { TransactionId } from "../../payment/payment.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { amountUnits } from "../../payment/validation.ts";
import { type CaseState, readAlertQuery } from "../index/alert_filter.ts";
import {
  type GroupKey,
  type IndexedAlert,
  PAGE_ALERTS,
} from "../index/alert_queries.ts";
import { alertReasons } from "./alert_reasons.ts";
import { decisionOf, type DecisionView } from "./decision_view.ts";
import { readLabelOf, readNote, whoOf } from "./case_writer.ts";
import {
  BODY,
  idGiven,
  newestMoment,
  type Outcome,
  outcomeOf,
  type Page,
  type PageView,
  type Question,
} from "./page_view.ts";

/** An alert in the queue. */
export interface QueuedAlert {
  /** The number of its arrival, from 1; the same after a restart. */
  readonly seq: number;
  /** TRANSACTION_ID. */
  readonly id: TransactionId;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** CUSTOMER_ID. */
  readonly customer: number | string;
  /** TERMINAL_ID. */
  readonly terminal: number | string;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** How suspicious the model finds it, 0 to 1; undefined where only rules decided. */
  readonly score?: number;
  /** Version of the model; "none" without one. */
  readonly model: string;
  /** What rules decided about it; undefined where the stream had none. */
  readonly decision?: DecisionView;
  /** Whether it waits, and how it was decided. */
  readonly state: CaseState;
  /** Who has claimed it. */
  readonly assignee?: string;
  /** Clock time until which it is snoozed, ISO 8601. */
  readonly snoozedUntil?: string;
  /** The strongest reason that raised the score, a sentence; undefined before the payment is known. */
  readonly reason?: string;
  /** What is known of how it has turned out; only where labels arrive later. */
  readonly outcome?: Outcome;
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
  readonly id: number | string;
  /** How many. */
  readonly alerts: number;
  /** The money in them. */
  readonly amount: number;
  /** The greatest score; undefined where only rules decided. */
  readonly scoreMax?: number;
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

/** Alerts that are decided at once at most. */
const DECIDED_MAX = 1000;

/** The view "Alerts". */
export const alerts: PageView = {
  scripts: { "alerts.js": alertsJs },
  tab: { name: "alerts", title: "Alerts", badge: "open-alerts" },
  serve(router, page) {
    const { get, post } = router<AlertsAnswers>();
    const shape = shapeOfStream(page.parameters);
    const { scale } = page.index.queries;
    get("/api/alerts", (asked) => queueOf(page, asked.query()));
    get("/api/alerts/groups", (asked) => {
      const query = asked.query();
      const { filter } = readAlertQuery(query, shape);
      const by = readGroupKey(query.by);
      const { total, groups } = page.index.queries.groups(filter, by);
      return {
        total,
        groups: groups.map(({ cents, newestSeconds, scoreMax, ...group }) => ({
          ...group,
          ...scoreMax !== undefined && { scoreMax },
          amount: cents / scale,
          newest: formatDatetime(newestSeconds),
        })),
      };
    });
    post("/api/alerts/decide", async (asked) => await decide(page, asked));
  },
};

/** The page of the queue that a query asks for. */
function queueOf(
  page: Page,
  query: Readonly<Record<string, string>>,
): Queue {
  const { filter: { upTo, ...filter }, page: asked, truth } = readAlertQuery(
    query,
    shapeOfStream(page.parameters),
  );
  const { queries } = page.index;
  const all = queries.count(filter);
  const arrived = upTo === undefined
    ? { alerts: 0, cents: 0 }
    : queries.arrived(filter, upTo);
  const total = all.alerts - arrived.alerts;
  const fixed = upTo === undefined ? filter : { ...filter, upTo };
  const pages = Math.max(1, Math.ceil(total / PAGE_ALERTS));
  // A link may be older than the queue's last page, which an empty page would deny.
  const number = Math.min(asked, pages);
  return {
    total,
    amount: (all.cents - arrived.cents) / queries.scale,
    page: number,
    pages,
    newestSeq: queries.newestSeq(),
    arrived: arrived.alerts,
    alerts: queries.page(fixed, number).map((alert) =>
      queuedAlert(page, alert, truth)
    ),
  };
}

function queuedAlert(
  page: Page,
  alert: IndexedAlert,
  truth: boolean,
): QueuedAlert {
  const { seq, id, time, customer, terminal, score, model, state } = alert;
  const decision = decisionOf(page, alert);
  const [reason] = alertReasons(alert, page).raised;
  const { hasLabels } = shapeOfStream(page.parameters);
  return {
    ...{ seq, id, time, customer, terminal, model, state },
    ...score !== undefined && { score },
    ...decision && { decision },
    datetime: formatDatetime(alert.datetimeSeconds),
    amount: alert.cents / page.index.queries.scale,
    ...standingView(alert),
    ...reason && { reason: reason.sentence },
    ...hasLabels && { outcome: outcomeOf(page, id, time, newestMoment(page)) },
    ...truth && !hasLabels && truthOf(alert),
  };
}

/** Who has claimed an alert, and until when it is snoozed. */
export function standingView(
  { assignee, snoozedUntilMs }: IndexedAlert,
): { readonly assignee?: string; readonly snoozedUntil?: string } {
  return {
    ...assignee !== undefined && { assignee },
    ...snoozedUntilMs !== undefined &&
      { snoozedUntil: new Date(snoozedUntilMs).toISOString() },
  };
}

function truthOf(
  { fraud, scenario }: IndexedAlert,
): { readonly fraud?: 0 | 1; readonly scenario?: number } {
  if (fraud === undefined || scenario === undefined) return {};
  return { fraud: fraud === 1 ? 1 : 0, scenario };
}

function readGroupKey(text: unknown): GroupKey {
  if (text === "card" || text === "terminal") return text;
  throw new DataError("by must be card or terminal");
}

/** Decides all open alerts of a group, if they are still those that the person saw. */
async function decide(
  page: Page,
  asked: Question,
): Promise<AlertsAnswers["/api/alerts/decide"]> {
  const body = await asked.body();
  const by = readGroupKey(body.by);
  const shape = shapeOfStream(page.parameters);
  const { customerId, terminalId } = shape;
  const id = idGiven(body.id, by === "card" ? customerId : terminalId, "id");
  const label = readLabelOf(body);
  const note = readNote(body);
  const who = whoOf(asked, body);
  const query = BODY.object(body.filter ?? {}, "filter");
  const texts = Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, String(value)]),
  );
  const { filter } = readAlertQuery(texts, shape);
  const group = { ...filter, [by]: id, state: "open" as const };
  const seen = {
    alerts: BODY.whole(body.alerts, "alerts"),
    cents: amountUnits(
      BODY.number(body.amount, "amount"),
      page.index.queries.scale,
    ),
  };
  return await page.cases.inTurn(async (write) => {
    const { queries } = page.index;
    const now = queries.count(group);
    if (now.alerts !== seen.alerts || now.cents !== seen.cents) {
      throw new ConflictError(
        `the group has changed: ${
          now.alerts === 1 ? "1 alert is" : `${now.alerts} alerts are`
        } open now`,
        { alerts: now.alerts, amount: now.cents / queries.scale },
      );
    }
    if (now.alerts > DECIDED_MAX) {
      throw new DataError(
        `at most ${DECIDED_MAX} alerts can be decided at once; narrow the filter`,
      );
    }
    const decisionId = crypto.randomUUID();
    const events = await write(
      queries.ids(group, DECIDED_MAX).map(({ id, datetimeSeconds }) => ({
        event: {
          transactionId: id,
          kind: "verdict",
          who,
          label,
          note,
          decisionId,
        },
        label,
        timestampMs: datetimeSeconds * 1000,
      })),
    );
    return {
      decided: events.length,
      events: events.map(({ eventId }) => eventId),
    };
  });
}
