/**
 * The rules that a payment keeps, wherever it comes from: JSON record, CSV or
 * Parquet row. Numbers may be decimal text, the label true or false, the time
 * any ISO 8601 form; what is ambiguous or not exact is refused. The message
 * about a row that breaks a rule names its field and the rule, so that it is
 * enough to correct the row.
 */
import {
  AMOUNT_MAX,
  DAY_SECONDS,
  type Payment,
  PAYMENT_FIELDS,
} from "./payment.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  fromCells,
  PAYMENT_CELLS,
} from "./payment_cells.ts";
import { digitsOf } from "../base/exact_json.ts";
import { type Field, PAYMENT_RECORD } from "./record_field.ts";
import { keepsRule } from "./text_rule.ts";
import {
  END_SECOND,
  FIRST_SECOND,
  formatDatetime,
  parseDatetime,
  parseEpoch,
  parseIsoDatetime,
} from "./calendar.ts";

/** Why a payment was refused: a stable word and a sentence. */
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
  | "not whole minor units"
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

/** TX_AMOUNT in whole minor units, where `scale` of them are 1. */
export function amountUnits(amount: number, scale: number): number {
  // Plus 0, so that -0 is 0.
  return Math.round(amount * scale) + 0;
}

/** Places in PAYMENT_FIELDS of what follows from the other fields: a file may lack it. */
export const DERIVABLE_FIELDS: readonly number[] = [...PAYMENT_RECORD.keys()]
  .filter((place) => PAYMENT_RECORD[place].absent !== undefined);

/** The other fields: every file has a column for each. */
export const REQUIRED_FIELDS: readonly string[] = PAYMENT_FIELDS
  .filter((_, place) => !DERIVABLE_FIELDS.includes(place));

/**
 * Checks raw values and fills `into` when they are right. `values` stand in
 * the order of PAYMENT_FIELDS; an undefined one is missing. TX_DATETIME
 * must be `startSeconds` (seconds since 1970) plus TX_TIME_SECONDS; where the
 * start is unknown only the time of day is compared. Returns the first defect,
 * in field order, or undefined for a good row; `into` is then complete.
 */
export function fillPayment(
  values: readonly unknown[],
  startSeconds: number | undefined,
  into: Payment,
): Defect | undefined {
  const defect = fillFields(values, into);
  if (defect) return defect;
  const absent = DERIVABLE_FIELDS.find((at) => values[at] === undefined);
  if (absent !== undefined) {
    return notA("number", PAYMENT_FIELDS[absent], undefined);
  }
  return checkStart(into.timeSeconds, into.datetimeSeconds, startSeconds);
}

/**
 * Checks raw values as fillPayment() does, without the start: the derivable
 * fields may be missing. Without TX_TIME_SECONDS, TX_TIME_DAYS and the time of
 * day determine it; without both, `into.timeSeconds` is -1. TX_TIME_SECONDS
 * completes a TX_DATETIME without seconds. TX_FRAUD_SCENARIO is 0 where it is
 * missing.
 */
export function fillFields(
  values: readonly unknown[],
  into: Payment,
): Defect | undefined {
  let timeDays = -1;
  for (let i = 0; i < PAYMENT_RECORD.length; i++) {
    const field = PAYMENT_RECORD[i];
    const value = checkedValue(field, values[i]);
    if (typeof value !== "number") return value;
    if (field.kind === "day") timeDays = value;
    else CELLS[field.cell] = value;
  }
  const datetime = CELLS[CELL.datetime];
  const time = CELLS[CELL.time];
  if (time >= 0) {
    if (lacksSeconds(values[DATETIME])) CELLS[CELL.datetime] += time % 60;
  } else if (timeDays >= 0) {
    CELLS[CELL.time] = timeDays * DAY_SECONDS + secondOfDay(datetime);
  }
  fromCells(CELLS, 0, into);
  return timeDays < 0 ? undefined : checkDay(into.timeSeconds, timeDays);
}

const DATETIME = PAYMENT_FIELDS.indexOf("TX_DATETIME");

