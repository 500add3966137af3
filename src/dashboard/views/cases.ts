/**
 * The view of a case: a payment as it was known when it was made, what its
 * score was computed from, and what people have done with it. What they do is
 * a record of the case topic; a verdict is a label too. It changes no feature.
 */
import {
  declaredReachSeconds,
  featureNames,
  type FeatureParameters,
  longestWindowSeconds,
} from "../../features/parameters.ts";
import { ConflictError, DataError } from "../../base/error.ts";
import type { LookUp, StoredCase, StoredPayment } from "../../store/look_up.ts";
import {
  CASE_KINDS,
  type CaseEvent,
  type CaseKind,
} from "../../payment/case_json.ts";
import { formatDatetime, parseDatetime } from "../../payment/calendar.ts";
import type { Reasons } from "../../learning/explain/reasons.ts";
import { inOrder, standingOf } from "../../stream/case_events.ts";
import { DAY_SECONDS, type TransactionId } from "../../payment/payment.ts";
import { PREDICTION_CELL } from "../../payment/prediction.ts";
import { amountUnits } from "../../payment/validation.ts";
import type { KeptKind } from "../../payment/payment_shape.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import caseJs from "../page/case.js" with { type: "text" };
import timelineJs from "../page/timeline.js" with { type: "text" };
import verdictJs from "../page/verdict.js" with { type: "text" };
import {
  type CaseState,
  caseStateOf,
  readAlertQuery,
} from "../index/alert_filter.ts";
import type { IndexedAlert } from "../index/alert_queries.ts";
import { alertReasons } from "./alert_reasons.ts";
import {
  decisionOf,
  type DecisionView,
  storedDecision,
} from "./decision_view.ts";
import {
  type NewCaseStep,
  readLabelOf,
  readNote,
  whoOf,
} from "./case_writer.ts";
import type { Place, ShownPayment } from "./live_state.ts";
import { radiusOf, reachOf } from "./map.ts";
import {
  askStore,
  BODY,
  idAsked,
  isTruth,
  newestMoment,
  NotThereError,
  type Outcome,
  outcomeOf,
  type Page,
  type PageView,
  type PastPayment,
  pastPayment,
  type Question,
} from "./page_view.ts";

/** Payments of one timeline. */
const TIMELINE_MAX = 500;

/** The payment of a case. */
export interface CasePayment extends ShownPayment {
  /** Version of the model that scored it; undefined before its prediction is stored, unless it is an alert. */
  readonly model?: string;
  /** What is known of how it has turned out; only where labels arrive later. */
  readonly outcome?: Outcome;
  /** TX_FRAUD; with truth=1 only. */
  readonly fraud?: 0 | 1;
  /** TX_FRAUD_SCENARIO; with truth=1 only. */
  readonly scenario?: number;
}

/** A case: a payment and what was known about it when it was made. */
export interface Case {
  /** The payment. */
  readonly payment: CasePayment;
  /** Its features with their names; empty before it is stored. */
  readonly features: readonly {
    readonly name: string;
    /** Null where there is none. */
    readonly value: number | null;
  }[];
  /** Its kept fields, in the order of the definition; empty before it is stored. */
  readonly kept: readonly KeptValue[];
  /** What moved the score; empty where that was not computed. */
  readonly reasons: Reasons;
  /** What rules decided about it; undefined where none were asked, or before that is stored. */
  readonly decision?: DecisionView;
  /** Whether it waits, and how it was decided. */
  readonly state: CaseState;
  /** Who has claimed it. */
  readonly assignee?: string;
  /** Clock time until which it is snoozed, ISO 8601. */
  readonly snoozedUntil?: string;
  /** What people have done with it, newest first. */
  readonly events: readonly ShownEvent[];
  /** The card's payments in its longest window, newest first. */
  readonly ofCard: readonly PastPayment[];
  /** The terminal's payments in its longest window and the delay, newest first. */
  readonly ofTerminal: readonly PastPayment[];
  /** Days of the handbook's windows, and until a label is known. */
  readonly windows: Pick<FeatureParameters, "windowDays" | "delayDays"> & {
    /** Days before the payment that `ofCard` covers: as far as a feature looks back. */
    readonly cardDays: number;
    /** The same of `ofTerminal`. */
    readonly terminalDays: number;
  };
  /** Where the card is; undefined before the page has seen it. */
  readonly card: CasePlace | undefined;
  /** Where the terminal is; undefined before the page has seen it. */
  readonly terminal: CasePlace | undefined;
  /** Ids of the terminals that the card reaches. */
  readonly reach: readonly (number | string)[];
  /** The radius within which it does; undefined where that is not known. */
  readonly radius: number | undefined;
}

