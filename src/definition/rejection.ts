/** Why a row of other people's data is no payment, and what a value is without its type. */

/** The kinds of rejection: stable words, for counting. */
export type RejectionReason =
  | "missing field"
  | "wrong type"
  | "out of range"
  | "not whole minor units"
  | "negative amount"
  | "invalid time"
  | "invalid text"
  | "ambiguous id";

/** Why a row was rejected. */
export interface Rejection {
  /** Stable word, for counting. */
  readonly reason: RejectionReason;
  /** Name of the field in the data. */
  readonly field: string;
  /** One line that names the field, the value and the rule. */
  readonly message: string;
}

/**
 * A value before the mapping: text of CSV; a text, number, boolean, object or
 * list of JSON, where a number of more than 15 digits is its text; a value of
 * Parquet, where a Date or text is a time, and a bigint a whole number.
 * undefined, null and the empty text are no value.
 */
export type RawValue =
  | string
  | number
  | bigint
  | boolean
  | object
  | null
  | undefined;

/** Whether there is no value. */
export function isMissing(value: RawValue): value is null | undefined | "" {
  return value === undefined || value === null || value === "";
}

/** The rejection of a field's value; `rule` completes "amt \"x\" …". */
export function reject(
  reason: RejectionReason,
  field: string,
  value: RawValue,
  rule: string,
): Rejection {
  return { reason, field, message: `${field} ${showValue(value)} ${rule}` };
}

/** The rejection of a row that lacks a field. */
export function missing(field: string): Rejection {
  return {
    reason: "missing field",
    field,
    message: `${field} is missing or empty`,
  };
}

/** Whether something is a rejection, and not a value. */
export function isRejection(
  value: string | number | null | Rejection,
): value is Rejection {
  return typeof value === "object" && value !== null;
}

/** Longest value in a message, in UTF-16 units. */
const SHOWN_MAX = 60;

function showValue(value: RawValue): string {
  if (typeof value === "object" && value !== null) {
    if (value instanceof Date) {
      return Number.isNaN(value.getTime()) ? "no time" : value.toISOString();
    }
    return Array.isArray(value) ? "[…]" : "{…}";
  }
  const text = typeof value === "string"
    ? JSON.stringify(value.slice(0, SHOWN_MAX + 1))
    : String(value);
  return text.length > SHOWN_MAX ? text.slice(0, SHOWN_MAX - 3) + "…" : text;
}
