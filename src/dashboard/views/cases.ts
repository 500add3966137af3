/**
 * Alerts as analysts work on them: the queue, a case with everything that its
 * score was made from, and the verdict, which goes to the label topic and the
 * store's table of verdicts and changes nothing else.
 */
import { DataError } from "../../base/error.ts";
import {
  featureNames,
  type FeatureParameters,
  longestWindowSeconds,
} from "../../features/parameters.ts";
import type { Log } from "../../log/log.ts";
import { IdPartitioner } from "../../log/partitioner.ts";
import { RecordBatchBuilder } from "../../log/record_batch.ts";
import { LABEL_TOPIC } from "../../stream/topics.ts";
import type { LookUp, StoredCase, StoredPayment } from "../../store/look_up.ts";
import { type Verdict, verdictJson } from "../../payment/label_json.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { Alert, LivePayment, LiveState } from "./live_state.ts";

/** Alerts of one answer. */
const QUEUE_MAX = 200;
/** Payments of one timeline. */
const TIMELINE_MAX = 500;
/** Characters of a name and of a note. */
const ANALYST_MAX = 100;
const NOTE_MAX = 2000;

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

/** A case: a payment and all that is known about it. */
export interface Case {
  /** The payment. */
  readonly payment: LivePayment;
  /** Its features with their names; empty before it is stored. */
  readonly features: readonly {
    readonly name: string;
    readonly value: number;
  }[];
  /** What the model said, where the page has read it. */
  readonly alert: Alert | undefined;
  /** All verdicts, newest first. */
  readonly verdicts: readonly Verdict[];
  /** The card's payments in its longest window, newest first. */
  readonly ofCard: readonly StoredPayment[];
  /** The terminal's payments in its longest window and the delay, newest first. */
  readonly ofTerminal: readonly StoredPayment[];
  /** Days of the windows, and until a fraud is known. */
  readonly windows: Pick<FeatureParameters, "windowDays" | "delayDays">;
}

/** Everything about a payment; undefined if nobody knows it. */
export async function readCase(
  transactionId: number,
  { state, lookUp, features }: {
    readonly state: LiveState;
    readonly lookUp: LookUp;
    readonly features: FeatureParameters;
  },
): Promise<Case | undefined> {
  const stored = await lookUp.payment(transactionId);
  const alert = state.alerts.get(transactionId);
  const payment = state.payment(transactionId) ?? liveOf(stored);
  if (!payment) return undefined;
  const { time } = payment;
  const longest = longestWindowSeconds(features);
  const delay = features.delayDays * DAY_SECONDS;
  const range = (fromSeconds: number) => ({
    fromSeconds,
    toSeconds: time,
    limit: TIMELINE_MAX,
  });
  return {
    payment: alert ? { ...payment, score: alert.score, alert: 1 } : payment,
    features: stored
      ? featureNames(features).map((name, i) => ({
        name,
        value: stored.features[i],
      }))
      : [],
    alert,
    verdicts: await lookUp.verdicts(transactionId),
    ofCard: await lookUp.ofCustomer(payment.customer, range(time - longest)),
    ofTerminal: await lookUp.ofTerminal(
      payment.terminal,
      range(time - longest - delay),
    ),
    windows: { windowDays: features.windowDays, delayDays: features.delayDays },
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
  const { label, analyst, note = "" } = body;
  if (label !== 0 && label !== 1) {
    throw new DataError("label must be 1 (fraud) or 0 (no fraud)");
  }
  const name = typeof analyst === "string" ? analyst.trim() : "";
  if (name === "" || name.length > ANALYST_MAX) {
    throw new DataError(
      `analyst must be a name of up to ${ANALYST_MAX} characters`,
    );
  }
  if (typeof note !== "string" || note.length > NOTE_MAX) {
    throw new DataError(`note must be text of up to ${NOTE_MAX} characters`);
  }
  return { label, analyst: name, note: note.trim() };
}

/**
 * Appends a verdict to the label topic, whose records trainers take for the
 * label, and keeps it in the store. Throws LogError or StoreError; whoever
 * tries again then decides the same once more.
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
