/**
 * The records that the page reads and writes besides payments: predictions,
 * analysts' verdicts, profiles. What is none of these is skipped: other
 * programs may write to the topics too.
 */
import type { Verdict } from "../../store/tables.ts";
import { INT_MAX, TRANSACTION_ID_MAX } from "../../payment/payment.ts";

/** What a model says about a payment. */
export interface Prediction {
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
  /** How suspicious it is, 0 to 1. */
  readonly score: number;
  /** Whether an alert was raised. */
  readonly alert: 0 | 1;
  /** Version of the model. */
  readonly model: string;
  /** What pushed the score most, by input; empty where that was not computed. */
  readonly contributions: Readonly<Record<string, number>>;
}

/** A card's or a terminal's place. */
export interface ProfilePlace {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number;
  /** 0 to 100. */
  readonly x: number;
  /** 0 to 100. */
  readonly y: number;
}

type Fields = Readonly<Record<string, unknown>>;

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** The prediction in a record's value; undefined if it is none. */
export function parsePrediction(value: Uint8Array): Prediction | undefined {
  const fields = parseFields(value);
  if (!fields) return undefined;
  const whole = ["TRANSACTION_ID", "CUSTOMER_ID", "TERMINAL_ID"];
  const numbers = ["TX_AMOUNT", "TX_TIME_SECONDS", "SCORE"];
  const isPrediction = whole.every((name) => isId(fields[name])) &&
    numbers.every((name) => Number.isFinite(fields[name])) &&
    isWithin(fields.TX_TIME_SECONDS, INT_MAX) && isWithin(fields.SCORE, 1) &&
    typeof fields.TX_DATETIME === "string";
  if (!isPrediction) return undefined;
  return {
    id: Number(fields.TRANSACTION_ID),
    datetime: String(fields.TX_DATETIME),
    customer: Number(fields.CUSTOMER_ID),
    terminal: Number(fields.TERMINAL_ID),
    amount: Number(fields.TX_AMOUNT),
    time: Number(fields.TX_TIME_SECONDS),
    score: Number(fields.SCORE),
    alert: fields.ALERT === 1 ? 1 : 0,
    model: String(fields.MODEL_VERSION ?? ""),
    contributions: numbersOf(fields.CONTRIBUTIONS),
  };
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && isWithin(value, TRANSACTION_ID_MAX);
}

function isWithin(value: unknown, most: number): boolean {
  return typeof value === "number" && value >= 0 && value <= most;
}

function numbersOf(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(([, number]) => Number.isFinite(number)),
  );
}

/** The verdict in a record's value; undefined if it is none. */
export function parseLabel(value: Uint8Array): Verdict | undefined {
  const fields = parseFields(value);
  const { TRANSACTION_ID: id, LABEL: label } = fields ?? {};
  if (!isId(id) || label !== 0 && label !== 1) return undefined;
  return {
    transactionId: id,
    label,
    analyst: String(fields?.ANALYST ?? ""),
    note: String(fields?.NOTE ?? ""),
    decidedAt: String(fields?.DECIDED_AT ?? ""),
  };
}

/** A verdict as the value of a record. */
export function formatLabel(verdict: Verdict): Uint8Array {
  return ENCODER.encode(JSON.stringify({
    TRANSACTION_ID: verdict.transactionId,
    LABEL: verdict.label,
    ANALYST: verdict.analyst,
    NOTE: verdict.note,
    DECIDED_AT: verdict.decidedAt,
  }));
}

/** The place in a profile; undefined if it is none. */
export function parsePlace(
  kind: "CUSTOMER" | "TERMINAL",
  value: Uint8Array,
): ProfilePlace | undefined {
  const fields = parseFields(value);
  const id = fields?.[`${kind}_ID`];
  const x = fields?.[`X_${kind}_ID`];
  const y = fields?.[`Y_${kind}_ID`];
  if (!isId(id) || typeof x !== "number" || !Number.isFinite(x)) {
    return undefined;
  }
  return typeof y === "number" && Number.isFinite(y) ? { id, x, y } : undefined;
}

function parseFields(value: Uint8Array): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(DECODER.decode(value));
    return typeof parsed === "object" && parsed !== null
      ? parsed as Fields
      : undefined;
  } catch {
    return undefined; // another program's record
  }
}
