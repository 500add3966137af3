/**
 * What the payments of a stream look like: which of their ids are text, what an
 * amount is made of, whether labels stand in them, and which further fields are
 * kept. The handbook's is the built-in one. Every codec, pack and table follows
 * from a shape.
 */
import { digitsOf } from "../base/exact_json.ts";
import {
  isTransactionId,
  PAYMENT_FIELDS,
  TRANSACTION_ID_MAX,
  type TransactionId,
} from "./payment.ts";
import { CELL, FRAUD_UNKNOWN, PAYMENT_CELLS } from "./payment_cells.ts";
import { type Field, PAYMENT_RECORD } from "./record_field.ts";
import type { TextHeap } from "./text_heap.ts";
import { ID_BYTES_MAX, keepsRule, KEPT_BYTES_MAX } from "./text_rule.ts";

/** Whether an id is a whole number or text. */
export type IdKind = "number" | "text";

/** What a kept field may be. A time is held in seconds since 1970, a flag as 0 or 1. */
export type KeptKind = "text" | "number" | "flag" | "time";

/** The form of a stream's payments. */
export interface PaymentShape {
  /** What TRANSACTION_ID is. */
  readonly transactionId: IdKind;
  /** What CUSTOMER_ID is. */
  readonly customerId: IdKind;
  /** What TERMINAL_ID is. */
  readonly terminalId: IdKind;
  /** Decimals of TX_AMOUNT, 0 to 4. */
  readonly decimals: number;
  /** Code of ISO 4217, for display; null where it is not known. */
  readonly currency: string | null;
  /** Whether amounts may be negative. */
  readonly refunds: boolean;
  /** Whether payments have a TX_FRAUD. */
  readonly hasFraud: boolean;
  /** Whether payments have a TX_FRAUD_SCENARIO. */
  readonly hasScenario: boolean;
  /** Whether labels arrive later, as records among the payments; these have no TX_FRAUD and no TX_FRAUD_SCENARIO then. */
  readonly hasLabels: boolean;
  /** The kept fields, in their order. */
  readonly kept: readonly KeptShape[];
}

/** A kept field. */
export interface KeptShape {
  /** Its name. */
  readonly name: string;
  /** What it is. */
  readonly type: KeptKind;
}

/** The handbook's payments. Streams without a definition have it, and compare by identity. */
export const HANDBOOK_SHAPE: PaymentShape = {
  transactionId: "number",
  customerId: "number",
  terminalId: "number",
  decimals: 2,
  currency: null,
  refunds: false,
  hasFraud: true,
  hasScenario: true,
  hasLabels: false,
  kept: [],
};

/** The handbook's payments where labels arrive later. */
export const UNLABELLED_SHAPE: PaymentShape = {
  ...HANDBOOK_SHAPE,
  hasFraud: false,
  hasScenario: false,
  hasLabels: true,
};

/** Greatest amount in minor units, of either sign: sums of many stay exact in a double. */
export const MINOR_UNITS_MAX = 1e11;

/** Whether rows of this shape refer to texts. */
export function hasText(shape: PaymentShape): boolean {
  const { transactionId, customerId, terminalId, kept } = shape;
  return [transactionId, customerId, terminalId].includes("text") ||
    kept.some(({ type }) => type === "text");
}

/** The id that a cell holds, or refers to. */
export function idOf(
  kind: IdKind,
  cell: number,
  texts: TextHeap,
): number | string {
  return kind === "text" ? texts.text(cell) ?? "" : cell;
}

/** The TRANSACTION_ID in a value of JSON, whose long numbers are read exactly for texts; undefined if it is none. */
export function transactionIdIn(
  value: unknown,
  kind: IdKind,
): TransactionId | undefined {
  if (kind === "number") return isTransactionId(value) ? value : undefined;
  const text = digitsOf(value) ??
    (typeof value === "number" ? String(value) : value);
  return typeof text === "string" && keepsRule(text, ID_BYTES_MAX, "id")
    ? text
    : undefined;
}

