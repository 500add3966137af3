/**
 * The view of a case: a payment, what its score was computed from, and the
 * verdict. A verdict goes to the label topic and to the store's table of
 * verdicts. It changes nothing else.
 */
import {
  featureNames,
  type FeatureParameters,
  longestWindowSeconds,
} from "../../features/parameters.ts";
import { DataError } from "../../base/error.ts";
import type { Log } from "../../log/log.ts";
import { IdPartitioner } from "../../log/partitioner.ts";
import { RecordBatchBuilder } from "../../log/record_batch.ts";
import { LABEL_TOPIC } from "../../stream/topics.ts";
import type { LookUp, StoredCase, StoredPayment } from "../../store/look_up.ts";
import { type Verdict, verdictJson } from "../../payment/label_json.ts";
import type { CaseEvent, CaseKind } from "../../payment/case_json.ts";
import { parseDatetime } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import caseJs from "../page/case.js" with { type: "text" };
import timelineJs from "../page/timeline.js" with { type: "text" };
import verdictJs from "../page/verdict.js" with { type: "text" };
import type { CaseState } from "../index/alert_filter.ts";
import type { LivePayment, LiveState } from "./live_state.ts";
import { placeOf, radiusOf, reachOf } from "./map.ts";
import {
  BODY,
  NotThereError,
  type PageView,
  type PastPayment,
  pastPayment,
  storeOf,
  turns,
  wholeOf,
} from "./page_view.ts";

/** Payments of one timeline. */
const TIMELINE_MAX = 500;
/** Characters of a name and of a note. */
const ANALYST_MAX = 100;
const NOTE_MAX = 2000;

/** The payment of a case. */
export interface CasePayment {
  /** TRANSACTION_ID. */
  readonly id: number;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customer: number;
  /** TERMINAL_ID. */
  readonly terminal: number;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** How suspicious the model finds it, 0 to 1; undefined where that is not known. */
  readonly score?: number;
  /** Whether it is an alert; undefined where that is not known. */
  readonly alert?: 0 | 1;
  /** Version of the model, of an alert. */
  readonly model?: string;
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
    readonly value: number;
  }[];
  /** What moved the score; empty where that was not computed. */
  readonly reasons: Reasons;
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
  /** Days of the windows, and until a label is known. */
  readonly windows: Pick<FeatureParameters, "windowDays" | "delayDays">;
  /** Where the card is; undefined before the page has seen it. */
  readonly card: CasePlace | undefined;
  /** Where the terminal is; undefined before the page has seen it. */
  readonly terminal: CasePlace | undefined;
  /** Ids of the terminals that the card reaches. */
  readonly reach: readonly number[];
  /** The radius within which it does; undefined where that is not known. */
  readonly radius: number | undefined;
}

/** The card or the terminal of a case. */
export interface CasePlace {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number;
  /** Where it is, 0 to 100; null before its profile has been read. */
  readonly x: number | null;
  /** Where it is, 0 to 100; null before its profile has been read. */
  readonly y: number | null;
  /** Whether the simulation had compromised it at that time; with truth=1 only. */
  readonly compromised?: boolean;
}

/** What moved a score. */
export interface Reason {
  /** Name of the input. */
  readonly feature: string;
  /** What it says, with what is usual. */
  readonly sentence: string;
  /** Its value with the unit. */
  readonly value: string;
  /** What it added to the score's margin. */
  readonly contribution: number;
}

/** What moved a score, each list with the strongest first. */
export interface Reasons {
  /** What raised it. */
  readonly raised: readonly Reason[];
  /** What lowered it. */
  readonly lowered: readonly Reason[];
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
    readonly previous?: number;
    /** TRANSACTION_ID of the one after. */
    readonly next?: number;
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
  /** Goes once the page sends events. */
  readonly "/api/cases/:id/verdicts": {
    /** The new one. */
    readonly verdict: Verdict;
    /** All, newest first. */
    readonly verdicts: readonly Verdict[];
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
    const { state, log, control, parameters: { features } } = page;
    const { get, post } = router<CaseAnswers>();
    const inTurn = turns();
    let lastMs = 0;
    get("/api/cases/:id", async (asked) => {
      const id = wholeOf(asked.part("id"), "the case");
      const truth = asked.query().truth === "1";
      const lookUp = storeOf(page);
      const found = await readCase(id, { state, lookUp, features, truth });
      if (!found) throw new NotThereError(`there is no payment ${id}`);
      const card = state.customers.get(found.payment.customer);
      const terminal = state.terminals.get(found.payment.terminal);
      const radius = radiusOf(control);
      return {
        ...found,
        card: placeOf(state, card, truth),
        terminal: placeOf(state, terminal, truth),
        reach: reachOf(state, card, radius),
        radius,
      };
    });
    get("/api/cases/:id/neighbours", () => ({ position: 1, total: 1 }));
    post("/api/cases/:id/events", () => {
      throw new DataError("events cannot be kept yet");
    });
    post("/api/cases/:id/verdicts", async (asked) => {
      const id = wholeOf(asked.part("id"), "the case");
      const decided = checkVerdict(await asked.body());
      const lookUp = storeOf(page);
      return await inTurn(async () => {
        const payment = state.payment(id) ?? state.alerts.get(id) ??
          (await lookUp.payment(id))?.payment;
        if (!payment) throw new NotThereError(`there is no payment ${id}`);
        // The time tells a payment's verdicts apart.
        lastMs = Math.max(Date.now(), lastMs + 1);
        const decidedAt = new Date(lastMs).toISOString();
        const verdict: Verdict = { transactionId: id, decidedAt, ...decided };
        const timestampMs = (parseDatetime(payment.datetime) ?? 0) * 1000;
        await keepVerdict(verdict, { log, lookUp, timestampMs });
        state.addVerdict(verdict);
        return { verdict, verdicts: await lookUp.verdicts(id) };
      });
    });
  },
};

