/**
 * Verdicts of analysts as labels: the records of the label topic, JSON, key
 * TRANSACTION_ID. The newest record of a payment holds its label.
 */
import { parseExactly } from "../base/exact_json.ts";
import type { TransactionId } from "./payment.ts";
import { parseObject } from "./payment_json.ts";
import { type IdKind, transactionIdIn } from "./payment_shape.ts";

/** An analyst's decision about a payment, and its time. */
export interface Verdict {
  /** TRANSACTION_ID. */
  readonly transactionId: TransactionId;
  /** Clock time of the decision, ISO 8601 with milliseconds, UTC. */
  readonly decidedAt: string;
  /** 1: it is a fraud; 0: it is not. */
  readonly label: 0 | 1;
  /** Who decided. */
  readonly analyst: string;
  /** Why, in their words; may be empty. */
  readonly note: string;
}

/** A record of the label topic. */
export interface LabelRecord extends Omit<Verdict, "label"> {
  /** 1: a fraud; 0: none; null: verdicts before are withdrawn. */
  readonly label: 0 | 1 | null;
  /** The case event that it belongs to; undefined for a record that no case event stands behind. */
  readonly eventId?: string;
}

/** The JSON object of a label. */
export function labelJson(record: LabelRecord): string {
  return JSON.stringify({
    TRANSACTION_ID: record.transactionId,
    LABEL: record.label,
    ANALYST: record.analyst,
    NOTE: record.note,
    DECIDED_AT: record.decidedAt,
    EVENT_ID: record.eventId,
  });
}

/** The label in bytes `from` to `to` of a record, texts that it lacks empty; TRANSACTION_ID is a number or text. Undefined if it holds none. */
export function readLabel(
  bytes: Uint8Array,
  from: number,
  to: number,
  idKind: IdKind = "number",
): LabelRecord | undefined {
  const parse = idKind === "text" ? parseExactly : undefined;
  const { object } = parseObject(bytes, from, to, parse);
  if (!object) return undefined;
  const transactionId = transactionIdIn(object.TRANSACTION_ID, idKind);
  const { LABEL: label } = object;
  if (transactionId === undefined) return undefined;
  if (label !== 0 && label !== 1 && label !== null) return undefined;
  const { EVENT_ID: eventId } = object;
  return {
    transactionId,
    label,
    analyst: String(object.ANALYST ?? ""),
    note: String(object.NOTE ?? ""),
    decidedAt: String(object.DECIDED_AT ?? ""),
    ...typeof eventId === "string" && eventId !== "" && { eventId },
  };
}