/** A field that the definition keeps. */
export interface KeptValue {
  /** Its name. */
  readonly name: string;
  /** What it is. */
  readonly type: KeptKind;
  /** Its value; null for none. A flag is 0 or 1, a time is written as TX_DATETIME is. */
  readonly value: number | string | null;
}

/** The card or the terminal of a case. */
export interface CasePlace {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number | string;
  /** Where it is, 0 to 100; null before its profile has been read. */
  readonly x: number | null;
  /** Where it is, 0 to 100; null before its profile has been read. */
  readonly y: number | null;
  /** Whether the simulation had compromised it at that time; with truth=1 only. */
  readonly compromised?: boolean;
}

/** A case event as the page shows it. */
export interface ShownEvent extends CaseEvent {
  /** Whether it has been taken back. */
  readonly undone: boolean;
}

/** What POST /api/cases/:id/events takes. */
export interface NewCaseEvent {
  /** What is done. */
  readonly kind: CaseKind;
  /** Of a verdict, 1: it is a fraud; 0: it is not. */
  readonly label?: 0 | 1;
  /** Why, in their words. */
  readonly note?: string;
  /** Of a snooze: a date, YYYY-MM-DD, at whose beginning (UTC) the alert is open again; or a time, ISO 8601. */
  readonly until?: string;
  /** Who does it; not needed where the session has a name. */
  readonly who?: string;
  /** eventId of the newest event that the person has seen, "" for none: what others have done since then is not overwritten, but refused with status 409. */
  readonly seen?: string;
}

/** The answers of this view, by path. */
export interface CaseAnswers {
  /** The case. */
  readonly "/api/cases/:id": Case;
  /** The cases before and after this one in the filter's order. */
  readonly "/api/cases/:id/neighbours": {
    /** Its place from 1, or where it would be. */
    readonly position: number;
    /** How many alerts the filter lets through. */
    readonly total: number;
    /** TRANSACTION_ID of the one before. */
    readonly previous?: TransactionId;
    /** TRANSACTION_ID of the one after. */
    readonly next?: TransactionId;
  };
  /** What was done, and the case afterwards. */
  readonly "/api/cases/:id/events": {
    /** The new event. */
    readonly event: CaseEvent;
    /** Whether the alert waits, and how it was decided. */
    readonly state: CaseState;
    /** Who has claimed it. */
    readonly assignee?: string;
    /** Clock time until which it is snoozed, ISO 8601. */
    readonly snoozedUntil?: string;
    /** All events, newest first. */
    readonly events: readonly ShownEvent[];
  };
}

/** The view of a case. */
export const cases: PageView = {
  scripts: {
    "case.js": caseJs,
    "timeline.js": timelineJs,
    "verdict.js": verdictJs,
  },
  serve(router, page) {
    const { get, post } = router<CaseAnswers>();
    get("/api/cases/:id", async (asked) => {
      return await readCase(page, caseIdOf(page, asked), isTruth(asked));
    });
    get("/api/cases/:id/neighbours", (asked) => {
      const { queries } = page.index;
      const { filter } = readAlertQuery(
        asked.query(),
        shapeOfStream(page.parameters),
      );
      const { position, previous, next } = queries.neighbours(
        filter,
        caseIdOf(page, asked),
      );
      return {
        position,
        total: queries.count(filter).alerts,
        ...previous !== undefined && { previous },
        ...next !== undefined && { next },
      };
    });
    post("/api/cases/:id/events", async (asked) => await act(page, asked));
  },
};

function caseIdOf({ parameters }: Page, asked: Question): TransactionId {
  return idAsked(asked, shapeOfStream(parameters).transactionId, "the case");
}

