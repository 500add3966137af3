/**
 * What people and programs say about a payment: the records of the label topic
 * and the rows of a file of labels. Verdicts of the page have LABEL in place of
 * TX_FRAUD, and no KNOWN_AT. REASON, SOURCE and further fields stay in the
 * record, and nothing is computed from them.
 */
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import { INT_MAX, type TransactionId } from "./payment.ts";
import { CELL } from "./payment_cells.ts";
import { parseObject } from "./payment_json.ts";
import { paymentFields, type PaymentShape } from "./payment_shape.ts";
import type { Field } from "./record_field.ts";
import { checkedText, checkedValue, type Defect } from "./validation.ts";

/** A label as it is said. */
export interface SaidLabel {
  /** TRANSACTION_ID. */
  readonly transactionId: TransactionId;
  /** TX_FRAUD, 0 or 1; null withdraws the labels before. */
  readonly fraud: 0 | 1 | null;
  /** KNOWN_AT, seconds since 1970; undefined where it is not said. */
  readonly knownAt: number | undefined;
}

const KNOWN_AT: Field = {
  name: "KNOWN_AT",
  kind: "datetime",
  max: INT_MAX,
  cell: CELL.datetime,
};

/** The texts that TX_FRAUD may be, in lower case. */
const FRAUD_WORDS: ReadonlyMap<string, 0 | 1> = new Map([
  ["1", 1],
  ["1.0", 1],
  ["true", 1],
  ["yes", 1],
  ["0", 0],
  ["0.0", 0],
  ["false", 0],
  ["no", 0],
]);

/** Reads the label in bytes `from` to `to` of a record, or says what is wrong with it. */
export function readSaidLabel(
  bytes: Uint8Array,
  from: number,
  to: number,
  shape: PaymentShape,
): SaidLabel | Defect {
  const { object, defect } = parseObject(bytes, from, to, parseExactly);
  return object ? saidLabel(object, shape) : defect;
}

/** The label that fields say of a payment of a shape, or what is wrong with them. */
export function saidLabel(
  fields: Readonly<Record<string, unknown>>,
  shape: PaymentShape,
): SaidLabel | Defect {
  const transactionId = idOf(fields.TRANSACTION_ID, shape);
  if (typeof transactionId === "object") return transactionId;
  const fraud = fraudOf(
    fields.TX_FRAUD === undefined ? fields.LABEL : fields.TX_FRAUD,
  );
  if (typeof fraud === "object" && fraud !== null) return fraud;
  const known = fields.KNOWN_AT ?? undefined;
  if (known === undefined) return { transactionId, fraud, knownAt: undefined };
  const knownAt = checkedValue(KNOWN_AT, digitsOf(known) ?? known);
  if (typeof knownAt === "object") return knownAt;
  return { transactionId, fraud, knownAt };
}

function idOf(value: unknown, shape: PaymentShape): TransactionId | Defect {
  const [field] = paymentFields(shape);
  if (field.kind !== "text") {
    return checkedValue(field, digitsOf(value) ?? value);
  }
  const text = typeof value === "bigint" ? String(value) : value;
  return checkedText(field, text) ?? "";
}

function fraudOf(value: unknown): 0 | 1 | null | Defect {
  if (value === null) return null;
  const fraud = FRAUD_WORDS.get(String(value).toLowerCase());
  const isScalar = typeof value !== "object";
  if (isScalar && fraud !== undefined) return fraud;
  if (value === undefined) {
    return { reason: "missing field", message: "TX_FRAUD is missing" };
  }
  const shown = isScalar ? JSON.stringify(String(value).slice(0, 60)) : "{…}";
  return {
    reason: "wrong type",
    message: `TX_FRAUD ${shown} is none of 1, true, yes (a fraud), 0, false, ` +
      "no (no fraud) and null (the labels before are withdrawn)",
  };
}
