/** Which alerts of the index are wanted, as the page's addresses name them. */
import { DataError } from "../../base/error.ts";
import { parseDatetime } from "../../payment/calendar.ts";
import type { TransactionId } from "../../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  type IdKind,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import { ID_BYTES_MAX, keepsRule } from "../../payment/text_rule.ts";

/** Whether an alert waits, and how it was decided. A snooze that has ended is open again. */
export const CASE_STATES = [
  "open",
  "snoozed",
  "confirmed",
  "cleared",
] as const;

/** Whether an alert waits, and how it was decided. */
export type CaseState = typeof CASE_STATES[number];

/** The state of a case by the label of its verdict, if it has one, and by whether it is snoozed now. */
export function caseStateOf(
  label: number | undefined,
  isSnoozed: boolean,
): CaseState {
  if (label !== undefined) return label === 1 ? "confirmed" : "cleared";
  return isSnoozed ? "snoozed" : "open";
}

/** What comes first: score × amount, the time of arrival, the score, or the amount. */
export const ALERT_SORTS = ["risk", "newest", "score", "amount"] as const;

/** What rules can have decided about an alert. */
export const QUEUED_DECISIONS = ["review", "decline"] as const;

/** Which alerts are wanted, and in which order; undefined where a field does not matter. */
export interface AlertFilter {
  /** Whether they wait, and how they were decided. */
  readonly state: CaseState | "all";
  /** What comes first. */
  readonly sort: typeof ALERT_SORTS[number];
  /** At least this score. */
  readonly score?: number;
  /** At least this TX_AMOUNT. */
  readonly amountFrom?: number;
  /** At most this TX_AMOUNT. */
  readonly amountTo?: number;
  /** CUSTOMER_ID. */
  readonly card?: number | string;
  /** TERMINAL_ID. */
  readonly terminal?: number | string;
  /** Midnight of the event day, seconds since 1970. */
  readonly day?: number;
  /** Version of the model. */
  readonly model?: string;
  /** Who has claimed them; "nobody" for those that nobody has. */
  readonly assignee?: string;
  /** TRANSACTION_ID, CUSTOMER_ID or TERMINAL_ID, as it was written. */
  readonly q?: string;
  /** TX_FRAUD_SCENARIO; only where the simulation's truth is asked for. */
  readonly scenario?: number;
  /** What rules decided. */
  readonly decision?: typeof QUEUED_DECISIONS[number];
  /** Id of a rule, live or shadow, that fired. */
  readonly rule?: string;
  /** The greatest number of arrival. */
  readonly upTo?: number;
}

/** A filter, which page of it, and whether the simulation's truth is wanted. */
export interface AlertQuery {
  /** The filter. */
  readonly filter: AlertFilter;
  /** Which page, from 1. */
  readonly page: number;
  /** Whether labels may be shown that nobody knew. */
  readonly truth: boolean;
}

/** Characters of a text in a filter. */
const TEXT_MAX = 100;
/** Bytes of a search: an id with some blanks around it. */
const SEARCH_BYTES_MAX = ID_BYTES_MAX + 64;
const PAGE_MAX = 1_000_000;

/** The filter in the parameters of an address, for payments of a shape. Throws DataError for what is none. */
export function readAlertQuery(
  query: Readonly<Record<string, string>>,
  shape: PaymentShape = HANDBOOK_SHAPE,
): AlertQuery {
  const truth = query.truth === "1";
  const given = (name: string) => query[name]?.trim() || undefined;
  const read = <T>(
    name: string,
    parse: (text: string, what: string) => T,
    what = `the ${name}`,
  ) => {
    const text = given(name);
    return text === undefined ? {} : { [name]: parse(text, what) };
  };
  // A blank may be a part of an id.
  const readId = (name: string, kind: IdKind) => {
    const text = query[name];
    return text?.trim() ? { [name]: idFrom(text, kind, `the ${name}`) } : {};
  };
  return {
    filter: {
      state: wordOf(given("state") ?? "open", "the state", [
        ...CASE_STATES,
        "all",
      ]),
      sort: wordOf(given("sort") ?? "risk", "the order", ALERT_SORTS),
      ...read("score", numberOf),
      ...read("amountFrom", amountOf, "the smallest amount"),
      ...read("amountTo", amountOf, "the largest amount"),
      ...readId("card", shape.customerId),
      ...readId("terminal", shape.terminalId),
      ...read("day", dayOf),
      ...read("model", textOf),
      ...read("assignee", textOf),
      ...query.q?.trim() ? { q: searchedOf(query.q, shape) } : {},
      ...read("decision", (text, what) => wordOf(text, what, QUEUED_DECISIONS)),
      ...read("rule", textOf),
      ...truth ? read("scenario", wholeOf) : {},
      ...read("upTo", wholeOf, "upTo"),
    },
    page: Math.min(
      PAGE_MAX,
      Math.max(1, wholeOf(given("page") ?? "1", "the page")),
    ),
    truth,
  };
}

function wordOf<Word extends string>(
  text: string,
  what: string,
  words: readonly Word[],
): Word {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new DataError(`${what} must be one of ${words.join(", ")}`);
}

function numberOf(text: string, what: string): number {
  const value = /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : NaN;
  if (Number.isFinite(value)) return value;
  throw new DataError(`${what} must be a number`);
}

function amountOf(text: string, what: string): number {
  return text.startsWith("-")
    ? -numberOf(text.slice(1), what)
    : numberOf(text, what);
}

/** An id from a path or a query; throws DataError, which names `what`, for what is none. */
export function idFrom(
  text: string | undefined,
  kind: IdKind,
  what: string,
): TransactionId {
  if (kind === "number") return wholeOf(text?.trim(), what);
  if (text !== undefined && keepsRule(text, ID_BYTES_MAX, "id")) return text;
  throw new DataError(
    `${what} must be an id of 1 to ${ID_BYTES_MAX} bytes without control ` +
      "characters",
  );
}

/** A whole number from a path or a query; throws DataError, which names `what`, for anything else. */
export function wholeOf(text: string | undefined, what: string): number {
  const value = isWhole(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new DataError(`${what} must be a whole number`);
}

const isWhole = (text = "") => /^\d{1,16}$/.test(text);

/** What was searched for, if an id can look like that. */
function searchedOf(
  text: string,
  { transactionId, customerId, terminalId }: PaymentShape,
): string {
  const kinds = new Set([transactionId, customerId, terminalId]);
  if (kinds.has("text") && keepsRule(text, SEARCH_BYTES_MAX, "id")) return text;
  if (searchedIds(text, "number").length > 0) return text;
  throw new DataError(
    "the search must be the id of a payment, card or terminal",
  );
}

/** The ids of a kind that a person may mean who searches for a text: with the blanks around it, or without. */
export function searchedIds(text: string, kind: IdKind): TransactionId[] {
  const trimmed = text.trim();
  if (kind === "text") return [...new Set([text, trimmed])];
  return isWhole(trimmed) && Number.isSafeInteger(Number(trimmed))
    ? [Number(trimmed)]
    : [];
}

function textOf(text: string, what: string): string {
  if (text.length <= TEXT_MAX) return text;
  throw new DataError(`${what} must have at most ${TEXT_MAX} characters`);
}

function dayOf(text: string): number {
  const midnight = parseDatetime(`${text} 00:00:00`);
  if (midnight !== undefined) return midnight;
  throw new DataError("the day must be a date of the form YYYY-MM-DD");
}