/** Everything about a payment, as known when it was made. Throws NotThereError if nobody knows it. */
async function readCase(
  page: Page,
  id: TransactionId,
  truth: boolean,
): Promise<Case> {
  const { state, control, index } = page;
  const { kept } = shapeOfStream(page.parameters);
  const { features } = page.parameters;
  const alert = index.queries.alert(id);
  const [stored, predicted] = await askStore(page, (store) =>
    Promise.all([
      store.payment(id),
      alert || !control.isScored ? undefined : predictionOf(store, id),
    ]));
  const own = ownPayment(page, id, { stored, alert, predicted, truth });
  const { time } = own;
  const longest = longestWindowSeconds(features);
  const delay = features.delayDays * DAY_SECONDS;
  const declared = declaredReachSeconds(features);
  const range = (fromSeconds: number) => ({
    fromSeconds,
    toSeconds: time,
    limit: TIMELINE_MAX,
  });
  const past = (payments: readonly StoredPayment[]) =>
    payments.map((payment) => pastPayment(page, payment, then, truth));
  const then = {
    timeSeconds: time,
    knownSeconds: parseDatetime(own.datetime) ?? Infinity,
  };
  const [ofCard, ofTerminal] = await askStore(page, (store) =>
    Promise.all([
      store.ofCustomer(own.customer, range(time - Math.max(longest, declared))),
      store.ofTerminal(
        own.terminal,
        range(time - Math.max(longest + delay, declared)),
      ),
    ]));
  const card = state.customers.get(own.customer);
  const terminal = state.terminals.get(own.terminal);
  const radius = radiusOf(control);
  const decision = decisionOf(page, alert ?? { id }) ?? predicted?.decision;
  return {
    payment: own,
    ...decision && { decision },
    features: stored
      ? featureNames(features).map((name, i) => ({
        name,
        value: Number.isNaN(stored.features[i]) ? null : stored.features[i],
      }))
      : [],
    kept: stored
      ? kept.map((field, i) => ({ ...field, value: stored.kept[i] }))
      : [],
    reasons: alertReasons(
      alert ?? {
        cents: amountUnits(own.amount, index.queries.scale),
        features: stored?.features,
        contributions: predicted?.contributions ?? {},
        model: own.model ?? "",
      },
      page,
    ),
    ...standingOfCase(page, id),
    ofCard: past(ofCard),
    ofTerminal: past(ofTerminal),
    windows: {
      windowDays: features.windowDays,
      delayDays: features.delayDays,
      cardDays: Math.max(longest, declared) / DAY_SECONDS,
      terminalDays: Math.max(longest + delay, declared) / DAY_SECONDS,
    },
    card: casePlace(card),
    terminal: casePlace(
      terminal,
      truth && terminal && page.parameters.definition === undefined
        ? state.isCompromised(terminal, time)
        : undefined,
    ),
    reach: reachOf(state, card, radius),
    radius,
  };
}

function casePlace(
  place: Place | undefined,
  compromised?: boolean,
): CasePlace | undefined {
  if (!place) return undefined;
  const { id, x, y } = place;
  return {
    id,
    x: Number.isNaN(x) ? null : x,
    y: Number.isNaN(y) ? null : y,
    ...compromised !== undefined && { compromised },
  };
}

/** What is stored of a prediction. */
interface KnownPrediction {
  readonly score?: number;
  readonly alert: 0 | 1;
  readonly model: string;
  readonly contributions: Readonly<Record<string, number>>;
  readonly decision: DecisionView | undefined;
}

async function predictionOf(
  store: LookUp,
  id: TransactionId,
): Promise<KnownPrediction | undefined> {
  const rows = await store.prediction(id);
  if (!rows) return undefined;
  const [contributions, decided] = [rows.contributions[0], rows.decisions[0]];
  const score = rows.cells[PREDICTION_CELL.score];
  return {
    ...!Number.isNaN(score) && { score },
    alert: rows.cells[PREDICTION_CELL.alert] === 1 ? 1 : 0,
    model: rows.versions[0],
    contributions: contributions === null ? {} : JSON.parse(contributions),
    decision: decided === null ? undefined : storedDecision(decided),
  };
}

/** What is known of a payment, besides the live state. */
interface KnownPayment {
  readonly stored: StoredCase | undefined;
  readonly alert?: IndexedAlert | undefined;
  readonly predicted?: KnownPrediction | undefined;
  readonly truth?: boolean;
}

