/**
 * Verdicts as rows that leave a stream and come back: who decided what and
 * when, and which were withdrawn. A row that comes back is known by its
 * EVENT_ID, so that a second import changes nothing.
 */
import { createHash } from "node:crypto";
import { DataError } from "../base/error.ts";
import type { CaseEvent } from "../payment/case_json.ts";
import type { TransactionId } from "../payment/payment.ts";
import {
  type CaseStep,
  type Decision,
  inOrder,
  standingOf,
} from "./case_events.ts";

/** A verdict, with its withdrawal where it was withdrawn. */
export interface VerdictRecord {
  /** UUID; of verdicts from before the case topic, the place of their label. */
  readonly eventId: string;
  /** TRANSACTION_ID. */
  readonly transactionId: TransactionId;
  /** 1: it is a fraud; 0: it is not. */
  readonly label: 0 | 1;
  /** Who decided. */
  readonly who: string;
  /** Clock time of the decision, ISO 8601. */
  readonly at: string;
  /** Why, in their words; may be empty. */
  readonly note: string;
  /** UUID that the verdicts of one group decision share. */
  readonly decisionId?: string;
  /** Its withdrawal. */
  readonly withdrawn?: {
    /** UUID of the undo, or the place of the label that withdrew it. */
    readonly eventId: string;
    /** Who withdrew it. */
    readonly who: string;
    /** Clock time, ISO 8601. */
    readonly at: string;
  };
}

/** The verdicts of a stream as rows, in order of time. A label that withdraws all before, as other programs write it, is the withdrawal of those verdicts. */
export function verdictRecords(
  decisions: readonly Decision[],
): VerdictRecord[] {
  const withdrawals = decisions.filter(({ label }) => label === undefined);
  return decisions.flatMap((decision) => {
    const { label } = decision;
    if (label === undefined) return [];
    const { eventId, transactionId, who, at, note, decisionId } = decision;
    const withdrawn = decision.undone ??
      withdrawals.find((later) =>
        later.transactionId === transactionId && inOrder(decision, later) < 0
      );
    return [{
      ...{ eventId, transactionId, label, who, at, note },
      ...decisionId !== undefined && { decisionId },
      ...withdrawn && {
        withdrawn: {
          eventId: withdrawn.eventId,
          who: withdrawn.who,
          at: withdrawn.at,
        },
      },
    }];
  });
}

/** What an import appends. */
export interface VerdictImport {
  /** The steps of each payment, which must be in one append. */
  readonly payments: readonly (readonly CaseStep[])[];
  /** Verdicts that are new. */
  readonly verdicts: number;
  /** Withdrawals that are new. */
  readonly withdrawals: number;
}

/**
 * What has to be appended so that a stream with these decisions has these
 * verdicts too. The payment's label is the last step's, where it changes.
 * `timestampOf` gives the event time of a payment in milliseconds. Throws
 * DataError for an EVENT_ID that is another payment's.
 */
export function importVerdicts(
  records: readonly VerdictRecord[],
  decisions: readonly Decision[],
  timestampOf: (transactionId: TransactionId) => number,
): VerdictImport {
  const known = new Map<string, CaseEvent>();
  const ofPayment = new Map<TransactionId, CaseEvent[]>();
  for (const { undone, ...event } of decisions) {
    const events = undone ? [event, undone] : [event];
    for (const each of events) known.set(each.eventId, each);
    const before = ofPayment.get(event.transactionId) ?? [];
    ofPayment.set(event.transactionId, [...before, ...events]);
  }
  const added = new Map<TransactionId, CaseEvent[]>();
  const add = (event: CaseEvent): number => {
    const other = known.get(event.eventId);
    if (other && other.transactionId !== event.transactionId) {
      throw new DataError(
        `EVENT_ID ${event.eventId} of payment ${event.transactionId} is that ` +
          `of a verdict on payment ${other.transactionId}; give each verdict ` +
          "its own, or leave EVENT_ID out",
      );
    }
    if (other) return 0;
    known.set(event.eventId, event);
    const { transactionId } = event;
    added.set(transactionId, [...added.get(transactionId) ?? [], event]);
    return 1;
  };
  const gone = new Set(
    verdictRecords(decisions).filter(({ withdrawn }) => withdrawn)
      .map(({ eventId }) => eventId),
  );
  let [verdicts, withdrawals] = [0, 0];
  for (const { withdrawn, ...record } of records) {
    const found = known.get(record.eventId);
    const isSame = found?.transactionId === record.transactionId &&
      found.at === record.at;
    const eventId = isSame ? record.eventId : uuidOf(record.eventId, record);
    const { decisionId, ...event } = record;
    verdicts += add({
      ...event,
      eventId,
      kind: "verdict",
      ...decisionId !== undefined && { decisionId },
    });
    if (!withdrawn || gone.has(eventId)) continue;
    withdrawals += add({
      eventId: uuidOf(withdrawn.eventId, { of: eventId, ...withdrawn }),
      transactionId: record.transactionId,
      kind: "undo",
      who: withdrawn.who,
      at: withdrawn.at,
      note: "",
      undoes: eventId,
    });
  }
  const payments = [...added].map(([id, events]) =>
    stepsOf(events, ofPayment.get(id) ?? [], timestampOf(id))
  );
  return { payments, verdicts, withdrawals };
}

function stepsOf(
  events: readonly CaseEvent[],
  before: readonly CaseEvent[],
  timestampMs: number,
): CaseStep[] {
  const labelOf = (all: readonly CaseEvent[]) =>
    standingOf(all).verdict?.label ?? null;
  const label = labelOf([...before, ...events]);
  const isChanged = label !== labelOf(before);
  const ordered = [...events].sort(inOrder);
  return ordered.map((event, index) => ({
    event,
    timestampMs,
    ...isChanged && index === ordered.length - 1 && { label },
  }));
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id that is a UUID, or one that follows from it and what it belongs to: a place in one log says nothing in another. */
export function uuidOf(id: string, content: object): string {
  if (UUID.test(id)) return id;
  const hex = createHash("sha256")
    .update(JSON.stringify([id, ...Object.values(content)])).digest("hex");
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]]
    .map(([from, to]) => hex.slice(from, to)).join("-");
}