/** The row that fillFields() fills first: a payment changes only if the whole row is valid. */
const CELLS = new Float64Array(PAYMENT_CELLS);

/** The number that a field's raw value stands for, or what is wrong with it; not for texts. */
export function checkedValue(field: Field, value: unknown): number | Defect {
  const { name, kind, max, absent } = field;
  if (value === undefined && absent !== undefined) return absent;
  switch (kind) {
    case "datetime":
      return moment(name, value);
    case "amount":
      return field.decimals === undefined
        ? moneyOf(name, value)
        : ownAmount(field, field.decimals, value);
    case "signed":
      return keptValue(field, value);
    case "keptNumber":
    case "keptTime":
      return value === null ? NaN : keptValue(field, value);
    case "flag":
      return flag(name, value);
    case "label":
      return value === null ? FRAUD_UNKNOWN : flag(name, value);
    default:
      return whole(name, value, max);
  }
}

/** Whether a date and time is written in minutes; TX_TIME_SECONDS has the second then. */
function lacksSeconds(datetime: unknown): boolean {
  return typeof datetime === "string" &&
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?!:)/.test(datetime);
}

function secondOfDay(seconds: number): number {
  return seconds - Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS;
}

/**
 * Whether TX_DATETIME is the start and TX_TIME_SECONDS; the last of the checks,
 * separate so that a fast reader of well-formed records can call it alone.
 * Where the start is unknown only the time of day is compared.
 */
export function checkStart(
  timeSeconds: number,
  datetimeSeconds: number,
  startSeconds: number | undefined,
): Defect | undefined {
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

/** Whether TX_TIME_DAYS is the day of TX_TIME_SECONDS. */
export function checkDay(
  timeSeconds: number,
  timeDays: number,
): Defect | undefined {
  if (timeDays === Math.floor(timeSeconds / DAY_SECONDS)) return undefined;
  return {
    reason: "time mismatch",
    message: `TX_TIME_DAYS ${timeDays} is not the day of TX_TIME_SECONDS ` +
      `${timeSeconds}`,
  };
}

/** Whether a payment may have this amount. */
export function isAmount(amount: number): boolean {
  return amount >= 0 && amount <= AMOUNT_MAX && isWholeCents(amount);
}

function isWholeCents(amount: number): boolean {
  const cents = amount * 100;
  const tolerance = CENT_TOLERANCE + cents * CENT_TOLERANCE_RELATIVE;
  return Math.abs(cents - Math.round(cents)) <= tolerance;
}

/** Whether a payment may have this amount where a minor unit has `decimals`. */
export function isAmountOf(
  amount: number,
  min: number,
  max: number,
  decimals: number,
): boolean {
  if (!(amount >= min && amount <= max)) return false;
  const units = Math.abs(amount) * 10 ** decimals;
  const tolerance = CENT_TOLERANCE + units * CENT_TOLERANCE_RELATIVE;
  return Math.abs(units - Math.round(units)) <= tolerance;
}

/** A number as in JSON; text of this form is accepted as a number. */
const NUMBER_TEXT = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Whole numbers as programs write them, also from columns of floats. */
const WHOLE_TEXT = /^-?\d+(?:\.0+)?$/;
const TRUE_TEXT: readonly unknown[] = ["true", "True", "TRUE"];
const FALSE_TEXT: readonly unknown[] = ["false", "False", "FALSE"];

/** The number that a value is, or that its text spells; NaN for anything else. */
function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  return typeof value === "string" && NUMBER_TEXT.test(value)
    ? Number(value)
    : NaN;
}

function whole(field: string, value: unknown, max: number): number | Defect {
  const number = numberOf(value);
  if (!Number.isInteger(number)) return notA("whole number", field, value);
  // Decimals that a double cannot hold must not vanish.
  if (
    typeof value === "string" && !WHOLE_TEXT.test(value) && !/[eE]/.test(value)
  ) return notA("whole number", field, value);
  // A number text such as -0 is 0.
  if (number >= 0 && number <= max) return number + 0;
  return {
    reason: "out of range",
    message: `${field} ${number} is not in 0…${max}`,
  };
}

