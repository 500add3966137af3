/** Verdicts of analysts, as the label topic carries them: JSON, key TRANSACTION_ID. */
import { parseObject } from "./payment_json.ts";
import { TRANSACTION_ID_MAX } from "./payment.ts";

/** An analyst's decision about a payment, and its time. */
export interface Verdict {
  /** TRANSACTION_ID. */
  readonly transactionId: number;
  /** Clock time of the decision, ISO 8601 with milliseconds, UTC. */
  readonly decidedAt: string;
  /** 1: it is a fraud; 0: it is not. */
  readonly label: 0 | 1;
  /** Who decided. */
  readonly analyst: string;
  /** Why, in their words; may be empty. */
  readonly note: string;
}

/** The JSON object of a verdict. */
export function verdictJson(verdict: Verdict): string {
  return JSON.stringify({
    TRANSACTION_ID: verdict.transactionId,
    LABEL: verdict.label,
    ANALYST: verdict.analyst,
    NOTE: verdict.note,
    DECIDED_AT: verdict.decidedAt,
  });
}

/** The verdict in bytes `from` to `to` of a record, texts that it lacks empty; undefined if it is not one. */
export function readVerdict(
  bytes: Uint8Array,
  from: number,
  to: number,
): Verdict | undefined {
  const { object } = parseObject(bytes, from, to);
  if (!object) return undefined;
  const { TRANSACTION_ID: transactionId, LABEL: label } = object;
  if (typeof transactionId !== "number" || !Number.isInteger(transactionId)) {
    return undefined;
  }
  if (!(transactionId >= 0 && transactionId <= TRANSACTION_ID_MAX)) {
    return undefined;
  }
  if (label !== 0 && label !== 1) return undefined;
  return {
    transactionId,
    label,
    analyst: String(object.ANALYST ?? ""),
    note: String(object.NOTE ?? ""),
    decidedAt: String(object.DECIDED_AT ?? ""),
  };
}
