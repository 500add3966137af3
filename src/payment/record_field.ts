/**
 * The fields of records, as data: name, kind, range and cell. Everything that
 * reads or writes a record goes through such a list: JSON on the wire, the rows
 * of files, the checks, the columns of tables. Other contents of a record (a
 * text, an object) are handled by its codec.
 */
import {
  AMOUNT_MAX,
  INT_MAX,
  PAYMENT_FIELDS,
  TRANSACTION_ID_MAX,
} from "./payment.ts";
import { CELL } from "./payment_cells.ts";
import { PREDICTION_CELL } from "./prediction.ts";

/**
 * What a field holds: a whole number, a 0 or 1 that may be written as false or
 * true, a number, one that may be negative, an amount of whole minor units, a date and time, or the event
 * day, which has no cell and follows from TX_TIME_SECONDS. A label is a flag or
 * null, which is FRAUD_UNKNOWN in its cell. A text's cell refers to a TextHeap. Kept values may be null: a text's cell is then NO_TEXT, that of
 * a number (or flag) or time NaN.
 */
export type FieldKind =
  | "whole"
  | "flag"
  | "number"
  | "amount"
  | "datetime"
  | "day"
  | "signed"
  | "label"
  | "text"
  | "keptText"
  | "keptNumber"
  | "keptTime";

/** A field of a record. */
export interface Field {
  /** Its name, the key of JSON and the header of files. */
  readonly name: string;
  /** What it holds. */
  readonly kind: FieldKind;
  /** Its greatest value, of a text its most bytes. */
  readonly max: number;
  /** Place of its value in a row of cells; of a day that of TX_TIME_SECONDS. */
  readonly cell: number;
  /** Its value in a file that lacks it, since it follows from other fields. */
  readonly absent?: number | undefined;
  /** Its least value where that is not 0; times have none. */
  readonly min?: number | undefined;
  /** Of an amount, the decimals of a minor unit; the handbook's 2 where it is left out. */
  readonly decimals?: number | undefined;
}

type PaymentField = typeof PAYMENT_FIELDS[number];

/** What the payment's fields are, in any order. */
const PAYMENT: Readonly<Record<PaymentField, Omit<Field, "name">>> = {
  TRANSACTION_ID: { kind: "whole", max: TRANSACTION_ID_MAX, cell: CELL.id },
  TX_DATETIME: { kind: "datetime", max: Infinity, cell: CELL.datetime },
  CUSTOMER_ID: { kind: "whole", max: INT_MAX, cell: CELL.customer },
  TERMINAL_ID: { kind: "whole", max: INT_MAX, cell: CELL.terminal },
  TX_AMOUNT: { kind: "amount", max: AMOUNT_MAX, cell: CELL.amount },
  TX_TIME_SECONDS: {
    kind: "whole",
    max: INT_MAX,
    cell: CELL.time,
    absent: -1,
  },
  TX_TIME_DAYS: {
    kind: "day",
    max: INT_MAX,
    cell: CELL.time,
    absent: -1,
  },
  TX_FRAUD: { kind: "flag", max: 1, cell: CELL.fraud },
  TX_FRAUD_SCENARIO: {
    kind: "whole",
    max: INT_MAX,
    cell: CELL.scenario,
    absent: 0,
  },
};

/** The fields of a payment, in their order; all of one shape, for the loops that go through them. */
export const PAYMENT_RECORD: readonly Field[] = PAYMENT_FIELDS.map((name) => {
  const { kind, max, cell, absent } = PAYMENT[name];
  return { name, kind, max, cell, absent };
});

/** The fields of a prediction: those of the payment that it repeats, and the model's output. */
export function predictionFields(payment: readonly Field[]): readonly Field[] {
  return [
    ...payment.slice(0, PAYMENT_FIELDS.indexOf("TX_TIME_DAYS")),
    // null where rules decide without a model.
    { name: "SCORE", kind: "keptNumber", max: 1, cell: PREDICTION_CELL.score },
    { name: "ALERT", kind: "flag", max: 1, cell: PREDICTION_CELL.alert },
  ];
}

/** The fields of a prediction about a payment of the handbook's shape. */
export const PREDICTION_RECORD: readonly Field[] = predictionFields(
  PAYMENT_RECORD,
);