/** The payment of a case, from the store, or else from the live state or the index. */
function ownPayment(
  page: Page,
  id: TransactionId,
  { stored, alert, predicted, truth = false }: KnownPayment,
): CasePayment {
  const live = page.state.payment(id);
  const { hasLabels } = shapeOfStream(page.parameters);
  const scored = alert
    ? {
      ...alert.score !== undefined && { score: alert.score },
      alert: 1 as const,
      model: alert.model,
    }
    : predicted
    ? {
      ...predicted.score !== undefined && { score: predicted.score },
      alert: predicted.alert,
      model: predicted.model,
    }
    : live?.score === undefined
    ? {}
    : {
      score: live.score,
      ...live.alert !== undefined && { alert: live.alert },
    };
  const outcome = (time: number) =>
    hasLabels && { outcome: outcomeOf(page, id, time, newestMoment(page)) };
  const label = (fraud: number | undefined, scenario: number | undefined) =>
    truth && !hasLabels && (fraud ?? -1) >= 0 && fraud !== undefined &&
      scenario !== undefined
      ? { fraud: fraud === 1 ? 1 as const : 0 as const, scenario }
      : {};
  if (stored) {
    const { payment } = stored;
    return {
      id,
      datetime: payment.datetime,
      customer: payment.customerId,
      terminal: payment.terminalId,
      amount: payment.amount,
      time: payment.timeSeconds,
      ...scored,
      ...outcome(payment.timeSeconds),
      ...label(payment.fraud, payment.scenario),
    };
  }
  if (live) {
    const { datetime, customer, terminal, amount, time } = live;
    const own = { id, datetime, customer, terminal, amount, time };
    return {
      ...own,
      ...scored,
      ...outcome(time),
      ...label(live.fraud, live.scenario),
    };
  }
  if (!alert) throw new NotThereError(`there is no payment ${id}`);
  const { customer, terminal, time, cents } = alert;
  return {
    ...{ id, customer, terminal, time, ...scored },
    datetime: formatDatetime(alert.datetimeSeconds),
    amount: cents / page.index.queries.scale,
    ...outcome(time),
    ...label(alert.fraud, alert.scenario),
  };
}

/** How a case stands: from its alert, or from its events where the payment raised none. */
function standingOfCase(
  { index: { queries } }: Page,
  id: TransactionId,
): Pick<Case, "state" | "assignee" | "snoozedUntil" | "events"> {
  const events = queries.events(id).sort(inOrder).reverse();
  const undone = new Set(events.map(({ undoes }) => undoes));
  const { verdict, assignee, snoozedUntil } = standingOf(events);
  const isSnoozed = snoozedUntil !== undefined &&
    Date.parse(snoozedUntil) > Date.now();
  return {
    state: caseStateOf(verdict?.label, isSnoozed),
    ...assignee !== undefined && { assignee },
    ...isSnoozed && { snoozedUntil },
    events: events.map((event) => ({
      ...event,
      undone: undone.has(event.eventId),
    })),
  };
}

/** How long an action can be taken back, in milliseconds of the clock. */
const UNDO_MS = 10_000;
/** How far ahead a snooze may end, in milliseconds. */
const SNOOZE_MS_MAX = 366 * DAY_SECONDS * 1000;

/** What a person does with a case. */
async function act(
  page: Page,
  asked: Question,
): Promise<CaseAnswers["/api/cases/:id/events"]> {
  const id = caseIdOf(page, asked);
  const body = await asked.body();
  const kind = BODY.oneOf(body.kind, CASE_KINDS, "kind");
  const who = whoOf(asked, body);
  const note = readNote(body);
  const seen = body.seen === undefined
    ? undefined
    : BODY.string(body.seen, "seen");
  const timestampMs = await timestampOf(page, id);
  return await page.cases.inTurn(async (write) => {
    if (seen !== undefined && kind !== "note" && kind !== "undo") {
      refuseUnseen(page.index.queries.events(id), seen, who);
    }
    const events = await write(
      kind === "undo"
        ? undoOf(page, id, who, note)
        : [stepOf({ transactionId: id, kind, who, note }, body, timestampMs)],
    );
    const own = events.find(({ transactionId }) => transactionId === id);
    return { event: own ?? events[0], ...standingOfCase(page, id) };
  });
}

