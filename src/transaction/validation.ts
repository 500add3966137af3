/**
 * The rules that a payment keeps, wherever it comes from: JSON record or CSV
 * row. A row that breaks one is named with its field and the rule, so that
 * the message alone tells what to mend.
 */
import {
  AMOUNT_MAX,
  DAY_SECONDS,
  INT_MAX,
  type Transaction,
  TRANSACTION_ID_MAX,
} from "./transaction.ts";
import { formatDatetime, parseDatetime } from "./calendar.ts";

/** Why a payment was refused: a stable word and a sentence for people. */
export interface Defect {
  /** Stable word, for counting. */
  readonly reason: DefectReason;
  /** One line naming the field, the value and the rule. */
  readonly message: string;
}

/** The kinds of defect that a single payment can have. */
export type DefectReason =
  | "not JSON"
  | "missing field"
  | "wrong type"
  | "out of range"
  | "not whole cents"
  | "time mismatch";

/**
 * Greatest distance of TX_AMOUNT · 100 from a whole number: absolute, and
 * relative for amounts so great that doubles are further apart.
 */
const CENT_TOLERANCE = 1e-6;
const CENT_TOLERANCE_RELATIVE = 2 ** -50;

/** TX_AMOUNT in whole cents. */
export function amountCents(amount: number): number {
  return Math.round(amount * 100);
}

/**
 * Checks raw values and fills `into` when they are right. `values` stand in
 * the order of TRANSACTION_FIELDS; an undefined one is missing. TX_DATETIME
 * must be `startSeconds` (seconds since 1970) plus TX_TIME_SECONDS; where the
 * start is unknown only the time of day is compared. Returns the first defect,
 * in field order, or undefined for a good row; `into` is then complete.
 */
export function fillTransaction(
  values: readonly unknown[],
  startSeconds: number | undefined,
  into: Transaction,
): Defect | undefined {
  const [id, datetime, customer, terminal, amount, seconds, days, fraud, kind] =
    values;
  const defect = whole("TRANSACTION_ID", id, TRANSACTION_ID_MAX) ??
    text("TX_DATETIME", datetime) ??
    whole("CUSTOMER_ID", customer, INT_MAX) ??
    whole("TERMINAL_ID", terminal, INT_MAX) ??
    money("TX_AMOUNT", amount) ??
    whole("TX_TIME_SECONDS", seconds, INT_MAX) ??
    whole("TX_TIME_DAYS", days, INT_MAX) ??
    whole("TX_FRAUD", fraud, 1) ??
    whole("TX_FRAUD_SCENARIO", kind, INT_MAX);
  if (defect) return defect;
  const datetimeSeconds = parseDatetime(datetime as string);
  if (datetimeSeconds === undefined) {
    return {
      reason: "out of range",
      message: `TX_DATETIME ${
        show(datetime)
      } is not a date and time of the form 'YYYY-MM-DD HH:MM:SS'`,
    };
  }
  into.transactionId = id as number;
  into.datetimeSeconds = datetimeSeconds;
  into.customerId = customer as number;
  into.terminalId = terminal as number;
  into.amount = amount as number;
  into.timeSeconds = seconds as number;
  into.fraud = fraud as number;
  into.scenario = kind as number;
  return checkTimes(into, days as number, startSeconds);
}

/**
 * Whether the three statements of the time agree; the last of the checks,
 * apart so that a fast reader of well-formed records can call it alone.
 */
export function checkTimes(
  row: Transaction,
  timeDays: number,
  startSeconds: number | undefined,
): Defect | undefined {
  const { timeSeconds, datetimeSeconds } = row;
  if (timeDays !== Math.floor(timeSeconds / DAY_SECONDS)) {
    return {
      reason: "time mismatch",
      message: `TX_TIME_DAYS ${timeDays} is not the day of TX_TIME_SECONDS ` +
        `${timeSeconds}`,
    };
  }
  if (startSeconds === undefined) {
    if ((datetimeSeconds - timeSeconds) % DAY_SECONDS === 0) return undefined;
    return {
      reason: "time mismatch",
      message: `TX_TIME_SECONDS ${timeSeconds} has another time of day than ` +
        `TX_DATETIME ${formatDatetime(datetimeSeconds)}`,
    };
  }
  if (datetimeSeconds - timeSeconds === startSeconds) return undefined;
  return {
    reason: "time mismatch",
    message: `TX_TIME_SECONDS ${timeSeconds} after the start ` +
      `${formatDatetime(startSeconds)} is not TX_DATETIME ` +
      formatDatetime(datetimeSeconds),
  };
}

/** Whether an amount is one that a payment may have. */
export function isAmount(amount: number): boolean {
  return amount >= 0 && amount <= AMOUNT_MAX && isWholeCents(amount);
}

function isWholeCents(amount: number): boolean {
  const cents = amount * 100;
  const tolerance = CENT_TOLERANCE + cents * CENT_TOLERANCE_RELATIVE;
  return Math.abs(cents - Math.round(cents)) <= tolerance;
}

function whole(
  field: string,
  value: unknown,
  max: number,
): Defect | undefined {
  if (typeof value !== "number") return notA("whole number", field, value);
  if (!Number.isInteger(value)) return notA("whole number", field, value);
  if (value >= 0 && value <= max) return undefined;
  return {
    reason: "out of range",
    message: `${field} ${value} is not in 0…${max}`,
  };
}

function text(field: string, value: unknown): Defect | undefined {
  return typeof value === "string" ? undefined : notA("text", field, value);
}

function money(field: string, value: unknown): Defect | undefined {
  if (typeof value !== "number" || Number.isNaN(value)) {
    return notA("number", field, value);
  }
  if (value < 0 || value > AMOUNT_MAX) {
    return {
      reason: "out of range",
      message: `${field} ${value} is not in 0…${AMOUNT_MAX}`,
    };
  }
  if (isWholeCents(value)) return undefined;
  return {
    reason: "not whole cents",
    message: `${field} ${value} is not a whole number of cents`,
  };
}

function notA(kind: string, field: string, value: unknown): Defect {
  if (value === undefined) {
    return { reason: "missing field", message: `${field} is missing` };
  }
  return {
    reason: "wrong type",
    message: `${field} ${show(value)} is not a ${kind}`,
  };
}

function show(value: unknown): string {
  const shown = typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "object"
    ? "[object]"
    : String(value);
  return shown.length > 60 ? shown.slice(0, 57) + "…" : shown;
}
