/**
 * What people do with an alert, as the case topic carries it: JSON, key
 * TRANSACTION_ID. The records of a payment, in order, are the history of its
 * case. None is ever changed: an undo is a separate record.
 */
import { parseExactly } from "../base/exact_json.ts";
import type { TransactionId } from "./payment.ts";
import { parseObject } from "./payment_json.ts";
import { type IdKind, transactionIdIn } from "./payment_shape.ts";

/** Characters of the name of a person, at most. */
export const WHO_MAX = 100;
/** Characters of a note, at most. */
export const NOTE_MAX = 2000;

/** What can be done with a case. */
export const CASE_KINDS = [
  "verdict",
  "claim",
  "release",
  "note",
  "snooze",
  "undo",
] as const;

/** What was done with a case. */
export type CaseKind = typeof CASE_KINDS[number];

/** One action on a case. */
export interface CaseEvent {
  /** UUID. */
  readonly eventId: string;
  /** TRANSACTION_ID. */
  readonly transactionId: TransactionId;
  /** What was done. */
  readonly kind: CaseKind;
  /** Who did it. */
  readonly who: string;
  /** Clock time, ISO 8601 with milliseconds, UTC. */
  readonly at: string;
  /** Of a verdict, 1: it is a fraud; 0: it is not. */
  readonly label?: 0 | 1;
  /** Why, in their words; may be empty. */
  readonly note: string;
  /** Of a snooze: the clock time at which the alert is open again, ISO 8601. */
  readonly until?: string;
  /** Of an undo: eventId of what it takes back. */
  readonly undoes?: string;
  /** UUID that the verdicts of one group decision share; an undo takes back all of them. */
  readonly decisionId?: string;
}

/** The JSON object of a case event. */
export function caseEventJson(event: CaseEvent): string {
  return JSON.stringify({
    EVENT_ID: event.eventId,
    TRANSACTION_ID: event.transactionId,
    KIND: event.kind,
    WHO: event.who,
    AT: event.at,
    LABEL: event.label,
    NOTE: event.note === "" ? undefined : event.note,
    UNTIL: event.until,
    UNDOES: event.undoes,
    DECISION_ID: event.decisionId,
  });
}

/** The case event in bytes `from` to `to` of a record, where TRANSACTION_ID is a number or text; undefined if it holds none. */
export function readCaseEvent(
  bytes: Uint8Array,
  from: number,
  to: number,
  idKind: IdKind = "number",
): CaseEvent | undefined {
  const parse = idKind === "text" ? parseExactly : undefined;
  const { object } = parseObject(bytes, from, to, parse);
  if (!object) return undefined;
  const { EVENT_ID: eventId } = object;
  const transactionId = transactionIdIn(object.TRANSACTION_ID, idKind);
  const { WHO: who, LABEL: label } = object;
  const [at, until] = [timeOf(object.AT), timeOf(object.UNTIL)];
  const { NOTE: note = "", UNDOES: undoes, DECISION_ID: decisionId } = object;
  const kind = CASE_KINDS.find((kind) => kind === object.KIND);
  if (transactionId === undefined || !kind) return undefined;
  if (!isText(eventId) || !isText(who) || !at) return undefined;
  if (typeof note !== "string") return undefined;
  const event = { eventId, transactionId, kind, who, at, note };
  switch (kind) {
    case "verdict": {
      if (label !== 0 && label !== 1) return undefined;
      const decided: CaseEvent = { ...event, label };
      return isText(decisionId) ? { ...decided, decisionId } : decided;
    }
    case "snooze":
      return until ? { ...event, until } : undefined;
    case "undo":
      return isText(undoes) ? { ...event, undoes } : undefined;
    default:
      return event;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** A time in the one form in which texts compare as times do; undefined for anything else. */
function timeOf(value: unknown): string | undefined {
  const isForm = typeof value === "string" &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value);
  const at = isForm ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