/** Throws ConflictError where another person has changed how a case stands since an event that this one has seen. */
function refuseUnseen(
  events: readonly CaseEvent[],
  seen: string,
  who: string,
): void {
  const ordered = [...events].sort(inOrder);
  const from = ordered.findIndex(({ eventId }) => eventId === seen) + 1;
  const unseen = ordered.slice(from);
  const ids = new Set(unseen.map(({ eventId }) => eventId));
  const undone = new Set(unseen.map(({ undoes }) => undoes));
  // What was done and taken back since then has changed nothing.
  const other = unseen.findLast((event) =>
    event.who !== who && event.kind !== "note" && !undone.has(event.eventId) &&
    !(event.undoes !== undefined && ids.has(event.undoes))
  );
  if (!other) return;
  throw new ConflictError(
    `${other.who} has ${
      doneBy(other)
    } in the meantime; look at it again, and ` +
      "repeat your action if it still applies",
  );
}

function doneBy({ kind, label }: CaseEvent): string {
  switch (kind) {
    case "verdict":
      return label === 1 ? "confirmed this case as fraud" : "cleared this case";
    case "claim":
      return "claimed this case";
    case "release":
      return "released this case";
    case "snooze":
      return "snoozed this case";
    case "undo":
      return "taken back a decision about this case";
    case "note":
      return "added a note to this case";
  }
}

/** What a new event appends, with the field that its kind takes from the body. Throws DataError for a wrong one. */
function stepOf(
  event: NewCaseStep["event"],
  body: Readonly<Record<string, unknown>>,
  timestampMs: number,
): NewCaseStep {
  switch (event.kind) {
    case "verdict": {
      const label = readLabelOf(body);
      return { event: { ...event, label }, label, timestampMs };
    }
    case "snooze": {
      const until = readUntil(body.until);
      return { event: { ...event, until }, timestampMs };
    }
    default:
      return { event, timestampMs };
  }
}

/** Event time of a payment, milliseconds since 1970. Throws NotThereError if nobody knows it. */
async function timestampOf(page: Page, id: TransactionId): Promise<number> {
  const alert = page.index.queries.alert(id);
  if (alert) return alert.datetimeSeconds * 1000;
  const stored = await askStore(page, (store) => store.payment(id));
  const { datetime } = ownPayment(page, id, { stored });
  return (parseDatetime(datetime) ?? 0) * 1000;
}

/** What takes back the newest action of a person; a group decision as a whole. Throws DataError where it is too late. */
function undoOf(
  { index: { queries } }: Page,
  id: TransactionId,
  who: string,
  note: string,
): NewCaseStep[] {
  const all = queries.events(id);
  const undone = new Set(all.map(({ undoes }) => undoes));
  const [newest] = all
    .filter(({ kind, eventId, who: by }) =>
      by === who && UNDOABLE.includes(kind) && !undone.has(eventId)
    )
    .sort(inOrder).reverse();
  if (!newest) throw new DataError(`${who} has done nothing to take back here`);
  if (Date.now() - Date.parse(newest.at) > UNDO_MS) {
    throw new DataError(
      `that was more than ${UNDO_MS / 1000} s ago; decide again instead`,
    );
  }
  const { decisionId } = newest;
  const taken = decisionId === undefined
    ? [newest]
    : queries.decision(decisionId);
  return taken.map(({ eventId, transactionId, kind }) => {
    const event = {
      transactionId,
      kind: "undo" as const,
      who,
      note,
      undoes: eventId,
    };
    const alert = queries.alert(transactionId);
    const timestampMs = (alert?.datetimeSeconds ?? 0) * 1000;
    if (kind !== "verdict") return { event, timestampMs };
    // The label is again what a verdict before has said, or none.
    const others = queries.events(transactionId)
      .filter((other) => other.eventId !== eventId);
    const label = standingOf(others).verdict?.label ?? null;
    return { event, label, timestampMs };
  });
}

const UNDOABLE: readonly CaseKind[] = ["verdict", "claim", "snooze"];

/** The end of a snooze: a date, a time, or at once. Throws DataError for anything else. */
function readUntil(value: unknown): string {
  const now = Date.now();
  if (value === undefined || value === null) return new Date(now).toISOString();
  const text = BODY.string(value, "until");
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const at = isDate || /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (!(at > now && at <= now + SNOOZE_MS_MAX)) {
    throw new DataError(
      "until must be a date of the form YYYY-MM-DD, after today and within a year",
    );
  }
  return new Date(at).toISOString();
}
