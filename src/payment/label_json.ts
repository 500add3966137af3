/** Verdicts of analysts, as the label topic carries them: JSON, key TRANSACTION_ID. */
import { parseObject } from "./payment_json.ts";

/** What an analyst has decided about a payment. */
export interface LabelRecord {
  /** TRANSACTION_ID. */
  readonly transactionId: number;
  /** 1 for a fraud. */
  readonly label: 0 | 1;
}

/** The verdict in bytes `from` to `to` of a record; undefined if it holds none. */
export function readVerdict(
  bytes: Uint8Array,
  from: number,
  to: number,
): LabelRecord | undefined {
  const { object } = parseObject(bytes, from, to);
  const transactionId = object?.TRANSACTION_ID;
  const label = object?.LABEL;
  if (typeof transactionId !== "number") return undefined;
  if (!Number.isSafeInteger(transactionId) || transactionId < 0) {
    return undefined;
  }
  return label === 0 || label === 1 ? { transactionId, label } : undefined;
}