/** Everything about a payment; undefined if nobody knows it. */
export async function readCase(
  transactionId: number,
  { state, lookUp, features, truth }: {
    readonly state: LiveState;
    readonly lookUp: LookUp;
    readonly features: FeatureParameters;
    readonly truth: boolean;
  },
): Promise<
  Omit<Case, "card" | "terminal" | "reach" | "radius"> | undefined
> {
  const stored = await lookUp.payment(transactionId);
  const alert = state.alerts.get(transactionId);
  const payment = state.payment(transactionId) ?? liveOf(stored);
  if (!payment) return undefined;
  const { fraud, scenario, ...own } = payment;
  const { time } = payment;
  const longest = longestWindowSeconds(features);
  const delay = features.delayDays * DAY_SECONDS;
  const range = (fromSeconds: number) => ({
    fromSeconds,
    toSeconds: time,
    limit: TIMELINE_MAX,
  });
  const past = (payments: readonly StoredPayment[]) =>
    payments.map((each) => pastPayment(each, time - delay, truth));
  const ofCard = await lookUp.ofCustomer(own.customer, range(time - longest));
  const ofTerminal = await lookUp.ofTerminal(
    own.terminal,
    range(time - longest - delay),
  );
  const verdicts = await lookUp.verdicts(transactionId);
  return {
    payment: {
      ...own,
      ...alert && { score: alert.score, alert: 1, model: alert.model },
      ...truth && { fraud: fraud === 1 ? 1 : 0, scenario },
    },
    features: stored
      ? featureNames(features).map((name, i) => ({
        name,
        value: stored.features[i],
      }))
      : [],
    reasons: reasonsOf(alert?.contributions ?? {}),
    state: verdicts.length === 0
      ? "open"
      : verdicts[0].label === 1
      ? "confirmed"
      : "cleared",
    events: verdicts.map(({ label, analyst, note, decidedAt }) => ({
      eventId: decidedAt,
      transactionId,
      kind: "verdict",
      who: analyst,
      at: decidedAt,
      label,
      note,
      undone: false,
    })),
    ofCard: past(ofCard),
    ofTerminal: past(ofTerminal),
    windows: { windowDays: features.windowDays, delayDays: features.delayDays },
  };
}

function reasonsOf(contributions: Readonly<Record<string, number>>): Reasons {
  const all = Object.entries(contributions)
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([feature, contribution]): Reason => ({
      feature,
      sentence: feature,
      value: "",
      contribution,
    }));
  return {
    raised: all.filter(({ contribution }) => contribution > 0),
    lowered: all.filter(({ contribution }) => contribution < 0),
  };
}

function liveOf(stored: StoredCase | undefined): LivePayment | undefined {
  if (!stored) return undefined;
  const { payment } = stored;
  return {
    id: payment.transactionId,
    datetime: payment.datetime,
    customer: payment.customerId,
    terminal: payment.terminalId,
    amount: payment.amount,
    time: payment.timeSeconds,
    fraud: payment.fraud,
    scenario: payment.scenario,
  };
}

/** Throws DataError unless a verdict from outside is one. */
export function checkVerdict(
  body: Readonly<Record<string, unknown>>,
): Pick<Verdict, "label" | "analyst" | "note"> {
  const { label } = body;
  if (label !== 0 && label !== 1) {
    throw BODY.error("label must be 1 (fraud) or 0 (no fraud)");
  }
  const analyst = BODY.string(body.analyst ?? "", "analyst").trim();
  BODY.check(
    analyst !== "" && analyst.length <= ANALYST_MAX,
    `analyst must be a name of up to ${ANALYST_MAX} characters`,
  );
  const note = BODY.string(body.note ?? "", "note");
  BODY.check(
    note.length <= NOTE_MAX,
    `note must be text of up to ${NOTE_MAX} characters`,
  );
  return { label, analyst, note: note.trim() };
}

/**
 * Appends a verdict to the label topic, whose records trainers take for the
 * label, and keeps it in the store. Throws LogError or StoreError; then a
 * second attempt records the same decision again.
 */
export async function keepVerdict(
  verdict: Verdict,
  { log, lookUp, timestampMs }: {
    readonly log: Log;
    readonly lookUp: LookUp;
    /** Event time of the payment. */
    readonly timestampMs: number;
  },
): Promise<void> {
  const ends = await log.endOffsets(LABEL_TOPIC) ?? [];
  const id = verdict.transactionId;
  const partition = new IdPartitioner(Math.max(1, ends.length)).partition(id);
  const records = new RecordBatchBuilder();
  const utf8 = new TextEncoder();
  const key = utf8.encode(String(id));
  records.add(key, utf8.encode(verdictJson(verdict)), timestampMs);
  const producer = await log.producer("fraudstream-verdicts");
  await producer.append([{ topic: LABEL_TOPIC, partition, records }]);
  await lookUp.addVerdict(verdict);
}