function flag(field: string, value: unknown): number | Defect {
  if (value === true || TRUE_TEXT.includes(value)) return 1;
  if (value === false || FALSE_TEXT.includes(value)) return 0;
  return whole(field, value, 1);
}

/** Seconds since 1970 of a date and time, in any of its accepted forms. */
function moment(field: string, value: unknown): number | Defect {
  if (typeof value === "string") {
    const seconds = parseDatetime(value) ?? parseIsoDatetime(value) ??
      parseEpoch(NUMBER_TEXT.test(value) ? plainDigits(value) : value);
    if (seconds !== undefined) return seconds;
  } else if (typeof value === "number" || typeof value === "bigint") {
    const exact = typeof value === "bigint" ||
      Math.abs(value) <= Number.MAX_SAFE_INTEGER;
    const seconds = exact ? parseEpoch(String(value)) : undefined;
    return seconds ?? notA("text", field, value);
  } else if (value instanceof Date) {
    const seconds = Math.floor(value.getTime() / 1000);
    if (seconds >= FIRST_SECOND && seconds < END_SECOND) return seconds;
  } else return notA("text", field, value);
  return {
    reason: "out of range",
    message: `${field} ${
      show(value)
    } is not a date and time of the form 'YYYY-MM-DD HH:MM:SS'`,
  };
}

/** The text of a number without an exponent. */
function plainDigits(text: string): string {
  return /[eE]/.test(text) ? String(Number(text)) : text;
}

function moneyOf(field: string, value: unknown): number | Defect {
  const amount = numberOf(value);
  if (Number.isNaN(amount)) return notA("number", field, value);
  if (amount < 0 || amount > AMOUNT_MAX) {
    return {
      reason: "out of range",
      message: `${field} ${amount} is not in 0…${AMOUNT_MAX}`,
    };
  }
  if (isWholeCents(amount)) return amount;
  return {
    reason: "not whole cents",
    message: `${field} ${amount} is not a whole number of cents`,
  };
}

/** An amount of a stream with a definition. */
function ownAmount(
  { name, min = 0, max }: Field,
  decimals: number,
  value: unknown,
): number | Defect {
  const amount = numberOf(value);
  if (Number.isNaN(amount)) return notA("number", name, value);
  if (amount < min || amount > max) {
    return {
      reason: "out of range",
      message: `${name} ${amount} is not in ${min}…${max}`,
    };
  }
  if (isAmountOf(amount, min, max, decimals)) return amount + 0;
  return {
    reason: "not whole minor units",
    message: `${name} ${amount} has more than ${decimals} decimals`,
  };
}

function keptValue(field: Field, value: unknown): number | Defect {
  const { name, kind, min = 0, max } = field;
  if (kind === "keptTime") return moment(name, value);
  const number = typeof value === "boolean" ? Number(value) : numberOf(value);
  if (Number.isNaN(number)) return notA("number", name, value);
  if (number >= min && number <= max) return number + 0;
  return {
    reason: "out of range",
    message: `${name} ${number} is not in ${min}…${max}`,
  };
}

/** The text of a field's raw value, or what is wrong with it; null for a kept text that is missing. */
export function checkedText(
  { name, kind, max }: Field,
  value: unknown,
): string | null | Defect {
  const isKept = kind === "keptText";
  if (isKept && (value === null || value === "")) return null;
  // Numbers of many digits are kept as they are written; see parseOwnObject().
  const text = typeof value === "number" && Number.isSafeInteger(value)
    ? String(value + 0)
    : digitsOf(value) ?? value;
  if (typeof text !== "string" || text === "") {
    return notA("text", name, value);
  }
  if (keepsRule(text, max, isKept ? "kept" : "id")) return text;
  return {
    reason: "out of range",
    message: `${name} ${show(text)} has more than ${max} bytes, or holds a ` +
      "control character or what is not UTF-8",
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
    : Array.isArray(value)
    ? "[…]"
    : typeof value === "object" && value !== null
    ? "{…}"
    : String(value);
  return shown.length > 60 ? shown.slice(0, 57) + "…" : shown;
}