/** The fields of a payment's record before the kept ones, in their order. */
export function paymentFields(shape: PaymentShape): readonly Field[] {
  if (shape === HANDBOOK_SHAPE) return PAYMENT_RECORD;
  const { transactionId, customerId, terminalId, hasFraud, hasScenario } =
    shape;
  const own: Readonly<Record<string, Field | undefined>> = {
    TRANSACTION_ID: idField("TRANSACTION_ID", transactionId, CELL.id),
    CUSTOMER_ID: idField("CUSTOMER_ID", customerId, CELL.customer),
    TERMINAL_ID: idField("TERMINAL_ID", terminalId, CELL.terminal),
    TX_AMOUNT: amountField(shape),
  };
  const fields = PAYMENT_FIELDS.map((name, at) =>
    own[name] ?? PAYMENT_RECORD[at]
  );
  return fields.filter(({ name }) =>
    (hasFraud || name !== "TX_FRAUD") &&
    (hasScenario || name !== "TX_FRAUD_SCENARIO")
  );
}

/** The kept fields of a row whose first of them is cell `from`. */
export function keptFields(shape: PaymentShape, from: number): Field[] {
  return shape.kept.map(({ name, type }, i): Field => {
    const cell = from + i;
    if (type === "text") {
      return { name, kind: "keptText", max: KEPT_BYTES_MAX, cell };
    }
    const max = type === "flag" ? 1 : Number.MAX_VALUE;
    const kind = type === "time" ? "keptTime" : "keptNumber";
    return { name, kind, max, cell, min: type === "flag" ? 0 : -max };
  });
}

/** Where KNOWN_AT and KNOWN_TIME of a label lie in its row, behind the kept fields, as seconds since 1970; and how many cells it has. */
export function labelCells(
  { kept }: PaymentShape,
): {
  readonly knownAt: number;
  readonly knownTime: number;
  readonly width: number;
} {
  const knownAt = PAYMENT_CELLS + kept.length;
  return { knownAt, knownTime: knownAt + 1, width: knownAt + 2 };
}

/** The fields of a label record behind those of its payment. */
export function labelFields(shape: PaymentShape): readonly Field[] {
  const { knownAt } = labelCells(shape);
  return [
    { name: "TX_FRAUD", kind: "label", max: 1, cell: CELL.fraud },
    PAYMENT_RECORD[PAYMENT_FIELDS.indexOf("TX_FRAUD_SCENARIO")],
    { name: "KNOWN_AT", kind: "datetime", max: Infinity, cell: knownAt },
  ];
}

/** The cells of a row that refer to texts; its first kept field is cell `from`. */
export function textCells(shape: PaymentShape, from: number): number[] {
  return [...paymentFields(shape), ...keptFields(shape, from)]
    .filter(({ kind }) => kind === "text" || kind === "keptText")
    .map(({ cell }) => cell);
}

function idField(name: string, kind: IdKind, cell: number): Field {
  return kind === "text"
    ? { name, kind, max: ID_BYTES_MAX, cell }
    : { name, kind: "whole", max: TRANSACTION_ID_MAX, cell };
}

function amountField({ decimals, refunds }: PaymentShape): Field {
  const max = MINOR_UNITS_MAX / 10 ** decimals;
  return {
    name: "TX_AMOUNT",
    kind: "amount",
    max,
    cell: CELL.amount,
    min: refunds ? -max : 0,
    decimals,
  };
}

/** Fills the cells of fields that a shape does not have, in the row that begins at `at`. */
export function absentCells(
  { hasFraud, hasScenario }: PaymentShape,
  cells: Float64Array,
  at: number,
): void {
  if (!hasFraud) cells[at + CELL.fraud] = FRAUD_UNKNOWN;
  if (!hasScenario) cells[at + CELL.scenario] = 0;
}
